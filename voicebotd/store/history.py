"""The shell between a conversation that must not wait and a disk that may.

Owns the task that writes records, its retries, and what `status` says about them. Decides neither what is recorded nor
what happens when too much waits: that is the core's and `backlog.py`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from dataclasses import dataclass
from typing import Any

import structlog

from voicebotd.conversation.records import AnyRecord, ConversationRecord, ToolCallRecord, TurnRecord, UsageRecord
from voicebotd.service import BaseService, Health
from voicebotd.store.backlog import Backlog, retry_delay_s, without_words
from voicebotd.store.conversations import ConversationRepository, ToolCallRepository, TurnRepository
from voicebotd.store.database import Database
from voicebotd.store.faults import StoreError
from voicebotd.store.purge import close_left_open
from voicebotd.store.sql import SqlRepository
from voicebotd.store.usage import UsageRepository

_log = structlog.get_logger("history")

DISCONNECT_S = 3.0
"""How long `disconnect` may take: the daemon has five seconds to stop."""

KILLED = "the daemon was killed"
"""Why a conversation ended whose daemon could not say why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """How the history is kept. The defaults bound what waits to a few megabytes: hours of talk."""

    conversations: bool = True
    """False: nothing of them is stored but what they used, which a spending cap needs to know after a restart."""
    transcripts: bool = True
    """False: no words are stored, only who spoke, when, and how long."""
    limit_records: int = 4096
    batch_records: int = 64
    """Written in one transaction. Small, so that nobody waits long for the database."""
    first_retry_s: float = 0.5
    retry_cap_s: float = 60.0


class HistoryService(BaseService):
    """Writes records of every kind into a `Database`, which it shares and does not close.

    `record()` never waits and never raises. Records become durable in the order in which they were first recorded; of
    several versions of one that wait, only the newest is written.
    """

    def __init__(self, database: Database, settings: HistorySettings | None = None) -> None:
        self._database = database
        self._settings = settings or HistorySettings()
        self._repositories: dict[type[AnyRecord], SqlRepository[Any]] = {
            ConversationRecord: ConversationRepository(database),
            TurnRecord: TurnRepository(database),
            ToolCallRecord: ToolCallRepository(database),
            UsageRecord: UsageRepository(database),
        }
        self._what = "history" if self._settings.conversations else "usage"
        self._backlog = Backlog(limit=self._settings.limit_records)
        self._fault: StoreError | None = None
        self._earlier_lives_ended = False
        self._connected = False
        self._stopping = False
        self._running = False
        self._work = asyncio.Event()
        self._hurry = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._ended = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Records that are not on the disk yet."""
        return len(self._backlog)

    @property
    def lost(self) -> int:
        """Records of this life that will never be."""
        return self._backlog.lost

    def record(self, record: AnyRecord) -> None:
        """Have a record stored. It is durable once a later `flush()` has returned True."""
        if not (self._settings.conversations or isinstance(record, UsageRecord)):
            return
        if not self._backlog.add(record if self._settings.transcripts else without_words(record)):
            if self.lost == 1:
                _log.error(f"{self._what} is full, records are lost from now on", waiting=self.waiting)
            return
        self._drained.clear()
        self._work.set()

    async def flush(self, *, deadline_s: float = 5.0) -> bool:
        """Have everything written now, without waiting out a back-off. False: it was not, `health_check` says why."""
        self._hurry.set()
        try:
            async with asyncio.timeout(deadline_s):
                await self._drained.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        self._running = True
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                if self._connected:
                    await self._write_out()
                if self._stopping:
                    return
        finally:
            self._running = False
            self._ended.set()

    async def connect(self) -> None:
        self._connected = True
        self._work.set()  # even with nothing to write: whether the database opens is known now, not at the first turn

    async def disconnect(self) -> None:
        """Let `run` try once more to write what waits, and end."""
        self._stopping = True
        self._work.set()
        self._hurry.set()
        if self._running:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DISCONNECT_S):
                    await self._ended.wait()

    def health_check(self) -> Health:
        if not self._connected or self._stopping:
            return Health(ok=True, state="off")
        lost = [f"{self.lost} records were lost"] if self.lost else []
        if self._fault is not None:
            what = f"{self._what} is not being saved: {self._fault.message}"
            reason = "; ".join([what, f"{self.waiting} records wait", *lost])
            return Health(ok=False, state="not_saving", reason=reason, hint=self._fault.hint)
        moved = self._database.quarantined
        damage = [f"the database was damaged and is set aside as {moved}, a fresh one was begun"] if moved else []
        return Health(ok=True, state="saving", reason="; ".join(damage + lost))

    async def _write_out(self) -> None:
        """Write until nothing waits; while the database fails, back off and try again."""
        failures = 0
        while True:
            self._hurry.clear()
            last = self._stopping
            try:
                await self._write_batch()
            except StoreError as fault:
                failures += 1
                self._tell_failure(fault)
                if last:
                    _log.error(f"{self._what} is not complete", reason=fault.message, waiting=self.waiting)
                    return
                await self._pause(failures)
            else:
                failures = 0
                self._tell_success()
                if not self._backlog:
                    self._drained.set()
                    return

    async def _write_batch(self) -> None:
        await self._database.open()
        if not self._earlier_lives_ended:
            await close_left_open(self._database, reason=KILLED)
            self._earlier_lives_ended = True
        batch = self._backlog.oldest(self._settings.batch_records)
        if not batch:
            return
        refused: list[AnyRecord] = []
        async with self._database.transaction() as transaction:
            for record in batch:
                try:
                    await self._repositories[type(record)].save_within(transaction, record)
                except sqlite3.IntegrityError as error:  # undoes this one statement; the others of the batch go on
                    refused.append(record)
                    _log.error("the database refuses a record", reason=str(error), conversation=record.conversation_id)
        self._backlog.give_up(refused)
        self._backlog.settle(batch)

    async def _pause(self, failures: int) -> None:
        settings = self._settings
        delay_s = retry_delay_s(
            failures,
            first_s=settings.first_retry_s,
            cap_s=settings.retry_cap_s,
            random=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()

    def _tell_failure(self, fault: StoreError) -> None:
        if self._fault is None or self._fault.fault != fault.fault:
            _log.warning(
                f"{self._what} is not being saved", reason=fault.message, hint=fault.hint, waiting=self.waiting
            )
        self._fault = fault

    def _tell_success(self) -> None:
        if self._fault is not None:
            _log.info(f"{self._what} is being saved again", waiting=self.waiting, lost=self.lost)
        self._fault = None
