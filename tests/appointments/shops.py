"""Shops that the tests of this room share, and moments as people write them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from voicebotd.appointments.shop import Service, Shop

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
WEEKDAYS = frozenset(range(5))
CONSULTATION = Service(name="consultation", minutes=30)
BASIC = Service(name="basic", minutes=60)
PREMIUM = Service(name="premium", minutes=120)
SHOP = Shop(
    zone=BERLIN,
    services=(CONSULTATION, BASIC, PREMIUM),
    opens=9 * 60,
    closes=17 * 60,
    weekdays=WEEKDAYS,
    horizon_days=90,
)
ALWAYS = replace(SHOP, opens=0, closes=24 * 60, weekdays=frozenset(range(7)))
"""Open day and night, so that the clocks change while it is open."""


def at(text: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp())


def day(text: str) -> date:
    return date.fromisoformat(text)


NOW = at("2026-03-02T08:10")
"""A Monday morning."""
