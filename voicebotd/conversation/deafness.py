"""Deafness to a noise that was cut off for its length: until it is over, it may not interrupt the answer to it.

Owns what is known of that noise: how it goes on, and since when it is quiet. What is done about it is `floor.py`'s.
Times are seconds on the clock of `handle`'s `now_s`.
"""

from __future__ import annotations

from dataclasses import dataclass

QUIET_S = 1.5
"""A radio is over when it is quiet for so long: no pause inside a sentence is longer (the turn bench's longest)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A speech that began. `item_id` empty: detected by the box, so the service has no item of it yet."""

    began_s: float
    item_id: str = ""
    start_ms: int = 0
    crowded: bool = False


class Deafness:
    """Off, until a speech is cut off."""

    def __init__(self) -> None:
        self.on = False
        self.cut_off = ""
        """The item of the speech that was cut off."""
        self.tail: Speech | None = None
        """What the service calls a new speech and is the rest of that noise."""
        self._quiet_since_s: float | None = None

    def begin(self, item_id: str) -> None:
        """A speech was cut off. It goes on, as far as anybody knows."""
        self.on, self.cut_off = True, item_id
        self.sounds()

    def sounds(self, tail: Speech | None = None) -> None:
        """The noise goes on; as `tail`, if the service calls it a new speech."""
        self.tail, self._quiet_since_s = tail, None

    def quiet(self, since_s: float) -> None:
        """Somebody says that it is quiet since then. The latest word counts, because each hears something else."""
        self._quiet_since_s = max(since_s, self._quiet_since_s or since_s)

    def due_s(self) -> float | None:
        """When it is over if it stays quiet; None while it sounds."""
        if not self.on or self._quiet_since_s is None:
            return None
        return self._quiet_since_s + QUIET_S

    def end(self) -> None:
        self.on, self.cut_off = False, ""
        self.sounds()
