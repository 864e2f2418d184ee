"""The address at which a rehearsal server is found: opened, shut for a while, opened again at the same port.

Owns the listening sockets. Connections that were accepted outlive a shut door.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

LARGEST_MESSAGE_BYTES = 21 * 2**20
"""One append may hold 15 MiB of audio, which is 20 MiB of base64."""
LONGEST_OPENING_S = 120.0
"""An opening request that is never answered, on purpose, ends after this."""


class Door:
    """`async with Door(…):` listens until the end of the block. Entering and `open` raise OSError."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        serve_one: Callable[[ServerConnection], Awaitable[None]],
        process_request: Callable[[ServerConnection, Request], Awaitable[Response | None]],
    ) -> None:
        self.host = host
        self.port = port
        self._serve_one = serve_one
        self._process_request = process_request
        self._servers: list[Server] = []

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        for server in self._servers:
            await server.wait_closed()

    @property
    def is_open(self) -> bool:
        return bool(self._servers) and self._servers[-1].is_serving()

    async def open(self) -> None:
        """Listen, at the same port as before. Without effect where the door is open."""
        if self.is_open:
            return
        server = await serve(
            self._serve_one,
            self.host,
            self.port,
            process_request=self._process_request,
            compression=None,
            max_size=LARGEST_MESSAGE_BYTES,
            open_timeout=LONGEST_OPENING_S,
        )
        self._servers = [held for held in self._servers if held.connections] + [server]
        self.port = next(iter(server.sockets)).getsockname()[1]

    def shut(self) -> None:
        """Refuse new connections from now on."""
        if self.is_open:
            server = self._servers[-1]
            server.server.close()  # at once; the library would do it in a task of its own
            server.close(close_connections=False)
