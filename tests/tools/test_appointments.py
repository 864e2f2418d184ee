"""The five functions as the model has them: their schema, a call of each, and what it is told when the book fails."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from voicebotd.appointments.reception import Reception
from voicebotd.appointments.shop import Service, Shop
from voicebotd.errors import ToolError
from voicebotd.store.appointments import AppointmentRepository
from voicebotd.store.database import Database
from voicebotd.tools.appointments import GROUP, AppointmentTools
from voicebotd.tools.registry import Call, Tool, make_all

SHOP = Shop(
    zone=ZoneInfo("Europe/Berlin"),
    services=(Service(name="consultation", minutes=30),),
    opens=9 * 60,
    closes=17 * 60,
    weekdays=frozenset(range(5)),
)
NOW = datetime(2026, 3, 2, 7, 10, tzinfo=UTC).timestamp()
WISH = {"service": "consultation", "date": "2026-03-03", "time": "10:00", "name": "Anna Meyer"}


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "voicebotd.db", busy_timeout_s=0.05)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def tools(database: Database) -> dict[str, Tool]:
    numbers = count(1)
    reception = Reception(
        book=AppointmentRepository(database),
        shop=lambda: SHOP,
        now=lambda: NOW,
        new_id=lambda: f"a{next(numbers)}",
        new_code=lambda: "417209",
    )
    functions = AppointmentTools(reception).functions
    return {tool.name: tool for tool in make_all(functions, source="test", group=GROUP, ours=True)}


async def use(tool: Tool, call_id: str = "k1", **arguments: str) -> Any:
    return await tool.bind(json.dumps(arguments), Call(call_id=call_id, conversation_id="c1"))()


def test_the_model_sees_five_functions_and_each_argument_explained(tools: dict[str, Tool]) -> None:
    assert list(tools) == [
        "check_availability",
        "schedule_appointment",
        "reschedule_appointment",
        "cancel_appointment",
        "find_appointments",
    ]
    required = {name: tool.parameters.get("required", []) for name, tool in tools.items()}
    assert required == {
        "check_availability": [],
        "schedule_appointment": ["service", "date", "time", "name"],
        "reschedule_appointment": ["name", "code", "date", "time"],
        "cancel_appointment": ["name", "code"],
        "find_appointments": ["name", "code"],
    }
    for tool in tools.values():
        assert all(field["description"] for field in tool.parameters["properties"].values())
        assert "call" not in tool.parameters["properties"]
        assert "self" not in tool.parameters["properties"]


@pytest.mark.asyncio
async def test_a_visitor_looks_books_finds_moves_and_cancels(tools: dict[str, Tool]) -> None:
    free = await use(tools["check_availability"], service="consultation", date="tomorrow")
    assert "10:00" in free["days"][0]["free"]
    booked = await use(tools["schedule_appointment"], **WISH)
    assert (booked["status"], booked["appointment"]["code"]) == ("booked", "417209")
    theirs = {"name": "Anna Meyer", "code": "417 209"}
    assert (await use(tools["find_appointments"], **theirs))["status"] == "found"
    moved = await use(tools["reschedule_appointment"], "k2", **theirs, date="2026-03-04", time="11:00")
    assert moved["status"] == "rescheduled"
    assert (await use(tools["cancel_appointment"], "k3", **theirs))["status"] == "cancelled"


@pytest.mark.asyncio
async def test_a_call_that_comes_twice_books_once(tools: dict[str, Tool], database: Database) -> None:
    answers = [await use(tools["schedule_appointment"], **WISH) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(await AppointmentRepository(database).get_all()) == 1


@pytest.mark.asyncio
async def test_calls_without_a_name_are_wishes_of_their_own(tools: dict[str, Tool], database: Database) -> None:
    for time in ("10:00", "11:00"):
        await use(tools["schedule_appointment"], "", **(WISH | {"time": time}))
    assert len(await AppointmentRepository(database).get_all()) == 2


@pytest.mark.asyncio
async def test_a_book_that_cannot_be_used_is_told_in_words_that_promise_nothing(
    tools: dict[str, Tool], database: Database
) -> None:
    await database.close()
    theirs = {"name": "Anna Meyer", "code": "417209"}
    told = {}
    for name, arguments in {
        "check_availability": {"service": "consultation"},
        "schedule_appointment": WISH,
        "reschedule_appointment": theirs | {"date": "2026-03-04", "time": "11:00"},
        "cancel_appointment": theirs,
        "find_appointments": theirs,
    }.items():
        with pytest.raises(ToolError) as caught:
            await use(tools[name], **arguments)
        told[name] = caught.value.message
    assert "Do not guess" in told["check_availability"]
    assert told["find_appointments"] == told["check_availability"]
    for name, what in {"schedule": "book", "reschedule": "change it", "cancel": "cancel it"}.items():
        message = told[f"{name}_appointment"]
        assert message.startswith("It could not be saved. Do not say that it is done.")
        assert f"you cannot {what} at the moment" in message


async def outcome(tool: Tool, number: int) -> str:
    """Book a time of its own for each number; return the status, or what the model is told instead."""
    day = datetime(2026, 3, 3, tzinfo=UTC) + timedelta(days=7 * (number // 16))
    when = {"date": day.date().isoformat(), "time": f"{9 + number % 16 // 2:02d}:{number % 2 * 30:02d}"}
    try:
        return str((await use(tool, f"k{number}", **(WISH | when)))["status"])
    except ToolError as error:
        return error.message.partition(".")[0]


@pytest.mark.asyncio
async def test_a_locked_database_is_told_and_is_used_again_when_it_is_free(
    tools: dict[str, Tool], database: Database
) -> None:
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await outcome(tools["schedule_appointment"], 1) == "It could not be saved"
    assert await AppointmentRepository(database).get_all() == []
    assert await outcome(tools["schedule_appointment"], 1) == "booked"


@pytest.mark.asyncio
async def test_on_a_full_disk_what_is_booked_is_on_it_and_the_others_are_told(
    tools: dict[str, Tool], database: Database
) -> None:
    async with database.transaction() as transaction:
        [row] = await transaction.execute_fetchall("PRAGMA page_count")
        await transaction.execute_fetchall(f"PRAGMA max_page_count = {row[0]}")
    outcomes = [await outcome(tools["schedule_appointment"], number) for number in range(150)]
    assert set(outcomes) == {"booked", "It could not be saved"}
    assert len(await AppointmentRepository(database).get_all()) == outcomes.count("booked")
    async with database.transaction() as transaction:
        await transaction.execute_fetchall("PRAGMA max_page_count = 1000000")
    assert await outcome(tools["schedule_appointment"], 149) == "booked"
