from __future__ import annotations

import asyncio

import pytest

from voicebotd.pacer import BACKLOG_LIMIT_MS, Pacer


class Line:
    """An audio manager and a link in one, with a backlog that the test sets."""

    def __init__(self) -> None:
        self.backlog_ms = 0
        self.holds: list[bool] = []
        self.done: list[object] = []
        self.free = asyncio.Event()

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        self.done.append((item_id, content_index, pcm))

    def flush(self, token: int) -> None:
        self.done.append(token)

    def hold_input(self, hold: bool) -> None:
        self.holds.append(hold)
        if not hold:
            self.free.set()


@pytest.mark.asyncio
async def test_a_file_waits_while_the_link_is_behind() -> None:
    line = Line()
    pacer = Pacer(line, line)
    pacer.sent()
    assert line.holds == []
    line.backlog_ms = BACKLOG_LIMIT_MS + 1
    pacer.sent()
    pacer.sent()
    assert line.holds == [True], "one look at a time"
    line.backlog_ms = 0
    async with asyncio.timeout(5):
        await line.free.wait()
    assert line.holds[-1] is False


@pytest.mark.asyncio
async def test_it_also_waits_for_the_answer() -> None:
    line = Line()
    pacer = Pacer(line, line)
    pacer.hold_input(True)
    line.backlog_ms = BACKLOG_LIMIT_MS + 1
    pacer.sent()
    pacer.hold_input(False)
    assert line.holds == [True, True, True], "the link is still behind"
    line.backlog_ms = 0
    async with asyncio.timeout(5):
        await line.free.wait()


@pytest.mark.asyncio
async def test_a_link_that_catches_up_does_not_end_the_wait_for_an_answer() -> None:
    line = Line()
    pacer = Pacer(line, line)
    line.backlog_ms = BACKLOG_LIMIT_MS + 1
    pacer.sent()
    pacer.hold_input(True)
    line.backlog_ms = 0
    async with asyncio.timeout(5):
        while len(line.holds) < 3:
            await asyncio.sleep(0)
    assert line.holds == [True, True, True]


@pytest.mark.asyncio
async def test_everything_else_goes_through() -> None:
    line = Line()
    pacer = Pacer(line, line)
    pacer.play("a", 0, b"x")
    pacer.flush(7)
    assert line.done == [("a", 0, b"x"), 7]
