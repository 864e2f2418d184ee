from __future__ import annotations

import asyncio

import pytest

from voicebotd.pacer import BACKLOG_LIMIT_MS, Pacer


class Line:
    """An audio manager and a link in one, with a backlog that the test sets."""

    def __init__(self) -> None:
        self.backlog = 0
        self.looks = 0
        self.still: list[bool] = []
        self.free = asyncio.Event()
        self.looked_twice = asyncio.Event()

    @property
    def backlog_ms(self) -> int:
        self.looks += 1
        if self.looks > 2:
            self.looked_twice.set()
        return self.backlog

    def stand_still(self, on: bool) -> None:
        self.still.append(on)
        if not on:
            self.free.set()


@pytest.mark.asyncio
async def test_a_file_stands_still_while_the_link_is_behind() -> None:
    line = Line()
    pacer = Pacer(line, line)
    pacer.sent()
    assert line.still == []
    line.backlog = BACKLOG_LIMIT_MS + 1
    pacer.sent()
    pacer.sent()
    assert line.still == [True], "it is told once"
    async with asyncio.timeout(5):
        await line.looked_twice.wait()
        assert line.still == [True]
        line.backlog = 0
        await line.free.wait()
    assert line.still == [True, False]
