"""Days, times and lengths in words that a model can speak, in whatever language it then speaks them.

Owns the spelling of dates and times in answers. Pure; locale-free, because the model translates.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from voicebotd.appointments.local import instants, local, offset_minutes

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def day_words(day: date) -> str:
    """`Tuesday 4 March 2026`."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


def minute_words(minute: int) -> str:
    """`10:30`, of minutes from midnight."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def time_words(moment: int, zone: ZoneInfo) -> str:
    """`10:30`; in the hour that comes twice `02:30+02:00`, which is also how it is to be asked for."""
    wall = local(moment, zone)
    minute = wall.hour * 60 + wall.minute
    twice = len(instants(wall.date(), minute, zone)) > 1
    return minute_words(minute) + (offset_words(offset_minutes(moment, zone)) if twice else "")


def moment_words(moment: int, zone: ZoneInfo) -> str:
    """`Tuesday 4 March 2026 at 10:30`."""
    return f"{day_words(local(moment, zone).date())} at {time_words(moment, zone)}"


def offset_words(minutes: int) -> str:
    """`+02:00`."""
    return f"{'-' if minutes < 0 else '+'}{minute_words(abs(minutes))}"


def listed(words: Sequence[str], last: str = "or") -> str:
    """`a, b or c`."""
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def code_words(code: str) -> str:
    """`417 209`: as people say and remember six digits."""
    return f"{code[:3]} {code[3:]}"
