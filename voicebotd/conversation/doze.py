"""The sleep of a box to which nobody talks: the session is closed, and a voice or a command opens another.

Owns what is known of the visitor's first words while that session is opened. Where the box detects turns by itself, a
whole turn may pass meanwhile.
"""

from __future__ import annotations

LONGEST_KEPT_MS = 30_000
"""Of what is said while the session is opened; the shell keeps no more."""


class Doze:
    """`on`: no session is wanted. After `wake` one is being opened, until `ready`."""

    def __init__(self) -> None:
        self.on = False
        self.turn_is_open = False
        self.turn_ms = 0
        self._heard_since_s: float | None = None

    @property
    def waking(self) -> bool:
        """Whether a session is being opened after a sleep."""
        return self._heard_since_s is not None

    def fall_asleep(self) -> None:
        self.on = True

    def wake(self, now_s: float) -> None:
        """Somebody wants something: what is heard from now on is for the new session."""
        self.on, self._heard_since_s = False, now_s

    def turn_began(self) -> None:
        self.turn_is_open = True

    def turn_ended(self, speech_ms: int) -> None:
        """Several turns become one: they are told together."""
        self.turn_is_open = False
        self.turn_ms += speech_ms

    def kept_ms(self, now_s: float, margin_ms: int) -> int:
        """How much of what was heard the new session is told; `margin_ms`: from before the voice was noticed."""
        assert self._heard_since_s is not None
        return min(LONGEST_KEPT_MS, round((now_s - self._heard_since_s) * 1000) + margin_ms)

    def ready(self) -> None:
        """The session is there and was told."""
        self._heard_since_s = None
        self.turn_is_open, self.turn_ms = False, 0
