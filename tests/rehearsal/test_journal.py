from __future__ import annotations

import asyncio
import io
import json
import time

import pytest

from voicebotd.rehearsal.journal import LONGEST_RECORD, Journal


def test_audio_is_counted_and_everything_else_is_kept() -> None:
    journal = Journal()
    journal.record_received("s", {"type": "input_audio_buffer.append", "audio": "AAA="})
    journal.record_received("s", {"type": "input_audio_buffer.append", "audio": 5})
    journal.record_received("s", {"type": "response.create"})
    assert (journal.appends, journal.appended_bytes) == (2, 2)
    assert list(journal.received) == [{"type": "response.create"}]


def test_the_record_is_bounded_and_says_what_it_forgot() -> None:
    journal = Journal()
    for number in range(LONGEST_RECORD + 3):
        journal.record_received("s", {"type": "x", "number": number})
    assert (len(journal.received), journal.forgotten) == (LONGEST_RECORD, 3)
    assert journal.received[0]["number"] == 3


def test_the_file_has_a_line_for_each_event_with_the_length_of_its_audio() -> None:
    file = io.StringIO()
    journal = Journal(file)
    before_s = time.monotonic()
    journal.record_link("s", {"type": "opened", "model": "m"})
    journal.record_received("s", {"type": "input_audio_buffer.append", "audio": "AAAA"})
    journal.record_sent("s", {"type": "response.output_audio.delta", "delta": "AA=="})
    journal.record_sent("s", {"type": "response.output_text.delta", "delta": "text"})
    journal.record_sent("s", {"type": "x", "item": {"content": [{"audio": "AAAA"}]}, "session": {"audio": {"a": 1}}})
    entries = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [entry["direction"] for entry in entries] == ["link", "received", "sent", "sent", "sent"]
    assert all(entry["session"] == "s" and before_s <= entry["t"] <= time.monotonic() for entry in entries)
    events = [entry["event"] for entry in entries]
    assert events[1]["audio"] == 3
    assert [event["delta"] for event in events[2:4]] == [1, "text"]
    assert events[4] == {"type": "x", "item": {"content": [{"audio": 3}]}, "session": {"audio": {"a": 1}}}


@pytest.mark.asyncio
async def test_what_is_waited_for_may_be_there_already_or_come_later() -> None:
    journal = Journal()
    journal.record_received("s", {"type": "a"})
    assert await journal.until_received(lambda event: event["type"] == "a", timeout_s=5) == {"type": "a"}
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(journal.until_received(lambda event: event["type"] == "c", timeout_s=5))
        for name in "bc":
            await asyncio.sleep(0)
            journal.record_received("s", {"type": name})
    assert waiting.result() == {"type": "c"}


@pytest.mark.asyncio
async def test_waiting_for_what_never_comes_ends() -> None:
    with pytest.raises(TimeoutError):
        await Journal().until_received(lambda _: True, timeout_s=0)


@pytest.mark.asyncio
async def test_a_fault_that_acts_can_be_awaited_so_often_as_it_does() -> None:
    journal = Journal()
    waiting = asyncio.create_task(journal.until_fault("rst", times=2, timeout_s=5))
    for name in ("rst", "fin", "rst"):
        await asyncio.sleep(0)
        assert not waiting.done()
        journal.record_link("s", {"type": "fault", "fault": name})
    await waiting
    assert journal.faults == ["rst", "fin", "rst"]
    with pytest.raises(TimeoutError):
        await journal.until_fault("fin", times=2, timeout_s=0.01)
