"""What a visitor calls a service, and when the shop is open."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shops import ALWAYS, SHOP, at, day

from voicebotd.appointments.records import ImpossibleError
from voicebotd.appointments.shop import DaysOff, Service


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("consultation", "consultation"),
        ("Consultation", "consultation"),
        ("a consultation, please", "consultation"),
        ("the basic service", "basic"),
        ("basic one", "basic"),
        ("PREMIUM appointment", "premium"),
    ],
)
def test_a_service_is_found_by_what_people_call_it(wanted: str, name: str) -> None:
    assert SHOP.service(wanted).name == name


def test_a_service_whose_name_is_made_of_filling_words_is_found_by_it() -> None:
    shop = replace(SHOP, services=(Service(name="The Service", minutes=30), Service(name="basic", minutes=60)))
    assert shop.service("the service").minutes == 30


@pytest.mark.parametrize(
    ("wanted", "question"),
    [
        ("premum", "Did the visitor mean premium?"),
        ("consulting", "Did the visitor mean consultation?"),
        ("massage", "There are consultation, basic and premium."),
        ("basic or premium", "There are consultation, basic and premium."),
        ("", "There are consultation, basic and premium."),
        ("x" * 300, "There are consultation, basic and premium."),
    ],
)
def test_an_unknown_service_is_asked_about_and_never_guessed(wanted: str, question: str) -> None:
    with pytest.raises(ImpossibleError) as caught:
        SHOP.service(wanted)
    assert (caught.value.reason, caught.value.near) == ("unknown_service", None)
    assert caught.value.message == f"There is no service of that name. {question}"


def test_a_day_off_is_a_day_a_stretch_or_a_day_of_every_year() -> None:
    stretch = DaysOff(first=day("2026-12-24"), last=day("2027-01-02"))
    christmas = DaysOff(first=day("2000-12-25"), last=day("2000-12-25"), every_year=True)
    assert [stretch.hold(day(text)) for text in ("2026-12-23", "2026-12-24", "2027-01-02", "2027-01-03")] == [
        False,
        True,
        True,
        False,
    ]
    assert [christmas.hold(day(text)) for text in ("2031-12-25", "2031-12-26")] == [True, False]


def test_the_shop_is_open_on_its_weekdays_but_not_on_days_off() -> None:
    shop = replace(SHOP, days_off=(DaysOff(first=day("2026-03-04"), last=day("2026-03-04")),))
    assert [shop.is_open_on(day(text)) for text in ("2026-03-03", "2026-03-04", "2026-03-07")] == [True, False, False]
    assert shop.opening(day("2026-03-04")) == ()


def test_breaks_part_the_day_and_one_at_its_edge_shortens_it() -> None:
    shop = replace(SHOP, breaks=((15 * 60, 17 * 60), (12 * 60, 13 * 60)))
    assert shop.opening(day("2026-03-03")) == (
        (at("2026-03-03T09:00"), at("2026-03-03T12:00")),
        (at("2026-03-03T13:00"), at("2026-03-03T15:00")),
    )


def test_a_day_on_which_the_clocks_change_is_an_hour_shorter_or_longer() -> None:
    def hours(text: str) -> list[float]:
        return [(end - start) / 3600 for start, end in ALWAYS.opening(day(text))]

    assert (hours("2026-03-28"), hours("2026-03-29"), hours("2026-10-25")) == ([24.0], [23.0], [25.0])


def test_a_break_within_the_hour_that_goes_missing_is_no_break() -> None:
    shop = replace(ALWAYS, breaks=((130, 150),))
    assert len(shop.opening(day("2026-03-28"))) == 2
    assert shop.opening(day("2026-03-29")) == ALWAYS.opening(day("2026-03-29"))
