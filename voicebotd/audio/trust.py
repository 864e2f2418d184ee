"""Whether the echo canceller's library is still used, after audio processes that died with it. PURE.

A failure that the library tells is the ladder's business, within one process. One that kills the process or holds it
for ever takes the ladder with it, and the next process would load the library again: so that is counted here, outside.
"""

from __future__ import annotations

from collections import deque

from voicebotd.audio.options import EchoControl

DEATHS = 3
WITHIN_S = 60.0
"""One death may have any reason; three in a minute with the library in the process are enough to try without it. If it
is the machine that was too slow, the gate is right too: it costs a third less."""


class Trust:
    """The library is believed until `DEATHS` processes that used it died within `WITHIN_S`; then the gate stands in for
    it until a rung is chosen anew."""

    def __init__(self) -> None:
        self._deaths_s: deque[float] = deque(maxlen=DEATHS)
        self.why = ""
        """Why the library is not used any more, in words for `status`; empty while it is."""

    def rung(self, wanted: EchoControl) -> EchoControl:
        """The rung to ask the audio process for."""
        return "gate" if wanted == "aec" and self.why else wanted

    def died(self, wanted: EchoControl, now_s: float) -> None:
        """A process that was asked for the rung `wanted` crashed or froze."""
        if self.rung(wanted) != "aec":
            return
        self._deaths_s.append(now_s)
        if len(self._deaths_s) == DEATHS and now_s - self._deaths_s[0] <= WITHIN_S:
            self.why = f"instead of aec: with it the audio process died {DEATHS} times within {WITHIN_S:.0f} s"

    def forgive(self) -> None:
        """A rung is chosen anew."""
        self._deaths_s.clear()
        self.why = ""
