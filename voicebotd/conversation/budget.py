"""What may be spent, and what has been: by this conversation, and by the whole box today.

Owns the two caps, the warning before each and the judgement that one is reached. Money is whole nano-dollars, so that
no sum depends on its order. Knows no price (`Tariff` does) and no clock: what day it is, it is told. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from voicebotd.conversation.events import Usage

NANO_USD = 1_000_000_000
"""Nano-dollars in a dollar."""

REHEARSED = "rehearsal/"
"""What stands before the name of a model that was only rehearsed: it costs as much, in play money."""

CapName = Literal["daily", "session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something cost. Not `complete`: of a part of it no price is known, and that part is not in the sum."""

    nano_usd: int
    complete: bool = True


class Tariff(Protocol):
    """Knows prices."""

    def cost_of(self, model: str, used: Usage) -> Cost: ...


class NoTariff:
    """Knows none."""

    def cost_of(self, _model: str, _used: Usage) -> Cost:
        return Cost(nano_usd=0, complete=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the owner allows; None: any amount. At `warn_fraction` of a cap a warning is given."""

    daily_nano_usd: int | None = None
    session_nano_usd: int | None = None
    warn_fraction: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """One cap and what has been spent under it."""

    name: CapName
    cap_nano_usd: int
    spent_nano_usd: int

    @property
    def reached(self) -> bool:
        return self.spent_nano_usd >= self.cap_nano_usd

    @property
    def fraction(self) -> float:
        """How much of it is spent. A cap of nothing is always spent."""
        return self.spent_nano_usd / self.cap_nano_usd if self.cap_nano_usd else 1.0

    @property
    def words(self) -> str:
        whose = "today's cap" if self.name == "daily" else "the cap of one conversation"
        return f"{whose} of {dollars(self.cap_nano_usd)}"


class Budget:
    """Adds up, and says when a cap is near or reached.

    `today_nano_usd` is of the whole box: what it spent before this life and beside this conversation is told to it.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.today_nano_usd = 0
        self.session_nano_usd = 0
        self.until = ""
        """When the day is over, in words; empty while nobody said what day it is."""
        self._session_is_open = False
        self._warned: set[CapName] = set()

    @property
    def caps(self) -> list[Cap]:
        """The caps that count now, the one that is nearest first. Where nobody talks, only today's does."""
        amounts: tuple[tuple[CapName, int | None, int], ...] = (
            ("daily", self.limits.daily_nano_usd, self.today_nano_usd),
            ("session", self.limits.session_nano_usd if self._session_is_open else None, self.session_nano_usd),
        )
        caps = [
            Cap(name=name, cap_nano_usd=cap, spent_nano_usd=spent) for name, cap, spent in amounts if cap is not None
        ]
        return sorted(caps, key=lambda cap: cap.fraction, reverse=True)

    @property
    def reached(self) -> Cap | None:
        """The cap that forbids to go on, today's before the conversation's: it also forbids to begin."""
        return next((cap for cap in sorted(self.caps, key=lambda cap: cap.name) if cap.reached), None)

    def spend(self, nano_usd: int) -> None:
        """This conversation spent it."""
        self.session_nano_usd += nano_usd
        self.today_nano_usd += nano_usd

    def spend_elsewhere(self, nano_usd: int) -> None:
        """Another conversation of the box did."""
        self.today_nano_usd += nano_usd

    def begin_session(self) -> None:
        self.session_nano_usd, self._session_is_open = 0, True

    def end_session(self) -> None:
        """What it cost stays known until the next begins."""
        self._session_is_open = False

    def begin_day(self, *, spent_nano_usd: int, until: str) -> None:
        """Another day, or the first of which it is told, of which `spent_nano_usd` is spent already."""
        self.today_nano_usd, self.until = spent_nano_usd, until

    def crossed(self) -> list[Cap]:
        """The caps of which a warning is due now: each is told once, and again only after it was below the mark.

        To be asked after everything that changes an amount or a cap.
        """
        near = {cap.name for cap in self.caps if cap.fraction >= self.limits.warn_fraction}
        due = [cap for cap in self.caps if cap.name in near - self._warned]
        self._warned = near
        return due


def dollars(nano_usd: int) -> str:
    """An amount as people read it, down to a hundredth of a cent where it is small."""
    usd = nano_usd / NANO_USD
    return f"${usd:.4f}" if 0 < usd < 0.01 else f"${usd:.2f}"


def usd(nano_usd: int) -> float:
    """An amount as programs read it: to the micro-dollar, half to even."""
    return round(nano_usd, -3) / NANO_USD
