"""What the loudspeaker was given, at 24 kHz, frame for frame beside the microphone. Pure over arrays.

On one clock it is paired by count and needs no care. An input and an output stream may run on two clocks, as two
devices do: then the pairing is held by how far the far end is ahead, and corrected by single samples. Knows no device.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from voicebotd.audio.microphone import Fifo
from voicebotd.audio.options import FRAME_SAMPLES, SAMPLE_RATE_HZ
from voicebotd.audio.resample import Resampler
from voicebotd.audio.ring import Samples

FRAME_S = FRAME_SAMPLES / SAMPLE_RATE_HZ


class FarEnd(Protocol):
    """The far end of one stream, or of two."""

    corrections: int
    """Times that it had to be paired anew."""

    @property
    def lead_samples(self) -> int:
        """How much older than its near frame a far frame is."""

    @property
    def settled(self) -> bool:
        """Whether the lead stays what it is."""

    @property
    def known(self) -> bool:
        """Whether the latest frame and those before it are what was played with their near frames, give or take what an
        echo stage bears. Where not, what reads as silence may be sound that came too late, or sound of another time."""

    @property
    def drift_ppm(self) -> float | None:
        """How much faster the loudspeaker's clock runs; None where that is not known yet, or there is one clock."""

    def push(self, played: Samples) -> None:
        """One or more blocks that the device was given."""

    def align(self, near_samples: int, *, since_s: float) -> None:
        """All is pushed: `near_samples` wait at the microphone's side, whose last callback came `since_s` after the
        loudspeaker's."""

    def next_frame(self) -> Samples:
        """The frame that belongs to the next of the microphone."""


class OneClock:
    """Input and output blocks come together: pairing them by count is exact and stays so."""

    corrections = 0
    lead_samples = 0
    settled = True
    known = True
    drift_ppm: float | None = None

    def __init__(self, *, output_hz: int) -> None:
        self._resampler = Resampler(output_hz, SAMPLE_RATE_HZ)
        self._fifo = Fifo()
        self._begun = False

    def push(self, played: Samples) -> None:
        self._fifo.push(self._resampler.push(played))

    def align(self, near_samples: int, *, since_s: float) -> None:
        """Nothing to do."""

    def next_frame(self) -> Samples:
        """A resampler gives its first samples late. So the first frame may be short, and what it lacks is its
        beginning."""
        frame = self._fifo.pop(FRAME_SAMPLES)
        if not self._begun and len(frame):
            self._begun = True
            return np.concatenate((_silence(FRAME_SAMPLES - len(frame)), frame))
        return np.concatenate((frame, _silence(FRAME_SAMPLES - len(frame))))


