"""usage.get: what was used, by day and model, and the caps."""

import time
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from voicebotd.conversation.records import UsageRecord
from voicebotd.store.database import Database
from voicebotd.store.usage import UsageRepository

pytestmark = pytest.mark.asyncio

TODAY = datetime.now().astimezone().date()
NOON_S = datetime.combine(TODAY, datetime.min.time()).timestamp() + 12 * 3600


@pytest.fixture
def open_books(open_box, tmp_path):
    @asynccontextmanager
    async def opened(*records: UsageRecord, words=()):
        database = Database(tmp_path / "history.db")
        await database.open()
        usage = UsageRepository(database)
        try:
            for record in records:
                await usage.create(record)
            async with open_box(*words, usage=usage) as box:
                yield box
        finally:
            await database.close()

    return opened


def used(source_id, *, days_ago=0, **what):
    at = NOON_S - days_ago * 86_400
    return UsageRecord(
        **{"conversation_id": "c", "source_id": source_id, "model": "gpt-realtime-2.1", "started_at": at, **what}
    )


async def test_today_is_told_by_model_and_kind_with_what_it_cost(open_books):
    records = (
        used("r1", input_text=10, cached_text=4, output_audio=100, usd=0.0064),
        used("r2", input_text=5, output_audio=50, usd=0.003202),
        used("u1", model="gpt-transcribe", kind="transcription", audio_s=30.0, usd=0.00225),
        used("r0", days_ago=1, output_audio=1, usd=1.0),
    )
    async with open_books(*records) as box:
        report = await box.call("usage.get")
    [day] = report["days"]
    assert (day["date"], day["usd"]) == (TODAY.isoformat(), 0.011852)
    response, transcription = day["models"]
    assert (response["model"], response["kind"], response["count"], response["usd"]) == (
        "gpt-realtime-2.1",
        "response",
        2,
        0.009602,
    )
    assert (response["input_text"], response["cached_text"], response["output_audio"]) == (15, 4, 150)
    assert (transcription["model"], transcription["audio_s"], transcription["usd"]) == ("gpt-transcribe", 30.0, 0.00225)


async def test_days_without_use_are_told_too_oldest_first(open_books):
    async with open_books(used("r1", days_ago=2, usd=0.5)) as box:
        report = await box.call("usage.get", days=4)
    dates = [(TODAY - timedelta(days=back)).isoformat() for back in (3, 2, 1, 0)]
    assert [day["date"] for day in report["days"]] == dates
    assert [day["usd"] for day in report["days"]] == [0.0, 0.5, 0.0, 0.0]


async def test_a_model_of_which_no_price_is_known_is_told_and_play_money_is_not_paid(open_books):
    records = (
        used("r1", model="llama-speaks", output_audio=100),
        used("r2", model="rehearsal/gpt-realtime-2.1", output_audio=100, usd=0.0064),
    )
    async with open_books(*records) as box:
        [day] = (await box.call("usage.get"))["days"]
    assert [(model["model"], model["priced"]) for model in day["models"]] == [
        ("llama-speaks", False),
        ("rehearsal/gpt-realtime-2.1", True),
    ]
    assert day["usd"] == 0.0


async def test_the_caps_are_told_with_what_is_left_of_the_nearest(open_books):
    async with open_books(words=("budget.daily_usd=2", "budget.session_usd=0.5")) as box:
        report = await box.call("usage.get")
    assert (report["daily_cap_usd"], report["session_cap_usd"]) == (2.0, 0.5)
    assert report["status"]["cap"] == "daily"
    assert report["status"]["fraction"] == 0.0


async def test_the_day_is_the_local_one(open_books, monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        today = datetime.now().astimezone().date()
        first = datetime.combine(today, datetime.min.time()).timestamp()
        records = (used("r1", started_at=first, usd=0.1), used("r2", started_at=first - 1, usd=0.2))
        async with open_books(*records) as box:
            report = await box.call("usage.get", days=2)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [day["usd"] for day in report["days"]] == [0.2, 0.1]


async def test_more_days_than_a_year_are_refused(open_books, fakes):
    async with open_books() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("usage.get", days=367)
    assert refused.value.kind == "rpc.invalid_params"
