"""What the microphone made of a test signal: delay, echo return loss, noise, clipping, distortion, drift. PURE.

Arrays in (int16, 24 kHz, microphone and loudspeaker paired sample by sample), numbers out. Owns how they are computed;
what they mean for the box, and in words, is `diagnosis.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicebotd.audio.level import FLOOR_DBFS
from voicebotd.audio.options import SAMPLE_RATE_HZ
from voicebotd.audio.ring import Samples
from voicebotd.audio.spectrum import Signal, a_weight, mains_hum, spectral_power
from voicebotd.audio.sweep import Stimulus, band, harmonic_advance_s
from voicebotd.errors import AudioError

MAX_DELAY_S = 0.8
"""Longer echoes are not looked for: a second later comes the next sweep."""
LEAST_DELAY_S = -0.02
"""Of two streams the microphone may be paired a few blocks early."""
DETECTION_DB = 18.0
"""An echo stands out so far from the middle of what is not echo. Noise alone reached 13 dB in 200 simulated rooms, a
voice in the room 34 dB: so every sweep has to show the same echo, in time and in waveform."""
SHARP = 3.0
"""How far an arrival's peak must rise above its RMS over 8 ms: a voice that looked like an echo reached 2.5, echoes 7.7
and more (simulated)."""
ALIKE_MS = 25.0
"""Two lost blocks apart, two echoes are still the same."""
TAIL_S = 0.25
"""How much of the room after the direct sound counts as echo: 60 dB in a room of furniture."""
BEFORE_S = 0.004
FULL_SCALE = 32_700
"""A sample that large was cut off; a resampler moves the flat tops of a wave a little."""
CLIPPED_SHARE = 0.001
"""A few samples are a click in the room."""
HARMONICS = (2, 3, 4, 5)
SILENT = 2
"""A microphone whose samples lie within so few units gives digital silence, or a constant, or one bit of dither."""
_FOUND, _ALIKE = 0.4, 0.7
_WINDOW = 240
_SHIFT_SAMPLES = 3
_Spectrum = npt.NDArray[np.complex128]


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """The loudspeaker as the microphone hears it, from the loudest sweep."""

    delay_ms: float
    """From the hand-over to the device to the hand-over from the device, to a fraction of a sample."""
    loss_db: float
    """Level of the sweep as handed over minus its level in the microphone, noise taken off; negative: amplified.
    Of two levels the one at which less was lost: the other one was limited or clipped."""
    prominence_db: float
    """How far it stands out of what is not echo."""
    distortion: float
    """Amplitude of the harmonics 2 to 5 in the sweep's band, as a part of the linear echo."""
    directness: float
    """Part of its energy within 2 ms of its peak; 1 where there is no room at all, as inside a computer."""
    growth_db: float
    """How much more the echo grew than the sweep did from the first to the last level."""
    slip_ms: float
    """How much later the last echo came than the first."""
    drift_ppm: float
    """The same as a rate: the microphone's clock against the loudspeaker's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    played_dbfs: float
    """The loudest sweep as handed to the device; -120: nothing was."""
    dead: bool
    """The microphone gave one and the same value all the time."""
    digital_silence: bool
    """Before the sweep the microphone was exactly silent, as no room is."""
    noise_dbfs: float
    noise_a_dbfs: float
    """The same as the ear weighs it (IEC 61672 A)."""
    hum_hz: int | None
    """50 or 60 where most of the noise is mains hum."""
    clipped_share: float
    """Part of the samples at full scale from the first sweep on, 0 to 1."""
    echo: Echo | None
    """None: the loudspeaker was not found in the microphone."""

    @property
    def clipped(self) -> bool:
        return self.clipped_share >= CLIPPED_SHARE


def measure(near: Samples, far: Samples, stimulus: Stimulus) -> Measurement:
    """Analyse one recording of `stimulus`, which begins anywhere in `far` and is there to its end.

    Raises `AudioError` where `far` holds something else.
    """
    heard, played = near - near.mean(), far.astype(np.float64)  # some converters have a constant part
    start = _locate(played, stimulus) if far.any() else stimulus.lead_samples
    quiet = heard[: max(1, start)]
    noise = spectral_power(quiet)
    noise_power = float(np.sum(noise * band(len(noise)) ** 2))
    sweeps = [start + at - stimulus.lead_samples for at in stimulus.starts]
    level = _level(played[start:], stimulus)
    responses = [
        _response(heard[at:], level * amplitude * stimulus.sweep)
        for at, amplitude in zip(sweeps, stimulus.amplitudes, strict=True)
        if level
    ]
    return Measurement(
        played_dbfs=_dbfs(float(np.mean((level * stimulus.amplitudes[-1] * stimulus.sweep) ** 2))),
        dead=bool(np.ptp(heard) <= SILENT),
        digital_silence=bool(np.ptp(quiet) <= SILENT),
        noise_dbfs=_dbfs(float(noise.sum())),
        noise_a_dbfs=_dbfs(float(np.sum(noise * a_weight(len(noise))))),
        hum_hz=mains_hum(noise),
        clipped_share=float(np.mean(np.abs(heard[start:]) >= FULL_SCALE)),
        echo=_echo([_arrival(each, stimulus, noise_power) for each in responses], sweeps[-1] - sweeps[0]),
    )


def _dbfs(power: float) -> float:
    return max(FLOOR_DBFS, _db(max(power, 1e-9) / 32768.0**2))


# Where the test signal is in what was played. Only where and how loud: a sample that is missing there may well have
# been heard, and the signal itself is known.


def _locate(played: Signal, stimulus: Stimulus) -> int:
    """The first sample of the first sweep."""
    template = stimulus.pcm[stimulus.lead_samples : stimulus.starts[-1] + len(stimulus.sweep)].astype(np.float64)
    room = len(played) - len(template)
    if room < 0:
        raise AudioError("the recording of the test signal is too short")
    size = 1 << (len(played) + len(template)).bit_length()
    product = np.fft.rfft(played, size) * np.conj(np.fft.rfft(template, size))
    matches = np.fft.irfft(product, size)[: room + 1]
    at = int(np.argmax(matches))
    if matches[at] < _FOUND * np.sqrt(np.sum(played**2) * np.sum(template**2)):
        raise AudioError("something else was played during the test", hint="try again while the assistant is silent")
    return at


def _level(played: Signal, stimulus: Stimulus) -> float:
    """What a sample 1.0 of the stimulus was handed over as: the volume, of full scale. Robust against missing parts."""
    loud = stimulus.pcm[stimulus.lead_samples :].astype(np.float64)
    windows = min(len(played), len(loud)) // _WINDOW
    given, wanted = (
        np.sqrt(np.mean(side[: windows * _WINDOW].reshape(-1, _WINDOW) ** 2, axis=1)) for side in (played, loud)
    )
    sounding = wanted > wanted.max() / 10
    return 32767 * float(np.median(given[sounding] / wanted[sounding]))


# The echo.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Response:
    """The way from loudspeaker to microphone by one sweep: an impulse response, its harmonics at negative lags."""

    impulse: Signal
    envelope: Signal
    sweep: _Spectrum
    """The sweep as it was played, in the band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    delay_samples: float
    loss_db: float
    prominence_db: float
    distortion: float
    directness: float
    onset: Signal
    """The impulse response around the direct sound."""


