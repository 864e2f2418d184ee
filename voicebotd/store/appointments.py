"""The book of appointments: who has which time, and which call did it.

Owns the transactions in which an appointment is made, moved and cancelled, each exactly once per call. That no two
overlap is the database's own rule (`migrations/`, the triggers): nothing is looked up before it is written, so there is
no moment between the looking and the writing. Knows no opening hours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiosqlite

from voicebotd.appointments.records import Action, Appointment, CallKey, Change, GoneError, OverlapError, Taken
from voicebotd.store.faults import StoreError
from voicebotd.store.sql import SqlRepository

LOCK_ATTEMPTS = 5
"""Each waits the database's own busy time for another process: ten seconds in all, within a function's time."""


class AppointmentRepository(SqlRepository[Appointment]):
    """Appointments, identified by appointment_id. Fills in `voicebotd.appointments.records.Book`."""

    record = Appointment
    table = "appointments"
    key = ("appointment_id",)
    order = "starts_at, appointment_id"

    async def book(self, appointment: Appointment, call: CallKey) -> Change:
        async def insert(transaction: aiosqlite.Connection) -> Change:
            await transaction.execute_fetchall(self._insert, appointment.to_dict())
            return Change(action="booked", appointment=appointment, was_at=appointment.starts_at)

        return await self._once(call, insert)

    async def move(self, appointment: Appointment, call: CallKey) -> Change:
        async def update(transaction: aiosqlite.Connection) -> Change:
            before = await self._booked(transaction, appointment.appointment_id)
            await transaction.execute_fetchall(self._update, appointment.to_dict())
            return Change(action="moved", appointment=appointment, was_at=before.starts_at)

        return await self._once(call, update)

    async def cancel(self, appointment: Appointment, call: CallKey) -> Change:
        async def update(transaction: aiosqlite.Connection) -> Change:
            before = await self._booked(transaction, appointment.appointment_id)
            after = replace(before, status="cancelled", changed_at=appointment.changed_at)
            await transaction.execute_fetchall(self._update, after.to_dict())
            return Change(action="cancelled", appointment=after, was_at=before.starts_at)

        return await self._once(call, update)

    async def change_by(self, call: CallKey) -> Change | None:
        return _change(await self._database.fetch(_CHANGE_BY, _key_of(call)))

    async def starting_at(self, starts_at: int) -> Appointment | None:
        found = await self._select("WHERE starts_at = :at AND status = 'booked'", {"at": starts_at})
        return found[0] if found else None

    async def taken(self, from_s: int, to_s: int) -> list[Taken]:
        rows = await self._database.fetch(
            "SELECT starts_at, ends_at FROM appointments WHERE status = 'booked'"
            " AND starts_at > :from - 86400 AND starts_at < :to AND ends_at > :from ORDER BY starts_at",
            {"from": from_s, "to": to_s},
        )
        return [Taken(starts_at=row["starts_at"], ends_at=row["ends_at"]) for row in rows]

    async def with_code(self, code: str) -> list[Appointment]:
        return await self._select("WHERE code = :code ORDER BY starts_at DESC", {"code": code})

    async def between(self, from_s: int, to_s: int, *, status: str | None, limit: int) -> list[Appointment]:
        """Those that begin in this stretch, in order; `status` None takes all."""
        return await self._select(
            "WHERE starts_at >= :from AND starts_at < :to AND (:status IS NULL OR status = :status)"
            f" ORDER BY {self.order} LIMIT :limit",
            {"from": from_s, "to": to_s, "status": status, "limit": limit},
        )

    async def forget_before(self, moment: int) -> int:
        """Remove what ended before this moment, with the record of its changes. Return how many."""
        async with self._database.transaction() as transaction:
            cursor = await transaction.execute("DELETE FROM appointments WHERE ends_at < :moment", {"moment": moment})
            return cursor.rowcount

    async def _once(self, call: CallKey, act: Callable[[aiosqlite.Connection], Awaitable[Change]]) -> Change:
        """Act in a transaction and note what the call did; where it is noted already, return that and do nothing."""
        for attempt in range(LOCK_ATTEMPTS):
            try:
                async with self._database.transaction() as transaction:
                    return await _noted(transaction, call) or await self._act(transaction, call, act)
            except StoreError as error:
                if error.fault != "locked" or attempt == LOCK_ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _act(
        self,
        transaction: aiosqlite.Connection,
        call: CallKey,
        act: Callable[[aiosqlite.Connection], Awaitable[Change]],
    ) -> Change:
        try:
            change = await act(transaction)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
                raise OverlapError("somebody has that time") from error
            raise
        await transaction.execute_fetchall(_NOTE, _key_of(call) | _note(change))
        return change

    async def _booked(self, transaction: aiosqlite.Connection, appointment_id: str) -> Appointment:
        rows = await transaction.execute_fetchall(f"{self._from} {self._where_key}", self._named((appointment_id,)))
        found = [self._decode(row) for row in rows]
        if not found or found[0].status != "booked":
            raise GoneError(f"appointment {appointment_id} is not booked")
        return found[0]


_CHANGE_BY = (
    "SELECT appointments.*, action, change.starts_at AS starts_then, change.ends_at AS ends_then,"
    " was_at, change.changed_at AS changed_then"
    " FROM appointment_changes AS change JOIN appointments USING (appointment_id)"
    " WHERE conversation_id = :conversation_id AND call_id = :call_id"
)
_NOTE = (
    "INSERT INTO appointment_changes VALUES (:conversation_id, :call_id, :appointment_id, :action, :starts_at,"
    " :ends_at, :was_at, :changed_at)"
)
_STATUS_AFTER: dict[Action, Any] = {"booked": "booked", "moved": "booked", "cancelled": "cancelled"}


async def _noted(transaction: aiosqlite.Connection, call: CallKey) -> Change | None:
    return _change(list(await transaction.execute_fetchall(_CHANGE_BY, _key_of(call))))


def _key_of(call: CallKey) -> dict[str, Any]:
    return {"conversation_id": call.conversation_id, "call_id": call.call_id}


def _note(change: Change) -> dict[str, Any]:
    after = change.appointment
    return {
        "appointment_id": after.appointment_id,
        "action": change.action,
        "starts_at": after.starts_at,
        "ends_at": after.ends_at,
        "was_at": change.was_at,
        "changed_at": after.changed_at,
    }


def _change(rows: list[sqlite3.Row]) -> Change | None:
    """The change with the appointment as it was then, whatever became of it since."""
    if not rows:
        return None
    row = dict(rows[0])
    now = Appointment(**{name: row[name] for name in Appointment.__dataclass_fields__})
    after = replace(
        now,
        starts_at=row["starts_then"],
        ends_at=row["ends_then"],
        status=_STATUS_AFTER[row["action"]],
        changed_at=row["changed_then"],
    )
    return Change(action=row["action"], appointment=after, was_at=row["was_at"])
