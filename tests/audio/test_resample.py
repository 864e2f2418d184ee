from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.resample import PositionMap, Resampler
from voicebotd.audio.ring import Samples

RATES = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000]


def tone(rate_hz: int, hz: float = 100, seconds: float = 0.5) -> Samples:
    return (12_000 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)).astype(np.int16)


def stream(resampler: Resampler, samples: Samples, block: int) -> Samples:
    parts = [resampler.push(samples[at : at + block]) for at in range(0, len(samples), block)]
    return np.concatenate([*parts, resampler.finish()])


@pytest.mark.parametrize("rate_hz", RATES)
def test_a_tone_comes_out_whole_in_place_and_at_its_level(rate_hz: int) -> None:
    for from_hz, to_hz in ((rate_hz, 24_000), (24_000, rate_hz)):
        result = stream(Resampler(from_hz, to_hz), tone(from_hz), from_hz // 100)
        expected = tone(to_hz)
        assert abs(len(result) - len(expected)) <= 1
        middle = slice(to_hz // 10, to_hz // 10 * 4)
        error = result[middle].astype(float) - expected[middle]
        # A shift of 0.3 ms alone would leave 0.19 of a 100 Hz tone: level and place are both right below that.
        assert np.std(error) < 0.19 * np.std(expected[middle].astype(float))


def test_what_the_target_rate_cannot_hold_does_not_fold_back() -> None:
    result = stream(Resampler(48_000, 24_000), tone(48_000, hz=15_000), 480)
    assert np.abs(result[2400:-2400]).max() <= 1


def test_silence_stays_digital_silence() -> None:
    assert not stream(Resampler(44_100, 24_000), np.zeros(44_100, dtype=np.int16), 441).any()


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_frames_come_evenly_and_less_than_6_ms_late(rate_hz: int) -> None:
    resampler = Resampler(rate_hz, 24_000)
    block = np.ones(rate_hz // 100, dtype=np.int16)
    counts = [len(resampler.push(block)) for _ in range(100)]
    assert set(counts[2:]) <= {239, 240, 241}
    assert sum(counts) >= 100 * 240 - 144


def test_equal_rates_pass_untouched() -> None:
    resampler = Resampler(24_000, 24_000)
    samples = tone(24_000)
    assert resampler.push(samples) is samples
    assert len(resampler.finish()) == 0
    resampler.reset()


def test_after_its_end_the_stream_begins_anew() -> None:
    resampler = Resampler(24_000, 48_000)
    first = stream(resampler, tone(24_000), 240)
    assert np.array_equal(stream(resampler, tone(24_000), 240), first)
    resampler.push(tone(24_000))
    resampler.reset()
    assert np.array_equal(stream(resampler, tone(24_000), 240), first)


def test_positions_follow_the_ratio_and_end_exactly() -> None:
    positions = PositionMap(samples_hz=24_000, frames_hz=44_100)
    positions.fed(samples=240, frames=420)
    assert positions.samples_at(0) == 0
    assert positions.samples_at(420) == 420 * 24_000 // 44_100
    positions.fed(samples=0, frames=22)
    positions.finish_run()
    assert positions.samples_at(441) == 240
    assert positions.samples_at(442) == 240


def test_runs_add_up_without_rounding() -> None:
    positions = PositionMap(samples_hz=24_000, frames_hz=44_100)
    for _ in range(1000):
        positions.fed(samples=7, frames=13)
        positions.finish_run()
    assert positions.samples_at(12_999) == 6999 + 0
    assert positions.samples_at(13_000) == 7000


def test_more_frames_than_samples_account_for_never_exceed_them() -> None:
    positions = PositionMap(samples_hz=24_000, frames_hz=48_000)
    positions.fed(samples=10, frames=25)
    assert positions.samples_at(25) == 10


def test_a_restart_counts_from_zero() -> None:
    positions = PositionMap(samples_hz=24_000, frames_hz=24_000)
    positions.fed(samples=100, frames=100)
    positions.restart()
    assert positions.samples_at(0) == 0
    positions.fed(samples=5, frames=5)
    assert positions.samples_at(4) == 4