def _response(heard: Signal, played: Signal) -> _Response:
    """Deconvolve; `played` is the sweep, and `heard` begins when it did.

    A smooth band keeps the impulse short and its peak where the sound is.
    """
    size = 1 << (2 * len(played) + _samples(MAX_DELAY_S)).bit_length()
    sweep = np.fft.rfft(played, size)
    power = np.abs(sweep) ** 2
    echo = np.fft.rfft(heard[: len(played) + _samples(MAX_DELAY_S)], size)
    limits = band(len(sweep))
    quotient = limits * echo * np.conj(sweep) / (power + 1e-6 * power.max())
    one_sided = np.zeros(size, dtype=np.complex128)
    one_sided[: len(quotient)] = 2 * quotient
    analytic = np.fft.ifft(one_sided)
    return _Response(impulse=analytic.real, envelope=np.abs(analytic), sweep=limits * sweep)


def _arrival(response: _Response, stimulus: Stimulus, noise_power: float) -> _Arrival | None:
    """The echo in `response`, None where nothing stands out. `noise_power` is the noise's within the band."""
    first = _samples(LEAST_DELAY_S)
    candidates = response.envelope[np.arange(first, _samples(MAX_DELAY_S))]
    middle, highest = float(np.median(candidates)), float(candidates.max())
    if highest <= middle * 10 ** (DETECTION_DB / 20):
        return None
    at = first + _direct(candidates)
    echo = max(_energy_at(response, at, TAIL_S, noise_power), 1e-9)
    harmonics = sum(
        max(0.0, _energy_at(response, at - _samples(harmonic_advance_s(stimulus, order)), TAIL_S / 4, noise_power))
        for order in HARMONICS
    )
    return _Arrival(
        delay_samples=at + _vertex(*response.envelope[[at - 1, at, at + 1]]),
        loss_db=_db(_energy(response.sweep) / echo),
        prominence_db=_db((highest / max(middle, 1e-6 * highest)) ** 2),
        distortion=float(np.sqrt(harmonics / echo)),
        directness=_energy_between(response, at, -0.002, 0.002) / _energy_between(response, at, -BEFORE_S, TAIL_S),
        onset=response.impulse[np.arange(at - _samples(BEFORE_S), at + _samples(BEFORE_S))],
    )


