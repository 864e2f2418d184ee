"""Removing what is too old, so that it is gone: from the tables, the index of words, the log, and the copies beside.

Owns what "too old" means and the steps after which nothing of it can be read from the disk's files any more. Works in
batches of some milliseconds, because the conversation in progress is written to the same file meanwhile. Knows no
calendar: `retention.py` and people say how old is too old. What was spent stays.

`PRAGMA secure_delete` overwrites what is deleted, but not the copies that SQLite leaves in the unused part of a page
when it moves cells between pages; a test found whole sentences there. Only writing the whole file anew (VACUUM) is
sure, and that cannot be done in batches: 64 MiB take a second, a million turns fifteen. So it is done by itself up to
`COMPACT_BYTES`, which is months of a busy box, and above that when somebody asks for it.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any

import structlog

from voicebotd.store import files
from voicebotd.store.database import Database
from voicebotd.store.recordings import recordings_beside, remove_older

_log = structlog.get_logger("history")

BATCH_ROWS = 200
"""Deleted in one transaction."""
MERGE_PAGES = 100
"""Of the index, rewritten in one transaction."""
COMPACT_BYTES = 64 * 1024 * 1024
"""A larger file is written anew only when asked for, since nobody else can write meanwhile."""
ABANDONED_S = 3600.0
"""What began so long before the limit and has no end was left behind; younger, it may be what is being said."""
CHECKPOINT_TRIES = 40
CHECKPOINT_PAUSE_S = 0.25

_BATCHES = {
    "turns": (
        "DELETE FROM turns WHERE turn_id IN (SELECT turn_id FROM turns WHERE started_at < :limit"
        " AND (ended_at < :limit OR (ended_at IS NULL AND started_at < :abandoned)) LIMIT :batch)"
    ),
    "tool_calls": (
        "DELETE FROM tool_calls WHERE sequence IN (SELECT sequence FROM tool_calls WHERE started_at < :limit"
        " AND (ended_at < :limit OR (ended_at IS NULL AND started_at < :abandoned)) LIMIT :batch)"
    ),
    "conversations": (
        "DELETE FROM conversations WHERE sequence IN"
        " (SELECT sequence FROM conversations WHERE ended_at < :limit LIMIT :batch)"
    ),
}
"""In this order: a conversation is deleted when nothing is left in it, so that its cascade is short. One in progress
stays, and loses what was said too long ago: a box that never stops has one conversation for months."""

_INDEX, _SPACE = "index", "space"
"""What is unfinished (table `unfinished`): deleted words are in the index still, or in unused space of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What a purge removed."""

    conversations: int
    turns: int
    tool_calls: int
    copies: tuple[str, ...]
    """Backups and damaged databases beside the database that were deleted, by name."""
    recordings: int
    """Files of sound that were deleted."""
    traces: str
    """Where something of it may still be read, and why; empty: nowhere. The next purge tries again."""


class Purge:
    """Removes old history from one database. One purge at a time; a second one waits for the first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._one_at_a_time = asyncio.Lock()

    async def older_than(self, limit: float, *, compact: bool = False) -> Purged:
        """Remove everything that was over before `limit` (Unix seconds); `compact` writes a large file anew too.

        Raises `StoreError`; then it may be done in part, and the next purge finishes it.
        """
        async with self._one_at_a_time:
            began_s = time.monotonic()
            removed = {table: await self._delete(sql, limit) for table, sql in _BATCHES.items()}
            copies = await asyncio.to_thread(files.remove_copies, self._database.path, limit)
            recordings = await asyncio.to_thread(remove_older, recordings_beside(self._database.path), limit)
            traces = await self._finish(compact=compact)
        if any(removed.values()) or copies or recordings:
            took_s = round(time.monotonic() - began_s, 3)
            _log.info("old history removed", **removed, copies=copies, recordings=recordings, took_s=took_s)
        return Purged(**removed, copies=copies, recordings=recordings, traces=traces)

    async def _delete(self, sql: str, limit: float) -> int:
        parameters = {"limit": limit, "abandoned": limit - ABANDONED_S, "batch": BATCH_ROWS}
        removed = 0
        while True:
            async with self._database.transaction() as transaction:
                cursor = await transaction.execute(sql, parameters)
                if cursor.rowcount > 0:
                    note = "INSERT OR IGNORE INTO unfinished VALUES (?), (?)"
                    await transaction.execute_fetchall(note, (_INDEX, _SPACE))
            removed += cursor.rowcount
            if cursor.rowcount < BATCH_ROWS:
                return removed

    async def _finish(self, *, compact: bool) -> str:
        """Get what was deleted, now or in an earlier life, out of index, file and log. Return where traces are."""
        unfinished = {row["work"] for row in await self._database.fetch("SELECT work FROM unfinished")}
        if not unfinished:
            return ""
        done = set()
        if _INDEX in unfinished:
            await self._merge_index()
            done.add(_INDEX)
        size = await asyncio.to_thread(os.path.getsize, self._database.path)
        if compact or size <= COMPACT_BYTES:
            await self._database.compact(in_memory=size <= COMPACT_BYTES)
            done.add(_SPACE)
        if not await self._empty_log():
            return f"in {self._database.path.name}-wal: another program is reading the database"
        async with self._database.transaction() as transaction:
            await transaction.executemany("DELETE FROM unfinished WHERE work = ?", [(work,) for work in done])
        return "" if unfinished <= done else f"in unused space of {self._database.path.name}: it is large; compact it"

    async def _merge_index(self) -> None:
        """Make one segment of all, which is when FTS5 drops deleted words: until then a deletion is only a remark.

        It is `optimize` in small steps (sqlite.org/fts5.html#the_merge_command): a negative number begins, a positive
        one goes on; no more than one changed row means that there is nothing left to do.
        """
        pages = -MERGE_PAGES
        while await self._merge_step(pages) > 1:
            pages = MERGE_PAGES

    async def _merge_step(self, pages: int) -> int:
        async with self._database.transaction() as transaction:
            before = transaction.total_changes
            await transaction.execute_fetchall(
                "INSERT INTO turn_words (turn_words, rank) VALUES ('merge', :pages)", {"pages": pages}
            )
            return transaction.total_changes - before

    async def _empty_log(self) -> bool:
        """Have everything in the file itself and the log cut to nothing. False: somebody reads an older state."""
        for _ in range(CHECKPOINT_TRIES):
            if await self._database.checkpoint():
                return True
            await asyncio.sleep(CHECKPOINT_PAUSE_S)
        return False


