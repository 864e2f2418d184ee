"""The second session: opened before the first comes to its end, or when it is asked for, and kept until it is wanted.

Owns its opening, its waiting and its death; which session is the present one is `service.py`'s. When one is due is
`rollover.py`'s rule, how failures are spaced `backoff.py`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from voicebotd.conversation.events import Event, SuccessorFailed, SuccessorReady
from voicebotd.realtime.backoff import Backoff, Failure
from voicebotd.realtime.link import LinkDown
from voicebotd.realtime.opened import Opened

Open = Callable[[asyncio.TaskGroup], Awaitable[Opened]]


class Succession:
    """One for the life of the service; `follow` is called for each session in turn. `shown`: a text without the key."""

    def __init__(
        self,
        open_another: Open,
        *,
        backoff: Backoff,
        rng: random.Random,
        on_event: Callable[[Event], None],
        shown: Callable[[str], str],
        log: Any,
    ) -> None:
        self._open = open_another
        self._backoff = backoff
        self._rng = rng
        self._on_event = on_event
        self._shown = shown
        self._log = log
        self._asked, self._go = asyncio.Event(), asyncio.Event()
        self.waiting: Opened | None = None

    def ask(self) -> None:
        """Open one now, if none waits."""
        self._asked.set()

    def go_over(self) -> None:
        self._go.set()

    async def follow(self, present: Opened, group: asyncio.TaskGroup) -> Opened:
        """Return the session that follows `present`, when it is told to take over."""
        self._asked.clear()
        try:
            while True:
                await self._until_due(present)
                self._go.clear()
                successor = await self._opened(group)
                if successor is not None and await self._waited(present, successor):
                    return self._take()
        finally:
            self._discard()

    def take_waiting(self) -> Opened | None:
        """The present session is lost. If another waits and lives, it is here at the right time."""
        if self.waiting is None or self.waiting.serving.done():
            return None
        return self._take()

    def _take(self) -> Opened:
        taken, self.waiting = self.waiting, None
        assert taken is not None
        self._backoff.completed()
        return taken

    async def _until_due(self, present: Opened) -> None:
        due_s = present.ready_at_s + present.schedule.due_s - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(due_s):
                await self._asked.wait()

    async def _opened(self, group: asyncio.TaskGroup) -> Opened | None:
        try:
            return await self._open(group)
        except LinkDown as down:
            await self._failed(down.failure)
            return None

    async def _failed(self, failure: Failure) -> None:
        """Tell it, and wait before the next attempt, unless somebody asks for one."""
        retry = self._backoff.decide(failure, self._rng.random())
        self._asked.clear()
        reason = self._shown(retry.message)
        self._log.warning("no second session", reason=reason, retry_in_s=round(retry.delay_s, 1))
        self._on_event(SuccessorFailed(reason=reason))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(retry.delay_s):
                await self._asked.wait()

    async def _waited(self, present: Opened, successor: Opened) -> bool:
        """Keep it until it is to take over. False: it died before that."""
        self.waiting = successor
        self._asked.clear()
        within_s = max(0.0, present.ready_at_s + present.schedule.end_s - time.monotonic())
        self._on_event(SuccessorReady(within_s=within_s))
        going = asyncio.ensure_future(self._go.wait())
        try:
            await asyncio.wait({going, successor.serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            going.cancel()
        if self._go.is_set() and not successor.serving.done():
            return True
        self.waiting = None
        await self._failed(successor.serving.result())
        return False

    def _discard(self) -> None:
        if self.waiting is not None:
            self.waiting.serving.cancel()
            self.waiting = None
