"""appointments.*: the book, for those who run the shop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from uuid import uuid4
from zoneinfo import ZoneInfo

from voicebotd.appointments.local import MINUTES_A_DAY, earliest, local
from voicebotd.appointments.records import Appointment, CallKey, GoneError
from voicebotd.appointments.words import time_words
from voicebotd.booking import Booking
from voicebotd.control.calendar_file import calendar_of
from voicebotd.control.caller import Caller
from voicebotd.control.contract_appointments import (
    AppointmentCancelled,
    AppointmentCancelParams,
    AppointmentEntry,
    AppointmentList,
    AppointmentsExport,
    AppointmentsExportParams,
    AppointmentsListParams,
)
from voicebotd.control.dispatcher import Handler
from voicebotd.control.jsonrpc import refusal
from voicebotd.errors import RpcError, StorageError

EXPORT_LIMIT = 20_000
"""Appointments in one document: more than a desk takes in six years."""
_FOR_EVER_S = 2**40
_FIRST_YEAR, _LAST_YEAR = 1970, 2999


def appointment_handlers(booking: Booking) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""

    async def list_(params: AppointmentsListParams, _caller: Caller) -> AppointmentList:
        zone = booking.shop().zone
        wanted = (params.name or "").casefold()
        most = EXPORT_LIMIT if wanted else params.limit + 1
        found = [
            each
            for each in await _between(booking, params.from_date, params.to_date, params.status, limit=most)
            if wanted in each.name.casefold()
        ]
        return AppointmentList(
            appointments=[_entry(each, zone) for each in found[: params.limit]],
            time_zone=zone.key,
            more=len(found) > params.limit,
        )

    async def export(params: AppointmentsExportParams, _caller: Caller) -> AppointmentsExport:
        found = await _between(booking, params.from_date, params.to_date, None, limit=EXPORT_LIMIT)
        calendar = await asyncio.to_thread(calendar_of, found)  # a few years take seconds
        return AppointmentsExport(calendar=calendar, count=len(found))

    async def cancel(params: AppointmentCancelParams, _caller: Caller) -> AppointmentCancelled:
        with _told():
            known = await booking.repository.get_by_id(params.appointment_id)
            if known is None:
                raise _not_found(f"no appointment {params.appointment_id}")
            key = CallKey(conversation_id="", call_id=uuid4().hex)  # a person's wish, made once
            try:
                change = await booking.repository.cancel(replace(known, changed_at=int(time.time())), key)
            except GoneError:
                raise _not_found(f"appointment {params.appointment_id} is cancelled already") from None
        return AppointmentCancelled(appointment=_entry(change.appointment, booking.shop().zone))

    return {"appointments.list": list_, "appointments.export": export, "appointments.cancel": cancel}


async def _between(
    booking: Booking, from_date: str | None, to_date: str | None, status: str | None, *, limit: int
) -> list[Appointment]:
    zone = booking.shop().zone
    today = local(int(time.time()), zone).date()
    first = today if from_date is None else _day(from_date, "from_date")
    until = _FOR_EVER_S if to_date is None else earliest(_day(to_date, "to_date"), MINUTES_A_DAY, zone)
    with _told():
        return await booking.repository.between(earliest(first, 0, zone), until, status=status, limit=limit)


def _day(text: str, name: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        wanted = f"a day, YYYY-MM-DD, from {_FIRST_YEAR} to {_LAST_YEAR}"
        raise refusal("rpc.invalid_params", f"Invalid params: {name}: {text[:40]!r} is not {wanted}")
    return day


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise refusal("appointments.unavailable", error.message, hint=error.hint) from error


def _not_found(message: str) -> RpcError:
    return refusal("appointments.not_found", message, hint="voicebotctl appointments list shows them")


def _entry(appointment: Appointment, zone: ZoneInfo) -> AppointmentEntry:
    return AppointmentEntry(
        appointment_id=appointment.appointment_id,
        service=appointment.service,
        name=appointment.name,
        code=appointment.code,
        date=local(appointment.starts_at, zone).date().isoformat(),
        time=time_words(appointment.starts_at, zone),
        until=time_words(appointment.ends_at, zone),
        starts_at=appointment.starts_at,
        ends_at=appointment.ends_at,
        zone=appointment.zone,
        status=appointment.status,
        created_at=appointment.created_at,
        changed_at=appointment.changed_at,
    )