class TwoClocks:
    """Two streams, paired by count, and the count held against the time of their callbacks.

    The lead evens out the jitter of the callbacks. It is set at the start and measured over the first second. Drift
    shows as a lead that strays slowly, and is given back by frames that are stretched or squeezed by one sample, which
    no echo canceller notices (AEC3 lost 0 of 42 dB at 50 ppm of plain drift, 1 at 200). A small step is a sound server
    that now asks for more ahead than before (seen: one block, three seconds after the start) or a machine that got
    busier: the echo is where it was, so the pairing stays and the new lead counts as the right one. A large step is
    time that a device lost, and far ends that keep coming too late want more lead: both are paired anew and counted.
    """

    LEAD_BLOCKS = 2
    LEAST_BLOCKS = (1.5, 3.5)
    """What must be in wait at the worst moment of the first second: less would tear at the next, more is delay."""
    MOST_BLOCKS = 6
    LATE_S = 0.1
    """So much of the far end too late, within a few seconds, is no accident."""
    SETTLING_S = 1.5
    CALIBRATION_S = 1.0
    SLOW_S = 5.0
    FAST_S = 0.3
    TOLERANCE_BLOCKS = 0.25
    """Strays up to here are jitter and are left alone."""
    GIVE_BACK_S = 10.0
    """How fast the rest is given back; with `SLOW_S` this is a loop with a damping of 0.7."""
    FASTEST_PPM = 500.0
    """More than twice what two bad crystals differ by."""
    STEP_BLOCKS = 0.3
    STEP_S = 1.0
    JUMP_BLOCKS = 1.5
    DRIFT_S = 120.0
    BORNE_FRAMES = 2
    """Holes in a row that an echo stage bears: what was played shortly before explains what is heard. A loudspeaker
    that lost 0.4 s under load gave nothing but holes for 1.3 s, until it was paired anew (measured)."""
    BORNE_S = 0.06
    """With the usual delays, an echo that comes so much later or earlier is still explained."""
    LIMIT_S = 0.5
    """More than this in wait is a stall of the microphone: its own ring holds no more either."""

    def __init__(self, *, output_hz: int, block_ms: int) -> None:
        self._resampler = Resampler(output_hz, SAMPLE_RATE_HZ)
        self._fifo = Fifo()
        self._block_samples = block_ms * SAMPLE_RATE_HZ // 1000
        self._missing = 0  # samples that were given as silence because they came too late, and are void
        self._for_s = 0.0
        self._sum = self._summed_s = 0.0
        self._least = math.inf
        self._target: float | None = None
        self._slow = self._fast = 0.0
        self._stepped_s = 0.0
        self._late_s = 0.0
        self._holes = 0  # in a row, up to the latest frame
        self._owed = 0.0
        self._rate = 0.0  # of the corrections, in samples a second, smoothed
        self.corrections = 0

    @property
    def lead_samples(self) -> int:
        return round(self._target) if self._target is not None else self.LEAD_BLOCKS * self._block_samples

    @property
    def settled(self) -> bool:
        return self._target is not None

    @property
    def known(self) -> bool:
        borne = abs(self._fast) <= self.BORNE_S * SAMPLE_RATE_HZ
        return self.settled and borne and self._holes <= self.BORNE_FRAMES

    @property
    def drift_ppm(self) -> float | None:
        return None if self._for_s < self.DRIFT_S else self._rate / SAMPLE_RATE_HZ * 1e6

    def push(self, played: Samples) -> None:
        samples = self._resampler.push(played)
        void = min(self._missing, len(samples))
        self._missing -= void
        self._fifo.push(samples[void:])

    def align(self, near_samples: int, *, since_s: float) -> None:
        """`since_s` makes a smooth measure of whole blocks: the loudspeaker goes on between its callbacks."""
        frames = near_samples // FRAME_SAMPLES
        if not frames:
            return
        counted = len(self._fifo) - self._missing - near_samples
        ahead = counted + since_s * SAMPLE_RATE_HZ
        begins, passed_s = self._for_s == 0.0, frames * FRAME_S
        self._for_s += passed_s
        if begins or len(self._fifo) > self.LIMIT_S * SAMPLE_RATE_HZ:
            self.corrections += not begins
            self._shift(counted - self.LEAD_BLOCKS * self._block_samples)
        elif self._target is None:
            self._settle(counted, ahead, passed_s)
        else:
            self._target += self._hold(ahead - self._target, passed_s)
            self._target += self._catch_up(passed_s)

    def _settle(self, counted: int, ahead: float, passed_s: float) -> None:
        if self._for_s > self.SETTLING_S - self.CALIBRATION_S:
            self._sum += ahead * passed_s
            self._summed_s += passed_s
            self._least = min(self._least, counted)
        if self._for_s >= self.SETTLING_S:
            low, high = (blocks * self._block_samples for blocks in self.LEAST_BLOCKS)
            cut = round(self._least - min(max(self._least, low), high))
            self._shift(cut)
            self._target = self._sum / self._summed_s - cut

    def _hold(self, stray: float, passed_s: float) -> float:
        """Returns by how much the lead that counts as right has changed."""
        self._slow += (stray - self._slow) * min(1.0, passed_s / self.SLOW_S)
        self._fast += (stray - self._fast) * min(1.0, passed_s / self.FAST_S)
        step = self._fast - self._slow
        self._stepped_s = self._stepped_s + passed_s if abs(step) > self.STEP_BLOCKS * self._block_samples else 0.0
        self._give_back(passed_s)
        if self._stepped_s < self.STEP_S:
            return 0.0
        self._stepped_s = 0.0
        if abs(self._fast) > self.JUMP_BLOCKS * self._block_samples:
            self._shift(round(self._fast))
            self._slow = self._fast = self._late_s = 0.0
            self.corrections += 1
            return 0.0
        self._fast = self._slow
        return step

    def _catch_up(self, passed_s: float) -> float:
        """Returns the lead that was added, because too much came too late."""
        self._late_s = max(0.0, self._late_s - passed_s / 50)
        steps = self._stepped_s > 0.0
        if steps or self._late_s < self.LATE_S or self.lead_samples >= self.MOST_BLOCKS * self._block_samples:
            return 0.0
        self._late_s = 0.0
        self._shift(-self._block_samples)
        self.corrections += 1
        return self._block_samples

    def _give_back(self, passed_s: float) -> None:
        tolerance = self.TOLERANCE_BLOCKS * self._block_samples
        excess = max(0.0, self._slow - tolerance) + min(0.0, self._slow + tolerance)
        fastest = self.FASTEST_PPM * 1e-6 * SAMPLE_RATE_HZ
        rate = min(max(excess / self.GIVE_BACK_S, -fastest), fastest)
        self._owed += rate * passed_s
        self._rate += (rate - self._rate) * passed_s / (self.DRIFT_S / 4)

    def _shift(self, samples: int) -> None:
        """Drop so many of the oldest samples, or put silence before them."""
        if samples <= 0:
            void = min(self._missing, -samples)
            self._missing -= void
            self._fifo.put_first(_silence(-samples - void))
            return
        dropped = len(self._fifo.pop(samples))
        self._missing += samples - dropped

    def next_frame(self) -> Samples:
        step = int(self._owed >= 1.0) - int(self._owed <= -1.0)
        if step and len(self._fifo) > FRAME_SAMPLES:
            self._owed -= step
            self._holes = 0
            return _squeezed(self._fifo.pop(FRAME_SAMPLES + step))
        frame = self._fifo.pop(FRAME_SAMPLES)
        late = FRAME_SAMPLES - len(frame)
        self._holes = self._holes + 1 if late else 0
        if late:
            self._missing += late
            self._late_s += FRAME_S
            frame = np.concatenate((frame, _silence(late)))
        return frame


def _silence(samples: int) -> Samples:
    return np.zeros(samples, dtype=np.int16)


def _squeezed(samples: Samples) -> Samples:
    """One frame out of a sample more or less than that, without a step anywhere."""
    at = np.linspace(0, len(samples) - 1, FRAME_SAMPLES)
    return np.rint(np.interp(at, np.arange(len(samples)), samples)).astype(np.int16)
