"""What a model writes for a date or a time is understood where it makes sense, and else answered with the remedy."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebotd.appointments.records import ImpossibleError
from voicebotd.appointments.when import WallTime, read_date, read_time

TODAY = date(2026, 3, 2)  # a Monday


@pytest.mark.parametrize(
    ("text", "ahead"),
    [
        ("today", 0),
        (" Tomorrow ", 1),
        ("the day  after tomorrow", 2),
        ("Tuesday", 1),
        ("sunday", 6),
        ("Monday", 7),
        ("2026-03-04", 2),
        ("2026-3-4", 2),
        ("2026/03/04", 2),
        ("4.3.2026", 2),
        ("04. 03. 2026", 2),
        ("2026-03-04T10:00", 2),
        ("2026-03-04 10:00:00+01:00", 2),
    ],
)
def test_a_date_is_understood(text: str, ahead: int) -> None:
    assert read_date(text, TODAY) == TODAY + timedelta(days=ahead)


@pytest.mark.parametrize(
    "text", ["", "soon", "4/3/2026", "03-04-2026", "2026-03", "next Friday", "2026-03/04", "२०२६-03-04"]
)
def test_what_is_no_date_or_may_be_two_is_answered_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ImpossibleError, match=r"Write it as YYYY-MM-DD, for example 2026-03-02\.") as caught:
        read_date(text, TODAY)
    assert (caught.value.reason, caught.value.near) == ("unreadable_date", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-02-30", "There is no 30 February 2026: February 2026 has 28 days."),
        ("2027-02-29", "There is no 29 February 2027: February 2027 has 28 days."),
        ("2026-04-31", "There is no 31 April 2026: April 2026 has 30 days."),
        ("2026-13-01", "There is no month 13: months go from 1 to 12."),
        ("2026-00-01", "There is no month 0: months go from 1 to 12."),
        ("0000-01-01", "There is no year 0000."),
        ("32.1.2026", "There is no 32 January 2026: January 2026 has 31 days."),
        ("2026-01-00", "There is no 0 January 2026: January 2026 has 31 days."),
    ],
)
def test_an_impossible_date_is_answered_with_what_is_impossible_about_it(text: str, message: str) -> None:
    with pytest.raises(ImpossibleError) as caught:
        read_date(text, TODAY)
    assert (caught.value.reason, caught.value.message) == ("no_such_date", message)


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("10:30", 630),
        ("9", 540),
        ("09:00:00", 540),
        ("09:00:00.000", 540),
        ("9.15", 555),
        ("14h30", 870),
        ("14h", 840),
        ("10 Uhr", 600),
        ("10 o'clock", 600),
        ("3 pm", 900),
        ("3:15PM", 915),
        ("10 a.m.", 600),
        ("12 am", 0),
        ("12 pm", 720),
        ("noon", 720),
        ("Midnight", 0),
        ("T10:00", 600),
        ("2026-03-04T10:00", 600),
    ],
)
def test_a_time_is_understood(text: str, minute: int) -> None:
    assert read_time(text) == WallTime(minute=minute)


@pytest.mark.parametrize(
    ("text", "offset"),
    [("10:00Z", 0), ("10:00+01:00", 60), ("10:00 -0530", -330), ("2026-03-04T10:00:00+02:00", 120)],
)
def test_an_offset_behind_a_time_is_kept(text: str, offset: int) -> None:
    assert read_time(text) == WallTime(minute=600, offset_minutes=offset)


@pytest.mark.parametrize("text", ["25:00", "10:60", "24:00", "13 pm", "0 am"])
def test_a_time_that_no_clock_shows_is_answered_as_such(text: str) -> None:
    with pytest.raises(ImpossibleError, match="There is no time") as caught:
        read_time(text)
    assert caught.value.reason == "no_such_time"


@pytest.mark.parametrize("text", ["", "early", "10:30:15", "10:3", "2026-03-04", "10:00\u202e\nand more " + "x" * 300])
def test_what_is_no_time_is_answered_with_how_to_write_one_and_shown_short(text: str) -> None:
    with pytest.raises(ImpossibleError, match=r"Write it as HH:MM, for example 14:30\.") as caught:
        read_time(text)
    assert caught.value.reason == "unreadable_time"
    assert len(caught.value.message) < 120
    assert caught.value.message.isprintable()


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    with suppress(ImpossibleError):
        assert read_date(text, TODAY) >= date.min
    with suppress(ImpossibleError):
        assert 0 <= read_time(text).minute < 24 * 60