def _direct(candidates: Signal) -> int:
    """Where the direct sound is: a reflection may be louder, and comes at most 20 ms later."""
    highest = int(np.argmax(candidates))
    at = max(0, highest - _samples(0.02))
    at += int(np.argmax(candidates[at : highest + 1] >= candidates[highest] / 2))
    while candidates[at] < candidates[min(at + 1, highest)]:
        at += 1
    return at


def _vertex(before: float, at: float, after: float) -> float:
    """Where between two samples the top of a parabola through three points is."""
    bend = before - 2 * at + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend else 0.0


def _energy_at(response: _Response, at: int, tail_s: float, noise_power: float) -> float:
    """Energy in the microphone of what arrives around lag `at`, less the noise that this stretch holds."""
    stretch = np.arange(at - _samples(BEFORE_S), at + _samples(tail_s))
    gated = np.zeros(len(response.impulse))
    gated[stretch] = response.impulse[stretch]
    # The band is in both factors; where it is neither 0 nor 1 it would count twice.
    limits = np.maximum(band(len(response.sweep)), 1e-3)
    return _energy(np.fft.rfft(gated) * response.sweep / limits) - noise_power * len(stretch)


def _energy_between(response: _Response, at: int, from_s: float, to_s: float) -> float:
    return float(np.sum(response.impulse[np.arange(at + _samples(from_s), at + _samples(to_s))] ** 2))


def _energy(spectrum: _Spectrum) -> float:
    """Energy of the signal that has this (one-sided) spectrum (Parseval)."""
    return float(2 * np.sum(np.abs(spectrum) ** 2) / (2 * (len(spectrum) - 1)))


def _echo(arrivals: list[_Arrival | None], period_samples: int) -> Echo | None:
    """What all sweeps tell alike: a voice or a click in the room may look like one echo, not like the same two."""
    found = [arrival for arrival in arrivals if arrival is not None]
    if not found or len(found) < len(arrivals):
        return None
    if min(_crest(arrival.onset) for arrival in found) < SHARP:
        return None
    slip_ms = 1000 * (found[-1].delay_samples - found[0].delay_samples) / SAMPLE_RATE_HZ
    if abs(slip_ms) > ALIKE_MS or _likeness(found[0].onset, found[-1].onset) < _ALIKE:
        return None
    return Echo(
        delay_ms=1000 * found[-1].delay_samples / SAMPLE_RATE_HZ,
        loss_db=min(arrival.loss_db for arrival in found),
        prominence_db=found[-1].prominence_db,
        distortion=found[-1].distortion,
        directness=found[-1].directness,
        growth_db=found[0].loss_db - found[-1].loss_db,
        slip_ms=slip_ms,
        drift_ppm=1000 * slip_ms * SAMPLE_RATE_HZ / period_samples,
    )


def _crest(onset: Signal) -> float:
    return float(np.abs(onset).max() / np.sqrt(np.mean(onset**2)))


def _likeness(one: Signal, other: Signal) -> float:
    """1 for the same waveform at any level, shifted a little; near 0 for two that have nothing to do with each other.

    Clocks that run apart smear the two unlike, so that their peaks are not exactly the same place.
    """
    shifted = np.correlate(one, other, mode="same")
    middle = len(one) // 2
    alike = shifted[middle - _SHIFT_SAMPLES : middle + _SHIFT_SAMPLES + 1].max()
    return float(alike / np.sqrt(np.sum(one**2) * np.sum(other**2)))


def _samples(duration_s: float) -> int:
    return round(duration_s * SAMPLE_RATE_HZ)


def _db(ratio: float) -> float:
    return 10 * float(np.log10(ratio))
