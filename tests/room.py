"""A room with a loudspeaker and a microphone in it, as numbers: what the microphone hears of what is played.

Plain arrays of 24 kHz samples, int16 at the border. The same seed gives the same room.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

RATE_HZ = 24_000
FRAME = 240
FULL_SCALE = 32768.0

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]

SPEECH = Path(__file__).parent.parent / "voicebotd/rehearsal/speech"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """An echo path: delay, loss, reverberation, a loudspeaker that saturates, clocks that run apart, noise."""

    delay_ms: float = 60.0
    """From the sample given to the device until its direct sound is in the microphone."""
    loss_db: float = 6.0
    """How much weaker the echo is than what was given to the device (of white noise)."""
    rt60_s: float = 0.25
    reverberation_db: float = -3.0
    """Energy of the tail against the direct sound."""
    drive: float = 1.0
    """The loudspeaker's tanh: 0 is linear, at 1 a full-scale sample loses 2.4 dB, at 2 6.3 dB."""
    drift_ppm: float = 0.0
    """The echo comes later by so many microseconds each second."""
    noise_dbfs: float = -65.0
    jump_at_s: float | None = None
    jump_ms: float = 0.0
    """From `jump_at_s` on the delay is this much longer (or shorter)."""
    gain_change_at_s: float | None = None
    gain_change_db: float = 0.0
    """From `gain_change_at_s` on the echo is this much louder."""
    seed: int = 1

    def impulse_response(self) -> Floats:
        """Of unit energy, without the delay: direct sound, then a decaying tail."""
        rng = np.random.default_rng(self.seed)
        count = max(2, round(self.rt60_s * RATE_HZ))
        tail = rng.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
        tail[: round(0.002 * RATE_HZ)] = 0
        tail *= 10 ** (self.reverberation_db / 20) / np.sqrt(np.sum(tail**2) + 1e-12)
        tail[0] = 1.0
        return (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)

    def echo(self, far: Samples) -> Floats:
        """What of `far` is in the microphone, as long as `far`, in full-scale units of 1."""
        played = far.astype(np.float64) / FULL_SCALE
        if self.drive:
            played = np.tanh(self.drive * played) / self.drive
        if self.drift_ppm:
            played = soxr.resample(played, RATE_HZ, RATE_HZ * (1 + self.drift_ppm * 1e-6), quality="VHQ")
        heard = convolve(played, self.impulse_response().astype(np.float64)) * 10 ** (-self.loss_db / 20)
        late = delayed(heard, self.delay_ms, len(far))
        if self.jump_at_s is not None:
            at = round(self.jump_at_s * RATE_HZ)
            late[at:] = delayed(heard, self.delay_ms + self.jump_ms, len(far))[at:]
        if self.gain_change_at_s is not None:
            late[round(self.gain_change_at_s * RATE_HZ) :] *= 10 ** (self.gain_change_db / 20)
        return late.astype(np.float32)

    def microphone(self, far: Samples, visitor: Floats | None = None) -> Samples:
        """Echo, noise, and a visitor who is as long as `far`."""
        rng = np.random.default_rng(self.seed + 1)
        sum_ = self.echo(far) + rng.standard_normal(len(far)) * 10 ** (self.noise_dbfs / 20)
        if visitor is not None:
            sum_ = sum_ + visitor
        return np.asarray(np.clip(np.rint(sum_ * FULL_SCALE), -32768, 32767), dtype=np.int16)


def convolve(signal: npt.NDArray[np.float64], kernel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    size = 1 << int(np.ceil(np.log2(len(signal) + len(kernel))))
    product = np.fft.rfft(signal, size) * np.fft.rfft(kernel, size)
    return np.asarray(np.fft.irfft(product, size)[: len(signal)])


def delayed(signal: npt.NDArray[np.float64], delay_ms: float, count: int) -> npt.NDArray[np.float64]:
    lead = np.zeros(max(0, round(delay_ms * RATE_HZ / 1000)))
    late = np.concatenate((lead, signal))[:count]
    return np.concatenate((late, np.zeros(count - len(late))))


def clip(name: str) -> Samples:
    """A bundled recording, 24 kHz."""
    samples, rate_hz = soundfile.read(SPEECH / f"{name}.ogg", dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ)
    return np.asarray(np.rint(np.clip(mono, -1, 1) * 32767), dtype=np.int16)


def speech_dbfs(samples: npt.NDArray[np.generic]) -> float:
    """The level of what is not pause: RMS of the 10 ms frames within 30 dB of the loudest."""
    wide = np.asarray(samples, dtype=np.float64) / (FULL_SCALE if samples.dtype == np.int16 else 1.0)
    power = np.mean(wide[: len(wide) // FRAME * FRAME].reshape(-1, FRAME) ** 2, axis=1)
    return float(10 * np.log10(np.mean(power[power > power.max() / 1000]) + 1e-12))


def at_level(samples: npt.NDArray[np.generic], level_dbfs: float) -> Floats:
    wide = np.asarray(samples, dtype=np.float32) / (FULL_SCALE if samples.dtype == np.int16 else 1.0)
    return np.asarray(wide * 10 ** ((level_dbfs - speech_dbfs(samples)) / 20), dtype=np.float32)


def placed(samples: Floats, at_s: float, count: int) -> Floats:
    """`samples` at `at_s` in `count` samples of silence."""
    out = np.zeros(count, dtype=np.float32)
    at = round(at_s * RATE_HZ)
    part = samples[: count - at]
    out[at : at + len(part)] = part
    return out
