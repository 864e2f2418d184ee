"""Waiting for a socket with asyncio's loop, where asyncio's own helpers do not reach (recvmsg, a race-free accept).

Owns one function.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable


async def ready(sock: socket.socket, add: Callable[..., object], remove: Callable[[socket.socket], object]) -> None:
    """Wait until `sock` can be read (or written): `add` and `remove` are the loop's own pair of methods for it.

    Nothing is taken from the socket while waiting, so cancellation loses nothing.
    """
    is_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle() -> None:
        if not is_ready.done():
            is_ready.set_result(None)

    add(sock, settle)
    try:
        await is_ready
    finally:
        remove(sock)
