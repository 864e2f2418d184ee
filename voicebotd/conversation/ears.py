"""What the box listens with: the microphone towards the service, the local detector, the pace of a file.

Tells each of them only when it changes. Who wants what, and when, is decided elsewhere.
"""

from __future__ import annotations

from voicebotd.conversation.effects import Detect, Effect, HoldInput, OpenMicrophone


class Ears:
    """`held`: whether a file in the place of the microphone waits at first."""

    def __init__(self, *, held: bool) -> None:
        self._held = held
        self._open = False
        self._detect = Detect(voice=False, turns=None)

    def keep(self, *, microphone: bool, preroll_ms: int, detect: Detect, hold: bool) -> list[Effect]:
        """Bring everything to what is wanted now. `preroll_ms` matters when the microphone opens."""
        effects: list[Effect] = []
        if detect != self._detect:
            self._detect = detect
            effects.append(detect)
        if microphone != self._open:
            self._open = microphone
            effects.append(OpenMicrophone(open=microphone, preroll_ms=preroll_ms if microphone else 0))
        if hold != self._held:
            self._held = hold
            effects.append(HoldInput(hold=hold))
        return effects
