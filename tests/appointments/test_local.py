"""Every minute comes once, but on two nights a year."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebotd.appointments.local import earliest, instants, is_even, latest, local, offset_minutes

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
SPRING = [(BERLIN, date(2026, 3, 29)), (NEW_YORK, date(2026, 3, 8))]
AUTUMN = [(BERLIN, date(2026, 10, 25)), (NEW_YORK, date(2026, 11, 1))]
HOUR_S = 3600


@pytest.mark.parametrize(("zone", "day"), SPRING)
def test_the_hour_that_goes_missing_in_spring_never_comes(zone: ZoneInfo, day: date) -> None:
    assert [len(instants(day, minute, zone)) for minute in (119, 120, 150, 179, 180)] == [1, 0, 0, 0, 1]
    assert instants(day, 180, zone)[0] - instants(day, 119, zone)[0] == 60


@pytest.mark.parametrize(("zone", "day", "hour"), [(*AUTUMN[0], 2), (*AUTUMN[1], 1)])
def test_the_hour_that_is_repeated_in_autumn_comes_twice(zone: ZoneInfo, day: date, hour: int) -> None:
    first, second = instants(day, hour * 60 + 30, zone)
    assert second - first == HOUR_S
    assert len(instants(day, hour * 60 - 1, zone)) == len(instants(day, hour * 60 + 60, zone)) == 1
    assert offset_minutes(first, zone) - offset_minutes(second, zone) == 60


@pytest.mark.parametrize(("zone", "day"), SPRING)
def test_what_begins_in_the_missing_hour_begins_after_it_and_what_ends_in_it_ends_before(
    zone: ZoneInfo, day: date
) -> None:
    jump = instants(day, 180, zone)[0]
    assert latest(day, 150, zone) < jump <= earliest(day, 150, zone)


@pytest.mark.parametrize(("zone", "day", "hour"), [(*AUTUMN[0], 2), (*AUTUMN[1], 1)])
def test_what_begins_in_the_repeated_hour_begins_the_first_time_and_ends_the_second(
    zone: ZoneInfo, day: date, hour: int
) -> None:
    minute = hour * 60 + 30
    assert (earliest(day, minute, zone), latest(day, minute, zone)) == instants(day, minute, zone)


@pytest.mark.parametrize(("zone", "day"), [*SPRING, *AUTUMN])
def test_only_the_two_odd_days_are_not_even(zone: ZoneInfo, day: date) -> None:
    assert not is_even(day, zone)
    assert is_even(day - timedelta(days=1), zone)
    assert is_even(day + timedelta(days=1), zone)


def test_a_zone_west_of_greenwich_is_behind() -> None:
    assert offset_minutes(instants(date(2026, 1, 1), 0, NEW_YORK)[0], NEW_YORK) == -300


@settings(deadline=None)
@given(
    st.dates(date(2020, 1, 1), date(2035, 1, 1)),
    st.integers(0, 1439),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Santiago"]),
)
def test_a_moment_shows_the_minute_that_it_was_found_for(day: date, minute: int, name: str) -> None:
    zone = ZoneInfo(name)
    found = instants(day, minute, zone)
    assert len(found) <= 2
    for moment in found:
        wall = local(moment, zone)
        assert (wall.date(), wall.hour * 60 + wall.minute) == (day, minute)
    if is_even(day, zone):
        assert found == (earliest(day, 0, zone) + minute * 60,)
