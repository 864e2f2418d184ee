"""The exported calendar is read back by a calendar library, and says no more than calendars may know."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import icalendar

from voicebotd.appointments.records import Appointment
from voicebotd.control.calendar_file import calendar_of

ANNA = Appointment(
    appointment_id="a1",
    code="417209",
    service="consultation",
    name="Anna Meyer",
    starts_at=int(datetime(2026, 3, 4, 9, tzinfo=UTC).timestamp()),
    ends_at=int(datetime(2026, 3, 4, 9, 30, tzinfo=UTC).timestamp()),
    zone="Europe/Berlin",
    created_at=1_700_000_000,
    changed_at=1_700_000_060,
)


def events(text: str) -> list[icalendar.Event]:
    return list(icalendar.Calendar.from_ical(text).walk("VEVENT"))


def test_an_appointment_is_an_event_in_utc() -> None:
    [event] = events(calendar_of([ANNA]))
    assert (event.start, event.end) == (datetime(2026, 3, 4, 9, tzinfo=UTC), datetime(2026, 3, 4, 9, 30, tzinfo=UTC))
    assert (event["uid"], event["summary"], event["status"]) == (
        "a1@voicebotd",
        "consultation: Anna Meyer",
        "CONFIRMED",
    )
    assert event["sequence"] == 60


def test_the_code_is_in_no_calendar() -> None:
    assert "417209" not in calendar_of([ANNA])


def test_a_cancelled_appointment_is_told_as_such_so_that_calendars_take_it_out() -> None:
    [event] = events(calendar_of([replace(ANNA, status="cancelled")]))
    assert event["status"] == "CANCELLED"


def test_what_a_name_may_hold_comes_back_as_it_was_and_no_line_is_too_long() -> None:
    name = 'Zoë; "von" Sørensen-Łukasz, \\n BEGIN:VEVENT ' + "ö" * 60
    text = calendar_of([replace(ANNA, name=name)])
    [event] = events(text)
    assert event["summary"] == f"consultation: {name}"
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))


def test_an_empty_book_is_an_empty_calendar() -> None:
    text = calendar_of([])
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert events(text) == []
