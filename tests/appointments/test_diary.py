"""Which times can be booked, why others cannot, and which are nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shops import ALWAYS, BASIC, BERLIN, CONSULTATION, NEW_YORK, NOW, PREMIUM, SHOP, at, day

from voicebotd.appointments.diary import NEAREST, Diary
from voicebotd.appointments.local import local
from voicebotd.appointments.records import ImpossibleError, Taken
from voicebotd.appointments.shop import DaysOff, Shop
from voicebotd.appointments.when import WallTime, read_time

SLOT_S = 30 * 60


def diary(shop: Shop = SHOP, *, now: int = NOW, taken: Sequence[Taken] = ()) -> Diary:
    return Diary(shop, taken, now=now)


def taken(*stretches: tuple[str, str]) -> list[Taken]:
    return [Taken(starts_at=at(start), ends_at=at(end)) for start, end in stretches]


def reason(caught: pytest.ExceptionInfo[ImpossibleError]) -> str:
    return caught.value.reason


def test_a_time_on_the_grid_in_the_opening_hours_can_be_had() -> None:
    box = diary()
    start = box.moment(day("2026-03-03"), read_time("16:30"))
    assert start == at("2026-03-03T16:30")
    box.check(start, CONSULTATION)


@pytest.mark.parametrize(
    ("when", "service", "expected", "words"),
    [
        ("2026-03-02T08:00", CONSULTATION, "past", "Monday 2 March 2026 at 08:00 has passed."),
        ("2026-03-03T08:30", CONSULTATION, "outside_hours", "On that day we are open from 09:00 to 17:00."),
        ("2026-03-03T16:30", BASIC, "outside_hours", "A basic of 60 minutes does not fit in at"),
        ("2026-03-03T17:00", CONSULTATION, "outside_hours", "open from 09:00 to 17:00"),
        ("2026-03-03T10:10", CONSULTATION, "off_grid", "Appointments begin every 30 minutes from 09:00."),
        ("2026-03-01T10:00", CONSULTATION, "past", "Sunday 1 March 2026 has passed."),
        ("2026-03-07T10:00", CONSULTATION, "closed", "We are closed on Saturday 7 March 2026."),
        ("2026-06-01T10:00", CONSULTATION, "too_far", "the last day that can be booked is Sunday 31 May 2026"),
    ],
)
def test_a_time_that_breaks_a_rule_is_refused_with_that_rule(when, service, expected, words) -> None:
    with pytest.raises(ImpossibleError) as caught:
        diary().check(at(when), service)
    assert reason(caught) == expected
    assert words in caught.value.message
    assert caught.value.near is not None


def test_an_appointment_may_not_lie_across_a_break() -> None:
    shop = replace(SHOP, breaks=((12 * 60, 13 * 60),))
    with pytest.raises(ImpossibleError, match="from 09:00 to 12:00 and from 13:00 to 17:00") as caught:
        diary(shop).check(at("2026-03-03T11:30"), BASIC)
    assert reason(caught) == "outside_hours"
    diary(shop).check(at("2026-03-03T11:00"), BASIC)
    diary(shop).check(at("2026-03-03T13:00"), BASIC)


def test_a_day_off_is_closed_and_its_hours_say_so() -> None:
    shop = replace(SHOP, days_off=(DaysOff(first=day("2026-03-03"), last=day("2026-03-03")),))
    with pytest.raises(ImpossibleError) as caught:
        diary(shop).check(at("2026-03-03T10:00"), CONSULTATION)
    assert reason(caught) == "closed"
    assert diary(shop).hours_words(day("2026-03-03")) == "closed"


def test_a_time_sooner_than_the_notice_is_refused_and_the_first_one_after_it_is_not() -> None:
    box = diary(replace(SHOP, notice_minutes=120))
    with pytest.raises(ImpossibleError, match="120 minutes of notice") as caught:
        box.check(at("2026-03-02T10:00"), CONSULTATION)
    assert (reason(caught), caught.value.near) == ("too_soon", NOW + 7200)
    box.check(at("2026-03-02T10:30"), CONSULTATION)
    assert box.free_on(box.today, CONSULTATION)[0] == at("2026-03-02T10:30")


@pytest.mark.parametrize(
    ("zone", "night", "text", "now"),
    [(BERLIN, "2026-03-29", "02:30", "2026-03-20T10:00"), (NEW_YORK, "2026-03-08", "02:30", "2026-03-02T10:00")],
)
def test_a_time_that_the_clocks_are_put_over_does_not_exist(zone, night, text, now) -> None:
    box = diary(replace(ALWAYS, zone=zone), now=at(now, zone))
    with pytest.raises(ImpossibleError, match=r"02:30 does not exist on Sunday .* put forward over it") as caught:
        box.moment(day(night), read_time(text))
    assert reason(caught) == "no_such_time"
    walls = [local(start, zone).strftime("%H:%M") for start in box.nearest(caught.value.near, CONSULTATION)]
    assert walls == ["03:00", "03:30", "04:00"]


@pytest.mark.parametrize(
    ("zone", "night", "text", "first", "second", "now"),
    [
        (BERLIN, "2026-10-25", "02:30", "02:30+02:00", "02:30+01:00", "2026-10-20T10:00"),
        (NEW_YORK, "2026-11-01", "01:30", "01:30-04:00", "01:30-05:00", "2026-10-20T10:00"),
    ],
)
def test_a_time_that_comes_twice_is_asked_about_and_each_of_the_two_can_be_had(
    zone, night, text, first, second, now
) -> None:
    box = diary(replace(ALWAYS, zone=zone), now=at(now, zone))
    with pytest.raises(ImpossibleError, match="comes twice") as caught:
        box.moment(day(night), read_time(text))
    assert reason(caught) == "ambiguous_time"
    assert f"{first} for the first or {second} for the second" in caught.value.message
    moments = [box.moment(day(night), read_time(each)) for each in (first, second)]
    assert moments[1] - moments[0] == 3600
    assert set(moments) < set(box.free_on(day(night), CONSULTATION))


def test_an_appointment_over_the_change_of_clocks_takes_its_time_and_not_the_walls() -> None:
    box = diary(ALWAYS, now=at("2026-03-20T10:00"))
    taken_over = [Taken(starts_at=at("2026-03-29T01:30"), ends_at=at("2026-03-29T01:30") + 7200)]
    free = diary(ALWAYS, now=at("2026-03-20T10:00"), taken=taken_over).free_on(day("2026-03-29"), CONSULTATION)
    gone = {
        local(start, BERLIN).strftime("%H:%M")
        for start in set(box.free_on(day("2026-03-29"), CONSULTATION)) - set(free)
    }
    assert gone == {"01:30", "03:00", "03:30", "04:00"}


def test_an_offset_that_is_the_shops_own_is_taken_and_another_is_refused() -> None:
    box = diary()
    assert box.moment(day("2026-03-03"), WallTime(minute=600, offset_minutes=60)) == at("2026-03-03T10:00")
    with pytest.raises(ImpossibleError, match=r"Europe/Berlin, which is \+01:00 from UTC") as caught:
        box.moment(day("2026-03-03"), WallTime(minute=600, offset_minutes=0))
    assert reason(caught) == "wrong_offset"


def test_a_day_is_judged_before_the_time_on_it() -> None:
    with pytest.raises(ImpossibleError) as caught:
        diary().moment(day("2026-03-08"), read_time("10:00"))
    assert reason(caught) == "closed"


def test_the_free_times_of_a_day_are_those_that_a_service_fits_into() -> None:
    box = diary(taken=taken(("2026-03-03T10:00", "2026-03-03T11:00"), ("2026-03-03T12:00", "2026-03-03T17:00")))
    assert box.choice_on(day("2026-03-03"), BASIC) == [at(f"2026-03-03T{time}") for time in ("09:00", "11:00")]
    with pytest.raises(ImpossibleError, match="Nothing is free for a premium on Tuesday 3 March 2026") as caught:
        box.choice_on(day("2026-03-03"), PREMIUM)
    assert reason(caught) == "full"


def test_a_taken_time_is_told_as_such() -> None:
    error = diary().taken_error(at("2026-03-03T10:00"))
    assert (error.reason, error.message, error.near) == (
        "taken",
        "Tuesday 3 March 2026 at 10:00 is taken.",
        at("2026-03-03T10:00"),
    )


def test_a_day_is_told_with_its_hours_or_refused() -> None:
    assert diary().hours_on(day("2026-03-03")) == "On Tuesday 3 March 2026 we are open from 09:00 to 17:00."
    with pytest.raises(ImpossibleError, match="We are closed"):
        diary().hours_on(day("2026-03-07"))


def test_what_of_today_has_passed_is_not_free_and_no_day_beyond_the_horizon_is() -> None:
    box = diary(now=at("2026-03-02T15:40"))
    assert box.free_on(box.today, CONSULTATION) == [at("2026-03-02T16:00"), at("2026-03-02T16:30")]
    assert box.free_on(day("2026-06-01"), CONSULTATION) == []
    assert box.free_on(day("2026-02-27"), CONSULTATION) == []


def test_the_next_days_skip_what_is_closed_or_full() -> None:
    box = diary(now=at("2026-03-06T15:00"), taken=taken(("2026-03-09T09:00", "2026-03-09T17:00")))
    assert [found for found, _ in box.next_free(PREMIUM, days=3)] == [
        day("2026-03-06"),
        day("2026-03-10"),
        day("2026-03-11"),
    ]


def test_there_may_be_no_next_day_at_all() -> None:
    never = DaysOff(first=day("2026-01-01"), last=day("2027-01-01"))
    box = diary(replace(SHOP, days_off=(never,)))
    assert list(box.next_free(CONSULTATION, days=3)) == []
    assert box.nearest(NOW, CONSULTATION) == []


def test_the_nearest_times_lie_on_both_sides_and_on_other_days() -> None:
    full = [("2026-03-03T09:00", "2026-03-03T16:30")]
    box = diary(taken=taken(*full))
    assert box.nearest(at("2026-03-03T09:00"), CONSULTATION) == [
        at(text) for text in ("2026-03-02T16:00", "2026-03-02T16:30", "2026-03-03T16:30")
    ]
    assert box.nearest(at("2026-03-04T12:00"), CONSULTATION) == [
        at(text) for text in ("2026-03-04T11:30", "2026-03-04T12:00", "2026-03-04T12:30")
    ]


def test_the_nearest_times_to_a_day_that_is_out_of_reach_are_at_the_edge_of_what_is_in_reach() -> None:
    assert [local(start, BERLIN).date() for start in diary().nearest(at("2031-01-01T10:00"), CONSULTATION)] == [
        day("2026-05-29")
    ] * NEAREST
    assert diary().nearest(0, CONSULTATION)[0] == at("2026-03-02T09:00")


@settings(deadline=None)
@given(
    taken_slots=st.sets(st.integers(0, 400), max_size=300),
    near_slot=st.integers(-50, 500),
    service=st.sampled_from([CONSULTATION, BASIC, PREMIUM]),
)
def test_the_nearest_are_free_lawful_and_none_is_nearer(taken_slots, near_slot, service) -> None:
    begin = at("2026-03-02T00:00")
    busy = [Taken(starts_at=begin + slot * SLOT_S, ends_at=begin + (slot + 1) * SLOT_S) for slot in sorted(taken_slots)]
    near = begin + near_slot * SLOT_S
    box = diary(replace(SHOP, horizon_days=12), taken=busy)
    offered = box.nearest(near, service)
    every = [start for ahead in range(13) for start in box.free_on(day(f"2026-03-{2 + ahead:02d}"), service)]
    for start in every:
        box.check(start, service)
        end = start + service.minutes * 60
        assert not any(each.starts_at < end and start < each.ends_at for each in busy)
    assert sorted(abs(start - near) for start in offered) == sorted(abs(start - near) for start in every)[:NEAREST]
    assert offered == sorted(offered)


def test_every_half_hour_of_a_year_that_the_rules_allow_is_listed_as_free() -> None:
    """Checking one time and listing a day's times are two ways through the rules; they must come to the same."""
    box = diary(replace(ALWAYS, horizon_days=365))
    for text in ("2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25"):
        listed = box.free_on(day(text), BASIC)
        allowed = []
        for start in range(at(f"{text}T00:00"), at(f"{text}T00:00") + 26 * 3600, SLOT_S):
            if local(start, BERLIN).date() == day(text):
                try:
                    box.check(start, BASIC)
                except ImpossibleError:
                    continue
                allowed.append(start)
        assert listed == allowed
