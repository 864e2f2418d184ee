"""The hearing half of the engine thread: from blocks of the device to 10 ms frames at 24 kHz. Pure over arrays.

What the loudspeaker was given meanwhile is `far_end.py`'s. Knows no device and no socket.
"""

from __future__ import annotations

import numpy as np

from voicebotd.audio.level import Gain, LevelMeter
from voicebotd.audio.options import FRAME_SAMPLES, SAMPLE_RATE_HZ
from voicebotd.audio.resample import Resampler
from voicebotd.audio.ring import Samples


class Fifo:
    """Samples in, whole frames out."""

    def __init__(self) -> None:
        self._samples: Samples = np.empty(0, dtype=np.int16)

    def __len__(self) -> int:
        return len(self._samples)

    def push(self, samples: Samples) -> None:
        self._samples = np.concatenate((self._samples, samples)) if len(self._samples) else samples

    def put_first(self, samples: Samples) -> None:
        self._samples = np.concatenate((samples, self._samples))

    def pop(self, count: int) -> Samples:
        """The oldest `count`, or as many as there are."""
        head, self._samples = self._samples[:count], self._samples[count:]
        return head


class Microphone:
    """Takes what the input callback recorded: gain, level, mute, resample, cut into frames."""

    def __init__(self, *, input_hz: int) -> None:
        self._resampler = Resampler(input_hz, SAMPLE_RATE_HZ)
        self._fifo = Fifo()
        self.gain = Gain(1.0)
        self.meter = LevelMeter()
        self.muted = False

    def push(self, recorded: Samples) -> None:
        """One or more blocks of the device. A muted microphone gives zeros: the service's time line goes on."""
        loud = self.gain.apply(recorded)
        self.meter.add(loud)
        self._fifo.push(self._resampler.push(np.zeros_like(loud) if self.muted else loud))

    @property
    def level_dbfs(self) -> float:
        """Of what was pushed last, -120…0."""
        return self.meter.last_dbfs

    @property
    def waiting_samples(self) -> int:
        return len(self._fifo)

    def frames(self) -> list[Samples]:
        """All whole frames by now."""
        return [self._fifo.pop(FRAME_SAMPLES) for _ in range(len(self._fifo) // FRAME_SAMPLES)]
