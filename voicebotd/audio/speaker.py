"""The speaking half of the engine thread: from queued 24 kHz samples to the ring that the callback plays from.

Only as much as the prefill needs goes into the ring; the rest waits here, so that a flush or a volume change takes
effect within a few blocks. Pure over arrays; knows no device and no socket.
"""

from __future__ import annotations

import numpy as np

from voicebotd.audio.level import Gain
from voicebotd.audio.options import BYTES_PER_SAMPLE, FRAME_SAMPLES, SAMPLE_RATE_HZ
from voicebotd.audio.resample import PositionMap, Resampler
from voicebotd.audio.ring import Ring, Samples
from voicebotd.errors import AudioError

PREFILL_BLOCKS = 3
"""With an input and an output stream, three blocks ahead were sample-exact in 12 of 12 runs, one block was not."""
TAIL_BLOCKS = 2
QUEUE_LIMIT_SAMPLES = 10 * SAMPLE_RATE_HZ
"""The daemon feeds two seconds ahead; more than this is a bug of ours."""


class Speaker:
    """Feeds `ring`, and knows which sample of the playout each device frame was."""

    def __init__(self, *, ring: Ring, output_hz: int, block_frames: int) -> None:
        self._ring = ring
        self._block_frames = block_frames
        self._resampler = Resampler(SAMPLE_RATE_HZ, output_hz)
        self._positions = PositionMap(samples_hz=SAMPLE_RATE_HZ, frames_hz=output_hz)
        self._queue = bytearray()
        self._resampling = False
        self._base_frames = 0
        self.volume = Gain(1.0)
        """A change is a ramp, so that it does not click; after silence it holds from the first sample."""

    def queue(self, pcm: bytes) -> None:
        """Take more of the playout. Raises `AudioError` where the daemon ignored its credit."""
        if len(self._queue) + len(pcm) > QUEUE_LIMIT_SAMPLES * BYTES_PER_SAMPLE:
            raise AudioError("the daemon fed more audio than it may")
        self._queue += pcm

    def top_up(self, *, at_least_frames: int = 0) -> bool:
        """Fill the ring to its prefill, or to more where somebody is about to stall. True when more is waiting.

        When the queue is dry and the ring nearly so, the resampler gives up its tail: the last milliseconds are
        played, and audio that comes later begins a new run.
        """
        if not self._resampling and not self._ring.readable:
            self.volume.settle()
        fill = max(PREFILL_BLOCKS * self._block_frames, at_least_frames)
        while self._queue and self._ring.readable < fill:
            samples = np.frombuffer(bytes(self._queue[: FRAME_SAMPLES * BYTES_PER_SAMPLE]), dtype="<i2")
            del self._queue[: FRAME_SAMPLES * BYTES_PER_SAMPLE]
            self._resampling = True
            self._emit(self._resampler.push(samples), samples=len(samples))
        if self._resampling and not self._queue and self._ring.readable < TAIL_BLOCKS * self._block_frames:
            self._emit(self._resampler.finish(), samples=0)
            self._positions.finish_run()
            self._resampling = False
        return bool(self._queue)

    def _emit(self, frames: Samples, *, samples: int) -> None:
        self._positions.fed(samples=samples, frames=len(frames))
        if not self._ring.write(self.volume.apply(frames)):
            raise AudioError("the playback ring is smaller than its prefill")

    def handed_samples(self, handed_frames: int) -> int:
        """The position: samples of this playout in the first `handed_frames` that the device was ever given."""
        return self._positions.samples_at(handed_frames - self._base_frames)

    def drop_queue(self) -> None:
        """A flush was asked: what waits here is void. The ring is the callback's to empty."""
        self._queue.clear()

    def restart(self, handed_frames: int) -> None:
        """The flush is done: what comes now is a new playout, counted from here."""
        self._resampler.reset()
        self._positions.restart()
        self._resampling = False
        self._base_frames = handed_frames
