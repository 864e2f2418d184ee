"""The schema's versions: the numbered files in `migrations/`, and the way from any older version to the newest.

Owns `PRAGMA user_version` and the backup before a change. A file, once released, is never edited: a change is a new
number. Knows no table.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

import aiosqlite

from voicebotd.store import files
from voicebotd.store.faults import newer_schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """The step to schema `version` from the one before it."""

    version: int
    sql: str


def load_migrations() -> tuple[Migration, ...]:
    """Read the packaged `migrations/NNNN_name.sql`."""
    directory = package_files("voicebotd.store") / "migrations"
    return in_order((file.name, file.read_text("utf-8")) for file in directory.iterdir() if file.name.endswith(".sql"))


def in_order(named: Iterable[tuple[str, str]]) -> tuple[Migration, ...]:
    """Sort (file name, SQL) by number. Raises ValueError unless the numbers are 1, 2, 3 … without a gap or a double."""
    steps = sorted(
        (Migration(version=int(name.partition("_")[0]), sql=sql) for name, sql in named),
        key=lambda step: step.version,
    )
    versions = [step.version for step in steps]
    if versions != list(range(1, len(steps) + 1)):
        raise ValueError(f"migrations must be numbered 1, 2, 3 …: found {versions}")
    return tuple(steps)


async def check_version(connection: aiosqlite.Connection, migrations: Sequence[Migration]) -> int:
    """Return the file's schema version (0: empty). Raises `StoreError` (fault `newer_schema`); changes nothing."""
    [row] = await connection.execute_fetchall("PRAGMA user_version")
    version = int(row[0])
    if version > len(migrations):
        raise newer_schema(found=version, known=len(migrations))
    return version


async def migrate(connection: aiosqlite.Connection, migrations: Sequence[Migration], path: Path) -> None:
    """Bring the database to the newest version, each step whole or not at all; data is backed up before the first.

    Foreign keys must be off, as SQLite's own recipe for altering tables asks (sqlite.org/lang_altertable.html §7).
    """
    version = await check_version(connection, migrations)
    steps = migrations[version:]
    if steps and version > 0:
        await _back_up(connection, path, version)
    for step in steps:
        try:
            await connection.executescript(_script(step))
        except sqlite3.IntegrityError:
            await connection.rollback()
            if await check_version(connection, migrations) < step.version:
                raise
            # Another process that opened the file at the same time has just taken this step.
        finally:
            await connection.rollback()  # nothing to do unless the step failed half-way


def _script(step: Migration) -> str:
    """The step in one transaction, which fails unless the file is at the version before it.

    The version was read before the transaction began, and `executescript` cannot ask in the middle: a table that holds
    no other version than the expected one asks for us.
    """
    expected = f"CREATE TEMP TABLE expected (version INTEGER CHECK (version = {step.version - 1}))"
    return ";\n".join(
        (
            "BEGIN IMMEDIATE",
            expected,
            "INSERT INTO expected SELECT user_version FROM pragma_user_version",
            "DROP TABLE expected",
            step.sql + "\n",  # its last line may be a comment
            f"PRAGMA user_version = {step.version}",
            "COMMIT;",
        )
    )


async def _back_up(connection: aiosqlite.Connection, path: Path, version: int) -> None:
    unfinished = await asyncio.to_thread(files.begin_backup, path)
    try:
        await connection.execute_fetchall("VACUUM INTO ?", (str(unfinished),))
        await asyncio.to_thread(files.finish_backup, unfinished, path, version)
    except BaseException:
        await asyncio.to_thread(unfinished.unlink, missing_ok=True)
        raise
