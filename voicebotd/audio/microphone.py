"""The hearing half of the engine thread: from blocks of the device to 10 ms frames at 24 kHz. Pure over arrays.

The microphone (near) and what the loudspeaker was given (far), paired by count. Knows no device and no socket.
"""

from __future__ import annotations

import numpy as np

from voicebotd.audio.level import Gain, LevelMeter
from voicebotd.audio.options import FRAME_SAMPLES, SAMPLE_RATE_HZ
from voicebotd.audio.resample import Resampler
from voicebotd.audio.ring import Samples

_AHEAD_BLOCKS = 2
"""How far the far end may lead at the start: what evens out the jitter of two independent streams."""
_AHEAD_LIMIT_BLOCKS = 6


class _Fifo:
    """Samples in, whole frames out."""

    def __init__(self) -> None:
        self._samples: Samples = np.empty(0, dtype=np.int16)

    def __len__(self) -> int:
        return len(self._samples)

    def push(self, samples: Samples) -> None:
        self._samples = np.concatenate((self._samples, samples)) if len(self._samples) else samples

    def pop(self, count: int) -> Samples:
        head, self._samples = self._samples[:count], self._samples[count:]
        return head


class FarEnd:
    """What the loudspeaker was given, frame for frame beside the microphone, paired by count.

    Two streams may run on two clocks. A far end that falls behind is filled with silence, one that runs ahead loses
    its oldest samples; either shifts the pairing once and is counted.
    """

    def __init__(self, *, output_hz: int, block_ms: int) -> None:
        self._resampler = Resampler(output_hz, SAMPLE_RATE_HZ)
        self._fifo = _Fifo()
        self._block_samples = block_ms * SAMPLE_RATE_HZ // 1000
        self._paired = False
        self.corrections = 0

    def push(self, played: Samples) -> None:
        self._fifo.push(self._resampler.push(played))

    def align(self, near_samples: int) -> None:
        """The microphone has `near_samples` waiting: drop what is too far ahead of them.

        The output of a pair starts earlier than its input, so the first alignment is none to count.
        """
        ahead = len(self._fifo) - near_samples
        limit = _AHEAD_LIMIT_BLOCKS if self._paired else _AHEAD_BLOCKS
        if ahead > limit * self._block_samples:
            self._fifo.pop(ahead - _AHEAD_BLOCKS * self._block_samples)
            self.corrections += self._paired
        self._paired = True

    def next_frame(self) -> Samples:
        frame = self._fifo.pop(FRAME_SAMPLES)
        if len(frame) < FRAME_SAMPLES:
            self.corrections += 1
            frame = np.concatenate((frame, np.zeros(FRAME_SAMPLES - len(frame), dtype=np.int16)))
        return frame


class Microphone:
    """Takes what the input callback recorded: gain, level, mute, resample, cut into frames."""

    def __init__(self, *, input_hz: int) -> None:
        self._resampler = Resampler(input_hz, SAMPLE_RATE_HZ)
        self._fifo = _Fifo()
        self.gain = Gain(1.0)
        self.meter = LevelMeter()
        self.muted = False

    def push(self, recorded: Samples) -> None:
        """One or more blocks of the device. A muted microphone gives zeros: the service's time line goes on."""
        loud = self.gain.apply(recorded)
        self.meter.add(loud)
        self._fifo.push(self._resampler.push(np.zeros_like(loud) if self.muted else loud))

    @property
    def waiting_samples(self) -> int:
        return len(self._fifo)

    def frames(self) -> list[Samples]:
        """All whole frames by now."""
        return [self._fifo.pop(FRAME_SAMPLES) for _ in range(len(self._fifo) // FRAME_SAMPLES)]
