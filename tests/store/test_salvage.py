"""From a damaged database every appointment is taken over that can still be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from voicebotd.appointments.records import Appointment, CallKey, OverlapError
from voicebotd.store.appointments import AppointmentRepository
from voicebotd.store.database import Database
from voicebotd.store.salvage import salvage

MANY = 400
"""More than a page holds."""


def appointment(number: int) -> Appointment:
    return Appointment(
        appointment_id=f"{number:06d}",
        code=f"{number:06d}",
        service="consultation",
        name=f"Visitor {number}",
        starts_at=number * 1800,
        ends_at=(number + 1) * 1800,
        zone="Europe/Berlin",
    )


async def fill(path: Path, many: int = MANY) -> None:
    database = Database(path)
    await database.open()
    async with database.transaction() as transaction:
        for number in range(many):
            await transaction.execute(
                "INSERT INTO appointments VALUES (:appointment_id, :code, :service, :name, :starts_at, :ends_at, :zone,"
                " :status, :created_at, :changed_at)",
                appointment(number).to_dict(),
            )
    await AppointmentRepository(database).book(appointment(many), CallKey(conversation_id="c", call_id="k"))
    await database.close()


def damage(path: Path, table: str) -> None:
    """Overwrite a page of the table in the middle of its rows."""
    with closing(sqlite3.connect(path)) as database:
        [(size,)] = database.execute("PRAGMA page_size").fetchall()
        pages = [
            number
            for (number,) in database.execute(
                "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (table,)
            )
        ]
    with path.open("r+b") as file:
        file.seek((pages[len(pages) // 2] - 1) * size)
        file.write(b"\xff" * size)


def has_dbstat() -> bool:
    with closing(sqlite3.connect(":memory:")) as database:
        return bool(database.execute("SELECT count(*) FROM pragma_module_list WHERE name = 'dbstat'").fetchone()[0])


@pytest.mark.asyncio
@pytest.mark.skipif(not has_dbstat(), reason="this SQLite cannot tell which page belongs to which table")
async def test_what_lies_on_both_sides_of_a_damaged_page_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "voicebotd.db"
    await fill(path)
    damage(path, "appointments")
    database = Database(path)
    await database.open()
    book = AppointmentRepository(database)
    kept = {each.appointment_id for each in await book.get_all()}
    assert database.quarantined is not None
    assert MANY / 2 < len(kept) < MANY
    assert {"000000", f"{MANY:06d}"} <= kept
    assert await book.change_by(CallKey(conversation_id="c", call_id="k")) is not None
    with pytest.raises(OverlapError):
        await book.book(
            replace(appointment(0), appointment_id="another"), CallKey(conversation_id="c", call_id="another")
        )
    await database.close()


@pytest.mark.asyncio
@pytest.mark.skipif(not has_dbstat(), reason="this SQLite cannot tell which page belongs to which table")
async def test_damage_elsewhere_costs_no_appointment(tmp_path: Path) -> None:
    path = tmp_path / "voicebotd.db"
    await fill(path, 10)
    damage(path, "turns_in_order")
    database = Database(path)
    await database.open()
    assert database.quarantined is not None
    assert len(await AppointmentRepository(database).get_all()) == 11
    await database.close()


@pytest.mark.asyncio
async def test_a_file_that_is_no_database_any_more_costs_everything_and_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "voicebotd.db"
    await fill(path, 1)
    path.write_bytes(b"\xff" * 8192)
    database = Database(path)
    await database.open()
    assert await AppointmentRepository(database).get_all() == []
    await database.close()


@pytest.mark.asyncio
async def test_what_is_not_in_the_file_yet_but_in_its_log_is_taken_over(tmp_path: Path) -> None:
    path, fresh = tmp_path / "voicebotd.db", tmp_path / "fresh.db"
    database, other = Database(path), Database(fresh)
    await database.open()
    await other.open()
    await AppointmentRepository(database).book(appointment(1), CallKey(conversation_id="c", call_id="k"))
    assert path.with_name(f"{path.name}-wal").stat().st_size > 0
    assert salvage(path, fresh) == 1
    assert [each.appointment_id for each in await AppointmentRepository(other).get_all()] == ["000001"]
    await database.close()
    await other.close()


@pytest.mark.asyncio
async def test_what_is_no_appointment_is_left_behind(tmp_path: Path) -> None:
    damaged, fresh = tmp_path / "damaged.db", tmp_path / "fresh.db"
    with closing(sqlite3.connect(damaged)) as source, source:
        source.execute("CREATE TABLE appointments AS SELECT 'a1' AS appointment_id, 'garbage' AS starts_at")
        source.execute("CREATE TABLE appointment_changes AS SELECT 'c' AS conversation_id, 'k' AS call_id")
    database = Database(fresh)
    await database.open()
    assert salvage(damaged, fresh) == 0
    assert await AppointmentRepository(database).get_all() == []
    await database.close()


@pytest.mark.asyncio
async def test_a_fresh_database_that_cannot_be_written_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Path) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("voicebotd.store.database.salvage", fail)
    path = tmp_path / "voicebotd.db"
    await fill(path, 1)
    path.write_bytes(b"\xff" * 8192)
    database = Database(path)
    await database.open()
    assert await AppointmentRepository(database).get_all() == []
    await database.close()


@pytest.mark.asyncio
async def test_what_was_spent_is_taken_over_so_that_a_cap_still_holds(tmp_path: Path) -> None:
    damaged, fresh = tmp_path / "damaged.db", tmp_path / "fresh.db"
    await fill(damaged, 1)
    await _begin(fresh)
    with closing(sqlite3.connect(damaged)) as database:
        database.execute(
            "INSERT INTO usage VALUES (NULL, 'c', 'r', 'response', 'm', 1, 2, 3, 4, 5, 6, 7.0, 0.25, 100.0)"
        )
        database.commit()
    assert salvage(damaged, fresh) == 2
    with closing(sqlite3.connect(fresh)) as database:
        assert database.execute("SELECT conversation_id, usd FROM usage").fetchall() == [("c", 0.25)]


async def _begin(path: Path) -> None:
    database = Database(path)
    await database.open()
    await database.close()
