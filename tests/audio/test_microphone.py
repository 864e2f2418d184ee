from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.microphone import Fifo, Microphone
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
    assert microphone.level_dbfs == pytest.approx(-12.04, abs=0.01)
    assert microphone.meter.take_dbfs() == pytest.approx(-12.04, abs=0.01)
    assert not any(frame.any() for frame in microphone.frames())


def test_a_fifo_gives_the_oldest_first_and_takes_what_belongs_before() -> None:
    fifo = Fifo()
    fifo.push(block(2, 3))
    fifo.push(block(3, 2))
    fifo.put_first(block(1, 1))
    assert fifo.pop(3).tolist() == [1, 2, 2]
    assert len(fifo) == 3
    assert fifo.pop(9).tolist() == [2, 3, 3]
