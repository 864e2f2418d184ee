"""How days, times and codes are spelt in answers."""

from __future__ import annotations

from datetime import date

import pytest
from shops import BERLIN, NEW_YORK, at

from voicebotd.appointments.words import (
    code_words,
    day_words,
    listed,
    minute_words,
    moment_words,
    offset_words,
    time_words,
)


def test_a_day_is_spelt_with_weekday_and_year() -> None:
    assert day_words(date(2026, 3, 4)) == "Wednesday 4 March 2026"


def test_a_moment_is_spelt_as_the_shops_clock_shows_it() -> None:
    assert moment_words(at("2026-03-04T10:30"), BERLIN) == "Wednesday 4 March 2026 at 10:30"
    assert moment_words(at("2026-03-04T10:30"), NEW_YORK) == "Wednesday 4 March 2026 at 04:30"


def test_in_the_hour_that_comes_twice_a_time_says_which_of_the_two_it_is() -> None:
    assert time_words(at("2026-10-25T02:30"), BERLIN) == "02:30+02:00"
    assert time_words(at("2026-10-25T02:30", fold=1), BERLIN) == "02:30+01:00"
    assert time_words(at("2026-11-01T01:00", NEW_YORK, fold=1), NEW_YORK) == "01:00-05:00"


@pytest.mark.parametrize(("minutes", "words"), [(0, "00:00"), (570, "09:30"), (1440, "24:00")])
def test_minutes_are_spelt_as_a_clock(minutes: int, words: str) -> None:
    assert minute_words(minutes) == words


def test_offsets_have_a_sign() -> None:
    assert [offset_words(minutes) for minutes in (120, 0, -330)] == ["+02:00", "+00:00", "-05:30"]


def test_lists_are_spelt_as_people_say_them() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b or c"
    assert listed(["a", "b"], "and") == "a and b"


def test_a_code_is_said_in_two_halves() -> None:
    assert code_words("417209") == "417 209"
