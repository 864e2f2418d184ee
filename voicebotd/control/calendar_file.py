"""Appointments as an iCalendar document (RFC 5545), which every calendar program reads.

Owns what of an appointment goes into it: not the confirmation code, because calendars are shared. The `icalendar`
package knows the rest, which is easy to get almost right: folding by octets, escaping, the order of properties. It is
loaded when somebody exports. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from voicebotd.appointments.records import Appointment

PRODUCT = "-//voicebotd//appointments//EN"


def calendar_of(appointments: Iterable[Appointment]) -> str:
    """Times are in UTC, which needs no definition of a zone and is shown in the reader's own.

    A cancelled one is in it as cancelled, so that a calendar that has it takes it out.
    """
    from icalendar import Calendar, Event  # noqa: PLC0415 - takes longer to load than most commands

    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for each in appointments:
        event = Event()
        event.add("uid", f"{each.appointment_id}@voicebotd")
        event.add("dtstamp", _utc(each.changed_at))
        event.add("created", _utc(each.created_at))
        event.add("last-modified", _utc(each.changed_at))
        # A later version of an event counts only if its number is higher (§3.8.7.4).
        event.add("sequence", each.changed_at - each.created_at)
        event.add("dtstart", _utc(each.starts_at))
        event.add("dtend", _utc(each.ends_at))
        event.add("summary", f"{each.service}: {each.name}")
        event.add("status", "CONFIRMED" if each.status == "booked" else "CANCELLED")
        event.add("class", "PRIVATE")
        calendar.add_component(event)
    text: str = calendar.to_ical().decode()
    return text


def _utc(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC)
