"""Waiting for a socket: woken when it can be read, and nothing registered afterwards."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from voicebotd.control.readiness import ready


@pytest.mark.asyncio
async def test_it_returns_when_there_is_something_to_read_and_leaves_nothing_registered() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        waiting = asyncio.create_task(ready(ours, loop.add_reader, loop.remove_reader))
        await asyncio.sleep(0)
        assert not waiting.done()
        theirs.send(b"x")
        await asyncio.wait_for(waiting, 10)
        assert not loop.remove_reader(ours)


@pytest.mark.asyncio
async def test_cancelling_it_leaves_nothing_registered_and_the_bytes_where_they_are() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        waiting = asyncio.create_task(ready(ours, loop.add_reader, loop.remove_reader))
        await asyncio.sleep(0)
        theirs.send(b"x")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not loop.remove_reader(ours)
        assert ours.recv(1) == b"x"


@pytest.mark.asyncio
async def test_being_told_twice_is_as_good_as_once() -> None:
    told: list[Callable[[], None]] = []
    with socket.socket() as sock:
        waiting = asyncio.create_task(ready(sock, lambda _, settle: told.append(settle), lambda _: None))
        await asyncio.sleep(0)
        told[0]()
        told[0]()
        await asyncio.wait_for(waiting, 10)
