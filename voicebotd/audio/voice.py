"""From the probability of speech in every frame to what a conversation wants to know: a voice, a visitor's turn. PURE.

Owns both rules. Does not know where the probabilities come from (`speech.py`), nor what they lead to.
"""

from __future__ import annotations

from voicebotd.conversation.effects import TurnRule
from voicebotd.conversation.events import Event, LocalTurnStarted, LocalTurnStopped, VoiceStarted, VoiceStopped

FRAME_MS = 10
VOICE_PROBABILITY = 0.5
VOICE_HOLD_MS = 200
"""A voice is over after so long below: the stops inside words are shorter."""


class _Stretch:
    """Begins with the first frame that reaches a threshold, ends after enough frames below it.

    One frame is enough to begin: Silero needs 70 ms (median, 10 sentences of the bundled voices) to its first
    probability of 0.5, its second costs 30 ms more, and a minute each of pink noise, white noise and bursts of 20 to
    350 ms had none. One threshold for both ends, as the service's own `server_vad` has it.
    """

    def __init__(self) -> None:
        self.open = False
        self._long_ms = 0
        self._below_ms = 0

    def begins(self, probability: float, *, threshold: float) -> bool:
        """Whether it begins with this frame."""
        if self.open or probability < threshold:
            return False
        self.open, self._long_ms, self._below_ms = True, FRAME_MS, 0
        return True

    def ends(self, probability: float, *, threshold: float, after_ms: int) -> bool:
        """Whether it, being open, ends with this frame."""
        self._long_ms += FRAME_MS
        self._below_ms = 0 if probability >= threshold else self._below_ms + FRAME_MS
        self.open = self._below_ms == 0 or self._below_ms < after_ms
        return not self.open

    @property
    def above_ms(self) -> int:
        """From its beginning to the last frame that reached the threshold."""
        return self._long_ms - self._below_ms


class VoiceRules:
    """Hears one probability per 10 ms frame and says what begins and ends with that frame."""

    def __init__(self) -> None:
        self._voice_wanted = False
        self._rule: TurnRule | None = None
        self._voice = _Stretch()
        self._turn = _Stretch()

    @property
    def wanted(self) -> bool:
        """Whether anybody asked for anything."""
        return self._voice_wanted or self._rule is not None

    def want(self, *, voice: bool, turns: TurnRule | None) -> None:
        """What is to be told from now on. What is no longer wanted is forgotten without a word; a turn that has
        begun goes on under a changed rule."""
        if not voice:
            self._voice = _Stretch()
        if turns is None:
            self._turn = _Stretch()
        self._voice_wanted, self._rule = voice, turns

    def hear(self, probability: float) -> list[Event]:
        """One frame; a negative probability is one that was not measured, and counts as no speech."""
        return [*self._hear_voice(probability), *self._hear_turn(probability)]

    def _hear_voice(self, probability: float) -> list[Event]:
        if not self._voice_wanted:
            return []
        if not self._voice.open:
            return [VoiceStarted()] if self._voice.begins(probability, threshold=VOICE_PROBABILITY) else []
        ended = self._voice.ends(probability, threshold=VOICE_PROBABILITY, after_ms=VOICE_HOLD_MS)
        return [VoiceStopped()] if ended else []

    def _hear_turn(self, probability: float) -> list[Event]:
        rule = self._rule
        if rule is None:
            return []
        if not self._turn.open:
            return [LocalTurnStarted()] if self._turn.begins(probability, threshold=rule.threshold) else []
        ended = self._turn.ends(probability, threshold=rule.threshold, after_ms=rule.silence_duration_ms)
        return [LocalTurnStopped(speech_ms=self._turn.above_ms)] if ended else []

    def lost(self) -> list[Event]:
        """There is nothing to hear any more: what is open ends here."""
        events: list[Event] = []
        if self._voice.open:
            events.append(VoiceStopped())
        if self._turn.open:
            events.append(LocalTurnStopped(speech_ms=self._turn.above_ms))
        self._voice, self._turn = _Stretch(), _Stretch()
        return events
