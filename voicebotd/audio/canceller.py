"""A linear echo canceller: learns the way from loudspeaker to microphone and subtracts what came along it.

A partitioned frequency-domain filter with a Kalman step per frequency (Enzner & Vary 2006): it slows down by itself
while somebody talks into the echo, so it needs no detector of double talk. It removes what is linear in the echo and
nothing of the visitor. Put before WebRTC's canceller, that one has less to suppress: in ten simulated rooms all
visitors as loud as the echo were noticed within 700 ms (median 160 ms) instead of 72 %. Pure over arrays; decides
nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicebotd.audio.level import to_int16
from voicebotd.audio.options import FRAME_SAMPLES
from voicebotd.audio.ring import Samples

Spectrum = npt.NDArray[np.float32]
"""Power per 50 Hz from 0 to 12 kHz."""
Bins = npt.NDArray[np.complex64]

PARTITIONS = 24
"""Of 10 ms: delay and the loud part of the room's tail must fit into 240 ms. Rooms with a delay of 20…150 ms do."""
_WINDOW = 2 * FRAME_SAMPLES
_BINS = FRAME_SAMPLES + 1
_LEARNED_BINS = 161
"""Up to 8 kHz. What a small loudspeaker gives above that is weak, and no detector of speech listens there."""
_FULL_SCALE = 32768.0
_FORGET = 0.999
"""How sure it stays that the room is the same, per frame: of 0.9995, 0.999 and 0.998 this gave the most ERLE at
100 ppm of drift (8 to 15 dB) and lost nothing without (25 to 29 dB)."""
_DOUBT = 0.1
"""How uncertain each weight is at first. 1 makes the first second louder than no canceller at all."""
_LISTEN = 0.5
"""Smoothing of the power of what is not echo, per frame."""
_TINY = 1e-6
"""Power per bin below which nothing is learned: 20 dB below the rounding of 16 bits."""
_CONSTRAINED = 8
"""Every eighth partition is cut to its 10 ms in each frame: less work than all of them, and as good."""


class LinearCanceller:
    """`process` takes paired 10 ms frames and returns what is left of the first, at once."""

    def __init__(self) -> None:
        shape = (PARTITIONS, _LEARNED_BINS)
        # Each spectrum is kept twice, so that the newest of them are always one stretch, the latest first.
        self._far = np.zeros((2 * PARTITIONS, _LEARNED_BINS), dtype=np.complex64)
        self._far_powers = np.zeros((2 * PARTITIONS, _LEARNED_BINS), dtype=np.float32)
        self._newest = 0
        self._weights = np.zeros(shape, dtype=np.complex64)
        self._doubt = np.full(shape, _DOUBT, dtype=np.float32)
        self._noise = np.full(_LEARNED_BINS, 1e-4, dtype=np.float32)
        self._far_window = np.zeros(_WINDOW, dtype=np.float32)
        self._near_window = np.zeros(_WINDOW, dtype=np.float32)
        self._silent_frames = PARTITIONS + 1
        self._turn = 0
        self.far_power: Spectrum = np.zeros(_BINS, dtype=np.float32)
        """Of the last two far frames."""
        self.residual_power: Spectrum = np.zeros(_BINS, dtype=np.float32)
        """Of what was returned last."""
        self.echo_dbfs_power = 0.0
        """Mean square of the echo it found in the last frame, 1 being full scale."""

    def process(self, near: Samples, far: Samples) -> Samples:
        self._silent_frames = 0 if far.any() else self._silent_frames + 1
        if self._silent_frames > PARTITIONS:
            return self._quiet(near)
        self._hear_far(far)
        newest = slice(self._newest, self._newest + PARTITIONS)
        found = (self._far[newest] * self._weights).sum(axis=0)
        echo = np.fft.irfft(found, _WINDOW)[FRAME_SAMPLES:].astype(np.float32, copy=False)
        self.echo_dbfs_power = float(np.dot(echo, echo)) / FRAME_SAMPLES
        residual = near.astype(np.float32) / np.float32(_FULL_SCALE) - echo
        self._learn(self._spectrum(residual)[:_LEARNED_BINS], self._far[newest], self._far_powers[newest])
        return to_int16(residual * np.float32(_FULL_SCALE))

    def impulse_response(self) -> npt.NDArray[np.float32]:
        """The way from loudspeaker to microphone as far as it is known: 240 ms of taps at 24 kHz."""
        return np.fft.irfft(self._weights, _WINDOW, axis=1)[:, :FRAME_SAMPLES].astype(np.float32).ravel()

    def _quiet(self, near: Samples) -> Samples:
        """Nothing played for as long as the filter reaches: there is nothing to subtract and nothing to learn."""
        if self._silent_frames == PARTITIONS + 1:
            self._far[:] = 0
            self._far_powers[:] = 0
        self.far_power = np.zeros(_BINS, dtype=np.float32)
        self.echo_dbfs_power = 0.0
        self._spectrum(near.astype(np.float32) / np.float32(_FULL_SCALE))
        return near

    def _hear_far(self, far: Samples) -> None:
        self._far_window[:FRAME_SAMPLES] = self._far_window[FRAME_SAMPLES:]
        self._far_window[FRAME_SAMPLES:] = far / np.float32(_FULL_SCALE)
        spectrum = _spectrum_of(self._far_window)
        self.far_power = _power(spectrum)
        self._newest = (self._newest - 1) % PARTITIONS
        for place in (self._newest, self._newest + PARTITIONS):
            self._far[place] = spectrum[:_LEARNED_BINS]
            self._far_powers[place] = self.far_power[:_LEARNED_BINS]

    def _spectrum(self, residual: npt.NDArray[np.float32]) -> Bins:
        self._near_window[FRAME_SAMPLES:] = residual
        spectrum = _spectrum_of(self._near_window)
        self.residual_power = _power(spectrum)
        return spectrum

    def _learn(self, residual: Bins, far: Bins, far_power: Spectrum) -> None:
        self._noise *= np.float32(_LISTEN)
        self._noise += np.float32(1 - _LISTEN) * self.residual_power[:_LEARNED_BINS]
        expected = np.float32(0.5) * (self._doubt * far_power).sum(axis=0)
        step = self._doubt * (1 / (expected + self._noise + np.float32(_TINY)))
        wrong = far * residual.conj()
        np.conj(wrong, out=wrong)
        wrong *= step
        self._weights += wrong
        self._constrain()
        # doubt = (1 - step * far_power / 2) * doubt * forget² + (1 - forget²) * |weights|²
        step *= far_power
        step *= np.float32(-0.5 * _FORGET**2)
        step += np.float32(_FORGET**2)
        self._doubt *= step
        self._doubt += np.float32(1 - _FORGET**2) * _power(self._weights) + np.float32(1e-9)
        self._weights *= np.float32(_FORGET)

    def _constrain(self) -> None:
        """A partition's impulse response is one frame long; the other half of its window is circular nonsense."""
        self._turn = (self._turn + 1) % _CONSTRAINED
        mine = slice(self._turn, None, _CONSTRAINED)
        response = np.fft.irfft(self._weights[mine], _WINDOW, axis=1)
        response[:, FRAME_SAMPLES:] = 0
        self._weights[mine] = np.fft.rfft(response, axis=1)[:, :_LEARNED_BINS]


def _spectrum_of(window: npt.NDArray[np.float32]) -> Bins:
    return np.fft.rfft(window).astype(np.complex64, copy=False)


def _power(spectrum: Bins) -> Spectrum:
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)
