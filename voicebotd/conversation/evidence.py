"""What the local detector heard of the visitor's voice, and what that proves about a speech.

The detector says that a voice began at once, and that it stopped 200 ms after the last of it; in between the voice is
only likely to sound. Times are seconds on the clock of `handle`'s `now_s`. Knows no rule of interruption.
"""

from __future__ import annotations

from collections import deque

HANGOVER_S = 0.2
"""`VoiceStopped` comes so long after the voice (audio/voice.py, VOICE_HOLD_MS)."""
LEAD_S = 0.5
"""A service tells the start of a speech late: its detector and the network take their time. So a voice that was there
already belongs to the speech, but no more of it than this."""

TOLD_LATE_S = 1.5
"""How much later than a voice the service says that it heard one: its detector, an uneven network, and 0.5 s of padding
before the voice. What is to be heard again begins so much earlier."""


class Evidence:
    """The stretches of voice, newest last."""

    MAX_STRETCHES = 64
    """A minute of words with pauses between them; the oldest is forgotten first."""

    def __init__(self) -> None:
        self._stretches: deque[tuple[float, float]] = deque(maxlen=self.MAX_STRETCHES)
        self._since_s: float | None = None

    def started(self, now_s: float) -> None:
        if self._since_s is None:
            self._since_s = now_s

    def stopped(self, now_s: float) -> None:
        if self._since_s is not None:
            self._stretches.append((self._since_s, max(self._since_s, now_s - HANGOVER_S)))
        self._since_s = None

    def silence(self) -> None:
        """Nobody tells of voices any more, so none is known to sound."""
        self._since_s = None

    @property
    def sounding(self) -> bool:
        return self._since_s is not None

    def first_since(self, horizon_s: float, *, after_s: float) -> float | None:
        """When the first voice began that sounded later than `horizon_s` and began after `after_s`, if there is one."""
        began = [start_s for start_s, end_s in self._stretches if end_s > horizon_s and start_s > after_s]
        if self._since_s is not None and self._since_s > after_s:
            began.append(self._since_s)
        return min(began, default=None)

    def proof_due_s(self, began_s: float, min_speech_s: float) -> float | None:
        """When it will be proven that the speech which began at `began_s` lasts `min_speech_s`, if the voice goes on.

        None while no voice sounds. A voice that sounds now was certainly there `HANGOVER_S` ago, so the proof takes
        that much longer. And it must have sounded for half of the time: the words and pauses of fluent speech fill
        far more, two coughs with a second between them fill less.
        """
        if self._since_s is None:
            return None
        since_s = max(self._since_s, began_s)
        before_s = sum(max(0.0, end_s - max(start_s, began_s)) for start_s, end_s in self._stretches)
        # Half is reached at the t where before + (t - since) = (t - began) / 2.
        return max(began_s + min_speech_s + HANGOVER_S, 2 * (since_s - before_s) - began_s)

    def extent_ms(self, began_s: float, now_s: float) -> int | None:
        """From the first to the last voice of the speech that began at `began_s`; None where none was heard."""
        stretches = [stretch for stretch in self._stretches if stretch[1] > began_s]
        if self._since_s is not None:
            stretches.append((self._since_s, now_s))
        if not stretches:
            return None
        first_s = max(stretches[0][0], began_s - LEAD_S)
        return round((stretches[-1][1] - first_s) * 1000)
