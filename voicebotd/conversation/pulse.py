"""Whether the service still works, when its line does: it answers pings, and says nothing although somebody speaks.

Owns the question that is put to it then, and how long it has to answer. What the visitor does is told by the local
detector; a service that rightly takes a murmur for a noise answers the question, and nothing follows.
"""

from __future__ import annotations

from voicebotd.conversation.effects import Effect
from voicebotd.conversation.timers import Timers

PULSE = "pulse"
PULSE_ASKED = "pulse.asked"
PULSES = frozenset({PULSE, PULSE_ASKED})

SILENT_S = 4.0
"""After so long without a word, beyond the silence that ends a turn, the service is asked."""


class Pulse:
    """One conversation's."""

    def __init__(self, *, answer_within_s: float) -> None:
        self._answer_within_s = answer_within_s
        self._timers = Timers()
        self._since_s: float | None = None
        self._asked = False

    def expect(self, now_s: float) -> None:
        """Somebody spoke, or stopped: the service has reason to say something soon."""
        if self._since_s is None:
            self._since_s = now_s

    def sign(self) -> None:
        """It said something."""
        self._since_s, self._asked = None, False

    def silent_s(self, now_s: float) -> float:
        """For how long it has said nothing though it had reason to."""
        return 0.0 if self._since_s is None else now_s - self._since_s

    def keep(self, *, ready: bool, turn_silence_s: float) -> list[Effect]:
        """`turn_silence_s`: of detection; so long a service says rightly nothing."""
        if not ready:
            self.sign()
        expects = self._since_s is not None and not self._asked
        return [
            *self._timers.keep(PULSE, wanted=expects, delay_s=SILENT_S + turn_silence_s),
            *self._timers.keep(PULSE_ASKED, wanted=self._asked, delay_s=self._answer_within_s),
        ]

    def fired(self, timer: str) -> bool | None:
        """True: ask it now. False: it did not answer. None: neither."""
        if not self._timers.fired(timer):
            return None
        self._asked = timer == PULSE
        return self._asked
