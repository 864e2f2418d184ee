"""The box's accounts of a day: what all its conversations spend together, and when another day begins.

Owns the calendar and who is told what. Each conversation counts its own spending and judges it; here it is told what
the others spend, what was spent of the day before it began, and that a day is over. The day is the local calendar day,
by the wall clock: after a jump of that clock, or a night in suspend, what is stored says what was spent of the new day.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import NoReturn, Protocol

import structlog

from voicebotd.conversation.budget import NANO_USD, Limits, Tariff
from voicebotd.conversation.commands import SetBudget
from voicebotd.conversation.events import DayBegan, Event, SpentElsewhere
from voicebotd.conversation.records import AnyRecord, UsageRecord
from voicebotd.errors import StorageError

Post = Callable[[Event], None]
_NOBODY = 0
"""The request id of a command whose answer nobody awaits."""
LOOK_S = 20.0
"""How often the calendar is looked at (clocks are set while we run), and a store that could not be read tried again."""
log = structlog.get_logger("accounts")


class Ledger(Protocol):
    """What is stored of earlier spending."""

    async def spent(self, since: float, until: float, *, rehearsed: bool) -> int:
        """Nano-dollars, between two moments in Unix seconds."""
        ...


class Accounts:
    """One for the box. `rehearsing`: its money is play money, and is counted apart.

    `on_day` is awaited when another day has begun and everybody knows. For the event loop's thread.
    """

    def __init__(
        self,
        ledger: Ledger,
        limits: Limits,
        tariff: Tariff,
        *,
        rehearsing: bool = False,
        on_day: Callable[[], Awaitable[None]] | None = None,
        wall_clock_s: Callable[[], float] = time.time,
        look_s: float = LOOK_S,
    ) -> None:
        self._ledger = ledger
        self._limits, self._tariff = limits, tariff
        self._rehearsing = rehearsing
        self._on_day = on_day
        self._wall_clock_s = wall_clock_s
        self._look_s = look_s
        self._seats: set[Post] = set()
        self._day = self._today()
        self._unread: tuple[float, float] | None = None
        """The stretch of the present day, before it was ours to count, of which the store has not been asked yet."""
        self._today_nano_usd = 0

    @contextmanager
    def seat(self, post: Post) -> Iterator[Callable[[AnyRecord], None]]:
        """Take part, as a conversation whose events go to `post`; give what it records to the yielded function."""
        self._seats.add(post)
        post(self._day_began())

        def record(record: AnyRecord) -> None:
            if isinstance(record, UsageRecord):
                self._spent(post, round(record.usd * NANO_USD))

        try:
            yield record
        finally:
            self._seats.discard(post)

    def set_budget(self, limits: Limits, tariff: Tariff) -> None:
        """Other caps and prices from now on, for every conversation."""
        self._limits, self._tariff = limits, tariff
        for post in self._seats:
            post(self._budget())

    async def open(self) -> None:
        """Read what was spent of this day before. Where it cannot be read, `run` tries again."""
        self._turn_the_day()
        await self._read()

    async def run(self) -> NoReturn:
        """Watch the calendar until cancelled."""
        while True:
            await asyncio.sleep(min(self._look_s, max(0.0, self._midnight_s() - self._wall_clock_s())))
            await self.look()

    async def look(self) -> None:
        """Look at the calendar, and at a store that could not be read."""
        turned = self._day != self._today()
        if turned:
            self._turn_the_day()
        if self._unread is not None:
            await self._read()
        if turned and self._on_day is not None:
            await self._on_day()

    # What is told.

    def _spent(self, by: Post, nano_usd: int) -> None:
        self._today_nano_usd += nano_usd
        for post in self._seats - {by}:
            post(SpentElsewhere(nano_usd=nano_usd))

    def _turn_the_day(self) -> None:
        """Everybody begins the day with nothing; what the store knows of it is added when it was read."""
        now_s = self._wall_clock_s()
        self._day = self._today()
        self._today_nano_usd = 0
        self._unread = (_beginning_s(self._day), now_s)
        for post in self._seats:
            post(self._day_began())

    async def _read(self) -> None:
        unread = self._unread
        assert unread is not None
        try:
            spent = await self._ledger.spent(*unread, rehearsed=self._rehearsing)
        except StorageError as error:
            log.warning("what was spent today is not known yet", reason=error.message, hint=error.hint)
            return
        if self._unread is not unread:
            return  # another day began meanwhile
        self._unread = None
        self._today_nano_usd += spent
        for post in self._seats:
            post(SpentElsewhere(nano_usd=spent))

    def _day_began(self) -> DayBegan:
        until = datetime.fromtimestamp(self._midnight_s()).astimezone()
        return DayBegan(spent_nano_usd=self._today_nano_usd, until=f"{until:%Y-%m-%d %H:%M %Z}")

    def _budget(self) -> SetBudget:
        return SetBudget(request_id=_NOBODY, limits=self._limits, tariff=self._tariff)

    # The calendar.

    def _today(self) -> date:
        return datetime.fromtimestamp(self._wall_clock_s()).astimezone().date()

    def _midnight_s(self) -> float:
        return _beginning_s(self._day + timedelta(days=1))


def _beginning_s(day: date) -> float:
    """The moment in which a day begins here, in Unix seconds. Not every day has 24 hours."""
    return datetime.combine(day, time_of_day.min).timestamp()
