from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.spectrum import a_weight, bin_hz, mains_hum, spectral_power

RATE_HZ = 24_000
TIME_S = np.arange(RATE_HZ) / RATE_HZ


def tone(hz: float, amplitude: float = 1000.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * TIME_S)


def noise(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=RATE_HZ) * 100.0


def test_the_bins_add_up_to_the_mean_square_without_the_constant_part() -> None:
    assert spectral_power(noise() + 5000).sum() == pytest.approx(100.0**2, rel=0.03)
    assert spectral_power(tone(440)).sum() == pytest.approx(1000.0**2 / 2, rel=0.01)


@pytest.mark.parametrize(("hz", "db"), [(100, -19.1), (1000, 0.0), (2500, 1.3), (6300, -0.1)])
def test_the_weighting_is_that_of_the_standard(hz: int, db: float) -> None:
    weights = a_weight(12_001)
    assert bin_hz(12_001)[hz] == hz
    assert 10 * np.log10(weights[hz]) == pytest.approx(db, abs=0.15)


def test_a_constant_has_no_weight() -> None:
    assert a_weight(100)[0] == 0.0


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_hum_is_told_by_its_mains(mains_hz: int) -> None:
    hum = tone(mains_hz) + tone(2 * mains_hz, 400) + tone(3 * mains_hz, 300) + noise()
    assert mains_hum(spectral_power(hum)) == mains_hz


def test_noise_a_whistle_and_silence_are_no_hum() -> None:
    assert mains_hum(spectral_power(noise())) is None
    assert mains_hum(spectral_power(tone(2000))) is None
    assert mains_hum(spectral_power(np.zeros(1000))) is None
