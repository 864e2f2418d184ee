from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.delay import DelayWatch, EchoMeter, peak_ms

TAPS = 5760


def response(at_ms: float, *, noise: float = 0.01, seed: int = 1) -> np.ndarray:
    """A band-limited tap between samples, in a little noise."""
    at = at_ms * 24
    taps = np.sinc(0.8 * (np.arange(TAPS) - at))
    return (taps + np.random.default_rng(seed).normal(0, noise, TAPS)).astype(np.float32)


class Found:
    def __init__(self, *, power: float, at_ms: float = 60.0) -> None:
        self.echo_dbfs_power = power
        self._at_ms = at_ms

    def impulse_response(self) -> np.ndarray:
        return response(self._at_ms)


def test_the_delay_is_found_between_samples() -> None:
    assert peak_ms(response(60.02)) == pytest.approx(60.02, abs=0.02)


def test_a_response_of_noise_has_no_delay() -> None:
    assert peak_ms(np.random.default_rng(3).normal(0, 1, TAPS).astype(np.float32)) is None
    assert peak_ms(np.zeros(TAPS, dtype=np.float32)) is None


def test_nothing_is_known_before_it_was_seen() -> None:
    watch = DelayWatch()
    watch.look(np.zeros(TAPS, dtype=np.float32), at_s=1.0)
    assert (watch.delay_ms, watch.drift_ppm) == (None, None)


@pytest.mark.parametrize("ppm", [-100.0, 0.0, 100.0])
def test_the_drift_is_told_from_ten_looks_on(ppm: float) -> None:
    watch = DelayWatch()
    for second in range(20):
        watch.look(response(60 + ppm * second / 1000, seed=second), at_s=float(second))
        assert (watch.drift_ppm is None) == (second < 9)
    assert watch.drift_ppm == pytest.approx(ppm, abs=5)
    assert watch.delay_ms == pytest.approx(60 + 19 * ppm / 1000, abs=0.05)


def test_one_wrong_peak_is_passed_over() -> None:
    watch = DelayWatch()
    for second, at_ms in enumerate([60.0, 60.0, 90.0, 60.0]):
        watch.look(response(at_ms), at_s=float(second))
    assert watch.delay_ms == pytest.approx(60.0, abs=0.05)


def test_a_jump_seen_twice_is_the_new_delay_and_starts_the_drift_anew() -> None:
    watch = DelayWatch()
    for second in range(12):
        watch.look(response(60.0, seed=second), at_s=float(second))
    assert watch.drift_ppm is not None
    for second in (12, 13):
        watch.look(response(100.0), at_s=float(second))
    assert watch.delay_ms == pytest.approx(100.0, abs=0.05)
    assert watch.drift_ppm is None


def test_erle_is_known_after_a_second_of_echo_alone() -> None:
    meter = EchoMeter()
    near, cleaned = np.full(240, 1000, dtype=np.int16), np.full(240, 100, dtype=np.int16)
    for _ in range(99):
        meter.feed(near, cleaned, Found(power=0.001), echo_alone=True)
        meter.feed(near, near, Found(power=0.001), echo_alone=False)
    assert meter.erle_db is None
    meter.feed(near, cleaned, Found(power=0.001), echo_alone=True)
    assert meter.erle_db == 20.0
    assert meter.delay_ms == pytest.approx(60.0, abs=0.05)
    assert meter.drift_ppm is None
    assert meter.echo_dbfs == pytest.approx(-30.0)


def test_an_echo_that_nobody_hears_tells_nothing() -> None:
    meter = EchoMeter()
    near = np.full(240, 1000, dtype=np.int16)
    for _ in range(200):
        meter.feed(near, near, Found(power=0.0), echo_alone=True)
    assert (meter.erle_db, meter.delay_ms, meter.echo_dbfs) == (None, None, -120.0)
