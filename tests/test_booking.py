"""From settings to rules, the machine's own zone, codes, and the forgetting of what is long over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from voicebotd import booking
from voicebotd.appointments.records import Appointment, CallKey
from voicebotd.appointments.shop import DaysOff, Service
from voicebotd.booking import Booking, machine_zone, new_code, shop_of
from voicebotd.config.appointments import Appointments
from voicebotd.store.database import Database

DEADLINE_S = 10.0
UTC = ZoneInfo("UTC")


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "voicebotd.db", busy_timeout_s=0.05)
    await database.open()
    yield database
    await database.close()


async def book(kept: Booking, days_ago: int) -> None:
    ends_at = int(time.time()) - days_ago * 86_400 - 60
    appointment = Appointment(
        appointment_id=f"{days_ago} days ago",
        code="417209",
        service="consultation",
        name="Anna Meyer",
        starts_at=ends_at - 1800,
        ends_at=ends_at,
        zone="UTC",
    )
    await kept.repository.book(appointment, CallKey(conversation_id="c", call_id=str(days_ago)))


async def left(kept: Booking) -> list[str]:
    return [each.appointment_id for each in await kept.repository.get_all()]


def test_the_defaults_are_the_users_own_services_and_hours() -> None:
    shop = shop_of(Appointments(), lambda: UTC)
    assert shop.services == (
        Service(name="consultation", minutes=30),
        Service(name="basic", minutes=60),
        Service(name="premium", minutes=120),
    )
    assert (shop.opens, shop.closes, shop.weekdays, shop.zone) == (540, 1020, frozenset(range(5)), UTC)


def test_everything_that_is_configured_is_a_rule() -> None:
    settings = Appointments(
        time_zone="America/New_York",
        close="24:00",
        days=["sat"],
        breaks=["12:00-13:30"],
        days_off=["2026-12-24", "2026-12-27/2027-01-02", "02-29"],
        horizon_days=7,
        notice_minutes=15,
        slot_minutes=20,
    )
    shop = shop_of(settings, lambda: UTC)
    assert (shop.zone.key, shop.closes, shop.weekdays, shop.breaks) == (
        "America/New_York",
        1440,
        frozenset({5}),
        ((720, 810),),
    )
    assert shop.days_off == (
        DaysOff(first=date(2026, 12, 24), last=date(2026, 12, 24)),
        DaysOff(first=date(2026, 12, 27), last=date(2027, 1, 2)),
        DaysOff(first=date(2000, 2, 29), last=date(2000, 2, 29), every_year=True),
    )
    assert (shop.horizon_days, shop.notice_minutes, shop.slot_minutes) == (7, 15, 20)


def test_the_machines_zone_is_what_it_was_told_or_what_its_clock_is_linked_to(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    assert machine_zone({}, link).key == "UTC"
    link.symlink_to("/usr/share/zoneinfo/America/New_York")
    assert machine_zone({}, link).key == "America/New_York"
    assert machine_zone({"TZ": ":Europe/Berlin"}, link).key == "Europe/Berlin"
    assert machine_zone({"TZ": "CET-1CEST"}, link).key == "America/New_York"
    link.unlink()
    link.symlink_to("/usr/share/zoneinfo/Mars/Olympus")
    assert machine_zone({"TZ": "../etc/passwd"}, link).key == "UTC"


def test_a_code_has_six_digits_and_is_hard_to_guess() -> None:
    codes = {new_code() for _ in range(1000)}
    assert all(len(code) == 6 and code.isdecimal() and code[0] != "0" for code in codes)
    assert len(codes) > 980


@pytest.mark.asyncio
async def test_nothing_is_forgotten_unless_that_is_asked_for(database: Database) -> None:
    kept = Booking(database, Appointments)
    await book(kept, 4000)
    assert (await kept.forget(), await left(kept)) == (0, ["4000 days ago"])


@pytest.mark.asyncio
async def test_what_is_over_for_longer_than_it_is_kept_is_forgotten_as_soon_as_it_runs(database: Database) -> None:
    kept = Booking(database, lambda: Appointments(keep_days=30))
    for days_ago in (29, 31):
        await book(kept, days_ago)
    running = asyncio.create_task(kept.run())
    async with asyncio.timeout(DEADLINE_S):
        while await left(kept) != ["29 days ago"]:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


@pytest.mark.asyncio
async def test_a_database_that_fails_is_asked_again_later(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(booking, "FORGET_EVERY_S", 0)
    kept = Booking(database, lambda: Appointments(keep_days=30))
    await book(kept, 31)
    await database.close()
    running = asyncio.create_task(kept.run())
    await asyncio.sleep(0)
    await database.open()
    async with asyncio.timeout(DEADLINE_S):
        while await left(kept):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
