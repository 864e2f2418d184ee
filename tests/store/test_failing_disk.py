"""A disk that is full or answers with errors costs no acknowledged word, no integrity and no conversation."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from faulty_disk import grow, no_strace, no_tmpfs, record_with_errors, small_disk

from voicebotd.conversation.records import ConversationRecord, TurnRecord
from voicebotd.store.conversations import ConversationRepository, TurnRepository
from voicebotd.store.database import Database
from voicebotd.store.history import HistoryService, HistorySettings

DEADLINE_S = 20.0
SETTINGS = HistorySettings(first_retry_s=0.01, retry_cap_s=0.05)
needs_strace = pytest.mark.skipif(bool(no_strace()), reason=no_strace())
needs_tmpfs = pytest.mark.skipif(bool(no_tmpfs()), reason=no_tmpfs())


@asynccontextmanager
async def running(path: Path):
    database = Database(path)
    service = HistoryService(database, SETTINGS)
    await service.connect()
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run())
        yield service, database
        await service.disconnect()
    await database.close()


def turn(number: int) -> TurnRecord:
    return TurnRecord(
        conversation_id="c", item_id=f"i{number}", number=number, role="user", generated_text="word " * 400
    )


@needs_tmpfs
@pytest.mark.asyncio
async def test_a_full_disk_is_told_reading_goes_on_and_room_heals_it_with_nothing_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        ballast = disk / "ballast"
        async with asyncio.timeout(DEADLINE_S), running(disk / "history.db") as (history, database):
            history.record(ConversationRecord(conversation_id="c"))
            assert await history.flush()
            ballast.write_bytes(bytes(1024 * 1024))
            number = 0
            while await history.flush(deadline_s=1.0):
                number += 1
                history.record(turn(number))
            health = history.health_check()
            assert "history is not being saved: disk full" in health.reason
            assert "free some space" in health.hint
            assert await ConversationRepository(database).get_by_id("c") is not None
            ballast.unlink()
            assert await history.flush()
            assert history.health_check().ok
            stored = await TurnRepository(database).of_conversation("c")
            assert [one.number for one in stored] == list(range(1, number + 1))
            assert history.lost == 0


@needs_tmpfs
@pytest.mark.asyncio
async def test_a_disk_too_small_for_any_database_is_told_and_the_words_wait(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "300k") as disk:
        (disk / "ballast").write_bytes(bytes(200 * 1024))
        async with asyncio.timeout(DEADLINE_S), running(disk / "history.db") as (history, database):
            history.record(ConversationRecord(conversation_id="c"))
            history.record(turn(1))
            assert not await history.flush(deadline_s=1.0)
            assert "disk full" in history.health_check().reason
            assert history.waiting == 2
            (disk / "ballast").unlink()
            await asyncio.to_thread(grow, disk, "4m")
            assert await history.flush()
            assert [one.number for one in await TurnRepository(database).of_conversation("c")] == [1]
            assert database.quarantined is None, "a full disk is no damage"


@needs_strace
@pytest.mark.parametrize("nth", [1, 12, 60, 100])
def test_an_error_of_the_disk_costs_nothing_that_was_acknowledged(tmp_path: Path, nth: int) -> None:
    """The first two strike while the file is made, the others while it is used; `make store-faults` tries every one."""
    outcome = record_with_errors(tmp_path / "history.db", count=8, nth=nth)
    assert outcome.injected > 0, "nothing failed, so nothing was shown"
    assert bool(outcome.acknowledged) == (nth >= 60)
