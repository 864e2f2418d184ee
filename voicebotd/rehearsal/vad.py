"""When a visitor's turn begins and ends, given how probable speech is in each short stretch of audio.

Owns the rule of `server_vad`: begin at a probability of `threshold`, end after `silence_duration_ms` below it. Pure:
it does not know where the probabilities come from (silero.py), what a turn leads to (session.py), or any audio.
"""

from __future__ import annotations

from dataclasses import dataclass

CHUNK_MS = 32
"""One probability covers this much audio: Silero's 512 samples at 16 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRule:
    """`threshold` 0.0 to 1.0; both durations are 0 or more."""

    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnBegan:
    """`at_ms` counts from the first audio ever heard and includes the prefix padding; it is never negative."""

    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """`at_ms` counts from the first audio ever heard and includes the silence that ended the turn."""

    at_ms: int


class TurnDetector:
    """Counts every chunk that it is given, with a rule or without one, so that its clock is the audio's own."""

    def __init__(self) -> None:
        self.speaking = False
        self._heard_ms = 0
        self._silence_ms = 0

    def hear(self, probability: float, rule: TurnRule | None) -> TurnBegan | TurnEnded | None:
        """Take the next `CHUNK_MS` of audio. Without a rule nothing begins or ends."""
        chunk_start_ms = self._heard_ms
        self._heard_ms += CHUNK_MS
        if rule is None:
            return None
        if probability >= rule.threshold:
            self._silence_ms = 0
            if self.speaking:
                return None
            self.speaking = True
            return TurnBegan(at_ms=max(0, chunk_start_ms - rule.prefix_padding_ms))
        if not self.speaking:
            return None
        self._silence_ms += CHUNK_MS
        if self._silence_ms < rule.silence_duration_ms:
            return None
        self.forget()
        return TurnEnded(at_ms=self._heard_ms)

    def forget(self) -> None:
        """Drop a turn that has begun, as if it had not; the audio's clock goes on."""
        self.speaking = False
        self._silence_ms = 0
