"""The test signal of the self-test: silence, a sweep, another one, and time for the last echo. PURE.

Owns what is played. What came back is `selftest.py`'s. An exponential sweep, because deconvolved it separates the
linear echo from its harmonics, which arrive earlier (Farina, AES 108, 2000), and because its energy falls with the
frequency like that of speech.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from voicebotd.audio.options import SAMPLE_RATE_HZ
from voicebotd.audio.ring import Samples
from voicebotd.audio.spectrum import Signal, bin_hz

LOW_HZ, HIGH_HZ = 200.0, 7000.0
"""What small loudspeakers can play, and what speech needs."""
FADE_S = 0.02
"""Without it the ends of a sweep click."""
EDGE_HZ = 150.0
"""How gently what is measured is limited to that band."""
MODERATE, LOUD = 0.14, 0.5
"""Peak amplitudes. The first is -20 dBFS RMS, like quiet speech; the second 11 dB above it, near speech's peaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """`pcm` is what is played: `lead_samples` of silence, then a sweep at each of `starts`, then silence."""

    pcm: Samples
    sweep: Signal
    """One sweep with amplitude 1."""
    starts: tuple[int, ...]
    amplitudes: tuple[float, ...]

    @property
    def lead_samples(self) -> int:
        return self.starts[0]


@cache
def full() -> Stimulus:
    """The whole test, 3.7 s: two levels, so that what is not linear shows. A period of 1.3 s keeps echoes apart."""
    return _stimulus(sweep_s=1.0, lead_s=0.7, pause_s=0.3, tail_s=0.7, amplitudes=(MODERATE, LOUD))


@cache
def probe() -> Stimulus:
    """Two short sweeps alike, 2.1 s: does this device hear, or sound, at all?"""
    return _stimulus(sweep_s=0.4, lead_s=0.2, pause_s=0.5, tail_s=0.6, amplitudes=(0.3, 0.3))


def _stimulus(
    *, sweep_s: float, lead_s: float, pause_s: float, tail_s: float, amplitudes: tuple[float, ...]
) -> Stimulus:
    sweep = _sweep(sweep_s)
    lead, period = round(lead_s * SAMPLE_RATE_HZ), len(sweep) + round(pause_s * SAMPLE_RATE_HZ)
    starts = tuple(lead + number * period for number in range(len(amplitudes)))
    signal = np.zeros(starts[-1] + len(sweep) + round(tail_s * SAMPLE_RATE_HZ))
    for start, amplitude in zip(starts, amplitudes, strict=True):
        signal[start : start + len(sweep)] = amplitude * sweep
    pcm = np.rint(signal * 32767).astype(np.int16)
    return Stimulus(pcm=pcm, sweep=sweep, starts=starts, amplitudes=amplitudes)


def _sweep(duration_s: float) -> Signal:
    count = round(duration_s * SAMPLE_RATE_HZ)
    growth = np.log(HIGH_HZ / LOW_HZ)
    time_s = np.arange(count) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * LOW_HZ * duration_s / growth * np.expm1(time_s / duration_s * growth)
    edge = round(FADE_S * SAMPLE_RATE_HZ)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
    window = np.concatenate((ramp, np.ones(count - 2 * edge), ramp[::-1]))
    return np.asarray(np.sin(phase) * window)


def harmonic_advance_s(stimulus: Stimulus, order: int) -> float:
    """How much earlier than the echo itself its harmonic of this order arrives, deconvolved."""
    duration_s = len(stimulus.sweep) / SAMPLE_RATE_HZ
    return float(duration_s * np.log(order) / np.log(HIGH_HZ / LOW_HZ))


def band(bins: int) -> Signal:
    """1 within the sweep's band, 0 outside, raised cosines between."""
    hz = bin_hz(bins)
    rise = np.clip(np.minimum(hz - LOW_HZ, HIGH_HZ - hz) / EDGE_HZ, 0.0, 1.0)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * rise))
