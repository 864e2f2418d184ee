"""What runs on PortAudio's own threads: copy, count, fade out and in on request. Nothing else.

No lock, no logging, no allocation that grows: PortAudio's rule for callbacks, and measured: scheduling onto an event
loop from a callback stalled it 84 to 130 ms at p99, a ring and a `SimpleQueue.put` 0.1 ms. Each counter is written by
one thread only. Knows neither devices nor rates nor what the samples mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from voicebotd.audio.ring import Ring, Samples


class Exchange:
    """Where the callbacks and the engine thread meet. All audio here is mono at the stream's own rates."""

    def __init__(self, *, capture: Ring, playback: Ring, far: Ring, fade_frames: int, wake: Callable[[], None]) -> None:
        self.capture = capture
        self.playback = playback
        self.far = far
        """What the device was given, block for block, silence included: the echo canceller's far end. Where it is
        full, so is `capture`: the engine stalled, and loses the same blocks of both."""
        self._wake = wake
        self._fade_out = np.linspace(1.0, 0.0, fade_frames, dtype=np.float32)
        self._fade_in = self._fade_out[::-1].copy()
        self._faded = 0
        """How much of the fade lies behind us: 0 is the full sound, `fade_frames` is silence. The output callback's."""
        self._sounded = False
        """Whether the last block had any sound. The output callback's."""

        # Written by the input callback.
        self.input_blocks = 0
        self.input_at_s = 0.0
        self.input_xruns = 0
        self.lost_capture_blocks = 0
        self.input_ended = False
        self.input_position = 0
        """Frames of the input file that were recorded so far; other sources leave it 0."""

        # Written by the output callback.
        self.output_blocks = 0
        self.output_at_s = 0.0
        self.output_xruns = 0
        self.handed_frames = 0
        """Frames of assistant audio, silence not counted, that the device was given since the stream opened."""
        self.starved_blocks = 0
        self.flushes_done = 0
        self.flushed_at_frames = 0

        # Written by the engine thread.
        self.flushes_wanted = 0
        self.more_to_come = False
        """The engine has more than it put into the ring: a ring that runs dry now is an underrun."""
        self.paused = False
        """Nothing is taken from the ring, beginning with a block that fades out; the first block after it fades in."""
        self.hold_input = False
        """Asked of a file: let it wait, and silence be heard in its place."""
        self.stand_still = False
        """Asked of a file: let its clock stand still, so that nothing is heard or played."""

    def record(self, samples: Samples, *, xrun: bool = False) -> None:
        """Input callback: keep one block of the microphone and wake the engine."""
        if not self.capture.write(samples):
            self.lost_capture_blocks += 1
        self.input_blocks += 1
        self.input_xruns += xrun
        self.input_at_s = time.monotonic()
        self._wake()

    def play(self, out: Samples, *, xrun: bool = False) -> None:
        """Output callback: fill all of `out`, with silence where there is nothing to play.

        Wakes nobody: the engine comes by with every block of the microphone, and the prefill lasts for three.
        """
        wanted, paused = self.flushes_wanted, self.paused
        if wanted != self.flushes_done:
            count = self._play_last(out)
        elif paused:
            count = self._play_fading_out(out)
        else:
            count = self._play_on(out)
        out[count:] = 0
        self._sounded = count > 0
        self.handed_frames += count
        if wanted != self.flushes_done:
            self._sounded = False
            self.flushed_at_frames = self.handed_frames
            self.flushes_done = wanted
        self.far.write(out)
        self.output_blocks += 1
        self.output_at_s = time.monotonic()
        self.output_xruns += xrun

    def _play_on(self, out: Samples) -> int:
        count = self.playback.read_into(out)
        if count < len(out) and self.more_to_come:
            self.starved_blocks += 1
        if self._faded:
            ramp = self._fade_in[len(self._fade_in) - self._faded :][:count]
            _scale(out[: len(ramp)], ramp)
            # At the end of all there is to play, what comes next begins by itself and needs no fade.
            self._faded = self._faded - len(ramp) if count or self.more_to_come else 0
        return count

    def _play_fading_out(self, out: Samples) -> int:
        """As much as the fade still lasts and no sample more: the rest stays in the ring. Blocks shorter than the fade
        share it; after silence there is nothing to fade."""
        if not self._sounded and not self._faded:
            return 0
        ramp = self._fade_out[self._faded :][: len(out)]
        count = self.playback.read_into(out[: len(ramp)])
        _scale(out[:count], ramp[:count])
        self._faded = self._faded + count if count == len(ramp) else len(self._fade_out)
        return count

    def _play_last(self, out: Samples) -> int:
        """A flush: what is left of the fade, all of it in this block, and the rest of the ring is dropped. What comes
        after it begins at its full sound."""
        steps = -(-len(self._fade_out) // len(out))
        ramp = self._fade_out[self._faded :: steps]
        count = self.playback.read_into(out[: len(ramp)])
        _scale(out[:count], ramp[:count])
        self.playback.drop_all()
        self._faded = 0
        return count


def _scale(samples: Samples, ramp: npt.NDArray[np.float32]) -> None:
    np.multiply(samples, ramp, out=samples, casting="unsafe")
