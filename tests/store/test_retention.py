"""What was kept long enough goes when the daemon starts, when the days are changed, and every night."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from voicebotd.store import retention as module
from voicebotd.store.database import Database
from voicebotd.store.faults import StoreError
from voicebotd.store.purge import Purge, Purged
from voicebotd.store.retention import DAY_S, Retention

DEADLINE_S = 5.0
NOTHING = Purged(conversations=0, turns=0, tool_calls=0, copies=(), recordings=0, traces="")


class FakePurge(Purge):
    """Takes notes of how many days each purge keeps."""

    def __init__(self) -> None:
        self.kept_days: asyncio.Queue[float] = asyncio.Queue()
        self.fault: StoreError | None = None
        self.traces = ""

    async def older_than(self, limit: float, *, compact: bool = False) -> Purged:
        self.kept_days.put_nowait(round((time.time() - limit) / DAY_S, 3))
        if self.fault is not None:
            raise self.fault
        return replace(NOTHING, traces=self.traces)

    async def next(self) -> float:
        return await asyncio.wait_for(self.kept_days.get(), DEADLINE_S)


class FakeDatabase(Database):
    def __init__(self, *faults: StoreError) -> None:
        self.faults = list(faults)

    async def check(self) -> None:
        if self.faults:
            raise self.faults.pop()


@asynccontextmanager
async def running(purge: FakePurge, *, days: int | None, database: Database | None = None) -> AsyncIterator[Retention]:
    retention = Retention(database or FakeDatabase(), purge, days=days)
    task = asyncio.create_task(retention.run())
    yield retention
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_it_removes_at_the_start_and_then_waits_for_the_night(monkeypatch: pytest.MonkeyPatch) -> None:
    nights = iter([0.01, 0.01])
    monkeypatch.setattr(module, "seconds_to_night", lambda *_, **__: next(nights, 3600.0 * 20))
    purge = FakePurge()
    async with running(purge, days=30):
        assert [await purge.next() for _ in range(3)] == [30.0, 30.0, 30.0]
        await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0))})
        assert purge.kept_days.empty()


@pytest.mark.asyncio
async def test_a_change_of_the_days_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    purge = FakePurge()
    async with running(purge, days=30) as retention:
        assert await purge.next() == 30.0
        retention.set_days(7)
        assert await purge.next() == 7.0


@pytest.mark.asyncio
async def test_nothing_is_removed_where_it_is_kept_for_ever() -> None:
    purge = FakePurge()
    async with running(purge, days=None) as retention:
        retention.set_days(None)
        await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0))})
        retention.set_days(1)
        assert await purge.next() == 1.0


@pytest.mark.asyncio
async def test_a_database_that_cannot_be_used_is_told_and_tried_again_the_next_night() -> None:
    purge = FakePurge()
    purge.fault = StoreError("the disk is full", fault="disk_full", hint="free some space")
    with capture_logs() as logs:
        async with running(purge, days=30) as retention:
            await purge.next()
            purge.fault = None
            retention.set_days(29)
            assert await purge.next() == 29.0
    assert [(line["event"], line["reason"]) for line in logs] == [
        ("old history could not be removed", "the disk is full")
    ]


@pytest.mark.asyncio
async def test_traces_that_stay_are_told_with_the_remedy() -> None:
    purge = FakePurge()
    purge.traces = "in unused space"
    with capture_logs() as logs:
        async with running(purge, days=30) as retention:
            await purge.next()
            retention.set_days(29)
            await purge.next()
    assert (logs[0]["where"], "history purge 30 --compact" in logs[0]["hint"]) == ("in unused space", True)


@pytest.mark.asyncio
async def test_nothing_is_removed_from_a_damaged_database_before_it_is_mended() -> None:
    purge = FakePurge()
    database = FakeDatabase(StoreError("damaged", fault="corrupt"))
    with capture_logs() as logs:
        async with running(purge, days=30, database=database) as retention:
            while database.faults:
                await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0))})
            retention.set_days(29)
            assert await purge.next() == 29.0
    assert [line["reason"] for line in logs] == ["damaged"]


@pytest.mark.asyncio
async def test_a_long_wait_looks_at_the_clock_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A box that slept, or whose clock was set, finds its night all the same."""
    monkeypatch.setattr(module, "LONGEST_SLEEP_S", 0.01)
    left = iter([0.05, 0.03, 0.005])
    monkeypatch.setattr(module, "seconds_to_night", lambda *_, **__: next(left, 3600.0))
    purge = FakePurge()
    async with running(purge, days=30):
        assert [await purge.next() for _ in range(2)] == [30.0, 30.0]
        assert next(left, None) is None
