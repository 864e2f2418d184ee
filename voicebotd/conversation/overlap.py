"""The reply while somebody talks over it: made quieter, paused, and let go on. One small state machine.

Owns the phase of an overlap and the shape of the playout, so that it tells a shape only when it changes. Whether what
was heard was a turn is `barge_in.py`'s question; what follows from that is `visitor.py`'s.
"""

from __future__ import annotations

from enum import StrEnum

from voicebotd.conversation.effects import Effect, Publish, ShapePlayout


class Phase(StrEnum):
    NONE = "none"
    """Nobody talks over the reply, or it is decided that the visitor may have the floor."""
    JUDGING = "judging"
    """Somebody does, and it is not known yet whether it is a turn or a noise."""
    RESUMING = "resuming"
    """It was a noise; the box waits a little for more before the reply goes on."""


class Overlap:
    """NONE → JUDGING → NONE (a turn), or → RESUMING (a noise) → NONE or JUDGING again."""

    def __init__(self) -> None:
        self.phase = Phase.NONE
        self._gain_db = 0.0
        self.paused = False

    @property
    def judging(self) -> bool:
        return self.phase is Phase.JUDGING

    @property
    def resuming(self) -> bool:
        return self.phase is Phase.RESUMING

    def begin(self, *, sounding: bool, duck_db: float) -> list[Effect]:
        """Speech began. What sounds gets quieter; what does not sound yet must not begin over the visitor.

        A reply that is paused already, because this speech follows a noise, stays paused.
        """
        self.phase = Phase.JUDGING
        if self.paused or not sounding:
            return self._shape(self._gain_db, paused=True)
        return self._shape(duck_db, paused=False)

    def confirm(self) -> list[Effect]:
        """It lasts: pause."""
        return self._shape(self._gain_db, paused=True)

    def noise(self) -> None:
        """It was nothing. The shape stays until `release`."""
        self.phase = Phase.RESUMING

    def release(self, *, goes_on: bool) -> list[Effect]:
        """Nothing is judged any more; what is played from now on is as loud as it came.

        `goes_on`: the same reply is heard again, and people are told so.
        """
        self.phase = Phase.NONE
        return self._shape(0.0, paused=False, told=goes_on)

    def _shape(self, gain_db: float, *, paused: bool, told: bool = True) -> list[Effect]:
        if (gain_db, paused) == (self._gain_db, self.paused):
            return []
        self._gain_db, self.paused = gain_db, paused
        shape = ShapePlayout(gain_db=gain_db, paused=paused)
        word = "paused" if paused else "ducked" if gain_db else "resumed"
        return [shape, Publish(topic="response", data={"event": word})] if told else [shape]
