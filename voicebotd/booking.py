"""From the configuration and the database to appointments: the shop's rules, the book, the reception, and what is kept.

Owns the translation of settings into `Shop`, the machine's own time zone, and the forgetting of what is long over. The
rules themselves are `voicebotd.appointments`'s.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from voicebotd.appointments.reception import Reception
from voicebotd.appointments.shop import DaysOff, Service, Shop
from voicebotd.config.appointments import Appointments, minutes_of
from voicebotd.errors import StorageError
from voicebotd.store.appointments import AppointmentRepository
from voicebotd.store.database import Database
from voicebotd.tools.appointments import AppointmentTools

FORGET_EVERY_S = 6 * 3600.0
LOCALTIME = Path("/etc/localtime")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LEAP_YEAR = 2000
_DAY_S = 86_400
log = structlog.get_logger("appointments")


class Booking:
    """All about appointments over one database. `settings` is asked each time, so that a change holds at once."""

    def __init__(self, database: Database, settings: Callable[[], Appointments]) -> None:
        self._settings = settings
        self.repository = AppointmentRepository(database)
        self.tools = AppointmentTools(
            Reception(
                book=self.repository,
                shop=self.shop,
                now=time.time,
                new_id=lambda: uuid4().hex,
                new_code=new_code,
            )
        )

    def shop(self) -> Shop:
        return shop_of(self._settings(), machine_zone)

    async def forget(self) -> int:
        """Remove what has been over for longer than `keep_days`. Return how many. Raises `StorageError`."""
        keep_days = self._settings().keep_days
        if keep_days is None:
            return 0
        return await self.repository.forget_before(int(time.time()) - keep_days * _DAY_S)

    async def run(self) -> None:
        """Forget at the start and a few times a day, until cancelled. What fails now is tried again the next time."""
        while True:
            try:
                if forgotten := await self.forget():
                    log.info("appointments that were long over are forgotten", count=forgotten)
            except StorageError as error:
                log.warning("old appointments were not forgotten", reason=error.message, hint=error.hint)
            await asyncio.sleep(FORGET_EVERY_S)


def new_code() -> str:
    """Six digits, none of them a leading zero, which people leave out."""
    return str(100_000 + secrets.randbelow(900_000))


def shop_of(settings: Appointments, own_zone: Callable[[], ZoneInfo]) -> Shop:
    return Shop(
        zone=own_zone() if settings.time_zone == "auto" else ZoneInfo(settings.time_zone),
        services=tuple(Service(name=name, minutes=minutes) for name, minutes in settings.services.items()),
        opens=minutes_of(settings.open),
        closes=minutes_of(settings.close),
        weekdays=frozenset(_WEEKDAYS.index(weekday) for weekday in settings.days),
        breaks=tuple(_break(each) for each in settings.breaks),
        days_off=tuple(_days_off(each) for each in settings.days_off),
        slot_minutes=settings.slot_minutes,
        horizon_days=settings.horizon_days,
        notice_minutes=settings.notice_minutes,
    )


def machine_zone(environ: Mapping[str, str] = os.environ, localtime: Path = LOCALTIME) -> ZoneInfo:
    """The machine's own zone: `TZ`, else what /etc/localtime is a link to (localtime(5)), else UTC."""
    names = [environ.get("TZ", "").removeprefix(":")]
    if localtime.is_symlink():
        names.append(os.path.realpath(localtime).partition("/zoneinfo/")[2])
    for name in filter(None, names):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            log.debug("not a time zone", name=name)
    return ZoneInfo("UTC")


def _break(text: str) -> tuple[int, int]:
    start, _, end = text.partition("-")
    return minutes_of(start), minutes_of(end)


def _days_off(text: str) -> DaysOff:
    if len(text) == len("12-25"):
        day = date.fromisoformat(f"{_LEAP_YEAR}-{text}")
        return DaysOff(first=day, last=day, every_year=True)
    first, _, last = text.partition("/")
    return DaysOff(first=date.fromisoformat(first), last=date.fromisoformat(last or first))
