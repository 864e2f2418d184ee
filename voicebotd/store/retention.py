"""Every night, and when the daemon starts, the database is looked over and what was kept long enough is removed.

Owns the task and what it does about a database that cannot be used. Decides neither what is removed (`purge.py`) nor
when it is night (`schedule.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from datetime import datetime

import structlog

from voicebotd.store.database import Database
from voicebotd.store.faults import StoreError
from voicebotd.store.purge import Purge
from voicebotd.store.schedule import seconds_to_night

_log = structlog.get_logger("history")

DAY_S = 86_400.0
LONGEST_SLEEP_S = 3600.0
"""Then the clock on the wall is looked at again: it may have been set, and a box that slept does not count that."""


class Retention:
    """Checks a database and keeps its history for `days` (None: for ever). Run `run()` as a task."""

    def __init__(self, database: Database, purge: Purge, *, days: int | None) -> None:
        self._database = database
        self._purge = purge
        self._days = days
        self._now = asyncio.Event()

    def set_days(self, days: int | None) -> None:
        """Keep it so long from now on; what is older by that goes at once."""
        self._days = days
        self._now.set()

    async def run(self) -> None:
        while True:
            self._now.clear()
            try:
                await self._database.check()
                await self._remove()
            except StoreError as error:
                _log.warning("old history could not be removed", reason=error.message, hint=error.hint)
            await self._night()

    async def _remove(self) -> None:
        if self._days is None:
            return
        purged = await self._purge.older_than(time.time() - self._days * DAY_S)
        if purged.traces:
            hint = f"voicebotctl history purge {self._days} --compact, when it may stand still for a while"
            _log.warning("traces of removed history can still be read", where=purged.traces, hint=hint)

    async def _night(self) -> None:
        """Wait until it is night, or until the days are changed."""
        jitter = random.random()  # noqa: S311 - spreads work, guards nothing
        while True:
            left_s = seconds_to_night(datetime.now().astimezone(), random=jitter)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LONGEST_SLEEP_S)):
                    await self._now.wait()
            if self._now.is_set() or left_s <= LONGEST_SLEEP_S:
                return
