"""Which times can be booked: what is on the grid, in the opening hours, far enough away, and not taken.

Owns the judgement of one time, with the reason that it cannot be had, and the search for the nearest ones that can.
Pure: now and what is taken are arguments. Moments are whole seconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from voicebotd.appointments.local import earliest, instants, is_even, local, offset_minutes
from voicebotd.appointments.records import ImpossibleError, Taken
from voicebotd.appointments.shop import Service, Shop
from voicebotd.appointments.when import WallTime
from voicebotd.appointments.words import day_words, listed, minute_words, moment_words, offset_words, time_words

NEAREST = 3
"""Times offered in place of one that cannot be had: more than three nobody remembers."""
SEARCH_DAYS = 60
"""How far from the wanted day the nearest free times are looked for, in both directions."""


class Diary:
    """The shop's rules and what is taken, at one moment. `taken` is in order, without overlaps."""

    def __init__(self, shop: Shop, taken: Sequence[Taken], *, now: int) -> None:
        self.shop = shop
        self._ends = [each.ends_at for each in taken]
        self._taken = taken
        self._now = now
        self._from = now + shop.notice_minutes * 60
        self.today = local(now, shop.zone).date()
        self.last_day = self.today + timedelta(days=shop.horizon_days)

    def moment(self, day: date, time: WallTime) -> int:
        """The moment that is meant. Raises `ImpossibleError`: a time that never comes, or one that comes twice."""
        self.check_day(day)
        zone = self.shop.zone
        moments = instants(day, time.minute, zone)
        words = minute_words(time.minute)
        if not moments:
            message = f"{words} does not exist on {day_words(day)}: the clocks are put forward over it."
            raise ImpossibleError("no_such_time", message, near=earliest(day, time.minute, zone))
        if time.offset_minutes is not None:
            offsets = {offset_minutes(moment, zone): moment for moment in moments}
            if time.offset_minutes in offsets:
                return offsets[time.offset_minutes]
            known = listed([offset_words(offset) for offset in offsets])
            message = (
                f"Times here are those of {zone.key}, which is {known} from UTC then: leave the offset out, and give "
                "the time that the clock on the wall will show."
            )
            raise ImpossibleError("wrong_offset", message, near=moments[0])
        if len(moments) == 2:
            first, second = (time_words(moment, zone) for moment in moments)
            message = (
                f"{words} comes twice on {day_words(day)}, because the clocks are put back. Ask which is meant, and "
                f"give the time as {first} for the first or {second} for the second."
            )
            raise ImpossibleError("ambiguous_time", message, near=moments[0])
        return moments[0]

    def check(self, start: int, service: Service) -> None:
        """Raise `ImpossibleError` unless the rules allow the service at this moment. Whether it is taken the book says.

        So there is no moment between the looking and the writing in which another could take it.
        """
        zone, minutes = self.shop.zone, service.minutes
        words = moment_words(start, zone)
        day = local(start, zone).date()
        self.check_day(day)
        if start < self._now:
            raise ImpossibleError("past", f"{words} has passed.", near=self._now)
        if start < self._from:
            notice = f"Appointments need {self.shop.notice_minutes} minutes of notice"
            raise ImpossibleError("too_soon", f"{notice}: {words} is too soon.", near=self._from)
        if not self._fits(start, minutes, self.shop.opening(day)):
            hours = self.hours_words(day)
            message = f"A {service.name} of {minutes} minutes does not fit in at {words}. On that day we are {hours}."
            raise ImpossibleError("outside_hours", message, near=start)
        if start not in self._grid(day):
            message = f"Appointments begin every {self.shop.slot_minutes} minutes from {minute_words(self.shop.opens)}."
            raise ImpossibleError("off_grid", message, near=start)

    def taken_error(self, start: int) -> ImpossibleError:
        return ImpossibleError("taken", f"{moment_words(start, self.shop.zone)} is taken.", near=start)

    def check_day(self, day: date) -> None:
        """Raise `ImpossibleError` for a day on which nothing can be booked at all."""
        if day < self.today:
            raise ImpossibleError("past", f"{day_words(day)} has passed.", near=self._now)
        if day > self.last_day:
            message = (
                f"{day_words(day)} is too far away: the last day that can be booked is {day_words(self.last_day)}."
            )
            raise ImpossibleError("too_far", message, near=self._noon(self.last_day))
        if not self.shop.is_open_on(day):
            raise ImpossibleError("closed", f"We are closed on {day_words(day)}.", near=self._noon(day))

    def hours_on(self, day: date) -> str:
        """`On Tuesday 3 March 2026 we are open from 09:00 to 17:00.` Raises `ImpossibleError` as `check_day` does."""
        self.check_day(day)
        return f"On {day_words(day)} we are {self.hours_words(day)}."

    def hours_words(self, day: date) -> str:
        """`open from 09:00 to 12:00 and from 13:00 to 17:00`, of a day on which it is open."""
        zone = self.shop.zone
        stretches = [
            f"from {time_words(start, zone)} to {time_words(end, zone)}" for start, end in self.shop.opening(day)
        ]
        return f"open {listed(stretches, 'and')}" if stretches else "closed"

    def choice_on(self, day: date, service: Service) -> list[int]:
        """All moments of that day for which the service can be booked. Raises `ImpossibleError` where there is none."""
        self.check_day(day)
        if free := self.free_on(day, service):
            return free
        message = f"Nothing is free for a {service.name} on {day_words(day)}."
        raise ImpossibleError("full", message, near=self._noon(day))

    def free_on(self, day: date, service: Service) -> list[int]:
        """All moments of that day for which the service can be booked, in order; none on a day that is no choice."""
        if not self.today <= day <= self.last_day:
            return []
        opening = self.shop.opening(day)
        return [
            start
            for start in self._grid(day)
            if start >= self._from
            and self._fits(start, service.minutes, opening)
            and self._is_free(start, service.minutes)
        ]

    def next_free(self, service: Service, *, days: int) -> Iterator[tuple[date, list[int]]]:
        """The next so many days that have a free time, each with its free times."""
        found = 0
        for ahead in range(min(self.shop.horizon_days, SEARCH_DAYS) + 1):
            day = self.today + timedelta(days=ahead)
            if free := self.free_on(day, service):
                yield day, free
                found += 1
            if found == days:
                return

    def nearest(self, near: int, service: Service) -> list[int]:
        """The free times nearest to this moment, at most `NEAREST`, in order."""
        wanted = min(max(local(near, self.shop.zone).date(), self.today), self.last_day)
        found: list[int] = []
        for distance in range(SEARCH_DAYS + 1):
            enough = len(found) >= NEAREST
            for day in {wanted - timedelta(days=distance), wanted + timedelta(days=distance)}:
                found += self.free_on(day, service)
            if enough:  # one day further than needed: late yesterday may be nearer than late today
                break
        found.sort(key=lambda start: (abs(start - near), start))
        return sorted(found[:NEAREST])

    def _noon(self, day: date) -> int:
        return earliest(day, 12 * 60, self.shop.zone)

    def _grid(self, day: date) -> list[int]:
        """The moments of that day at which something may begin, in order."""
        shop = self.shop
        minutes = range(shop.opens, shop.closes, shop.slot_minutes)
        if is_even(day, shop.zone):
            midnight = earliest(day, 0, shop.zone)
            return [midnight + minute * 60 for minute in minutes]
        return sorted(moment for minute in minutes for moment in instants(day, minute, shop.zone))

    def _fits(self, start: int, minutes: int, opening: Sequence[tuple[int, int]]) -> bool:
        return any(opens <= start and start + minutes * 60 <= closes for opens, closes in opening)

    def _is_free(self, start: int, minutes: int) -> bool:
        index = bisect_left(self._ends, start + 1)  # the first that ends after the start
        return index == len(self._taken) or self._taken[index].starts_at >= start + minutes * 60
