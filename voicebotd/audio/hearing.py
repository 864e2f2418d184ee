"""What the daemon makes of each microphone frame beside handing it on: voice events, a meter, a recording. PURE.

Whoever calls passes the time. Knows no process: the manager asks it what the audio process must measure.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebotd.audio.options import BYTES_PER_SAMPLE, Level
from voicebotd.audio.protocol import Captured, Measured
from voicebotd.audio.voice import VoiceRules
from voicebotd.conversation.events import Event

LEVEL_EVERY_S = 0.05
"""20 a second: more than an eye follows, and a file in a hurry must not send more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BothSides:
    """A recording of `samples` 24 kHz samples of each side, s16le: the microphone (near), the loudspeaker (far)."""

    near: bytes
    far: bytes


class _Recording:
    """Collects until it has enough."""

    def __init__(self, samples: int) -> None:
        self._bytes = samples * BYTES_PER_SAMPLE
        self._near = bytearray()
        self._far = bytearray()

    def add(self, measured: Measured) -> BothSides | None:
        self._near += measured.near
        self._far += measured.far
        if len(self._near) < self._bytes:
            return None
        return BothSides(near=bytes(self._near[: self._bytes]), far=bytes(self._far[: self._bytes]))


class Hearing:
    """Fed with every frame."""

    def __init__(self) -> None:
        self.voice = VoiceRules()
        self.levels_wanted = False
        self._loudest: Level | None = None
        self._level_at_s = 0.0
        self._recording: _Recording | None = None

    @property
    def needs_voice(self) -> bool:
        """Whether the audio process must measure the probability of speech."""
        return self.voice.wanted or self.levels_wanted

    @property
    def needs_both_sides(self) -> bool:
        """Whether the audio process must send what it hears and plays for a recording."""
        return self._recording is not None

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

    def record(self, samples: int) -> None:
        """Begin a recording of `samples` samples of both sides, in the place of any other."""
        self._recording = _Recording(samples)

    def stop_recording(self) -> None:
        self._recording = None

    def measured(self, message: Measured) -> BothSides | None:
        """The recording, with the frame that completes it."""
        done = self._recording.add(message) if self._recording is not None else None
        if done is not None:
            self._recording = None
        return done

    def lost(self) -> list[Event]:
        """The audio process is gone: what began ends, and no recording can become whole."""
        self._recording = None
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
