"""How loud the echo is, how late it comes, how its delay drifts, and how much of it is removed. Pure over arrays.

Reads the impulse response that the linear canceller learned anyway, once per second of echo: a canceller that talks
over visitors correctly is the most robust cross-correlation there is. Changes nothing of the sound.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

import numpy as np
import numpy.typing as npt

from voicebotd.audio.level import FLOOR_DBFS
from voicebotd.audio.options import SAMPLE_RATE_HZ
from voicebotd.audio.ring import Samples

LOOK_FRAMES = 100
"""Once per second of echo: 24 short transforms, 0.3 ms."""
DELAYS_KEPT = 30
DELAYS_FOR_DRIFT = 10
"""A peak is found to about a tenth of a sample, 4 µs: over 10 s that is ± 1 ppm, and reflections cost some of it."""
JUMP_MS = 1.0
"""No clock drifts that fast; the pairing has shifted, or the room has another first reflection."""
CLEAR_PEAK = 6.0
"""Against the root mean square of the whole response. Gaussian noise of 5760 taps reaches 3.8."""
_ALONE_FRAMES = 100
_FORGET = 0.995
"""The echo's loss is a mean over about two seconds."""
_AUDIBLE = 10 ** (-70 / 10)
"""Mean square, full scale 1. An echo below that tells nothing about who removes it."""
_FULL_SCALE = 32768.0


class Found(Protocol):
    """What this reads of a canceller."""

    echo_dbfs_power: float

    def impulse_response(self) -> npt.NDArray[np.float32]: ...


class EchoMeter:
    """`feed` every frame; read `echo_dbfs` (-120…0); `erle_db`, `delay_ms` and `drift_ppm` are None until known."""

    def __init__(self) -> None:
        self.echo_dbfs = FLOOR_DBFS
        self._before = self._after = 0.0
        self._alone_frames = 0
        self._frames = 0
        self._echo_frames = 0
        self._watch = DelayWatch()

    @property
    def erle_db(self) -> float | None:
        if self._alone_frames < _ALONE_FRAMES:
            return None
        return round(10 * math.log10((self._before + 1e-12) / (self._after + 1e-12)), 1)

    @property
    def delay_ms(self) -> float | None:
        return self._watch.delay_ms

    @property
    def drift_ppm(self) -> float | None:
        return self._watch.drift_ppm

    def feed(self, near: Samples, cleaned: Samples, found: Found, *, echo_alone: bool) -> None:
        self._frames += 1
        power = found.echo_dbfs_power
        self.echo_dbfs = max(FLOOR_DBFS, 10 * math.log10(power)) if power > 0 else FLOOR_DBFS
        if power < _AUDIBLE:
            return
        if echo_alone:
            self._alone_frames += 1
            self._before = _FORGET * self._before + _mean_square(near)
            self._after = _FORGET * self._after + _mean_square(cleaned)
        self._echo_frames += 1
        if self._echo_frames % LOOK_FRAMES == 0:
            self._watch.look(found.impulse_response(), at_s=self._frames / 100)


class DelayWatch:
    """Finds the delay in an impulse response, and its drift in many."""

    def __init__(self) -> None:
        self._delays: deque[tuple[float, float]] = deque(maxlen=DELAYS_KEPT)
        self._doubted = False

    @property
    def delay_ms(self) -> float | None:
        return round(self._delays[-1][1], 2) if self._delays else None

    @property
    def drift_ppm(self) -> float | None:
        """The median slope between all pairs: one wrong peak in three does not move it."""
        if len(self._delays) < DELAYS_FOR_DRIFT:
            return None
        times_s, delays_ms = np.array(self._delays).T
        first, second = np.triu_indices(len(times_s), k=1)
        slopes = (delays_ms[second] - delays_ms[first]) / (times_s[second] - times_s[first])
        return round(float(np.median(slopes)) * 1000, 1)

    def look(self, response: npt.NDArray[np.float32], *, at_s: float) -> None:
        """An unclear response is passed over; a jump counts when it is seen twice."""
        delay_ms = peak_ms(response)
        if delay_ms is None:
            return
        jumped = bool(self._delays) and abs(delay_ms - self._delays[-1][1]) > JUMP_MS
        if jumped and not self._doubted:
            self._doubted = True
            return
        self._doubted = False
        if jumped:
            self._delays.clear()
        self._delays.append((at_s, delay_ms))


def peak_ms(response: npt.NDArray[np.float32]) -> float | None:
    """Where the strongest tap is, between samples; None where none stands out."""
    size = np.abs(response)
    at = int(size[1:-1].argmax()) + 1
    top = float(size[at])
    if top <= CLEAR_PEAK * math.sqrt(float(np.mean(size**2))):
        return None
    left, right = float(size[at - 1]), float(size[at + 1])
    between = 0.5 * (left - right) / (left - 2 * top + right)
    return (at + between) / SAMPLE_RATE_HZ * 1000


def _mean_square(samples: Samples) -> float:
    wide = samples.astype(np.float32)
    return float(np.dot(wide, wide)) / len(samples) / _FULL_SCALE**2
