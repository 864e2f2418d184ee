"""What a recording says: where a clip is in it, how faithfully, and when the last sound was. Arrays in, numbers out.

Everything is int16 mono at 24 kHz unless a name says otherwise. Knows no sound card and no process.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE_HZ = 24_000
FLOOR = 12
"""Samples up to this size are silence: the virtual card is digitally silent, resamplers and fades leave a few units."""

ALIKE = 0.9
"""Windows with at least this coherence hold the same sound; one that was cut and joined has less."""

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was recorded, and when its first sample was on the card (monotonic clock)."""

    samples: Samples
    start_s: float

    def time_of(self, sample: int) -> float:
        return self.start_s + sample / RATE_HZ

    def since(self, time_s: float) -> Recording:
        first = min(max(0, round((time_s - self.start_s) * RATE_HZ)), len(self.samples))
        return Recording(samples=self.samples[first:], start_s=self.time_of(first))


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where a clip begins in a recording, how loud it is there, and how alike (1.0: the same waveform)."""

    lag: int
    gain: float
    coherence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One stretch of the clip against the recording: `slip` is how many samples it lies off the clip's own place.

    `gain` 1.0: as loud as in the clip.
    """

    at: int
    slip: int
    gain: float
    coherence: float


def _cross_correlation(long: npt.NDArray[np.float64], short: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    size = 1 << (len(long) + len(short) - 1).bit_length()
    product = np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size))
    return np.fft.irfft(product, size)[: len(long) - len(short) + 1]


def find(clip: Samples, recording: Samples) -> Match:
    """Find the place where `recording` resembles `clip` most; a shorter recording is padded with silence."""
    short = clip.astype(np.float64)
    long = recording.astype(np.float64)
    if len(long) < len(short):
        long = np.pad(long, (0, len(short) - len(long)))
    correlation = _cross_correlation(long, short)
    energy_before = np.concatenate(([0.0], np.cumsum(long**2)))
    energy = np.maximum(energy_before[len(short) :] - energy_before[: -len(short)], 0.0)
    clip_energy = float(short @ short)
    likeness = correlation / np.sqrt(np.maximum(energy * clip_energy, 1e6))
    lag = int(np.argmax(likeness))
    return Match(lag=lag, gain=float(correlation[lag] / max(clip_energy, 1.0)), coherence=float(likeness[lag]))


def as_recorded(clip: Samples, recording: Samples, lag: int) -> Samples:
    """The clip as it would be recorded at `lag`, moved by the part of a sample by which the recording lies behind it.

    The card runs at 48 kHz, so a recording at 24 kHz begins on a sample or between two. Half a sample costs half the
    gain at 8 kHz, which would be taken for a duck, and makes an "s" unlike itself, which would be taken for damage.
    """
    finer, head = 16, clip[: RATE_HZ // 2]
    size = 2 * len(head)
    product = np.fft.rfft(recording[lag : lag + len(head)], size) * np.conj(np.fft.rfft(head, size))
    near = np.arange(-finer // 2, finer // 2 + 1)
    alike = np.fft.irfft(product, finer * size)[near]
    if alike.max() <= 0:
        return clip
    turns = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * len(clip)) * float(near[np.argmax(alike)]) / finer)
    moved = np.fft.irfft(np.fft.rfft(clip, 2 * len(clip)) * turns)[: len(clip)]
    return np.clip(np.round(moved), -32768, 32767).astype(np.int16)


def windows(clip: Samples, recording: Samples, lag: int) -> list[Window]:
    """Compare window by window from `lag` on: a `slip` that changes tells of lost (-) or inserted (+) samples.

    Follows the slips. Windows that are silent in the clip are left out: they look like any other silence.
    """
    size, reach = RATE_HZ // 10, RATE_HZ // 5
    clip = as_recorded(clip, recording, lag)
    found = []
    slip = 0
    for at in range(0, len(clip) - size + 1, size):
        piece = clip[at : at + size]
        if np.sqrt(np.mean(piece.astype(np.float64) ** 2)) < 10 * FLOOR:
            continue
        first = max(0, lag + at + slip - reach)
        match = find(piece, recording[first : lag + at + slip + size + reach])
        moved = first + match.lag - lag - at
        if match.coherence > ALIKE:
            slip = moved
        found.append(Window(at=at, slip=moved, gain=match.gain, coherence=match.coherence))
    return found


def damaged(clip: Samples, recording: Samples, lag: int) -> list[Window]:
    """Return the windows in which samples were lost, inserted or changed; a slip of one sample is rounding."""
    found = windows(clip, recording, lag)
    slips_before = [0, *(window.slip for window in found)]
    return [
        window
        for window, before in zip(found, slips_before, strict=False)
        if abs(window.slip - before) > 1 or window.coherence < ALIKE
    ]


def last_sound(samples: Samples, *, floor: int = FLOOR) -> int | None:
    """Index of the last sample louder than `floor`, or None."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > floor)
    return int(loud[-1]) if len(loud) else None


def first_sound(samples: Samples, *, floor: int = FLOOR) -> int | None:
    """Index of the first sample louder than `floor`, or None."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > floor)
    return int(loud[0]) if len(loud) else None


def read_wav(source: Path | bytes) -> Samples:
    """Read a 16-bit mono WAV at 24 kHz."""
    with wave.open(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ), file.getparams()
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def write_wav(path: Path, samples: Samples) -> Path:
    """Write a 16-bit mono WAV at 24 kHz and return its path."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    return path