async def close_left_open(database: Database, *, reason: str) -> int:
    """Give an end to what a life that was killed left without one; return how many conversations that were.

    Before anything of this life is written: whatever has no end then will never get one otherwise.
    """
    parameters: dict[str, Any] = {"reason": reason}
    open_ones = "conversation_id IN (SELECT conversation_id FROM conversations WHERE ended_at IS NULL)"
    async with database.transaction() as transaction:
        await transaction.execute_fetchall(
            f"UPDATE turns SET status = 'failed', ended_at = started_at WHERE {open_ones} AND status = 'in_progress'"  # noqa: S608
        )
        await transaction.execute_fetchall(
            f"UPDATE tool_calls SET status = 'failed', ended_at = started_at WHERE {open_ones} AND status = 'running'"  # noqa: S608
        )
        cursor = await transaction.execute(
            "UPDATE conversations SET end_reason = :reason, ended_at = coalesce(max(started_at, (SELECT"
            " max(coalesce(ended_at, started_at)) FROM turns WHERE conversation_id = conversations.conversation_id)),"
            " started_at) WHERE ended_at IS NULL",
            parameters,
        )
    if cursor.rowcount:
        _log.info("conversations without an end were closed", conversations=cursor.rowcount, reason=reason)
    return cursor.rowcount
