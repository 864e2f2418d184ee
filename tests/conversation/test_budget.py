"""Caps, warnings and whole sums."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebotd.conversation.budget import NANO_USD, Budget, Cap, Cost, Limits, NoTariff, dollars, usd
from voicebotd.conversation.events import Usage

CENT = NANO_USD // 100


def budget(daily: int | None = None, session: int | None = None, **more: float) -> Budget:
    """Caps in cents."""
    cents = [None if cap is None else cap * CENT for cap in (daily, session)]
    return Budget(Limits(daily_nano_usd=cents[0], session_nano_usd=cents[1], **more))


def test_without_caps_anything_may_be_spent() -> None:
    box = budget()
    box.spend(10**15)
    assert (box.caps, box.reached, box.crossed()) == ([], None, [])


def test_a_conversation_counts_for_itself_and_for_the_day_and_another_for_the_day_only() -> None:
    box = budget()
    box.spend(CENT)
    box.spend_elsewhere(2 * CENT)
    assert (box.session_nano_usd, box.today_nano_usd) == (CENT, 3 * CENT)
    box.begin_session()
    assert (box.session_nano_usd, box.today_nano_usd) == (0, 3 * CENT)


def test_a_day_begins_with_what_was_spent_of_it_already() -> None:
    box = budget()
    box.spend(CENT)
    box.begin_day(spent_nano_usd=5 * CENT, until="2026-11-30 00:00 CET")
    assert (box.session_nano_usd, box.today_nano_usd, box.until) == (CENT, 5 * CENT, "2026-11-30 00:00 CET")


def test_a_cap_is_reached_at_its_very_amount() -> None:
    box = budget(session=5)
    box.begin_session()
    box.spend(5 * CENT - 1)
    assert box.reached is None
    box.spend(1)
    assert box.reached == Cap(name="session", cap_nano_usd=5 * CENT, spent_nano_usd=5 * CENT)
    assert box.reached.words == "the cap of one conversation of $0.05"
    box.end_session()
    assert (box.reached, box.caps, box.session_nano_usd) == (None, [], 5 * CENT), "nobody talks any more"
    box.begin_session()
    assert box.reached is None


def test_the_days_cap_speaks_before_the_conversations() -> None:
    box = budget(daily=10, session=5)
    box.begin_session()
    box.spend(20 * CENT)
    assert [cap.name for cap in box.caps] == ["session", "daily"], "the one that is nearest first"
    assert box.reached is not None
    assert box.reached.words == "today's cap of $0.10"


def test_a_warning_is_given_once_at_the_fraction_and_again_for_another_crossing() -> None:
    box = budget(daily=100, warn_fraction=0.8)
    box.spend(80 * CENT - 1)
    assert box.crossed() == []
    box.spend(1)
    assert [cap.name for cap in box.crossed()] == ["daily"]
    box.spend(CENT)
    assert box.crossed() == []
    box.begin_day(spent_nano_usd=0, until="")
    assert box.crossed() == []
    box.spend(90 * CENT)
    assert [cap.name for cap in box.crossed()] == ["daily"]


def test_a_cap_that_is_raised_warns_when_it_is_near_again() -> None:
    box = budget(session=1)
    box.begin_session()
    box.spend(CENT)
    assert len(box.crossed()) == 1
    box.limits = Limits(session_nano_usd=10 * CENT)
    assert (box.reached, box.crossed()) == (None, [])
    box.spend(8 * CENT)
    assert len(box.crossed()) == 1


def test_a_cap_of_nothing_is_reached_before_anything_is_spent() -> None:
    box = budget(daily=0)
    assert box.reached is not None
    assert box.reached.fraction == 1.0


def test_nobody_who_knows_no_price_says_that_something_is_free() -> None:
    assert NoTariff().cost_of("any", Usage()) == Cost(nano_usd=0, complete=False)


@pytest.mark.parametrize(
    ("nano", "words", "number"),
    [
        (0, "$0.00", 0.0),
        (123_456, "$0.0001", 0.000123),
        (7_205_600, "$0.0072", 0.007206),
        (50_000_000, "$0.05", 0.05),
        (12_345_678_901, "$12.35", 12.345679),
        (500, "$0.0000", 0.0),
        (1500, "$0.0000", 0.000002),
    ],
)
def test_money_is_shown_to_people_and_to_programs(nano: int, words: str, number: float) -> None:
    assert dollars(nano) == words
    assert usd(nano) == number


@given(st.lists(st.integers(0, 10**10)), st.randoms())
def test_a_sum_does_not_depend_on_its_order(amounts: list[int], chance: object) -> None:
    one, other = budget(), budget()
    for amount in amounts:
        one.spend(amount)
    chance.shuffle(amounts)  # type: ignore[attr-defined]
    for amount in amounts:
        other.spend(amount)
    assert one.today_nano_usd == other.today_nano_usd
