"""Recording never waits; what cannot be saved is kept, told, and saved later, in order and in bounds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from voicebotd.conversation.records import ConversationRecord, ToolCallRecord, TurnRecord, UsageRecord
from voicebotd.service import BaseService
from voicebotd.store.conversations import ConversationRepository, ToolCallRepository, TurnRepository
from voicebotd.store.database import Database
from voicebotd.store.history import HistoryService, HistorySettings
from voicebotd.store.usage import UsageRepository

DEADLINE_S = 10.0
QUICK = HistorySettings(first_retry_s=0.01, retry_cap_s=0.02)
NEVER_AGAIN = HistorySettings(first_retry_s=3600.0, retry_cap_s=3600.0)
"""After a failure only `flush` or `disconnect` try again."""
CONVERSATION = ConversationRecord(conversation_id="c", started_at=1.0)
CALL = ToolCallRecord(conversation_id="c", call_id="k1", name="book", arguments="{}", status="completed")
USAGE = UsageRecord(conversation_id="c", source_id="r1", model="m", input_audio=7, usd=0.25, started_at=2.0)


def turn(number: int, text: str = "words", conversation: str = "c") -> TurnRecord:
    return TurnRecord(
        conversation_id=conversation, item_id=f"i{number}", number=number, role="user", generated_text=text
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest_asyncio.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = Database(path, busy_timeout_s=0.02)
    yield database
    await database.close()


@asynccontextmanager
async def running(database: Database, settings: HistorySettings = QUICK) -> AsyncIterator[HistoryService]:
    service = HistoryService(database, settings)
    await service.connect()
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run())
        yield service
        await service.disconnect()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the database's write lock."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


async def limit_pages(database: Database, pages: int) -> None:
    """Let the file grow no further, as a full disk would not."""
    async with database.transaction() as transaction:
        await transaction.execute_fetchall(f"PRAGMA max_page_count = {pages}")


async def stored_turns(database: Database) -> list[TurnRecord]:
    return await TurnRepository(database).of_conversation("c")


def test_it_is_a_service_like_the_others(tmp_path: Path) -> None:
    service = HistoryService(Database(tmp_path / "history.db"))
    assert isinstance(service, BaseService)
    assert service.health_check().state == "off"


@pytest.mark.asyncio
async def test_what_was_recorded_is_stored_when_flush_returns(database: Database) -> None:
    async with running(database) as history:
        history.record(CONVERSATION)
        history.record(turn(1))
        assert await history.flush(deadline_s=DEADLINE_S)
        assert await ConversationRepository(database).get_by_id("c") == CONVERSATION
        assert await stored_turns(database) == [turn(1)]
        assert history.waiting == 0
        health = history.health_check()
        assert (health.ok, health.state, health.reason) == (True, "saving", "")


@pytest.mark.asyncio
async def test_more_than_one_batch_is_written_in_order(database: Database) -> None:
    settings = HistorySettings(batch_records=3)
    async with running(database, settings) as history:
        history.record(CONVERSATION)
        for number in range(20):
            history.record(turn(number))
        assert await history.flush(deadline_s=DEADLINE_S)
    await database.open()
    assert await stored_turns(database) == [turn(number) for number in range(20)]


@pytest.mark.asyncio
async def test_a_record_written_again_replaces_what_is_stored(database: Database) -> None:
    async with running(database) as history:
        history.record(CONVERSATION)
        history.record(turn(1, "I"))
        assert await history.flush(deadline_s=DEADLINE_S)
        history.record(turn(1, "I hear"))
        assert await history.flush(deadline_s=DEADLINE_S)
        assert await stored_turns(database) == [turn(1, "I hear")]


@pytest.mark.asyncio
async def test_with_transcripts_off_no_word_reaches_the_disk(database: Database, path: Path) -> None:
    async with running(database, HistorySettings(transcripts=False)) as history:
        history.record(CONVERSATION)
        history.record(turn(1, "a-very-private-word"))
        history.record(replace(CALL, arguments='{"name": "a-very-private-word"}', output="a-very-private-word"))
        assert await history.flush(deadline_s=DEADLINE_S)
        assert await stored_turns(database) == [turn(1, "")]
        assert await ToolCallRepository(database).get_all() == [replace(CALL, arguments="", output="")]
        for file in path.parent.iterdir():
            assert b"a-very-private-word" not in file.read_bytes()


@pytest.mark.asyncio
async def test_records_of_every_kind_are_stored(database: Database) -> None:
    async with running(database) as history:
        for record in (CONVERSATION, turn(1), CALL, USAGE):
            history.record(record)
        assert await history.flush(deadline_s=DEADLINE_S)
    stored = await ConversationRepository(database).get_whole("c")
    assert stored is not None
    assert (stored.conversation, stored.turns, stored.tool_calls) == (CONVERSATION, (turn(1),), (CALL,))
    assert await UsageRepository(database).get_all() == [USAGE]


@pytest.mark.asyncio
async def test_where_no_conversation_is_kept_what_it_used_still_is(database: Database, path: Path) -> None:
    async with running(database, HistorySettings(conversations=False)) as history:
        for record in (CONVERSATION, turn(1), CALL, USAGE):
            history.record(record)
        assert await history.flush(deadline_s=DEADLINE_S)
        with locked(path):
            history.record(replace(USAGE, source_id="r2"))
            await until(lambda: not history.health_check().ok)
            assert "usage is not being saved" in history.health_check().reason
    assert await ConversationRepository(database).get_all() == []
    assert [used.source_id for used in await UsageRepository(database).get_all()] == ["r2", "r1"]
    assert history.lost == 0


@pytest.mark.asyncio
async def test_what_was_recorded_before_the_connection_is_stored_after_it(database: Database) -> None:
    service = HistoryService(database)
    service.record(CONVERSATION)
    assert service.waiting == 1
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run())
        await service.connect()
        assert await service.flush(deadline_s=DEADLINE_S)
        await service.disconnect()
    assert service.waiting == 0


@pytest.mark.asyncio
async def test_a_locked_database_is_told_and_everything_is_saved_when_it_is_free(
    database: Database, path: Path
) -> None:
    async with running(database) as history:
        history.record(CONVERSATION)
        assert await history.flush(deadline_s=DEADLINE_S)
        with locked(path):
            for number in range(5):
                history.record(turn(number))
            await until(lambda: not history.health_check().ok)
            health = history.health_check()
            assert "history is not being saved: the database is locked by another process" in health.reason
            assert "5 records wait" in health.reason
            assert health.hint
        assert await history.flush(deadline_s=DEADLINE_S)
        assert [record.number for record in await stored_turns(database)] == [0, 1, 2, 3, 4]
        assert history.health_check().ok


@pytest.mark.asyncio
async def test_on_a_full_disk_the_oldest_wait_the_newest_are_lost_and_room_heals_it(database: Database) -> None:
    settings = HistorySettings(limit_records=4, first_retry_s=0.01, retry_cap_s=0.02)
    async with running(database, settings) as history:
        history.record(CONVERSATION)
        assert await history.flush(deadline_s=DEADLINE_S)
        await limit_pages(database, 1)
        for number in range(6):
            history.record(turn(number, "x" * 20_000))
        await until(lambda: not history.health_check().ok)
        reason = history.health_check().reason
        assert "history is not being saved: disk full" in reason
        assert "4 records wait; 2 records were lost" in reason
        assert await ConversationRepository(database).get_by_id("c") == CONVERSATION
        await limit_pages(database, 100_000)
        assert await history.flush(deadline_s=DEADLINE_S)
        assert [record.number for record in await stored_turns(database)] == [0, 1, 2, 3]
        health = history.health_check()
        assert (health.ok, health.reason) == (True, "2 records were lost")


@pytest.mark.asyncio
async def test_flush_does_not_wait_out_the_back_off(database: Database, path: Path) -> None:
    async with running(database, NEVER_AGAIN) as history:
        history.record(CONVERSATION)
        assert await history.flush(deadline_s=DEADLINE_S)
        with locked(path):
            history.record(turn(1))
            await until(lambda: not history.health_check().ok)
            assert not await history.flush(deadline_s=0.05)
        assert await history.flush(deadline_s=DEADLINE_S)
        assert await stored_turns(database) == [turn(1)]


@pytest.mark.asyncio
async def test_what_the_database_will_never_take_does_not_hold_up_the_rest(database: Database) -> None:
    async with running(database) as history:
        history.record(turn(1, conversation="of nobody"))
        history.record(CONVERSATION)
        history.record(turn(2))
        assert await history.flush(deadline_s=DEADLINE_S)
        assert await stored_turns(database) == [turn(2)]
        assert history.lost == 1


@pytest.mark.asyncio
async def test_a_damaged_database_is_replaced_and_the_report_says_where_it_went(database: Database, path: Path) -> None:
    path.write_bytes(b"rubbish" * 1000)
    async with running(database) as history:
        history.record(CONVERSATION)
        assert await history.flush(deadline_s=DEADLINE_S)
        health = history.health_check()
        assert health.ok
        assert f"set aside as {database.quarantined}" in health.reason


@pytest.mark.asyncio
async def test_a_newer_database_leaves_the_conversation_alone_and_is_told(database: Database, path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    async with running(database, NEVER_AGAIN) as history:
        history.record(CONVERSATION)
        await until(lambda: not history.health_check().ok)
        assert "schema version 99" in history.health_check().reason


@pytest.mark.asyncio
async def test_a_database_that_cannot_be_opened_is_known_before_anything_is_recorded(
    tmp_path: Path,
) -> None:
    (tmp_path / "state").write_text("not a directory")
    database = Database(tmp_path / "state" / "history.db")
    async with running(database) as history:
        await until(lambda: not history.health_check().ok)
        (tmp_path / "state").unlink()
        await until(lambda: history.health_check().ok)
    await database.close()


@pytest.mark.asyncio
async def test_disconnect_saves_what_waits_ends_run_and_may_be_called_twice(database: Database) -> None:
    async with running(database) as history:
        history.record(CONVERSATION)
        history.record(turn(1))
        await history.disconnect()
        await history.disconnect()
    assert await stored_turns(database) == [turn(1)]
    assert history.health_check().state == "off"


@pytest.mark.asyncio
async def test_disconnect_gives_up_in_time_on_a_database_that_stays_locked(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebotd.store.history.DISCONNECT_S", 0.2)
    await database.open()
    with locked(path):
        async with asyncio.timeout(DEADLINE_S), running(database, NEVER_AGAIN) as history:
            history.record(CONVERSATION)
            await until(lambda: not history.health_check().ok)
    assert history.waiting == 1


@pytest.mark.asyncio
async def test_disconnect_without_run_returns_at_once(database: Database) -> None:
    service = HistoryService(database)
    await service.connect()
    service.record(CONVERSATION)
    await asyncio.wait_for(service.disconnect(), DEADLINE_S)
    await asyncio.wait_for(service.run(), DEADLINE_S)  # a task that started only now still saves, and ends
    assert await ConversationRepository(database).get_all() == [CONVERSATION]


@pytest.mark.asyncio
async def test_what_an_earlier_life_left_open_is_closed_and_what_this_one_began_is_not(database: Database) -> None:
    async with running(database) as history:
        history.record(replace(CONVERSATION, conversation_id="killed"))
        assert await history.flush(deadline_s=DEADLINE_S)
    async with running(database) as history:
        history.record(CONVERSATION)
        assert await history.flush(deadline_s=DEADLINE_S)
        history.record(turn(1))
        assert await history.flush(deadline_s=DEADLINE_S)
    reasons = {one.conversation_id: one.end_reason for one in await ConversationRepository(database).get_all()}
    assert reasons == {"killed": "the daemon was killed", "c": ""}


@pytest.mark.asyncio
async def test_run_that_is_cancelled_in_mid_write_leaves_the_database_usable(database: Database, path: Path) -> None:
    await database.open()
    service = HistoryService(database, NEVER_AGAIN)
    await service.connect()
    with locked(path):
        service.record(CONVERSATION)
        task = asyncio.create_task(service.run())
        await until(lambda: not service.health_check().ok)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await ConversationRepository(database).save(CONVERSATION)
    assert await ConversationRepository(database).get_all() == [CONVERSATION]
