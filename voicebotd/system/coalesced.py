"""Doing once what is asked for many times: fifty SIGHUPs are one reload, or two.

Owns `Coalesced`. Knows no signal and no deed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Coalesced:
    """Does a thing once for any number of requests that come while it is being done."""

    def __init__(self, deed: Callable[[], Awaitable[None]]) -> None:
        self._deed = deed
        self._asked = asyncio.Event()

    def ask(self) -> None:
        self._asked.set()

    async def run(self) -> None:
        """Do it whenever it was asked for, until cancelled. What the deed raises ends this."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._deed()
