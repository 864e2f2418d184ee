"""The one SQLite file: opened, checked, migrated, and written by one transaction at a time.

Owns the connections (one writes, one reads, each on aiosqlite's own thread), their settings, and what happens when the
file is damaged. Knows no table.

`synchronous=FULL`: WAL with NORMAL survives a killed process but may lose the last commits in a power cut
(sqlite.org/pragma.html#pragma_synchronous), and a box in a public place is switched off at the wall. The price is one
fsync per transaction, in a thread where nobody waits for it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiosqlite
import structlog

from voicebotd.store import files, schema
from voicebotd.store.faults import Fault, StoreError, damaged, from_os, from_sqlite
from voicebotd.store.salvage import salvage
from voicebotd.store.schema import Migration
from voicebotd.store.statements import interruptible, unbroken

_log = structlog.get_logger("store")

BUSY_TIMEOUT_S = 2.0
"""How long a statement waits for another process. Short: whoever must not lose a record tries again later anyway."""

OPEN_WITHIN_S = 10.0
"""How long to wait while another process opens the same database, which it checks and perhaps migrates."""

CHECK_AT_OPEN_BYTES = 32 * 1024 * 1024
"""A larger file is opened unchecked, and `check()` looks at it later: the check reads all of it, which for a million
turns takes two seconds from memory and eighteen from a disk."""

_DOUBTFUL: frozenset[Fault] = frozenset({"corrupt", "index", "io", "other"})
"""After these the connections are opened afresh, which checks the file whatever its size, before anything is done."""


class Database:
    """One database file. Safe to share between the tasks of one event loop.

    `open()` states the wish; if it cannot be had at once, or is lost later, every use tries again to open, so that
    the owner of a healed disk need not restart anything. Everything raises `StoreError` and says the fault.
    """

    def __init__(
        self,
        path: Path,
        *,
        migrations: Sequence[Migration] | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self.path = path
        self.quarantined: Path | None = None
        """Where the last damaged file was put; None while there was none in this life."""
        self._migrations = schema.load_migrations() if migrations is None else migrations
        self._busy_timeout_s = busy_timeout_s
        self._lock = asyncio.Lock()
        self._wanted = False
        self._doubtful = False
        self._index_damaged = False
        self._connections = AsyncExitStack()
        self._writer: aiosqlite.Connection | None = None
        self._reader: aiosqlite.Connection | None = None

    async def open(self) -> None:
        """Open, check and migrate. Idempotent. Raises `StoreError`; fault `newer_schema` will not heal by itself."""
        self._wanted = True
        async with self._lock:
            await self._connected_writer()

    async def close(self) -> None:
        """Let go of the file and of both threads, after the transaction in flight. Idempotent, never raises."""
        self._wanted = False
        async with self._lock:
            await unbroken(self._disconnect())

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Commit when the block ends, roll back when it raises or is cancelled. One at a time, in the order of asking.

        Inside the block use only the connection that it yields; asking for a second transaction there waits for ever.
        """
        async with self._lock:
            writer = await self._connected_writer()
            try:
                await writer.execute_fetchall("BEGIN IMMEDIATE")
                yield writer
                await unbroken(writer.commit())
            except BaseException as error:
                await self._roll_back(writer)
                if isinstance(error, sqlite3.Error):
                    raise self._understood(error) from error
                raise

    async def fetch(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """Read what is committed. Waits neither for a transaction of ours nor for a writer in another process."""
        if self._reader is None or self._doubtful or not self._wanted:
            async with self._lock:
                await self._connected_writer()
        if self._reader is None:
            raise _closed()
        try:
            return list(await self._reader.execute_fetchall(sql, parameters))
        except sqlite3.Error as error:
            raise self._understood(error) from error

    async def check(self) -> None:
        """Look at the whole file, beside whoever reads and writes. Raises `StoreError` for damage; the next use then
        sets the file aside, or builds the index anew."""
        if not self._wanted:
            raise _closed()
        try:
            async with self._connection() as connection:
                await interruptible(connection, _check_integrity(connection))
        except sqlite3.Error as error:
            raise self._understood(error) from error
        except StoreError as error:
            self._note(error.fault)
            raise

    async def checkpoint(self) -> bool:
        """Put all that is in the log (`-wal`) into the file and cut the log to nothing, without waiting for anybody.

        False: somebody reads or writes just now, or reads an older state, so it cannot be; try again.
        """
        async with self._lock:
            writer = await self._connected_writer()
            return await unbroken(self._checkpoint(writer))

    async def compact(self, *, in_memory: bool) -> None:
        """Write the whole file anew: smaller, and without what was deleted. Everybody else's writes wait meanwhile.

        `in_memory`: the copy that this takes on the way is there and not on the disk. Raises `StoreError`; then the
        file is as it was.
        """
        async with self._lock:
            writer = await self._connected_writer()
            try:
                await writer.execute_fetchall(f"PRAGMA temp_store = {'MEMORY' if in_memory else 'FILE'}")
                try:
                    await interruptible(writer, writer.execute_fetchall("VACUUM"))
                finally:
                    await unbroken(writer.execute_fetchall("PRAGMA temp_store = MEMORY"))
            except sqlite3.Error as error:
                raise self._understood(error) from error

    async def _checkpoint(self, writer: aiosqlite.Connection) -> bool:
        try:
            await writer.execute_fetchall("PRAGMA busy_timeout = 0")
            try:
                [row] = await writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                await writer.execute_fetchall(f"PRAGMA busy_timeout = {round(self._busy_timeout_s * 1000)}")
        except sqlite3.Error as error:
            raise self._understood(error) from error
        return int(row[0]) == 0

    async def _connected_writer(self) -> aiosqlite.Connection:
        """Return the writing connection, opening both where need be. The caller holds the lock."""
        if not self._wanted:
            raise _closed()
        if self._doubtful or self._writer is None:
            await unbroken(self._reconnect())
        assert self._writer is not None
        return self._writer

    async def _reconnect(self) -> None:
        await self._disconnect()
        thorough, self._doubtful = self._doubtful, False
        with _translated():
            turn = await asyncio.to_thread(files.take_turn, self.path, OPEN_WITHIN_S)
        try:
            await self._open_file(thorough=thorough)
        finally:
            os.close(turn)

    async def _open_file(self, *, thorough: bool) -> None:
        try:
            await self._connect(thorough=thorough)
        except StoreError as error:
            if error.fault != "corrupt":
                raise
            with _translated():
                self.quarantined = await asyncio.to_thread(files.quarantine, self.path)
            _log.error("database damaged, begun afresh", moved_to=str(self.quarantined), reason=error.message)
            await self._connect(thorough=True)
            await self._salvage(self.quarantined)

    async def _salvage(self, damaged: Path) -> None:
        """A fresh database is better than none, even where nothing can be taken over."""
        try:
            appointments = await asyncio.to_thread(salvage, damaged, self.path)
            _log.warning("taken over from the damaged database", appointments=appointments)
        except sqlite3.Error as error:
            _log.error("nothing was taken over from the damaged database", reason=str(error))

    async def _connect(self, *, thorough: bool) -> None:
        async with AsyncExitStack() as on_failure:
            with _translated():
                await asyncio.to_thread(files.prepare, self.path)
                writer = await on_failure.enter_async_context(self._connection())
                await schema.check_version(writer, self._migrations)  # before anything is written to it
                if thorough or await asyncio.to_thread(os.path.getsize, self.path) <= CHECK_AT_OPEN_BYTES:
                    await self._check_but_the_index(writer)
                await writer.execute_fetchall("PRAGMA journal_mode = WAL")
                await writer.execute_fetchall("PRAGMA synchronous = FULL")
                await writer.execute_fetchall("PRAGMA secure_delete = ON")  # deleted words are overwritten
                await writer.execute_fetchall("PRAGMA temp_store = MEMORY")  # and are in no file outside either
                await schema.migrate(writer, self._migrations, self.path)
                if self._index_damaged:
                    await _rebuild_indexes(writer)
                    self._index_damaged = False
                await writer.execute_fetchall("PRAGMA foreign_keys = ON")
                reader = await on_failure.enter_async_context(self._connection())
                await reader.execute_fetchall("PRAGMA query_only = ON")
            self._connections = on_failure.pop_all()
            self._writer, self._reader = writer, reader

    async def _check_but_the_index(self, writer: aiosqlite.Connection) -> None:
        try:
            await _check_integrity(writer)
        except StoreError as error:
            if error.fault != "index":
                raise
            self._index_damaged = True

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosqlite.Connection]:
        # isolation_level None: sqlite3 begins no transaction behind our back.
        async with aiosqlite.connect(self.path, isolation_level=None, timeout=self._busy_timeout_s) as connection:
            connection.row_factory = sqlite3.Row
            yield connection

    async def _disconnect(self) -> None:
        self._reader = self._writer = None
        with suppress(sqlite3.Error):  # what was committed is in the WAL, closing adds nothing to it
            await self._connections.aclose()  # the writer last: whoever closes last empties the WAL into the file

    async def _roll_back(self, writer: aiosqlite.Connection) -> None:
        try:
            await unbroken(writer.rollback())
        except sqlite3.Error:
            self._doubtful = True  # nobody knows what that connection still holds

    def _understood(self, error: sqlite3.Error) -> StoreError:
        understood = from_sqlite(error)
        self._note(understood.fault)
        return understood

    def _note(self, fault: Fault) -> None:
        self._doubtful |= fault in _DOUBTFUL
        self._index_damaged |= fault == "index"


async def _check_integrity(connection: aiosqlite.Connection) -> None:
    """Raise `StoreError` (fault `corrupt`) for a file that opens but is damaged within."""
    [row] = await connection.execute_fetchall("PRAGMA quick_check(1)")
    if row[0] != "ok":
        raise damaged(str(row[0]))


async def _rebuild_indexes(connection: aiosqlite.Connection) -> None:
    """Make every full-text index anew from the tables that it indexes."""
    indexes = await connection.execute_fetchall("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%fts5%'")
    for (name,) in indexes:
        _log.warning("the index of words is damaged and is built anew", index=name)
        await connection.execute_fetchall(f"INSERT INTO {name} ({name}) VALUES ('rebuild')")  # noqa: S608 - from our schema


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise from_sqlite(error) from error
    except OSError as error:
        raise from_os(error) from error


def _closed() -> StoreError:
    return StoreError("the database is closed", fault="closed")
