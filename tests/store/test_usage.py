"""What was used outlives the conversation that used it, and is summed from a moment on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from voicebotd.conversation.records import ConversationRecord, UsageRecord
from voicebotd.store.base import BaseRepository
from voicebotd.store.conversations import ConversationRepository
from voicebotd.store.database import Database
from voicebotd.store.usage import UsageRepository

ANSWER = UsageRecord(
    conversation_id="c",
    source_id="r1",
    kind="response",
    model="m",
    input_text=1,
    input_audio=2,
    cached_text=3,
    cached_audio=4,
    output_text=5,
    output_audio=6,
    audio_s=7.5,
    usd=0.5,
    started_at=100.0,
)


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "history.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def usage(database: Database) -> UsageRepository:
    return UsageRepository(database)


@pytest.mark.asyncio
async def test_usage_comes_back_equal_and_needs_no_conversation(usage: UsageRepository) -> None:
    await usage.create(ANSWER)
    assert await usage.get_by_id("c", "r1") == ANSWER
    assert isinstance(usage, BaseRepository)


@pytest.mark.asyncio
async def test_a_response_that_is_told_twice_is_paid_once(usage: UsageRepository) -> None:
    await usage.save(ANSWER)
    await usage.save(replace(ANSWER, usd=0.75))
    assert await usage.spent_usd(0.0) == 0.75


@pytest.mark.asyncio
async def test_what_a_deleted_conversation_cost_was_spent_all_the_same(
    database: Database, usage: UsageRepository
) -> None:
    conversations = ConversationRepository(database)
    await conversations.create(ConversationRecord(conversation_id="c"))
    await usage.create(ANSWER)
    await conversations.delete("c")
    assert await usage.of_conversation("c") == [ANSWER]
    assert await usage.spent_usd(0.0) == 0.5


@pytest.mark.asyncio
async def test_the_sum_begins_at_its_moment_and_is_nothing_where_nothing_was_used(usage: UsageRepository) -> None:
    assert await usage.spent_usd(0.0) == 0.0
    for number, started_at in enumerate((99.0, 100.0, 101.0)):
        await usage.create(replace(ANSWER, source_id=f"r{number}", started_at=started_at, usd=2.0**number))
    assert await usage.spent_usd(100.0) == 6.0


@pytest.mark.asyncio
async def test_usage_between_two_moments_has_the_first_and_not_the_second(usage: UsageRepository) -> None:
    for number, started_at in enumerate((103.0, 100.0, 102.0, 99.0)):
        await usage.create(replace(ANSWER, source_id=f"r{number}", started_at=started_at))
    assert [used.started_at for used in await usage.between(100.0, 103.0)] == [100.0, 102.0]


@pytest.mark.asyncio
async def test_a_days_sum_is_read_from_the_index_alone(database: Database) -> None:
    [*steps] = await database.fetch("EXPLAIN QUERY PLAN SELECT total(usd) FROM usage WHERE started_at >= 1")
    assert [step["detail"] for step in steps] == ["SEARCH usage USING COVERING INDEX usage_by_time (started_at>?)"]
