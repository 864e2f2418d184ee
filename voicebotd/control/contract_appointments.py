"""What the methods of the appointments take and return.

Owns names, defaults and units, as contract_params.py and contract_results.py do for the other methods; apart from them,
because a client that asks for something else need not make these. Standard library only. No
`from __future__ import annotations`: readers want real types.
"""

from dataclasses import dataclass, field
from typing import Literal

from voicebotd.control.contract_types import doc

AppointmentStatus = Literal["booked", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentsListParams:
    from_date: str | None = field(default=None, metadata=doc("first day, YYYY-MM-DD; default: today"))
    to_date: str | None = field(default=None, metadata=doc("last day, YYYY-MM-DD; default: no end"))
    name: str | None = field(default=None, metadata=doc("only those whose name contains this, in any case"))
    status: AppointmentStatus | None = field(default=None, metadata=doc("only those; default: booked and cancelled"))
    limit: int = field(default=100, metadata=doc("at most so many, the earliest first", minimum=1, maximum=500))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentsExportParams:
    from_date: str | None = field(default=None, metadata=doc("first day, YYYY-MM-DD; default: today"))
    to_date: str | None = field(default=None, metadata=doc("last day, YYYY-MM-DD; default: no end"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentCancelParams:
    appointment_id: str = field(metadata=doc("as appointments.list tells it"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentEntry:
    appointment_id: str = field(metadata=doc("as appointments.cancel takes it"))
    service: str = field(metadata=doc("what was booked"))
    name: str = field(metadata=doc("the visitor's name"))
    code: str = field(metadata=doc("confirmation code that the visitor was told"))
    date: str = field(metadata=doc("day on the shop's clock, YYYY-MM-DD"))
    time: str = field(metadata=doc("begins then, HH:MM; with its offset in the hour that comes twice"))
    until: str = field(metadata=doc("ends then"))
    starts_at: int = field(metadata=doc("begins then", unit="Unix s"))
    ends_at: int = field(metadata=doc("ends then", unit="Unix s"))
    zone: str = field(metadata=doc("time zone in which it was agreed"))
    status: AppointmentStatus = field(metadata=doc("cancelled ones take no time"))
    created_at: int = field(metadata=doc("when it was booked", unit="Unix s"))
    changed_at: int = field(metadata=doc("when it was changed last", unit="Unix s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentList:
    appointments: list[AppointmentEntry] = field(metadata=doc("in the order of their beginning"))
    time_zone: str = field(metadata=doc("zone of the shop's clock"))
    more: bool = field(metadata=doc("there are more than `limit`"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentsExport:
    calendar: str = field(metadata=doc("an iCalendar document (RFC 5545)"))
    count: int = field(metadata=doc("appointments in it, cancelled ones too"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentCancelled:
    appointment: AppointmentEntry = field(metadata=doc("as it is now"))
