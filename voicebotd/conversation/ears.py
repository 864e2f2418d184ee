"""What the box listens with: the microphone towards the service, the local detector, the pace of a file.

Tells each of them only when it changes. Who wants what, and when, is decided elsewhere.
"""

from __future__ import annotations

from voicebotd.conversation.effects import Detect, Effect, HoldInput, OpenMicrophone, Since


class Ears:
    """`held`: whether a file in the place of the microphone waits at first."""

    def __init__(self, *, held: bool) -> None:
        self._held = held
        self._open = False
        self._detect = Detect(voice=False, turns=None)
        self._anew = False

    def new_session(self) -> None:
        """It has heard nothing, so that the microphone opens once more, and with it what was heard before."""
        self._open, self._anew = False, True

    def keep(
        self, *, microphone: bool, preroll_ms: int, since: Since | None, detect: Detect, hold: bool
    ) -> list[Effect]:
        """Bring everything to what is wanted now. `preroll_ms` and `since` matter when the microphone opens."""
        effects: list[Effect] = []
        if detect != self._detect:
            self._detect = detect
            effects.append(detect)
        if microphone != self._open:
            self._open = microphone
            effects.append(self.open(preroll_ms, since) if microphone else OpenMicrophone(open=False))
        if hold != self._held:
            self._held = hold
            effects.append(HoldInput(hold=hold))
        return effects

    def open_again(self, preroll_ms: int) -> list[Effect]:
        """If it is open, then somebody else closed it for a moment."""
        return [OpenMicrophone(open=True, preroll_ms=preroll_ms)] if self._open else []

    def open(self, preroll_ms: int, since: Since | None) -> OpenMicrophone:
        """Open it; of a new session this is the first that it hears."""
        anew, self._anew = self._anew, False
        return OpenMicrophone(open=True, preroll_ms=preroll_ms, again=anew, since=since if anew else None)
