"""What the daemon makes of each microphone frame beside handing it on: voice events and a meter. PURE.

Whoever calls passes the time. Knows no process: the manager asks it what the audio process must measure.
"""

from __future__ import annotations

from voicebotd.audio.options import Level
from voicebotd.audio.protocol import Captured
from voicebotd.audio.voice import VoiceRules
from voicebotd.conversation.events import Event

LEVEL_EVERY_S = 0.05
"""20 a second: more than an eye follows, and a file in a hurry must not send more."""


class Hearing:
    """Fed with every frame."""

    def __init__(self) -> None:
        self.voice = VoiceRules()
        self.levels_wanted = False
        self._loudest: Level | None = None
        self._level_at_s = 0.0

    @property
    def needs_voice(self) -> bool:
        """Whether the audio process must measure the probability of speech."""
        return self.voice.wanted or self.levels_wanted

    def level(self, frame: Captured, *, now_s: float) -> Level | None:
        """The loudest since the last one that was returned, at most 20 times a second, while levels are wanted."""
        if not self.levels_wanted:
            return None
        self._loudest = _louder(self._loudest, frame)
        if now_s < self._level_at_s:
            return None
        self._level_at_s = now_s + LEVEL_EVERY_S
        loudest, self._loudest = self._loudest, None
        return loudest

    def lost(self) -> list[Event]:
        """The audio process is gone: what began ends."""
        self._loudest = None
        return self.voice.lost()


def _louder(before: Level | None, frame: Captured) -> Level:
    input_dbfs, echo_dbfs, voice = round(frame.input_dbfs, 1), round(frame.echo_dbfs, 1), round(frame.voice, 3)
    if before is not None:
        input_dbfs, echo_dbfs = max(input_dbfs, before.input_dbfs), max(echo_dbfs, before.echo_dbfs)
        voice = max(voice, before.voice or 0.0) if voice >= 0 else voice
    return Level(
        input_dbfs=input_dbfs,
        echo_dbfs=echo_dbfs,
        voice=voice if voice >= 0 else None,
        gate="open" if frame.gate_open else "closed",
    )
