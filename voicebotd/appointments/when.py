"""The dates and times that a model writes, read: sane variants are understood, nonsense is answered with the remedy.

Owns the spellings. Pure: today is an argument. Raises `ImpossibleError` with reason `unreadable_date`, `no_such_date`,
`unreadable_time` or `no_such_time`.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

from voicebotd.appointments.records import ImpossibleError
from voicebotd.appointments.words import MONTHS, WEEKDAYS

_SHOWN_CHARACTERS = 40
_RELATIVE = {"today": 0, "tomorrow": 1, "day after tomorrow": 2, "the day after tomorrow": 2}
_WEEKDAYS = {name.casefold(): number for number, name in enumerate(WEEKDAYS)}
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?:[T\s]+(?P<time>\S.*))?", re.ASCII
)
# With dots the day comes first wherever it is written so; with slashes nobody knows (4/3 is March or April).
_DAY_FIRST = re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})(?P<time>)", re.ASCII)
_TIME = re.compile(
    r"T?(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?::00(?:\.0+)?)?)?\s*(?:o'clock|uhr|h)?\s*(?P<half>[ap]\.?m\.?)?"
    r"\s*(?P<offset>Z|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)
_TIME_WORDS = {"noon": 12 * 60, "midday": 12 * 60, "midnight": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class WallTime:
    """A time on the wall: minutes from midnight, and the offset from UTC in minutes where one was written."""

    minute: int
    offset_minutes: int | None = None


def read_date(text: str, today: date) -> date:
    """The day that is meant; `tomorrow` and `Friday` are understood too. A time behind the date is left alone."""
    words = " ".join(text.split()).casefold()
    if words in _RELATIVE:
        return today + timedelta(days=_RELATIVE[words])
    if words in _WEEKDAYS:
        # Today is called today, so the day of that name is a later one.
        return today + timedelta(days=(_WEEKDAYS[words] - today.weekday() - 1) % 7 + 1)
    found = _YEAR_FIRST.fullmatch(text.strip()) or _DAY_FIRST.fullmatch(text.strip())
    if found is None:
        message = f"I cannot read the date {_shown(text)}. Write it as YYYY-MM-DD, for example {today.isoformat()}."
        raise ImpossibleError("unreadable_date", message)
    return _day(int(found["year"]), int(found["month"]), int(found["day"]))


def read_time(text: str) -> WallTime:
    """The time of the day that is meant: `10:30`, `10.30`, `3 pm`, `9`, `noon`, `02:30+02:00`."""
    words = " ".join(text.split()).casefold()
    if words in _TIME_WORDS:
        return WallTime(minute=_TIME_WORDS[words])
    dated = _YEAR_FIRST.fullmatch(text.strip())
    found = _TIME.fullmatch((dated["time"] or "").strip() if dated else text.strip())
    if found is None:
        message = f"I cannot read the time {_shown(text)}. Write it as HH:MM, for example 14:30."
        raise ImpossibleError("unreadable_time", message)
    hour, minute = _of_24(int(found["hour"]), found["half"]), int(found["minute"] or 0)
    if hour is None or hour > 23 or minute > 59:
        message = f"There is no time {_shown(text)}: hours go from 00 to 23 and minutes from 00 to 59."
        raise ImpossibleError("no_such_time", message)
    return WallTime(minute=hour * 60 + minute, offset_minutes=_offset(found["offset"]))


def _day(year: int, month: int, day: int) -> date:
    if not 1 <= month <= 12:
        raise ImpossibleError("no_such_date", f"There is no month {month}: months go from 1 to 12.")
    if year < 1:
        raise ImpossibleError("no_such_date", f"There is no year {year:04d}.")
    days = calendar.monthrange(year, month)[1]
    if not 1 <= day <= days:
        message = f"There is no {day} {MONTHS[month - 1]} {year}: {MONTHS[month - 1]} {year} has {days} days."
        raise ImpossibleError("no_such_date", message)
    return date(year, month, day)


def _of_24(hour: int, half: str | None) -> int | None:
    """The hour on a clock of 24; None where a clock of 12 has no such hour."""
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        return None
    return hour % 12 + (12 if half[0] in "pP" else 0)


def _offset(text: str | None) -> int | None:
    if text is None:
        return None
    if text in "zZ":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return -minutes if text[0] == "-" else minutes


def _shown(text: str) -> str:
    cleaned = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return repr(cleaned if len(cleaned) <= _SHOWN_CHARACTERS else cleaned[: _SHOWN_CHARACTERS - 1] + "…")
