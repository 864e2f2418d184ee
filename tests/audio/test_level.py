from __future__ import annotations

import itertools

import numpy as np
import pytest

from voicebotd.audio.level import FLOOR_DBFS, Gain, LevelMeter, db_to_factor, to_int16


def test_a_full_scale_square_wave_is_0_dbfs_and_half_of_it_minus_6() -> None:
    meter = LevelMeter()
    meter.add(np.array([-32768, 32767] * 50, dtype=np.int16))
    assert meter.take_dbfs() == pytest.approx(0, abs=0.01)
    meter.add(np.array([-16384, 16384] * 50, dtype=np.int16))
    assert meter.take_dbfs() == pytest.approx(-6.02, abs=0.01)


def test_silence_and_nothing_are_the_floor() -> None:
    meter = LevelMeter()
    assert meter.take_dbfs() == FLOOR_DBFS
    meter.add(np.zeros(10, dtype=np.int16))
    assert meter.take_dbfs() == FLOOR_DBFS


def test_decibels_become_a_factor() -> None:
    assert db_to_factor(0) == 1.0
    assert db_to_factor(20) == pytest.approx(10)
    assert db_to_factor(-6.0206) == pytest.approx(0.5, abs=1e-4)


def test_unity_gain_returns_the_very_samples() -> None:
    samples = np.array([1, 2], dtype=np.int16)
    assert Gain(1.0).apply(samples) is samples


def test_a_new_gain_is_reached_by_a_ramp_over_one_block() -> None:
    gain = Gain(1.0)
    gain.set(0.0)
    ramp = gain.apply(np.full(101, 1000, dtype=np.int16)).tolist()
    assert (ramp[0], ramp[50], ramp[100]) == (1000, 500, 0)
    assert max(abs(a - b) for a, b in itertools.pairwise(ramp)) <= 10
    assert not gain.apply(np.full(10, 1000, dtype=np.int16)).any()


def test_an_empty_block_does_not_use_up_the_ramp() -> None:
    gain = Gain(1.0)
    gain.set(0.0)
    assert len(gain.apply(np.empty(0, dtype=np.int16))) == 0
    assert gain.apply(np.full(10, 1000, dtype=np.int16))[0] == 1000


def test_what_is_too_loud_saturates_instead_of_wrapping() -> None:
    assert Gain(2.0).apply(np.array([30000, -30000], dtype=np.int16)).tolist() == [32767, -32768]
    assert to_int16(np.array([0.5, 1.5, -0.6], dtype=np.float32)).tolist() == [0, 2, -1]


def test_the_meter_knows_the_last_block_alone() -> None:
    meter = LevelMeter()
    assert meter.last_dbfs == FLOOR_DBFS
    meter.add(np.full(100, 16_384, dtype=np.int16))
    meter.add(np.full(10, 3277, dtype=np.int16))
    assert meter.last_dbfs == pytest.approx(-20, abs=0.01)
    meter.add(np.zeros(10, dtype=np.int16))
    assert meter.last_dbfs == FLOOR_DBFS


def test_a_gain_that_settles_needs_no_ramp() -> None:
    gain = Gain(1.0)
    gain.set(0.5)
    gain.settle()
    assert gain.apply(np.full(4, 1000, dtype=np.int16)).tolist() == [500] * 4
