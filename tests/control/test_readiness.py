"""Waiting for a socket: woken when it can be read, and nothing registered afterwards."""

import asyncio
import socket

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
