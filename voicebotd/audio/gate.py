"""The seat of echo control in the engine: one function `near, far → near` over paired 10 ms frames at 24 kHz.

`far` is what the device was given in the same frame period, silence included. An echo canceller will be one more
class here; today there are the identity and the half-duplex gate. Pure over arrays.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np

from voicebotd.audio.options import SAMPLE_RATE_HZ
from voicebotd.audio.ring import Samples
from voicebotd.errors import AudioError


class EchoStage(Protocol):
    """One rung of the echo ladder. Frames in and out have equal length."""

    needs_far: ClassVar[bool]
    """False: `far` is silence, whatever is played; resampling it costs as much as the microphone."""

    def process(self, near: Samples, far: Samples) -> Samples: ...


class NoEchoControl:
    """The microphone as it is: headphones, or hardware that cancels by itself."""

    needs_far: ClassVar[bool] = False

    def process(self, near: Samples, far: Samples) -> Samples:
        return near


class HalfDuplexGate:
    """The microphone is zeros while the loudspeaker plays, and until `hold_ms` after its last audible sample.

    `hold_ms` = the stream's round trip (a sample handed over now is heard, and then captured, that much later) plus
    the room's tail. The gate closes at the hand-over, a round trip early: a device that overstates its latency would
    otherwise let the first syllable back in.
    """

    needs_far: ClassVar[bool] = True

    def __init__(self, *, hold_ms: float) -> None:
        self._hold_samples = round(hold_ms * SAMPLE_RATE_HZ / 1000)
        self._closed_samples = 0

    def process(self, near: Samples, far: Samples) -> Samples:
        if far.any():
            self._closed_samples = self._hold_samples + len(near)
        if self._closed_samples <= 0:
            return near
        self._closed_samples -= len(near)
        return np.zeros_like(near)


def stage_for(mode: str, *, tail_ms: int, round_trip_ms: float) -> EchoStage:
    """The rung that `mode` (an `EchoControl`) names. Raises `AudioError` for one that is not built."""
    if mode == "none":
        return NoEchoControl()
    if mode == "half_duplex":
        return HalfDuplexGate(hold_ms=round_trip_ms + tail_ms)
    raise AudioError(f"echo control {mode!r} is not available")
