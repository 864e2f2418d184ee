"""Is there more in the microphone than the loudspeaker explains? The echo-adaptive part of the gate.

Takes, per 10 ms, the power spectra of what was played and of what the microphone heard (or of what a canceller left of
it), and gives decibels of evidence for somebody near. Learns the echo's return per band from quantiles, so that it is
right for any room, volume and gain. Pure over arrays; what the evidence is good for is decided elsewhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicebotd.audio.canceller import Spectrum

Bands = npt.NDArray[np.float64]

_EDGES = np.array([4, 10, 20, 40, 70, 120])
"""In bins of 50 Hz: 200, 500, 1000, 2000, 3500, 6000 Hz. Where one voice is silent, another seldom is."""
_BANDS = len(_EDGES) - 1
_REACH_FRAMES = 16
"""The loudest of the last 160 ms is what may sound now: no delay need be known, and 150 ms are covered."""
_DECAY = 10 ** (-0.6 / 10)
"""Per frame, behind those: 60 dB in a second, slower than any room that is not a church."""
_FORGET_PEAK = 0.9995
_WORTH_LEARNING = 10**-2.5
"""Bands more than 25 dB below the loudest of late say nothing about the room."""
_HISTORY_FRAMES = 400
"""The return is learned from the last 4 s in which something played."""
_QUANTILE = 0.8
"""0.95 learned from the visitor who interrupts; 0.8 with a threshold of its own caught more at as few mistakes."""
_RISE_DB = 0.5
"""No frame counts as more than this above what is known. A visitor of one second raises the return by at most 5 dB, a
microphone that was turned up is followed at 3 to 6 dB/s."""
_START_DB = 12.0
"""Before anything is known: the echo is taken to be this much louder than what was played."""
_FIRST_FRAMES = 50
_HEARD_FRAMES = 100
"""There is no evidence before the first of these have taught something, or before so many have said nothing: what is
new is an echo until a second of it has been heard."""
_SURE_FRAMES = 200
_EARLY_DB = 6.0
"""Extra caution from the first half second, gone after two seconds: until then a canceller is still finding its way."""
_SMOOTH = 0.6
_NOISE_RISE_PER_FRAME = 10 ** (1 / 1000)
"""1 dB per second up, at once down."""
_CAP_DB = 12.0
_AVERAGE_FRAMES = 16
"""A single loud frame proves nothing. 8 frames were 20 ms faster and opened twice as often for nothing."""
_TINY = 1e-10
_NOTHING = 1e-6
"""A band of what was played below -110 dBFS: nothing was played."""


class Evidence:
    """`feed` returns the mean over bands and 160 ms of what exceeds echo and noise, 0…12 dB."""

    def __init__(self) -> None:
        self._played = np.zeros((_REACH_FRAMES, _BANDS))
        self._sounding: Bands = np.full(_BANDS, _TINY)
        self._peak: Bands = np.full(_BANDS, _TINY)
        self._heard: Bands | None = None
        self._noise: Bands = np.zeros(_BANDS)
        self._scores = np.zeros(_AVERAGE_FRAMES)
        self._frames = 0
        self.forget()

    def forget(self) -> None:
        """The room, or the way into it, is another one: be careful again."""
        self._returns = np.zeros((_HISTORY_FRAMES, _BANDS))
        self._learned = 0
        self._sounded = 0
        self._scores[:] = 0.0
        self._return_db: Bands = np.full(_BANDS, _START_DB)

    def feed(self, heard: Spectrum, played: Spectrum) -> float:
        self._hear(_bands(heard), _bands(played))
        assert self._heard is not None
        explained = self._sounding * 10 ** (self._return_db / 10) + 4 * self._noise + _TINY
        excess_db = 10 * np.log10(self._heard / explained)
        young = self._learned < _FIRST_FRAMES and self._sounded < _HEARD_FRAMES
        score = 0.0 if young else float(np.mean(np.clip(excess_db, 0.0, _CAP_DB)))
        self._scores[self._frames % _AVERAGE_FRAMES] = score
        self._learn()
        return float(np.mean(self._scores))

    def _hear(self, heard: Bands, played: Bands) -> None:
        self._frames += 1
        self._played[self._frames % _REACH_FRAMES] = played
        loudest = self._played.max(axis=0)
        self._sounding = np.maximum(loudest, self._sounding * _DECAY)
        self._peak = np.maximum(loudest, self._peak * _FORGET_PEAK)
        if self._heard is None:
            self._heard = self._noise = heard
        self._heard = _SMOOTH * self._heard + (1 - _SMOOTH) * heard
        self._noise = np.minimum(self._noise * _NOISE_RISE_PER_FRAME, self._heard)

    def _learn(self) -> None:
        loud = self._sounding > self._peak * _WORTH_LEARNING
        if self._played.max() < _NOTHING:
            return
        self._sounded += 1
        if loud.sum() < 2:
            return
        assert self._heard is not None
        echo = np.maximum(self._heard - 2 * self._noise, _TINY)
        ratio_db = 10 * np.log10(echo / self._sounding)
        # What is not worth learning counts as what is known, so that every band forgets at the same pace.
        seen = np.where(loud, np.minimum(ratio_db, self._return_db + _RISE_DB), self._return_db)
        self._returns[self._learned % _HISTORY_FRAMES] = seen
        self._learned += 1
        if self._learned >= _FIRST_FRAMES and self._learned % 10 == 0:
            known = self._returns[: min(self._learned, _HISTORY_FRAMES)]
            caution_db = max(0.0, _EARLY_DB * (1 - self._learned / _SURE_FRAMES))
            self._return_db = np.quantile(known, _QUANTILE, axis=0) + caution_db


def _bands(power: Spectrum) -> Bands:
    return np.add.reduceat(power, _EDGES)[:_BANDS].astype(np.float64) + 1e-12
