"""One file, one writer at a time: cancelled, locked, full, damaged, newer or missing, and usable again afterwards."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from voicebotd.store import database as module
from voicebotd.store import faults
from voicebotd.store.database import Database
from voicebotd.store.faults import StoreError
from voicebotd.store.schema import Migration

NOTES = (Migration(version=1, sql="CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)"),)
DEADLINE_S = 10.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.db"


@pytest_asyncio.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = Database(path, migrations=NOTES, busy_timeout_s=0.05)
    yield database
    await database.close()


async def write(database: Database, text: str) -> None:
    async with database.transaction() as transaction:
        await transaction.execute_fetchall("INSERT INTO notes (text) VALUES (?)", (text,))


async def texts(database: Database) -> list[str]:
    return [row["text"] for row in await database.fetch("SELECT text FROM notes ORDER BY id")]


@contextmanager
def held_by_another(path: Path) -> Iterator[None]:
    """Another program has begun a transaction."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


@pytest.mark.asyncio
async def test_a_missing_directory_is_made_and_nobody_else_can_read_any_file(database: Database, path: Path) -> None:
    await database.open()
    await write(database, "private")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"history.db": 0o600, "history.db-wal": 0o600, "history.db-shm": 0o600}


@pytest.mark.asyncio
async def test_the_connection_is_durable_and_keeps_foreign_keys(database: Database) -> None:
    await database.open()
    async with database.transaction() as transaction:
        settings = {
            name: next(iter(await transaction.execute_fetchall(f"PRAGMA {name}")))[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.asyncio
async def test_open_and_close_may_be_called_twice(database: Database) -> None:
    await database.open()
    await database.open()
    await write(database, "kept")
    await database.close()
    await database.close()
    await database.open()
    assert await texts(database) == ["kept"]


@pytest.mark.asyncio
async def test_a_closed_database_refuses_instead_of_opening_itself(database: Database) -> None:
    for use in (database.fetch("SELECT 1"), write(database, "too late")):
        with pytest.raises(StoreError) as raised:
            await use
        assert raised.value.fault == "closed"


@pytest.mark.asyncio
async def test_what_a_block_wrote_is_rolled_back_when_it_raises(database: Database) -> None:
    await database.open()

    async def change_its_mind() -> None:
        async with database.transaction() as transaction:
            await transaction.execute_fetchall("INSERT INTO notes (text) VALUES ('half')")
            raise LookupError

    with pytest.raises(LookupError):
        await change_its_mind()
    await write(database, "whole")
    assert await texts(database) == ["whole"]


@pytest.mark.asyncio
async def test_a_task_cancelled_in_mid_transaction_leaves_nothing_behind(database: Database) -> None:
    await database.open()
    inserted = asyncio.Event()

    async def hang() -> None:
        async with database.transaction() as transaction:
            await transaction.execute_fetchall("INSERT INTO notes (text) VALUES ('half')")
            inserted.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await asyncio.wait_for(inserted.wait(), DEADLINE_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await write(database, "whole")
    assert await texts(database) == ["whole"]


@pytest.mark.asyncio
async def test_cancelled_at_any_point_a_write_is_whole_or_absent_and_the_next_one_works(database: Database) -> None:
    await database.open()
    outcomes = set()
    for passes in range(40):  # how often the loop turns before the cancellation: every await of the write is hit
        task = asyncio.create_task(write(database, f"cancelled {passes}"))
        for _ in range(passes):
            await asyncio.wait({asyncio.ensure_future(asyncio.to_thread(int))})
        task.cancel()
        [result] = await asyncio.gather(task, return_exceptions=True)
        outcomes.add(type(result))
        await write(database, f"after {passes}")
    stored = await texts(database)
    assert [text for text in stored if text.startswith("after")] == [f"after {passes}" for passes in range(40)]
    assert outcomes == {asyncio.CancelledError, type(None)}


@pytest.mark.asyncio
async def test_cancelled_twice_the_rollback_is_still_awaited(database: Database) -> None:
    await database.open()
    inside = asyncio.Event()

    async def hang() -> None:
        async with database.transaction() as transaction:
            await transaction.execute_fetchall("INSERT INTO notes (text) VALUES ('half')")
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await asyncio.wait_for(inside.wait(), DEADLINE_S)
    task.cancel()
    await asyncio.wait({asyncio.ensure_future(_next_turn())})
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await write(database, "whole")
    assert await texts(database) == ["whole"]


async def _next_turn() -> None:
    """A task of its own: when it has ended, the loop has turned once."""


@pytest.mark.asyncio
async def test_writers_take_turns(database: Database) -> None:
    await database.open()
    inside = 0
    most = 0

    async def one(number: int) -> None:
        nonlocal inside, most
        async with database.transaction() as transaction:
            inside += 1
            most = max(most, inside)
            await transaction.execute_fetchall("INSERT INTO notes (text) VALUES (?)", (str(number),))
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(one(number))
    assert most == 1
    assert await texts(database) == [str(number) for number in range(20)]


@pytest.mark.asyncio
async def test_a_reader_sees_only_what_is_committed_and_waits_for_nobody(database: Database) -> None:
    await database.open()
    async with database.transaction() as transaction:
        await transaction.execute_fetchall("INSERT INTO notes (text) VALUES ('not yet')")
        assert await asyncio.wait_for(texts(database), DEADLINE_S) == []
    assert await texts(database) == ["not yet"]


@pytest.mark.asyncio
async def test_a_database_locked_by_another_process_can_be_read_and_later_written(
    database: Database, path: Path
) -> None:
    await database.open()
    await write(database, "before")
    with held_by_another(path):
        with pytest.raises(StoreError) as raised:
            await write(database, "during")
        assert await texts(database) == ["before"]
    assert raised.value.fault == "locked"
    await write(database, "after")
    assert await texts(database) == ["before", "after"]


@pytest.mark.asyncio
async def test_a_full_disk_is_told_and_forgotten_when_there_is_room(database: Database) -> None:
    await database.open()
    await _limit_pages(database, 1)  # SQLite raises it to what the file has already
    with pytest.raises(StoreError) as raised:
        await write(database, "x" * 100_000)
    assert raised.value.fault == "disk_full"
    assert await texts(database) == []
    await _limit_pages(database, 1_000_000)
    await write(database, "room again")
    assert await texts(database) == ["room again"]


async def _limit_pages(database: Database, pages: int) -> None:
    async with database.transaction() as transaction:
        await transaction.execute_fetchall(f"PRAGMA max_page_count = {pages}")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "content", [b"not a database " * 500, b"SQLite format 3\0" + b"\xff" * 4080], ids=["text", "only the magic"]
)
async def test_a_file_that_is_no_database_is_set_aside_and_a_fresh_one_begun(
    database: Database, path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    await database.open()
    await write(database, "fresh")
    assert await texts(database) == ["fresh"]
    assert database.quarantined is not None
    assert database.quarantined.parent == path.parent
    assert database.quarantined.read_bytes() == content


@pytest.mark.asyncio
async def test_a_database_damaged_within_is_set_aside_before_it_is_written_to(database: Database, path: Path) -> None:
    await _fill(database)
    damaged = bytearray(path.read_bytes())
    damaged[8192:16384] = b"\xa5" * 8192  # two pages of the table; the header is whole, so it opens
    path.write_bytes(damaged)
    await database.open()
    assert database.quarantined is not None
    assert database.quarantined.read_bytes() == bytes(damaged)
    assert await texts(database) == []


@pytest.mark.asyncio
async def test_damage_that_shows_while_it_runs_is_healed_at_the_next_use(database: Database, path: Path) -> None:
    await _fill(database)
    await database.open()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 1_000_000)
    with pytest.raises(StoreError) as raised:
        await database.fetch("SELECT count(*), max(text) FROM notes NOT INDEXED")
    assert raised.value.fault == "corrupt"
    await write(database, "fresh")
    assert await texts(database) == ["fresh"]
    assert database.quarantined is not None


@pytest.mark.asyncio
async def test_a_large_file_is_opened_at_once_and_damage_in_it_is_found_by_the_check_beside(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECK_AT_OPEN_BYTES", 1000)
    await _fill(database)
    damaged = bytearray(path.read_bytes())
    damaged[8192:16384] = b"\xa5" * 8192
    path.write_bytes(damaged)
    await database.open()
    assert database.quarantined is None
    with pytest.raises(StoreError) as raised:
        await database.check()
    assert raised.value.fault == "corrupt"
    await write(database, "fresh")
    assert database.quarantined is not None
    assert await texts(database) == ["fresh"]


@pytest.mark.asyncio
async def test_a_sound_database_passes_its_check_while_it_is_written(database: Database) -> None:
    await database.open()
    async with asyncio.TaskGroup() as group:
        group.create_task(database.check())
        group.create_task(write(database, "meanwhile"))
    assert await texts(database) == ["meanwhile"]
    await database.close()
    with pytest.raises(StoreError):
        await database.check()


async def _damaged_index(path: Path) -> Database:
    """A database whose table is whole and whose index of words is not."""
    words = "CREATE VIRTUAL TABLE words USING fts5 (text, content = 'notes', content_rowid = 'id')"
    added = (
        "CREATE TRIGGER added AFTER INSERT ON notes BEGIN"
        " INSERT INTO words (rowid, text) VALUES (new.id, new.text); END"
    )
    database = Database(path, migrations=(*NOTES, Migration(version=2, sql=f"{words};{added}")), busy_timeout_s=0.05)
    await database.open()
    await write(database, "needle")
    async with database.transaction() as transaction:
        await transaction.execute_fetchall("UPDATE words_data SET block = substr(block, 1, 10) WHERE id > 10")
    return database


async def _found(database: Database, word: str) -> int:
    return len(await database.fetch("SELECT rowid FROM words WHERE words MATCH ?", (word,)))


@pytest.mark.asyncio
async def test_a_damaged_index_of_words_is_built_anew_and_nothing_is_set_aside(path: Path) -> None:
    database = await _damaged_index(path)
    with pytest.raises(StoreError) as raised:
        await _found(database, "needle")
    assert raised.value.fault == "index"
    assert await _found(database, "needle") == 1
    await write(database, "another needle")
    assert await _found(database, "needle") == 2
    assert database.quarantined is None
    await database.close()


@pytest.mark.asyncio
async def test_what_the_check_says_of_the_index_alone_costs_no_database(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite 3.44 and later find it in quick_check."""
    database = await _damaged_index(path)
    await database.close()

    async def as_newer_ones_say(_: object) -> None:
        raise faults.damaged("malformed inverted index for FTS5 table main.words")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_check_integrity", as_newer_ones_say)
        await database.open()
    assert await _found(database, "needle") == 1
    assert database.quarantined is None
    await database.close()


async def _fill(database: Database) -> None:
    await database.open()
    async with database.transaction() as transaction:
        for number in range(200):
            await transaction.execute_fetchall("INSERT INTO notes (text) VALUES (?)", (f"{number}" + "x" * 500,))
    await database.close()


@pytest.mark.asyncio
async def test_a_database_of_a_newer_program_is_refused_and_not_touched(database: Database, path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as newer:
        newer.execute("CREATE TABLE future (x)")
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="version 99, this program knows up to 1") as raised:
        await database.open()
    assert raised.value.fault == "newer_schema"
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["history.db"]


@pytest.mark.asyncio
async def test_a_migration_that_fails_is_told_and_the_data_stays_readable_to_the_older_program(
    database: Database, path: Path
) -> None:
    await database.open()
    await write(database, "kept")
    await database.close()
    newer = Database(path, migrations=(*NOTES, Migration(version=2, sql="SELECT nonsense FROM nowhere")))
    with pytest.raises(StoreError, match="nowhere"):
        await newer.open()
    await newer.close()
    await database.open()
    assert await texts(database) == ["kept"]


@pytest.mark.asyncio
async def test_a_directory_that_cannot_be_made_is_told_and_found_later(database: Database, path: Path) -> None:
    path.parent.write_text("a file stands where the directory should be")
    with pytest.raises(StoreError) as raised:
        await database.open()
    assert raised.value.fault == "denied"
    path.parent.unlink()
    await write(database, "found")
    assert await texts(database) == ["found"]


@pytest.mark.asyncio
async def test_opening_that_is_cancelled_leaves_no_thread_and_works_the_next_time(database: Database) -> None:
    for _ in range(10):
        task = asyncio.create_task(database.open())
        await asyncio.wait({asyncio.ensure_future(_next_turn())})
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await database.close()
    await database.open()
    await write(database, "open")
    assert await texts(database) == ["open"]


@pytest.mark.asyncio
async def test_a_checkpoint_empties_the_log_unless_somebody_reads_an_older_state(
    database: Database, path: Path
) -> None:
    wal = Path(f"{path}-wal")
    await database.open()
    await write(database, "one")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM notes").fetchall()
        await write(database, "two")
        assert not await database.checkpoint()
    assert wal.stat().st_size > 0
    assert await database.checkpoint()
    assert wal.stat().st_size == 0
    with held_by_another(path), pytest.raises(StoreError):  # and it waits for others as before
        await write(database, "three")


@pytest.mark.asyncio
@pytest.mark.parametrize("in_memory", [True, False])
async def test_compacting_gives_the_room_back_and_keeps_the_rest(
    database: Database, path: Path, in_memory: bool
) -> None:
    await _fill(database)
    await database.open()
    async with database.transaction() as transaction:
        await transaction.execute_fetchall("DELETE FROM notes WHERE id > 1")
    await database.compact(in_memory=in_memory)
    assert await database.checkpoint()
    assert path.stat().st_size < 50_000
    assert len(await texts(database)) == 1


@pytest.mark.asyncio
async def test_compacting_that_is_cancelled_stops_and_leaves_all_as_it_was(database: Database, path: Path) -> None:
    await database.open()
    async with database.transaction() as transaction:
        await transaction.execute_fetchall(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO notes (text) SELECT i || hex(zeroblob(1000)) FROM n"
        )
    task = asyncio.create_task(database.compact(in_memory=True))
    await asyncio.wait({task}, timeout=0.05)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, DEADLINE_S)
    await write(database, "after")
    assert len(await texts(database)) == 20_001


@pytest.mark.asyncio
async def test_a_torn_copy_of_the_files_opens_with_a_whole_beginning_of_what_was_written(
    database: Database, path: Path, tmp_path: Path
) -> None:
    """As after a power cut: the WAL ends anywhere."""
    await database.open()
    for number in range(30):
        await write(database, f"{number}")
    wal = Path(f"{path}-wal").read_bytes()
    torn = tmp_path / "torn"
    seeded = random.Random(7)
    kept_lengths = set()
    for cut in sorted(seeded.randrange(len(wal)) for _ in range(12)):
        torn.mkdir()
        shutil.copy(path, torn / "history.db")
        (torn / "history.db-wal").write_bytes(wal[:cut] + bytes(seeded.randrange(256) for _ in range(100)))
        copy = Database(torn / "history.db", migrations=NOTES)
        await copy.open()
        kept = await texts(copy)
        await copy.close()
        assert kept == [f"{number}" for number in range(len(kept))]
        kept_lengths.add(len(kept))
        shutil.rmtree(torn)
    assert len(kept_lengths) > 3
