"""What a shop offers and when it is open: the rules, as configured, and what a visitor's words mean by them.

Owns `Shop` and the finding of a service by what somebody calls it. Pure; knows no appointment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from voicebotd.appointments.local import earliest, latest
from voicebotd.appointments.records import ImpossibleError
from voicebotd.appointments.words import listed

_FILLERS = frozenset({"a", "an", "the", "service", "services", "appointment", "session", "please"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something that can be booked."""

    name: str
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysOff:
    """A day, or several in a row; without `year` the same day every year."""

    first: date
    last: date
    every_year: bool = False

    def hold(self, day: date) -> bool:
        if self.every_year:
            return (day.month, day.day) == (self.first.month, self.first.day)
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The rules. Minutes are counted from midnight on the wall; `closes` may be 1440."""

    zone: ZoneInfo
    services: tuple[Service, ...]
    opens: int
    closes: int
    weekdays: frozenset[int]
    """Monday is 0."""
    breaks: tuple[tuple[int, int], ...] = ()
    days_off: tuple[DaysOff, ...] = ()
    slot_minutes: int = 30
    horizon_days: int = 90
    notice_minutes: int = 0

    @property
    def service_names(self) -> tuple[str, ...]:
        return tuple(service.name for service in self.services)

    def service(self, wanted: str) -> Service:
        """The service that somebody means. Raises `ImpossibleError` (`unknown_service`) with a guess, or all of them.

        `Basic`, `a basic service` and `the basic one` mean basic; a misspelt one is guessed at and never taken.
        """
        words = _words(wanted)
        by_words = {" ".join(_words(service.name)): service for service in self.services}
        for name, service in by_words.items():
            if name == " ".join(words):
                return service
        found = [service for name, service in by_words.items() if set(name.split()) <= set(words)]
        if len(found) == 1:
            return found[0]
        near = get_close_matches(" ".join(words), by_words, n=1, cutoff=0.6)
        if near and not found:
            question = f"Did the visitor mean {by_words[near[0]].name}?"
        else:
            question = f"There are {listed(self.service_names, 'and')}."
        raise ImpossibleError("unknown_service", f"There is no service of that name. {question}")

    def is_open_on(self, day: date) -> bool:
        return day.weekday() in self.weekdays and not any(off.hold(day) for off in self.days_off)

    def opening(self, day: date) -> tuple[tuple[int, int], ...]:
        """The stretches of that day in which somebody can be there, as moments; none where it is closed."""
        if not self.is_open_on(day):
            return ()
        stretches = []
        opens = earliest(day, self.opens, self.zone)
        for start, end in sorted(self.breaks):
            begins, over = earliest(day, start, self.zone), latest(day, end, self.zone)
            if begins < over:  # else it lies in an hour that the clocks are put over
                stretches.append((opens, begins))
                opens = over
        stretches.append((opens, latest(day, self.closes, self.zone)))
        return tuple((start, end) for start, end in stretches if start < end)


def _words(text: str) -> list[str]:
    """What is left of a service's name, as somebody says it, when the words that name no service are gone."""
    words = re.findall(r"\w+", text.casefold())
    return [word for word in words if word not in _FILLERS] or words
