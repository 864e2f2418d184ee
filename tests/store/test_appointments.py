"""The book: no overlap by the database's own rule, each call once, and every write whole or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebotd.appointments.records import Appointment, CallKey, GoneError, OverlapError, Taken
from voicebotd.conversation.records import ConversationRecord
from voicebotd.store.appointments import LOCK_ATTEMPTS, AppointmentRepository
from voicebotd.store.conversations import ConversationRepository
from voicebotd.store.database import Database
from voicebotd.store.faults import StoreError
from voicebotd.store.schema import load_migrations

HALF_HOUR_S = 1800
_numbers = count(1)


def appointment(slot: int = 0, slots: int = 1, **more: object) -> Appointment:
    number = next(_numbers)
    fields = {
        "appointment_id": f"a{number}",
        "code": f"{number:06d}",
        "service": "consultation",
        "name": f"Visitor {number}",
        "starts_at": slot * HALF_HOUR_S,
        "ends_at": (slot + slots) * HALF_HOUR_S,
        "zone": "Europe/Berlin",
        "created_at": 7,
        "changed_at": 7,
    }
    return Appointment(**(fields | more))


def call() -> CallKey:
    return CallKey(conversation_id="c1", call_id=f"call{next(_numbers)}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "voicebotd.db"


@pytest_asyncio.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = Database(path, busy_timeout_s=0.05)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def book(database: Database) -> AppointmentRepository:
    return AppointmentRepository(database)


@pytest.mark.asyncio
async def test_what_is_booked_is_on_record_as_it_was_given(book: AppointmentRepository) -> None:
    made = appointment()
    change = await book.book(made, call())
    assert (change.action, change.appointment, change.was_at) == ("booked", made, made.starts_at)
    assert await book.get_by_id(made.appointment_id) == made
    assert await book.with_code(made.code) == [made]
    assert await book.starting_at(made.starts_at) == made


@pytest.mark.asyncio
@pytest.mark.parametrize(("slot", "slots"), [(4, 4), (3, 2), (7, 3), (5, 1), (2, 9)])
async def test_a_time_of_which_any_part_is_taken_cannot_be_booked(
    book: AppointmentRepository, slot: int, slots: int
) -> None:
    await book.book(appointment(4, 4), call())
    with pytest.raises(OverlapError):
        await book.book(appointment(slot, slots), call())
    assert len(await book.get_all()) == 1


@pytest.mark.asyncio
async def test_times_that_only_touch_do_not_overlap(book: AppointmentRepository) -> None:
    for slot in (4, 6, 5):
        await book.book(appointment(slot), call())
    assert await book.taken(5 * HALF_HOUR_S, 6 * HALF_HOUR_S) == [Taken(starts_at=9000, ends_at=10800)]


@pytest.mark.asyncio
async def test_the_database_itself_refuses_an_overlap_to_any_program(book: AppointmentRepository, path: Path) -> None:
    await book.book(appointment(4, 2), call())
    await book.book(appointment(8), call())
    with closing(sqlite3.connect(path)) as other:
        insert = "INSERT INTO appointments SELECT 'x', code, service, name, 9000, 10800, zone, status, 0, 0"
        update = "UPDATE appointments SET starts_at = 9000, ends_at = 12600 WHERE starts_at = 14400"
        for statement in (f"{insert} FROM appointments WHERE starts_at = 7200", update):
            with pytest.raises(sqlite3.IntegrityError, match="appointments overlap"):
                other.execute(statement)
        other.execute("UPDATE appointments SET status = 'cancelled' WHERE starts_at = 7200")
        other.execute("UPDATE appointments SET starts_at = 9000, ends_at = 12600 WHERE starts_at = 14400")
        with pytest.raises(sqlite3.IntegrityError, match="appointments overlap"):
            other.execute("UPDATE appointments SET status = 'booked' WHERE starts_at = 7200")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "wrong", [{"ends_at": 0}, {"ends_at": 90_000}, {"starts_at": "soon"}, {"status": "perhaps"}, {"name": None}]
)
async def test_a_record_that_is_no_appointment_is_refused(
    book: AppointmentRepository, wrong: dict[str, object]
) -> None:
    with pytest.raises(StoreError) as caught:
        await book.book(appointment(**wrong), call())
    assert caught.value.fault == "conflict"


@pytest.mark.asyncio
async def test_the_same_call_books_once_and_answers_what_it_did_then(book: AppointmentRepository) -> None:
    key, made = call(), appointment(4)
    first = await book.book(made, key)
    await book.move(replace(made, starts_at=18_000, ends_at=19_800, changed_at=8), call())
    await book.cancel(replace(made, changed_at=9), call())
    assert await book.book(appointment(4), key) == first
    assert await book.change_by(key) == first
    assert len(await book.get_all()) == 1


@pytest.mark.asyncio
async def test_the_same_call_at_the_same_time_books_once(book: AppointmentRepository) -> None:
    key = call()
    changes = await asyncio.gather(*(book.book(appointment(slot), key) for slot in range(5)))
    assert len(await book.get_all()) == 1
    assert changes == [changes[0]] * 5


@pytest.mark.asyncio
async def test_two_conversations_may_have_a_call_of_the_same_id(book: AppointmentRepository) -> None:
    for number in range(2):
        await book.book(appointment(number), CallKey(conversation_id=f"c{number}", call_id="call_1"))
    assert len(await book.get_all()) == 2


@pytest.mark.asyncio
async def test_a_move_gives_the_old_time_free_and_remembers_it(book: AppointmentRepository) -> None:
    key, made = call(), appointment(4)
    await book.book(made, call())
    moved = replace(made, starts_at=9000, ends_at=10_800, changed_at=8)
    change = await book.move(moved, key)
    assert (change.action, change.appointment, change.was_at) == ("moved", moved, made.starts_at)
    assert await book.move(moved, key) == change
    await book.book(appointment(4), call())


@pytest.mark.asyncio
async def test_a_move_onto_another_appointment_changes_nothing(book: AppointmentRepository) -> None:
    made = appointment(4)
    await book.book(made, call())
    await book.book(appointment(5), call())
    with pytest.raises(OverlapError):
        await book.move(replace(made, ends_at=9001), call())
    assert await book.get_by_id(made.appointment_id) == made


@pytest.mark.asyncio
async def test_what_is_cancelled_takes_no_time_and_cannot_be_changed(book: AppointmentRepository) -> None:
    made, key = appointment(4), call()
    await book.book(made, call())
    change = await book.cancel(replace(made, changed_at=9), key)
    assert change.appointment == replace(made, status="cancelled", changed_at=9)
    assert await book.cancel(made, key) == change
    for act in (book.cancel, book.move):
        with pytest.raises(GoneError):
            await act(made, call())
    with pytest.raises(GoneError):
        await book.cancel(appointment(9), call())
    assert (await book.taken(0, 10**9), await book.starting_at(7200)) == ([], None)
    await book.book(appointment(4), call())


@pytest.mark.asyncio
async def test_a_stretch_of_the_book_is_read_in_order(book: AppointmentRepository) -> None:
    made = [appointment(slot) for slot in (8, 2, 4)]
    for each in made:
        await book.book(each, call())
    await book.cancel(made[2], call())
    assert [each.starts_at for each in await book.between(3600, 14_400, status=None, limit=9)] == [3600, 7200]
    assert await book.between(0, 10**9, status="booked", limit=1) == [made[1]]


@pytest.mark.asyncio
async def test_what_is_long_over_is_forgotten_with_its_changes_and_nothing_else_is(
    book: AppointmentRepository, database: Database
) -> None:
    old, key, coming = appointment(0), call(), appointment(9)
    await book.book(old, key)
    await book.book(coming, call())
    assert await book.forget_before(HALF_HOUR_S + 1) == 1
    assert (await book.get_all(), await book.change_by(key)) == ([coming], None)
    assert await book.forget_before(HALF_HOUR_S + 1) == 0


@pytest.mark.asyncio
async def test_forgetting_a_conversation_leaves_its_appointments(
    book: AppointmentRepository, database: Database
) -> None:
    conversations = ConversationRepository(database)
    await conversations.create(ConversationRecord(conversation_id="c1"))
    made = appointment()
    await book.book(made, CallKey(conversation_id="c1", call_id="call"))
    await conversations.delete("c1")
    assert await book.get_all() == [made]


@pytest.mark.asyncio
async def test_a_busy_database_is_waited_for(book: AppointmentRepository, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    booking = asyncio.create_task(book.book(appointment(), call()))
    asyncio.get_running_loop().call_later(0.1, other.close)  # later than one busy time
    assert (await booking).action == "booked"


@pytest.mark.asyncio
async def test_a_database_that_stays_locked_is_a_fault_and_books_nothing(
    book: AppointmentRepository, path: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as caught:
            await book.book(appointment(), call())
    assert caught.value.fault == "locked"
    assert LOCK_ATTEMPTS > 1
    assert await book.get_all() == []


@pytest.mark.asyncio
async def test_a_full_disk_is_a_fault_and_books_nothing(book: AppointmentRepository, database: Database) -> None:
    async with database.transaction() as transaction:
        [row] = await transaction.execute_fetchall("PRAGMA page_count")
        await transaction.execute_fetchall(f"PRAGMA max_page_count = {row[0]}")
    outcomes = [
        await asyncio.gather(book.book(appointment(slot), call()), return_exceptions=True) for slot in range(99)
    ]
    faults = [outcome.fault for [outcome] in outcomes if isinstance(outcome, StoreError)]
    assert set(faults) == {"disk_full"}
    assert len(await book.get_all()) == len(outcomes) - len(faults)


@pytest.mark.asyncio
async def test_a_booking_that_is_cancelled_in_the_middle_is_whole_or_not_at_all(book: AppointmentRepository) -> None:
    for steps in range(30):
        key = call()
        booking = asyncio.create_task(book.book(appointment(steps), key))
        for _ in range(steps):
            await asyncio.sleep(0)
        booking.cancel()
        await asyncio.gather(booking, return_exceptions=True)
        booked = await book.starting_at(steps * HALF_HOUR_S)
        assert (booked is None) == (await book.change_by(key) is None)


_OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["book", "move", "cancel"]), st.integers(0, 9), st.integers(0, 20), st.integers(1, 4)),
    max_size=60,
)


@settings(deadline=None)
@given(_OPERATIONS)
def test_no_order_of_changes_makes_an_overlap(operations) -> None:
    """The triggers alone, in a database in memory: the same migrations, and SQL that any program could send."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for step in load_migrations():
            database.executescript(step.sql)
        for what, who, slot, slots in operations:
            start, end = slot * 1800, (slot + slots) * 1800
            statement = {
                "book": f"INSERT OR IGNORE INTO appointments VALUES"
                f" ('a{who}', '1', 's', 'n', {start}, {end}, 'UTC', 'booked', 0, 0)",
                "move": f"UPDATE appointments SET starts_at={start}, ends_at={end}, status='booked'"
                f" WHERE appointment_id='a{who}'",
                "cancel": f"UPDATE appointments SET status='cancelled' WHERE appointment_id='a{who}'",
            }[what]
            expected = database.execute(
                "SELECT count(*) FROM appointments WHERE status='booked' AND appointment_id <> ?"
                " AND starts_at < ? AND ends_at > ?",
                (f"a{who}", end, start),
            ).fetchone()[0]
            exists = database.execute("SELECT count(*) FROM appointments WHERE appointment_id=?", (f"a{who}",))
            is_there = exists.fetchone()[0] == 1
            try:
                database.execute(statement)
                refused = False
            except sqlite3.IntegrityError:
                refused = True
            if what == "move" and is_there:
                assert refused == (expected > 0)
            overlaps = database.execute(
                "SELECT count(*) FROM appointments AS a JOIN appointments AS b ON a.appointment_id < b.appointment_id"
                " WHERE a.status = 'booked' AND b.status = 'booked'"
                " AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at"
            ).fetchone()[0]
            assert overlaps == 0
