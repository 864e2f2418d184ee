"""What waits to be sent, and what gives way when too much does."""

from __future__ import annotations

import pytest

from voicebotd.conversation.events import (
    BYTES_PER_MS,
)
from voicebotd.realtime.outbox import Outbox


def frame(value: int, ms: int = 10) -> bytes:
    return bytes([value]) * (ms * BYTES_PER_MS)


def take_all(outbox: Outbox[str]) -> list[str | bytes]:
    """Return what leaves: a message, or the audio of an append."""
    found: list[str | bytes] = []
    while (entry := outbox.take()) is not None:
        found.append(entry)
    return found


def test_nothing_leaves_an_empty_outbox() -> None:
    assert Outbox().take() is None


def test_a_commit_leaves_after_the_audio_that_was_put_before_it_and_before_what_came_later() -> None:
    outbox = Outbox[str]()
    outbox.put_audio(frame(1))
    outbox.put("commit")
    outbox.put_audio(frame(2))
    outbox.put("create")
    assert take_all(outbox) == [frame(1), "commit", frame(2), "create"]


def test_half_of_an_append_waits_for_its_other_half() -> None:
    outbox = Outbox[str]()
    outbox.put_audio(frame(1))
    assert not outbox.due
    assert outbox.take() is None
    outbox.put_audio(frame(2))
    assert outbox.due
    assert take_all(outbox) == [frame(1) + frame(2)]


def test_frames_that_piled_up_leave_together_up_to_200_ms() -> None:
    outbox = Outbox[str]()
    for _ in range(30):
        outbox.put_audio(frame(1))
    assert outbox.backlog_ms == 300
    assert take_all(outbox) == [frame(1, 200), frame(1, 100)]
    assert outbox.backlog_ms == 0


def test_a_single_frame_may_be_longer_than_what_is_merged() -> None:
    outbox = Outbox[str]()
    outbox.put_audio(frame(1, 500))
    outbox.put_audio(frame(2, 20))
    assert take_all(outbox) == [frame(1, 500), frame(2, 20)]


def test_of_more_than_a_second_the_oldest_audio_is_dropped_and_told() -> None:
    outbox = Outbox[str]()
    outbox.put("first")
    assert sum(outbox.put_audio(frame(1, 100)) for _ in range(10)) == 0
    assert outbox.put_audio(frame(2, 250)) == 300 * BYTES_PER_MS
    assert outbox.backlog_ms == 950
    left = take_all(outbox)
    assert left[0] == "first"
    assert b"".join(entry for entry in left if isinstance(entry, bytes)) == frame(1, 700) + frame(2, 250)


def test_a_message_too_many_is_refused_until_one_has_left() -> None:
    outbox = Outbox[str]()
    while outbox.put("x"):
        pass
    outbox.take()
    assert outbox.put("y")
    assert not outbox.put("z")
    left = take_all(outbox)
    assert len(left) == 256
    assert left[-1] == "y"


def test_half_a_sample_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="whole samples"):
        Outbox().put_audio(b"\x00")
