from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.microphone import FarEnd, Microphone
from voicebotd.audio.ring import Samples

FRAME = 240


def block(value: int, length: int = FRAME) -> Samples:
    return np.full(length, value, dtype=np.int16)


def test_blocks_of_any_length_become_whole_frames() -> None:
    microphone = Microphone(input_hz=24_000)
    microphone.push(np.arange(100, dtype=np.int16))
    assert microphone.frames() == []
    microphone.push(np.arange(100, 500, dtype=np.int16))
    frames = microphone.frames()
    assert [frame.tolist() for frame in frames] == [list(range(240)), list(range(240, 480))]
    assert microphone.waiting_samples == 20


def test_gain_comes_before_the_meter_and_mute_after_it() -> None:
    microphone = Microphone(input_hz=24_000)
    microphone.gain.set(0.5)
    microphone.muted = True
    microphone.push(block(16_384))
    microphone.push(block(16_384))
    microphone.meter.take_dbfs()
    microphone.push(block(16_384))
    assert microphone.meter.take_dbfs() == pytest.approx(-12.04, abs=0.01)
    assert not any(frame.any() for frame in microphone.frames())


def test_the_far_end_keeps_a_lead_of_two_blocks_from_the_start() -> None:
    far = FarEnd(output_hz=24_000, block_ms=10)
    for value in range(1, 7):
        far.push(block(value))
    far.align(FRAME)
    assert far.corrections == 0
    assert [int(far.next_frame()[0]) for _ in range(3)] == [4, 5, 6]


def test_a_far_end_that_runs_away_is_cut_back_and_counted() -> None:
    far = FarEnd(output_hz=24_000, block_ms=10)
    far.align(0)
    for value in range(1, 9):
        far.push(block(value))
    far.align(FRAME)
    assert far.corrections == 1
    assert int(far.next_frame()[0]) == 6


def test_a_far_end_within_its_band_is_left_alone() -> None:
    far = FarEnd(output_hz=24_000, block_ms=10)
    far.align(0)
    for value in range(1, 8):
        far.push(block(value))
    far.align(FRAME)
    assert far.corrections == 0
    assert int(far.next_frame()[0]) == 1


def test_a_far_end_that_is_late_is_filled_with_silence_and_counted() -> None:
    far = FarEnd(output_hz=24_000, block_ms=10)
    far.push(block(3, 100))
    frame = far.next_frame()
    assert frame.tolist() == [3] * 100 + [0] * 140
    assert far.corrections == 1
