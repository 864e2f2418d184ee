from __future__ import annotations

import numpy as np

from voicebotd.rehearsal.input_buffer import LONGEST_MS, InputBuffer
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS


def counting(milliseconds: int) -> bytes:
    """Audio whose every sample holds the millisecond that it is in."""
    return np.repeat(np.arange(milliseconds), 24).astype("<i2").tobytes()


def milliseconds_of(pcm: bytes) -> list[int]:
    return [int(value) for value in np.frombuffer(pcm, dtype="<i2")[::24]]


def test_positions_count_from_the_first_audio_ever() -> None:
    buffer = InputBuffer()
    buffer.append(counting(100))
    assert milliseconds_of(buffer.take(30, 60)) == list(range(30, 60))
    assert (buffer.start_ms, buffer.end_ms, buffer.held_ms) == (60, 100, 40)
    assert milliseconds_of(buffer.take(70, 80)) == list(range(70, 80))


def test_what_is_gone_or_not_there_yet_is_not_taken() -> None:
    buffer = InputBuffer()
    buffer.append(counting(100))
    buffer.take(0, 50)
    assert milliseconds_of(buffer.take(20, 70)) == list(range(50, 70))
    assert buffer.take(10, 40) == b""
    assert milliseconds_of(buffer.take(90, 200)) == list(range(90, 100))
    assert (buffer.start_ms, buffer.end_ms) == (100, 100)


def test_taking_all_leaves_nothing_and_the_positions_go_on() -> None:
    buffer = InputBuffer()
    buffer.append(counting(20))
    assert milliseconds_of(buffer.take_all()) == list(range(20))
    buffer.append(counting(10))
    assert (buffer.start_ms, buffer.end_ms, buffer.held_ms) == (20, 30, 10)


def test_the_oldest_audio_goes_when_nobody_commits() -> None:
    buffer = InputBuffer()
    buffer.append(bytes(LONGEST_MS * PCM_BYTES_PER_MS))
    buffer.append(bytes(1000 * PCM_BYTES_PER_MS))
    assert (buffer.start_ms, buffer.held_ms) == (1000, LONGEST_MS)
