"""When the shop is open and what can be booked: the keys of `tools.appointments`, part of the manual in `model.py`.

Owns how hours, days and services are written, and what is wrong with them together. Knows nothing of those who book.
A list is also read from text with commas, since the environment and --set can write nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from voicebotd.config.section import Section, key, listed
from voicebotd.errors import Problem

PREFIX = "tools.appointments."
MINUTES_A_DAY = 24 * 60
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_LEAP_YEAR = 2000
_DAY_ALLOWED = "days as 2026-12-24, stretches as 2026-12-24/2027-01-02, and days of every year as 12-25"


def minutes_of(clock: str) -> int:
    """Minutes from midnight of `09:30`; `24:00` is the end of the day."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _clock(value: object) -> object:
    # YAML 1.1 reads a bare 17:00 as the base-60 number 1020; less than 60 is no time that anybody wrote with a colon.
    if isinstance(value, int) and not isinstance(value, bool) and 60 <= value <= MINUTES_A_DAY:
        return f"{value // 60:02d}:{value % 60:02d}"
    if isinstance(value, str) and re.fullmatch(r"\d:\d\d", value):
        return f"0{value}"
    return value


def _days(value: object) -> object:
    value = listed(value)
    # YAML reads a bare 2026-12-24 as a date.
    return [each.isoformat() if type(each) is date else each for each in value] if isinstance(value, list) else value


def _service_map(value: object) -> object:
    """`consultation=30, basic=60`, or the same as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return {name.strip(): int(minutes) for name, minutes in (part.split("=") for part in value.split(","))}


def _known_zone(value: str) -> str:
    if value != "auto":
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("no such time zone on this machine") from error
    return value


def _real_days(value: str) -> str:
    first, slash, last = value.partition("/")
    if re.fullmatch(r"\d\d-\d\d", value):
        date.fromisoformat(f"{_LEAP_YEAR}-{value}")
    elif slash and date.fromisoformat(first) > date.fromisoformat(last):
        raise ValueError("the stretch ends before it begins")
    elif not slash:
        date.fromisoformat(value)
    return value


def _forwards(value: str) -> str:
    start, _, end = value.partition("-")
    if start >= end:
        raise ValueError("the break ends before it begins")
    return value


def _distinct(value: dict[str, int]) -> dict[str, int]:
    if len({name.casefold().strip() for name in value}) < len(value):
        raise ValueError("two services have one name")
    return value


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Opening = Annotated[str, BeforeValidator(_clock), Field(pattern=f"^{_CLOCK}$")]
Closing = Annotated[str, BeforeValidator(_clock), Field(pattern=f"^({_CLOCK}|24:00)$")]
Break = Annotated[str, Field(pattern=f"^{_CLOCK}-{_CLOCK}$"), AfterValidator(_forwards)]
DayOff = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d(/\d{4}-\d\d-\d\d)?|\d\d-\d\d)$"), AfterValidator(_real_days)]
ServiceName = Annotated[str, Field(min_length=1, max_length=40, pattern=r"\w")]
Minutes = Annotated[int, Field(ge=5, le=480)]


class Appointments(Section):
    """What can be booked, and when."""

    time_zone: Annotated[str, AfterValidator(_known_zone)] = key(
        "auto", "live", allowed="auto, or a zone of this machine's tz database such as Europe/Berlin"
    )
    """The zone of the shop's clock, by its IANA name; `auto` is the machine's own."""
    open: Opening = key("09:00", "live", allowed="a time from 00:00 to 23:59")
    """When the first appointment of a day may begin, on the shop's clock."""
    close: Closing = key("17:00", "live", allowed="a time after open, up to 24:00")
    """When the last appointment of a day must be over."""
    days: Annotated[list[Weekday], BeforeValidator(listed), Field(min_length=1)] = key(
        ["mon", "tue", "wed", "thu", "fri"], "live", allowed="a list of mon, tue, wed, thu, fri, sat, sun"
    )
    """The weekdays on which the shop is open."""
    breaks: Annotated[list[Break], BeforeValidator(listed)] = key(
        [], "live", allowed="a list of stretches such as 12:00-13:00"
    )
    """Times of every day at which nobody can be there."""
    days_off: Annotated[list[DayOff], BeforeValidator(_days)] = key([], "live", allowed=f"a list of {_DAY_ALLOWED}")
    """Days on which the shop is closed."""
    slot_minutes: int = key(30, "live", ge=5, le=240, unit="min")
    """Appointments begin every so many minutes from `open` on."""
    services: Annotated[
        dict[ServiceName, Minutes], BeforeValidator(_service_map), AfterValidator(_distinct), Field(min_length=1)
    ] = key(
        {"consultation": 30, "basic": 60, "premium": 120},
        "live",
        allowed="a map of names (1 to 40 characters) to minutes (5 to 480)",
    )
    """What can be booked and how long it takes. The map counts as one value: it replaces the whole of another."""
    horizon_days: int = key(90, "live", ge=1, le=730, unit="days")
    """How far ahead can be booked."""
    notice_minutes: int = key(0, "live", ge=0, le=43_200, unit="min")
    """How long before its beginning an appointment must be booked at the latest."""
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = key(None, "live", unit="days")
    """How long appointments are kept after they are over; null: for ever. The history's own retention never touches
    them."""


def problems(values: Mapping[str, Any], sources: Mapping[str, str]) -> list[Problem]:
    """The complaints about values that are right by themselves and wrong beside each other."""
    shop = Appointments(
        **{name.removeprefix(PREFIX): value for name, value in values.items() if name.startswith(PREFIX)}
    )
    opens, closes = minutes_of(shop.open), minutes_of(shop.close)
    if opens >= closes:
        # The one that somebody wrote is the one to mend.
        name = "open" if sources[f"{PREFIX}close"] == "default" else "close"
        other = f"close, which is {shop.close}" if name == "open" else f"open, which is {shop.open}"
        side = "before" if name == "open" else "after"
        return [
            _problem(name, f"{getattr(shop, name)} is not allowed; allowed: a time {side} {PREFIX}{other}", sources)
        ]
    return [
        _problem("services", f"{name} takes {minutes} minutes, and the shop is open for {closes - opens}", sources)
        for name, minutes in shop.services.items()
        if minutes > closes - opens
    ]


def _problem(name: str, message: str, sources: Mapping[str, str]) -> Problem:
    return Problem(key=f"{PREFIX}{name}", message=message, source=sources[f"{PREFIX}{name}"])
