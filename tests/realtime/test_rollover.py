"""When a session is to be followed by another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebotd.realtime.rollover import LEAD_S, LONGEST_KNOWN_S, MARGIN_S, PATIENCE_S, Schedule, schedule

AFTER_S = 3000.0


def due(
    *, after_s: float = AFTER_S, expires_in_s: float | None = None, longest_s: float | None = None
) -> tuple[float, float]:
    when = schedule(rollover_after_s=after_s, expires_in_s=expires_in_s, longest_s=longest_s)
    return when.due_s, when.end_s


def test_where_nobody_knows_an_end_a_session_is_followed_as_configured_and_in_some_silence() -> None:
    assert due() == (AFTER_S, AFTER_S + PATIENCE_S)


def test_it_is_followed_before_the_end_that_the_provider_is_known_for() -> None:
    assert due(longest_s=3600.0) == (AFTER_S, 3600.0 - MARGIN_S)
    assert due(after_s=86_400.0, longest_s=3600.0) == (3600.0 - LEAD_S, 3600.0 - MARGIN_S)


def test_the_earlier_of_what_the_service_says_and_what_is_known_counts() -> None:
    assert due(expires_in_s=1800.0, longest_s=3600.0) == (1800.0 - LEAD_S, 1800.0 - MARGIN_S)
    assert due(expires_in_s=7200.0, longest_s=3600.0) == due(longest_s=3600.0)
    assert due(expires_in_s=1800.0) == (1800.0 - LEAD_S, 1800.0 - MARGIN_S)


def test_of_a_short_session_most_is_spent_alone() -> None:
    assert due(expires_in_s=20.0) == (15.0, 18.0)
    assert due(expires_in_s=4.0) == (3.0, 3.5)


@pytest.mark.parametrize("expires_in_s", [-5.0, 0.0, LONGEST_KNOWN_S, 1e12])
def test_a_clock_that_is_wrong_is_not_believed(expires_in_s: float) -> None:
    assert due(expires_in_s=expires_in_s) == due()
    assert due(expires_in_s=expires_in_s, longest_s=3600.0) == due(longest_s=3600.0)


@given(
    after_s=st.floats(1.0, 1e5),
    expires_in_s=st.none() | st.floats(-1e4, 1e6),
    longest_s=st.none() | st.floats(1.0, 1e5),
)
def test_a_successor_is_opened_first_and_takes_over_before_the_end(
    after_s: float, expires_in_s: float | None, longest_s: float | None
) -> None:
    when = schedule(rollover_after_s=after_s, expires_in_s=expires_in_s, longest_s=longest_s)
    assert isinstance(when, Schedule)
    assert 0.0 <= when.due_s <= when.end_s
    if longest_s is not None:
        assert when.end_s < longest_s
    if expires_in_s is not None and 0.0 < expires_in_s < LONGEST_KNOWN_S:
        assert when.end_s < expires_in_s
