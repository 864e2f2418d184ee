"""Streaming sample-rate conversion, and the exact map from frames handed to the device back to 24 kHz samples.

Pure over arrays; knows no device.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import soxr

from voicebotd.audio.level import to_int16
from voicebotd.audio.ring import Samples


class Resampler:
    """One mono stream from one rate to another; equal rates pass through untouched.

    soxr's variable-rate engine is used with a fixed ratio: its delay is constant (48 or 44.1 → 24 kHz: 5.0 to 5.5 ms,
    24 kHz upwards: 10 ms, aliases at -110 dB), where the default engine works in blocks and delays by 4…38 ms in a
    sawtooth (measured, soxr 1.1). Float inside: soxr dithers int16, and silence must stay digital silence.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._stream = self._new_stream()

    def _new_stream(self) -> soxr.ResampleStream | None:
        if self._from_hz == self._to_hz:
            return None
        return soxr.ResampleStream(self._from_hz, self._to_hz, 1, dtype="float32", vr=True)

    def push(self, samples: Samples) -> Samples:
        if self._stream is None:
            return samples
        return to_int16(self._stream.resample_chunk(samples.astype(np.float32)))

    def finish(self) -> Samples:
        """What is still inside, complete to the last sample; after this the stream begins anew."""
        if self._stream is None:
            return np.empty(0, dtype=np.int16)
        tail = to_int16(self._stream.resample_chunk(np.empty(0, dtype=np.float32), last=True))
        self._stream = self._new_stream()
        return tail

    def reset(self) -> None:
        """Forget what is still inside."""
        self._stream = self._new_stream()


@dataclass(slots=True, kw_only=True)
class _Run:
    """A stretch between two beginnings of the resampler: so many samples in, so many frames out."""

    first_frame: int
    first_sample: int
    frames: int = 0
    samples: int = 0
    finished: bool = False


class PositionMap:
    """Which 24 kHz sample of the playout a device frame belongs to.

    soxr's output is aligned in time with its input, so within a run the ratio of the rates is the map; a finished
    run maps all of its frames to all of its samples, so rounding never adds up.
    """

    def __init__(self, *, samples_hz: int, frames_hz: int) -> None:
        self._samples_hz = samples_hz
        self._frames_hz = frames_hz
        self._runs: deque[_Run] = deque([_Run(first_frame=0, first_sample=0)])

    def fed(self, *, samples: int, frames: int) -> None:
        """The resampler took `samples` and gave `frames`, which follow in the ring."""
        self._runs[-1].samples += samples
        self._runs[-1].frames += frames

    def finish_run(self) -> None:
        """The resampler was emptied."""
        last = self._runs[-1]
        last.finished = True
        self._runs.append(
            _Run(first_frame=last.first_frame + last.frames, first_sample=last.first_sample + last.samples)
        )

    def samples_at(self, frames: int) -> int:
        """Samples handed over once `frames` frames were (both counted since `restart`). `frames` never goes back."""
        while self._runs[0].finished and frames >= self._runs[0].first_frame + self._runs[0].frames:
            self._runs.popleft()
        run = self._runs[0]
        within = (frames - run.first_frame) * self._samples_hz // self._frames_hz
        return run.first_sample + min(within, run.samples)

    def restart(self) -> None:
        """Count frames and samples from zero again."""
        self._runs = deque([_Run(first_frame=0, first_sample=0)])
