"""Loudness: the input level in dBFS, and gain that changes without a click. Pure over arrays."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from voicebotd.audio.ring import Samples

FLOOR_DBFS = -120.0
_FULL_SCALE = 32768.0


def db_to_factor(db: float) -> float:
    return float(10 ** (db / 20))


class LevelMeter:
    """RMS of everything since it was last asked, in dB below a full-scale square wave."""

    def __init__(self) -> None:
        self._energy = 0.0
        self._count = 0
        self._last_energy = 0.0
        self._last_count = 0

    def add(self, samples: Samples) -> None:
        wide = samples.astype(np.float32)
        self._last_energy, self._last_count = float(np.dot(wide, wide)), len(samples)
        self._energy += self._last_energy
        self._count += self._last_count

    @property
    def last_dbfs(self) -> float:
        """The level of the samples that were added last; -120 for digital silence or no samples at all."""
        return _dbfs(self._last_energy, self._last_count)

    def take_dbfs(self) -> float:
        """The level since the last call; -120 for digital silence or no samples at all."""
        energy, count = self._energy, self._count
        self._energy, self._count = 0.0, 0
        return _dbfs(energy, count)


def _dbfs(energy: float, count: int) -> float:
    if energy <= 0.0:
        return FLOOR_DBFS
    return max(FLOOR_DBFS, 10 * math.log10(energy / count / _FULL_SCALE**2))


class Gain:
    """Multiplies, saturating. A new factor is reached by a straight ramp over the next block."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._target = factor

    def set(self, factor: float) -> None:
        self._target = factor

    def settle(self) -> None:
        """Nothing sounds: the new factor holds at once."""
        self._factor = self._target

    def apply(self, samples: Samples) -> Samples:
        if self._factor == self._target == 1.0:
            return samples
        ramp = np.linspace(self._factor, self._target, len(samples), dtype=np.float32)
        if len(samples):
            self._factor = self._target
        return to_int16(samples * ramp)


def to_int16(samples: npt.NDArray[np.float32]) -> Samples:
    """Round to the nearest sample value; what is louder than full scale saturates instead of wrapping."""
    rounded = np.rint(samples)
    np.minimum(rounded, 32767, out=rounded)  # a third of the cost of `np.clip` on blocks of this size
    np.maximum(rounded, -32768, out=rounded)
    return rounded.astype(np.int16)
