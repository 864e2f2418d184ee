"""Noise by frequency: its power, as an ear weighs it, and whether it is mains hum. Pure over arrays.

Knows no test signal and no threshold but that of hum.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicebotd.audio.options import SAMPLE_RATE_HZ

Signal = npt.NDArray[np.float64]

HUM_SHARE = 0.6
"""Part of the noise within 3 Hz of the first ten multiples of the mains. Of white noise it is a hundredth."""


def spectral_power(quiet: Signal) -> Signal:
    """Mean square of each frequency bin of `quiet`, its constant part taken off; the bins add up to the mean square."""
    centred = quiet - quiet.mean()
    window = np.hanning(len(centred) + 2)[1:-1]
    power = np.abs(np.fft.rfft(centred * window)) ** 2
    power[1:] *= 2
    return np.asarray(power / (len(centred) * np.sum(window**2)))


def bin_hz(bins: int) -> Signal:
    """The frequencies of so many bins, from 0 to half the rate."""
    return np.linspace(0.0, SAMPLE_RATE_HZ / 2, bins)


def a_weight(bins: int) -> Signal:
    """Power of the A-weighting at each bin, 1 at 1 kHz (IEC 61672-1, Annex E)."""
    square = bin_hz(bins) ** 2
    response = 12194.0**2 * square**2
    response /= (square + 20.6**2) * (square + 12194.0**2)
    response /= np.sqrt((square + 107.7**2) * (square + 737.9**2))
    return np.asarray((response * 10 ** (2.0 / 20)) ** 2)


def mains_hum(noise: Signal) -> int | None:
    """50 or 60 where most of this spectral power is hum of mains of that frequency."""
    hz = bin_hz(len(noise))
    width_hz = 2.5 * SAMPLE_RATE_HZ / 2 / len(noise)  # the window smears a tone over two bins to each side
    for mains_hz in (50, 60):
        nearest = np.maximum(1, np.rint(hz / mains_hz)) * mains_hz
        tonal = (np.abs(hz - nearest) <= max(3.0, width_hz)) & (hz < 11 * mains_hz)
        if noise.sum() > 0 and noise[tonal].sum() > HUM_SHARE * noise.sum():
            return mains_hz
    return None
