"""The way from an empty file, and from every older version with data in it, to the newest schema."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest

from voicebotd.store.faults import StoreError
from voicebotd.store.schema import Migration, check_version, in_order, load_migrations, migrate

FIRST = Migration(version=1, sql="CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); -- one;")
SECOND = Migration(version=2, sql="ALTER TABLE notes ADD COLUMN colour TEXT NOT NULL DEFAULT 'white'")
BROKEN = Migration(version=2, sql="ALTER TABLE notes ADD COLUMN colour TEXT; INSERT INTO nowhere VALUES (1);")


async def bring(path: Path, migrations: Sequence[Migration]) -> None:
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await migrate(connection, migrations, path)


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def add_note(path: Path, text: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO notes (text) VALUES (?)", (text,))
        connection.commit()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.mark.asyncio
async def test_an_empty_file_gets_every_step_and_no_backup(path: Path) -> None:
    await bring(path, [FIRST, SECOND])
    assert rows(path, "PRAGMA user_version") == [(2,)]
    assert rows(path, "SELECT name FROM pragma_table_info('notes')") == [("id",), ("text",), ("colour",)]
    assert [file.name for file in path.parent.iterdir()] == ["history.db"]


@pytest.mark.asyncio
async def test_an_older_database_keeps_its_data_and_is_backed_up_first(path: Path) -> None:
    await bring(path, [FIRST])
    add_note(path, "kept")
    await bring(path, [FIRST, SECOND])
    assert rows(path, "SELECT text, colour FROM notes") == [("kept", "white")]
    backup = path.with_name("history.db.v1.bak")
    assert rows(backup, "PRAGMA user_version") == [(1,)]
    assert rows(backup, "SELECT * FROM notes") == [(1, "kept")]


@pytest.mark.asyncio
async def test_the_newest_version_is_left_alone(path: Path) -> None:
    await bring(path, [FIRST])
    before = path.read_bytes()
    await bring(path, [FIRST])
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["history.db"]


@pytest.mark.asyncio
async def test_a_step_that_fails_half_way_leaves_the_older_version_whole(path: Path) -> None:
    await bring(path, [FIRST])
    add_note(path, "kept")
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        await bring(path, [FIRST, BROKEN])
    assert rows(path, "PRAGMA user_version") == [(1,)]
    assert rows(path, "SELECT * FROM notes") == [(1, "kept")]


@pytest.mark.asyncio
async def test_a_backup_that_cannot_be_written_stops_the_migration_and_leaves_no_fragment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    await bring(path, [FIRST])
    monkeypatch.setattr("voicebotd.store.files.finish_backup", no_space)
    with pytest.raises(OSError, match="No space"):
        await bring(path, [FIRST, SECOND])
    assert rows(path, "PRAGMA user_version") == [(1,)]
    assert [file.name for file in path.parent.iterdir()] == ["history.db"]


@pytest.mark.asyncio
async def test_a_newer_database_is_refused_and_not_touched(path: Path) -> None:
    await bring(path, [FIRST, SECOND])
    before = path.read_bytes()
    async with aiosqlite.connect(path) as connection:
        with pytest.raises(StoreError, match="version 2, this program knows up to 1") as raised:
            await check_version(connection, [FIRST])
    assert raised.value.fault == "newer_schema"
    assert path.read_bytes() == before


def test_the_packaged_migrations_are_numbered_without_a_gap() -> None:
    versions = [step.version for step in load_migrations()]
    assert versions == list(range(1, len(versions) + 1))
    assert versions


@pytest.mark.asyncio
@pytest.mark.parametrize("older", range(len(load_migrations())))
async def test_every_released_version_reaches_the_newest(path: Path, older: int) -> None:
    steps = load_migrations()
    await bring(path, steps[:older])
    await bring(path, steps)
    fresh = path.with_name("fresh.db")
    await bring(fresh, steps)
    assert rows(path, "PRAGMA user_version") == [(len(steps),)]
    assert rows(path, "SELECT sql FROM sqlite_master") == rows(fresh, "SELECT sql FROM sqlite_master")


@pytest.mark.asyncio
async def test_turns_of_an_older_version_keep_everything_and_can_be_searched(path: Path) -> None:
    steps = load_migrations()
    await bring(path, steps[:2])
    with closing(sqlite3.connect(path)) as older:
        older.executescript(
            """
            INSERT INTO conversations VALUES (1, 'later', 's', 'p', 'm', 1, 2, 'e');
            INSERT INTO conversations VALUES (0, 'first', 's', 'p', 'm', 1, 2, 'e');
            INSERT INTO turns VALUES ('later', 'i1', 1, 'user', 'a needle', 'a needle', 1, 2, 1, 's', 'r', 3, 4);
            INSERT INTO turns VALUES ('first', 'i2', 2, 'user', 'hay', 'hay', 1, 2, 0, 's', 'r', 3, 4);
            INSERT INTO turns VALUES ('first', 'i1', 1, 'user', 'hay', 'hay', 1, 2, 0, 's', 'r', 3, 4);
            """
        )
    await bring(path, steps)
    found = rows(path, "SELECT * FROM turns WHERE turn_id IN (SELECT rowid FROM turn_words('needle'))")
    assert found == [(3, "later", "i1", 1, "user", "a needle", "a needle", 1, 2, 1, "s", "r", 3.0, 4.0)]
    assert rows(path, "SELECT conversation_id, item_id FROM turns ORDER BY turn_id") == [
        ("first", "i1"), ("first", "i2"), ("later", "i1")
    ]  # fmt: skip


@pytest.mark.parametrize("names", [["0002_b.sql"], ["0001_a.sql", "0003_c.sql"], ["0001_a.sql", "0001_b.sql"]])
def test_a_gap_or_a_double_in_the_numbers_is_our_bug(names: list[str]) -> None:
    with pytest.raises(ValueError, match="numbered 1, 2, 3"):
        in_order((name, "") for name in names)


def test_migrations_are_sorted_by_number_not_by_name() -> None:
    assert [step.sql for step in in_order([("10_j.sql", "j"), *((f"{n}_x.sql", str(n)) for n in range(1, 10))])] == [
        *(str(n) for n in range(1, 10)),
        "j",
    ]


@pytest.mark.asyncio
async def test_a_step_that_another_process_took_meanwhile_is_not_taken_again(path: Path) -> None:
    await bring(path, [FIRST])
    repeatable = Migration(version=2, sql="INSERT INTO notes (text) VALUES ('once')")
    third = Migration(version=3, sql="INSERT INTO notes (text) VALUES ('then')")
    async with aiosqlite.connect(path, isolation_level=None) as late:
        version_read = asyncio.Event()
        read = late.execute_fetchall

        async def read_and_tell(sql: str, parameters: tuple[str, ...] = ()) -> object:
            found = await read(sql, parameters)
            if not version_read.is_set():
                version_read.set()
                await bring(path, [FIRST, repeatable])  # the other process, between the reading and the step
            return found

        late.execute_fetchall = read_and_tell  # type: ignore[method-assign,assignment]
        await migrate(late, [FIRST, repeatable, third], path)
    assert rows(path, "SELECT text FROM notes ORDER BY id") == [("once",), ("then",)]


@pytest.mark.asyncio
async def test_a_step_that_contradicts_the_data_fails_as_it_is(path: Path) -> None:
    await bring(path, [FIRST])
    contradicts = Migration(version=2, sql="CREATE TABLE once (n UNIQUE); INSERT INTO once VALUES (1), (1)")
    with pytest.raises(sqlite3.IntegrityError):
        await bring(path, [FIRST, contradicts])
    assert rows(path, "PRAGMA user_version") == [(1,)]
