"""What is too old is gone from every file, in small steps beside the writer; what is not, and what was spent, stays."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from voicebotd.conversation.records import ConversationRecord, ToolCallRecord, TurnRecord, UsageRecord
from voicebotd.store import purge as module
from voicebotd.store.conversations import ConversationRepository, ToolCallRepository, TurnRepository
from voicebotd.store.database import Database
from voicebotd.store.faults import StoreError
from voicebotd.store.purge import BATCH_ROWS, Purge, Purged, close_left_open
from voicebotd.store.usage import UsageRepository

OLD_WORDS = ("xylophone", "quetzal", "zugzwang")
LIMIT = 1000.0
DEADLINE_S = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest_asyncio.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = Database(path, busy_timeout_s=0.05)
    await database.open()
    yield database
    await database.close()


async def remember(
    database: Database,
    name: str,
    *texts: str,
    began: float,
    ended: float | None,
    first: int = 0,
    status: str = "completed",
) -> None:
    """One conversation that lasted so long, its turns and a call spread over it."""
    conversation = ConversationRecord(conversation_id=name, started_at=began, ended_at=ended)
    async with database.transaction() as transaction:
        await ConversationRepository(database).save_within(transaction, conversation)
        for number, text in enumerate(texts, first):
            turn = TurnRecord(
                conversation_id=name,
                item_id=f"i{number}",
                number=number,
                role="user",
                generated_text=text,
                heard_text=text,
                status=status,  # type: ignore[arg-type]
                started_at=began,
                ended_at=ended,
            )
            await TurnRepository(database).save_within(transaction, turn)
        call = ToolCallRecord(
            conversation_id=name,
            call_id=f"k{first}",
            name="book",
            arguments=texts[0],
            output=texts[0],
            started_at=began,
            ended_at=ended,
        )
        await ToolCallRepository(database).save_within(transaction, call)


def files_with(word: str, path: Path) -> list[str]:
    """Which files of the directory hold the word, in any of the encodings that SQLite stores."""
    return sorted(
        file.name
        for file in path.parent.iterdir()
        if any(word.encode(code) in file.read_bytes() for code in ("utf-8", "utf-16-le", "utf-16-be"))
    )


async def indexed_words(database: Database) -> set[str]:
    async with database.transaction() as transaction:
        await transaction.execute_fetchall(
            "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, turn_words, row)"
        )
        words = await transaction.execute_fetchall("SELECT term FROM vocabulary")
        await transaction.execute_fetchall("DROP TABLE temp.vocabulary")
    return {word for (word,) in words}


async def check_index(database: Database) -> None:
    """Raises unless the index has exactly the words of the turns."""
    async with database.transaction() as transaction:
        await transaction.execute_fetchall("INSERT INTO turn_words (turn_words, rank) VALUES ('integrity-check', 1)")
    [row] = await database.fetch("PRAGMA integrity_check")
    assert row[0] == "ok"


@pytest.mark.asyncio
async def test_the_words_of_what_was_purged_are_in_no_file_any_more(database: Database, path: Path) -> None:
    for number in range(60):
        for word in OLD_WORDS:
            await remember(database, f"{word}{number}", f"the {word} again {word}s", began=1.0, ended=2.0)
        await remember(database, f"new{number}", "the weather again", began=LIMIT, ended=LIMIT + 1)
    assert all(files_with(word, path) for word in OLD_WORDS)
    purged = await Purge(database).older_than(LIMIT)
    assert purged == Purged(conversations=180, turns=180, tool_calls=180, copies=(), recordings=0, traces="")
    for word in OLD_WORDS:
        assert files_with(word, path) == []
        assert not any(word.startswith(term) for term in await indexed_words(database) if len(term) > 1)
    assert len(await TurnRepository(database).search("weather", limit=100)) == 60
    await check_index(database)


@pytest.mark.asyncio
async def test_the_hundredth_purge_removes_as_well_as_the_first(database: Database, path: Path) -> None:
    """FTS5 begins a new level with each merge into one, and has 64 of them."""
    for day in range(100):
        await remember(database, f"c{day}", f"yesterday {OLD_WORDS[0]}{day}x", began=float(day), ended=float(day))
        await Purge(database).older_than(day + 0.5)
        assert files_with(f"{OLD_WORDS[0]}{day}x", path) == []
    await check_index(database)


@pytest.mark.asyncio
async def test_a_conversation_in_progress_stays_and_loses_what_was_said_too_long_ago(database: Database) -> None:
    await remember(database, "months", "old", "older", began=1.0, ended=2.0)
    await remember(database, "months", "new", began=LIMIT, ended=LIMIT, first=7)
    await ConversationRepository(database).update(ConversationRecord(conversation_id="months", started_at=1.0))
    purged = await Purge(database).older_than(LIMIT)
    assert (purged.conversations, purged.turns, purged.tool_calls) == (0, 2, 1)
    [turn] = await TurnRepository(database).get_all()
    assert turn.generated_text == "new"


@pytest.mark.asyncio
async def test_what_is_being_said_stays_and_what_was_left_behind_unfinished_goes(database: Database) -> None:
    await remember(database, "now", "speaking", began=LIMIT - 10, ended=None, status="in_progress")
    await remember(database, "hung", "hung", began=LIMIT - 7200, ended=None, status="in_progress")
    await Purge(database).older_than(LIMIT)
    assert [turn.generated_text for turn in await TurnRepository(database).get_all()] == ["speaking"]


@pytest.mark.asyncio
async def test_what_was_spent_stays(database: Database) -> None:
    await remember(database, "c", "old", began=1.0, ended=2.0)
    await UsageRepository(database).create(UsageRecord(conversation_id="c", source_id="r", usd=0.5, started_at=1.0))
    await Purge(database).older_than(LIMIT)
    assert (await UsageRepository(database).total("c")).usd == 0.5


@pytest.mark.asyncio
async def test_more_than_one_batch_is_removed(database: Database) -> None:
    await remember(database, "c", *["word"] * (2 * BATCH_ROWS + 1), began=1.0, ended=2.0)
    assert (await Purge(database).older_than(LIMIT)).turns == 2 * BATCH_ROWS + 1
    assert await ConversationRepository(database).get_all() == []


@pytest.mark.asyncio
async def test_nothing_too_old_is_nothing_to_do(database: Database) -> None:
    await remember(database, "c", "new", began=LIMIT, ended=LIMIT)
    purged = await Purge(database).older_than(LIMIT)
    assert purged == Purged(conversations=0, turns=0, tool_calls=0, copies=(), recordings=0, traces="")


@pytest.mark.asyncio
async def test_a_purge_that_was_cut_short_is_finished_by_the_next(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(_: Purge) -> None:
        raise KeyboardInterrupt

    for number in range(20):
        await remember(database, f"c{number}", OLD_WORDS[0], began=1.0, ended=2.0)
    with monkeypatch.context() as patched:
        patched.setattr(Purge, "_merge_index", killed)
        with pytest.raises(KeyboardInterrupt):
            await Purge(database).older_than(LIMIT)
    assert files_with(OLD_WORDS[0], path)
    assert (await Purge(database).older_than(LIMIT)).turns == 0
    assert files_with(OLD_WORDS[0], path) == []


@pytest.mark.asyncio
async def test_while_another_program_reads_the_log_cannot_be_cut_and_that_is_told(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_TRIES", 2)
    monkeypatch.setattr(module, "CHECKPOINT_PAUSE_S", 0.001)
    await remember(database, "c", OLD_WORDS[0], began=1.0, ended=2.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM turns").fetchone()
        assert "history.db-wal" in (await Purge(database).older_than(LIMIT)).traces
        assert files_with(OLD_WORDS[0], path)
    assert (await Purge(database).older_than(LIMIT)).traces == ""
    assert files_with(OLD_WORDS[0], path) == []


@pytest.mark.asyncio
async def test_a_large_file_is_written_anew_only_when_asked_for(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPACT_BYTES", 1024)
    await remember(database, "c", *["word " * 100] * 500, began=1.0, ended=2.0)
    assert "compact it" in (await Purge(database).older_than(LIMIT)).traces
    assert path.stat().st_size > 500_000
    assert "compact it" in (await Purge(database).older_than(LIMIT)).traces, "it is not forgotten"
    assert (await Purge(database).older_than(LIMIT, compact=True)).traces == ""
    assert path.stat().st_size < 200_000


@pytest.mark.asyncio
async def test_a_writer_gets_its_turn_between_the_batches(database: Database) -> None:
    await remember(database, "c", *["word"] * (20 * BATCH_ROWS), began=1.0, ended=2.0)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        purging = group.create_task(Purge(database).older_than(LIMIT))
        written = 0
        while not purging.done():
            await remember(database, f"n{written}", "now", began=LIMIT, ended=LIMIT)
            written += 1
    assert written > 10
    assert len(await TurnRepository(database).get_all(limit=10_000)) == written
    await check_index(database)


@pytest.mark.asyncio
async def test_copies_beside_the_database_that_hold_what_is_too_old_go_too(database: Database, path: Path) -> None:
    await remember(database, "c", OLD_WORDS[0], began=1.0, ended=2.0)
    async with database.transaction() as transaction:
        pass
    await transaction.execute_fetchall("VACUUM INTO ?", (str(path.with_name("history.db.v3.bak")),))
    purged = await Purge(database).older_than(LIMIT)
    assert purged.copies == ("history.db.v3.bak",)
    assert files_with(OLD_WORDS[0], path) == []


@pytest.mark.asyncio
async def test_recordings_go_by_their_end(database: Database, path: Path) -> None:
    directory = path.parent / "recordings"
    directory.mkdir()
    for name, moment in (("1.old.flac", LIMIT - 1), ("2.new.flac", LIMIT)):
        (directory / name).write_text("sound")
        os.utime(directory / name, (moment, moment))
    assert (await Purge(database).older_than(LIMIT)).recordings == 1
    assert [file.name for file in directory.iterdir()] == ["2.new.flac"]


@pytest.mark.asyncio
async def test_a_database_that_cannot_be_used_is_told(database: Database) -> None:
    await database.close()
    with pytest.raises(StoreError):
        await Purge(database).older_than(LIMIT)


# Conversations that a killed daemon left open.


@pytest.mark.asyncio
async def test_what_a_killed_daemon_left_open_is_closed_at_its_last_known_moment(database: Database) -> None:
    await remember(database, "over", "x", began=1.0, ended=2.0)
    await remember(database, "open", "x", "y", began=3.0, ended=5.0)
    await ConversationRepository(database).update(ConversationRecord(conversation_id="open", started_at=3.0))
    await remember(database, "open", "z", began=7.0, ended=None, first=7, status="in_progress")
    await remember(database, "silent", "x", began=9.0, ended=None, status="in_progress")
    await TurnRepository(database).delete("silent", "i0")
    assert await close_left_open(database, reason="the daemon was killed") == 2
    ends = {
        one.conversation_id: (one.ended_at, one.end_reason) for one in await ConversationRepository(database).get_all()
    }
    assert ends == {
        "over": (2.0, ""),
        "open": (7.0, "the daemon was killed"),
        "silent": (9.0, "the daemon was killed"),
    }
    last = await TurnRepository(database).get_by_id("open", "i7")
    assert last is not None
    assert (last.status, last.ended_at) == ("failed", 7.0)
    calls = {call.conversation_id: call.status for call in await ToolCallRepository(database).get_all()}
    assert calls == {"over": "running", "open": "failed", "silent": "failed"}
    assert await close_left_open(database, reason="again") == 0


@pytest.mark.asyncio
async def test_a_conversation_that_never_began_to_last_gets_no_end(database: Database) -> None:
    """Its time is unknown, so it has no end that could be told; it is closed all the same."""
    await ConversationRepository(database).create(ConversationRecord(conversation_id="c"))
    assert await close_left_open(database, reason="killed") == 1
    assert await ConversationRepository(database).get_by_id("c") == replace(
        ConversationRecord(conversation_id="c"), end_reason="killed"
    )
