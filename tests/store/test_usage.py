"""What was used outlives the conversation that used it, and is summed from a moment on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    assert await usage.spent(0.0, 101.0, rehearsed=False) == 750_000_000


@pytest.mark.asyncio
async def test_what_a_conversation_used_is_summed_and_nothing_is_nothing(usage: UsageRepository) -> None:
    for name in ("r1", "r2"):
        await usage.create(replace(ANSWER, source_id=name))
    await usage.create(replace(ANSWER, conversation_id="other"))
    total = await usage.total("c")
    assert (total.input_text, total.output_audio, total.audio_s, total.usd) == (2, 12, 15.0, 1.0)
    assert await usage.total("nobody") == UsageRecord(conversation_id="nobody", source_id="")


@pytest.mark.asyncio
async def test_what_a_deleted_conversation_cost_was_spent_all_the_same(
    database: Database, usage: UsageRepository
) -> None:
    conversations = ConversationRepository(database)
    await conversations.create(ConversationRecord(conversation_id="c"))
    await usage.create(ANSWER)
    await conversations.delete("c")
    assert await usage.of_conversation("c") == [ANSWER]
    assert await usage.spent(0.0, 101.0, rehearsed=False) == 500_000_000


@pytest.mark.asyncio
async def test_the_sum_is_of_a_stretch_and_nothing_where_nothing_was_used(usage: UsageRepository) -> None:
    assert await usage.spent(0.0, 101.0, rehearsed=False) == 0
    for number, started_at in enumerate((99.0, 100.0, 101.0)):
        await usage.create(replace(ANSWER, source_id=f"r{number}", started_at=started_at, usd=2.0**number))
    assert await usage.spent(100.0, 101.0, rehearsed=False) == 2_000_000_000


@pytest.mark.asyncio
async def test_usage_between_two_moments_has_the_first_and_not_the_second(usage: UsageRepository) -> None:
    for number, started_at in enumerate((103.0, 100.0, 102.0, 99.0)):
        await usage.create(replace(ANSWER, source_id=f"r{number}", started_at=started_at))
    assert [used.started_at for used in await usage.between(100.0, 103.0)] == [100.0, 102.0]


@pytest.mark.asyncio
async def test_a_days_sum_is_read_by_the_index(
    database: Database, usage: UsageRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Any]] = []
    fetch = database.fetch

    async def spied(sql: str, parameters: Any = ()) -> Any:
        asked.append((sql, parameters))
        return await fetch(sql, parameters)

    monkeypatch.setattr(database, "fetch", spied)
    await usage.spent(0.0, 1.0, rehearsed=False)
    [(sql, parameters)] = asked
    [step] = await fetch(f"EXPLAIN QUERY PLAN {sql}", parameters)
    assert step["detail"] == "SEARCH usage USING INDEX usage_by_time (started_at>? AND started_at<?)"


@pytest.mark.asyncio
async def test_a_sum_of_thousands_is_exact(usage: UsageRepository) -> None:
    for number in range(1000):
        await usage.create(replace(ANSWER, source_id=f"r{number}", usd=0.000_000_1))
    assert await usage.spent(0.0, 101.0, rehearsed=False) == 100_000, "0.1 of a millionth, a thousand times"


@pytest.mark.asyncio
async def test_play_money_is_counted_apart(usage: UsageRepository) -> None:
    await usage.create(ANSWER)
    await usage.create(replace(ANSWER, source_id="r2", model="rehearsal/m", usd=0.25))
    assert await usage.spent(0.0, 101.0, rehearsed=False) == 500_000_000
    assert await usage.spent(0.0, 101.0, rehearsed=True) == 250_000_000


@pytest.mark.asyncio
async def test_days_are_added_up_by_model_and_kind(usage: UsageRepository) -> None:
    noon = time.mktime((2026, 11, 28, 12, 0, 0, 0, 0, -1))
    written = replace(ANSWER, source_id="u1", model="scribe", kind="transcription")
    for record, at in ((ANSWER, noon), (replace(ANSWER, source_id="r2"), noon + 60), (written, noon)):
        await usage.create(replace(record, started_at=at))
    await usage.create(replace(ANSWER, source_id="r3", started_at=noon + 86_400))
    await usage.create(replace(ANSWER, source_id="r4", started_at=noon - 86_400))
    found = await usage.by_day(noon)
    assert [(day.day, day.model, day.kind, day.count) for day in found] == [
        ("2026-11-28", "m", "response", 2),
        ("2026-11-28", "scribe", "transcription", 1),
        ("2026-11-29", "m", "response", 1),
    ]
    assert (found[0].input_audio, found[0].audio_s, found[0].nano_usd) == (4, 15.0, 1_000_000_000)
