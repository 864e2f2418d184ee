"""The book, as those who run the shop see it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from voicebotd.appointments.local import earliest, local
from voicebotd.appointments.records import Appointment, CallKey
from voicebotd.booking import Booking
from voicebotd.config.appointments import Appointments
from voicebotd.control.caller import Caller, Peer
from voicebotd.control.contract import METHODS
from voicebotd.control.dispatcher import Dispatcher
from voicebotd.control.handlers.appointments import appointment_handlers
from voicebotd.store.database import Database

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = local(int(time.time()), BERLIN).date()
ADMIN = Peer(pid=1, uid=0, gid=0, admin=True)
VISITOR = Peer(pid=2, uid=1000, gid=1000, admin=False)
Ask = Callable[..., Coroutine[Any, Any, Any]]


@pytest_asyncio.fixture
async def booking(tmp_path: Path) -> AsyncIterator[Booking]:
    database = Database(tmp_path / "voicebotd.db", busy_timeout_s=0.05)
    await database.open()
    settings = Appointments(time_zone="Europe/Berlin")
    yield Booking(database, lambda: settings)
    await database.close()


@pytest.fixture
def ask(booking: Booking) -> Ask:
    handlers = appointment_handlers(booking)
    dispatcher = Dispatcher(handlers, methods={name: METHODS[name] for name in handlers})

    async def asked(method: str, *, peer: Peer = ADMIN, **params: Any) -> Any:
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": f"appointments.{method}", "params": params}).encode()
        reply = await dispatcher.answer(line, Caller(peer=peer))
        assert reply is not None
        answer = json.loads(reply)
        return answer.get("result", answer.get("error"))

    return asked


async def book(booking: Booking, day: date, minute: int = 600, name: str = "Anna Meyer") -> Appointment:
    starts_at = earliest(day, minute, BERLIN)
    appointment = Appointment(
        appointment_id=f"{day} {minute}",
        code="417209",
        service="consultation",
        name=name,
        starts_at=starts_at,
        ends_at=starts_at + 1800,
        zone="Europe/Berlin",
        created_at=1,
        changed_at=1,
    )
    await booking.repository.book(appointment, CallKey(conversation_id="c", call_id=appointment.appointment_id))
    return appointment


@pytest.mark.asyncio
async def test_what_is_to_come_is_listed_from_today_on_in_order(booking: Booking, ask: Ask) -> None:
    for ahead in (2, -1, 0):
        await book(booking, TODAY + timedelta(days=ahead))
    listed = await ask("list")
    assert [entry["date"] for entry in listed["appointments"]] == [
        (TODAY + timedelta(days=ahead)).isoformat() for ahead in (0, 2)
    ]
    assert (listed["time_zone"], listed["more"]) == ("Europe/Berlin", False)
    assert (
        listed["appointments"][0] | {"time": "10:00", "until": "10:30", "name": "Anna Meyer", "code": "417209"}
        == (listed["appointments"][0])
    )


@pytest.mark.asyncio
async def test_a_list_is_narrowed_by_days_name_status_and_number(booking: Booking, ask: Ask) -> None:
    first, second = date(2026, 3, 4), date(2026, 3, 5)
    await book(booking, first)
    await book(booking, second, name="Otto Schulz")
    await ask("cancel", appointment_id="2026-03-05 600")

    async def days(**filters: Any) -> list[str]:
        return [entry["date"] for entry in (await ask("list", **{"from_date": "2026-01-01"} | filters))["appointments"]]

    assert await days() == ["2026-03-04", "2026-03-05"]
    assert await days(to_date="2026-03-04") == ["2026-03-04"]
    assert await days(from_date="2026-03-05") == ["2026-03-05"]
    assert await days(name="SCHULZ") == ["2026-03-05"]
    assert await days(status="booked") == ["2026-03-04"]
    assert await days(limit=1) == ["2026-03-04"]
    assert (await ask("list", from_date="2026-01-01", limit=1))["more"]


@pytest.mark.asyncio
async def test_a_day_that_is_none_is_named(ask: Ask) -> None:
    error = await ask("list", from_date="2026-02-30")
    assert error["message"] == "Invalid params: from_date: '2026-02-30' is not a day, YYYY-MM-DD, from 1970 to 2999"
    for text in ("soon", "9999-12-31", "0001-01-01"):
        assert (await ask("export", to_date=text))["code"] == -32602


@pytest.mark.asyncio
async def test_the_book_is_exported_as_a_calendar(booking: Booking, ask: Ask) -> None:
    await book(booking, TODAY)
    exported = await ask("export")
    assert exported["count"] == 1
    assert "SUMMARY:consultation: Anna Meyer\r\n" in exported["calendar"]


@pytest.mark.asyncio
async def test_an_appointment_is_cancelled_once(booking: Booking, ask: Ask) -> None:
    made = await book(booking, TODAY)
    answer = await ask("cancel", appointment_id=made.appointment_id)
    assert answer["appointment"]["status"] == "cancelled"
    assert answer["appointment"]["changed_at"] > made.changed_at
    kinds = [(await ask("cancel", appointment_id=each))["data"]["kind"] for each in (made.appointment_id, "nobody")]
    assert kinds == ["appointments.not_found"] * 2


@pytest.mark.asyncio
async def test_members_of_the_group_may_look_and_only_an_administrator_may_export_or_cancel(ask: Ask) -> None:
    assert (await ask("list", peer=VISITOR))["appointments"] == []
    for method, params in (("export", {}), ("cancel", {"appointment_id": "x"})):
        assert (await ask(method, peer=VISITOR, **params))["data"]["kind"] == "rpc.permission"


@pytest.mark.asyncio
async def test_a_book_that_cannot_be_read_is_told_as_such(booking: Booking, ask: Ask, tmp_path: Path) -> None:
    await booking.repository._database.close()
    for method, params in (("list", {}), ("export", {}), ("cancel", {"appointment_id": "x"})):
        assert (await ask(method, **params))["data"]["kind"] == "appointments.unavailable"
