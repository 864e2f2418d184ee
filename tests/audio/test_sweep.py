from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.spectrum import bin_hz
from voicebotd.audio.sweep import LOUD, MODERATE, Stimulus, band, full, harmonic_advance_s, probe

RATE_HZ = 24_000


def seconds(stimulus: Stimulus) -> float:
    return len(stimulus.pcm) / RATE_HZ


@pytest.mark.parametrize(("stimulus", "at_most_s"), [(full(), 4.0), (probe(), 2.5)])
def test_a_test_is_short(stimulus: Stimulus, at_most_s: float) -> None:
    assert seconds(stimulus) < at_most_s
    assert stimulus.pcm.dtype == np.int16


@pytest.mark.parametrize("stimulus", [full(), probe()])
def test_silence_comes_first_and_last_and_the_sweeps_where_they_are_said_to_be(stimulus: Stimulus) -> None:
    expected = np.zeros(len(stimulus.pcm))
    for start, amplitude in zip(stimulus.starts, stimulus.amplitudes, strict=True):
        expected[start : start + len(stimulus.sweep)] = 32767 * amplitude * stimulus.sweep
    assert np.abs(stimulus.pcm - expected).max() <= 0.5
    assert stimulus.lead_samples >= 0.2 * RATE_HZ
    assert len(stimulus.pcm) - stimulus.starts[-1] - len(stimulus.sweep) >= 0.6 * RATE_HZ


def test_the_levels_are_those_of_speech_and_of_its_peaks() -> None:
    assert full().amplitudes == (MODERATE, LOUD)
    rms = np.sqrt(np.mean((MODERATE * full().sweep) ** 2))
    assert 20 * np.log10(rms) == pytest.approx(-20, abs=0.5)


def test_a_sweep_begins_and_ends_without_a_click_and_stays_in_its_band() -> None:
    sweep = full().sweep
    assert abs(sweep[0]) < 1e-3
    assert abs(sweep[-1]) < 1e-3
    power = np.abs(np.fft.rfft(sweep)) ** 2
    hz = bin_hz(len(power))
    assert power[(hz > 180) & (hz < 7200)].sum() > 0.999 * power.sum()


def test_a_harmonic_of_a_longer_sweep_is_further_ahead() -> None:
    assert harmonic_advance_s(full(), 2) == pytest.approx(0.195, abs=0.001)
    assert harmonic_advance_s(full(), 5) > harmonic_advance_s(full(), 2) > harmonic_advance_s(probe(), 2)


def test_the_band_is_open_inside_closed_outside_and_smooth_between() -> None:
    limits = band(12_001)
    assert limits[1000] == limits[5000] == 1.0
    assert limits[150] == limits[7100] == 0.0
    assert 0.4 < limits[275] < 0.6
    assert np.abs(np.diff(limits)).max() < 0.02
