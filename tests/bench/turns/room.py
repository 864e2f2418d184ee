"""The room between the loudspeaker and the microphone, block by block, at 24 kHz.

Owns the physics of the bench: a loudspeaker that saturates, an impulse response with a delay and an exponential tail,
the echo return loss, and two clocks that run apart. Pure over arrays; knows no engine and nothing of what is said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RATE_HZ = 24_000
BLOCK = 240
"""10 ms: the engine's block and the room's."""

Signal = npt.NDArray[np.float64]
"""Full scale is 1.0."""

_TAPS = 16
_PHASES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Acoustics:
    """One room. `delay_ms` (20 and more) is the whole way, device buffers included; `erl_db` is digital to digital."""

    delay_ms: float
    rt60_s: float
    erl_db: float
    drift_ppm: float = 0.0
    """How much faster the loudspeaker's clock runs than the microphone's."""
    drive: float = 1.5
    """The loudspeaker is tanh(drive * x) / drive: 1.5 takes 4.4 dB off a full-scale peak, 1 dB off one at -9 dBFS."""
    floor_dbfs: float = -65.0
    seed: int = 0


def factor(db: float) -> float:
    return float(10 ** (db / 20))


def level_dbfs(samples: Signal) -> float:
    """RMS of what is not silence: frames of 20 ms within 35 dB of the loudest one. -120 where there is nothing."""
    frames = samples[: len(samples) // 480 * 480].reshape(-1, 480)
    power = (frames**2).mean(axis=1) if len(frames) else np.zeros(1)
    if power.max() <= 0:
        return -120.0
    return float(10 * np.log10(power[power > power.max() * 10**-3.5].mean()))


def impulse_response(acoustics: Acoustics) -> Signal:
    """A direct sound at `delay_ms`, then noise that falls by 60 dB in `rt60_s`, as loud together as 1.0.

    The spectrum falls gently above 4 kHz and below 150 Hz, as a small loudspeaker's does.
    """
    rng = np.random.default_rng(acoustics.seed)
    start = round(acoustics.delay_ms * RATE_HZ / 1000)
    count = round(acoustics.rt60_s * RATE_HZ)
    tail = rng.normal(0, 1, count) * np.exp(-math.log(1000) * np.arange(count) / count)
    tail[0] = 0.0
    # As much energy in the tail as in the direct sound: a microphone 0.5 to 1 m from the loudspeaker.
    tail /= math.sqrt(float((tail**2).sum()))
    tail[0] = 1.0
    response = np.concatenate((np.zeros(start), tail))
    size = 1 << (len(response) - 1).bit_length()
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    shape = 1 / np.sqrt(1 + (hz / 4000) ** 2) * (hz / 150) / np.sqrt(1 + (hz / 150) ** 2)
    shaped = np.fft.irfft(np.fft.rfft(response, size) * shape, size)[: len(response)]
    shaped[:start] = 0.0  # the zero-phase shape must not sound before the delay
    return np.asarray(shaped / math.sqrt(float((shaped**2).sum())))


def loudspeaker(samples: Signal, drive: float) -> Signal:
    return np.asarray(np.tanh(samples * drive) / drive)


def calibrated(acoustics: Acoustics, speech: Signal) -> Signal:
    """The impulse response, so loud that this speech comes back `erl_db` weaker than it was played."""
    response = impulse_response(acoustics)
    size = 1 << (len(speech) + len(response) - 1).bit_length()
    moved = loudspeaker(speech, acoustics.drive)
    echo = np.fft.irfft(np.fft.rfft(moved, size) * np.fft.rfft(response, size), size)[: len(speech) + len(response)]
    return response * factor(level_dbfs(speech) - acoustics.erl_db - level_dbfs(echo))


class Convolver:
    """Streaming convolution in blocks of `BLOCK`: uniformly partitioned, so that a long room costs little."""

    def __init__(self, response: Signal) -> None:
        parts = -(-len(response) // BLOCK)
        padded = np.concatenate((response, np.zeros(parts * BLOCK - len(response)))).reshape(parts, BLOCK)
        self._filters = np.fft.rfft(padded.astype(np.float32), 2 * BLOCK, axis=1)
        # Each input is kept twice, so that the newest `parts` of them are always one stretch.
        self._inputs = np.zeros((2 * parts, BLOCK + 1), dtype=np.complex64)
        self._newest = 0
        self._overlap = np.zeros(BLOCK, dtype=np.float32)

    def push(self, block: Signal) -> Signal:
        parts = len(self._filters)
        self._newest = (self._newest - 1) % parts
        self._inputs[self._newest] = self._inputs[self._newest + parts] = np.fft.rfft(
            block.astype(np.float32), 2 * BLOCK
        )
        spectrum = (self._filters * self._inputs[self._newest : self._newest + parts]).sum(axis=0)
        out = np.fft.irfft(spectrum, 2 * BLOCK)
        result = out[:BLOCK] + self._overlap
        self._overlap = out[BLOCK:]
        return np.asarray(result, dtype=np.float64)


CLOCKS_LAG_MS = 20.0
"""How much later sound comes through `Clocks`: two blocks, so that there is always enough to interpolate between."""


class Clocks:
    """From the loudspeaker's clock to the microphone's: a windowed sinc of 16 taps between the samples.

    `push` when the loudspeaker's clock has moved by a block, `pull` when the microphone's has.
    """

    def __init__(self, drift_ppm: float) -> None:
        self._rate = 1 + drift_ppm * 1e-6
        self._lag = round(CLOCKS_LAG_MS * RATE_HZ / 1000)
        self._held = np.zeros(self._lag + _TAPS)
        self._held_from = -self._lag - _TAPS
        self._read = -float(self._lag)
        at = np.arange(_TAPS) - (_TAPS // 2 - 1) - (np.arange(_PHASES) / _PHASES)[:, None]
        self._table = np.sinc(at) * np.cos(np.pi * at / _TAPS) ** 2

    def push(self, block: Signal) -> None:
        self._held = np.concatenate((self._held, block))

    def pull(self) -> Signal:
        at = self._read + np.arange(BLOCK) * self._rate
        self._read += BLOCK * self._rate
        whole = np.floor(at).astype(int)
        phase = ((at - whole) * _PHASES).astype(int)
        index = whole[:, None] - self._held_from - (_TAPS // 2 - 1) + np.arange(_TAPS)
        out = np.einsum("ij,ij->i", self._table[phase], self._held[index])
        keep_from = int(self._read) - _TAPS
        self._held = self._held[keep_from - self._held_from :]
        self._held_from = keep_from
        return np.asarray(out)


class Room:
    """Hears the loudspeaker and gives what of it reaches the microphone, with the microphone's own floor.

    `speech`: what the loudspeaker will say, by which the echo return loss is calibrated. With drift, the caller plays
    blocks as the loudspeaker's clock has it.
    """

    def __init__(self, acoustics: Acoustics, speech: Signal) -> None:
        self._drive = acoustics.drive
        self._clocks = Clocks(acoustics.drift_ppm) if acoustics.drift_ppm else None
        lag_ms = CLOCKS_LAG_MS if self._clocks else 0.0
        response = calibrated(acoustics, speech)
        self._echo = Convolver(response[round(lag_ms * RATE_HZ / 1000) :])
        self._played = np.zeros(BLOCK)
        self._floor = np.random.default_rng(acoustics.seed + 1)
        self._floor_factor = factor(acoustics.floor_dbfs)

    def play(self, block: npt.NDArray[np.int16]) -> None:
        moved = loudspeaker(block / 32768, self._drive)
        if self._clocks is None:
            self._played = moved
        else:
            self._clocks.push(moved)

    def hear(self) -> Signal:
        """The next block of echo and floor at the microphone."""
        played = self._played if self._clocks is None else self._clocks.pull()
        return np.asarray(self._echo.push(played) + self._floor.normal(0, self._floor_factor, BLOCK))


def to_int16(samples: Signal) -> npt.NDArray[np.int16]:
    """What an analogue-to-digital converter makes of it: rounded, and clipped where it is too loud."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
