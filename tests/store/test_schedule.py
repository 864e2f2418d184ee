"""The next night is at three by the clock on the wall, whatever the day's length."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebotd.store.schedule import JITTER_S, seconds_to_night

VIENNA = ZoneInfo("Europe/Vienna")
HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 5, 4, 1, 0, tzinfo=VIENNA), 2),
        (datetime(2026, 5, 4, 3, 0, tzinfo=VIENNA), 24),
        (datetime(2026, 5, 4, 23, 0, tzinfo=VIENNA), 4),
        (datetime(2026, 3, 28, 12, 0, tzinfo=VIENNA), 14),  # the night in which the clocks go forward
        (datetime(2026, 10, 24, 12, 0, tzinfo=VIENNA), 16),  # and back
    ],
)
def test_it_is_at_three_in_the_morning(now: datetime, hours: int) -> None:
    assert seconds_to_night(now, random=0.0) == hours * HOUR_S


@given(st.datetimes(timezones=st.just(UTC)), st.floats(0, 1, exclude_max=True))
def test_it_is_never_now_and_never_later_than_a_day_and_the_jitter(now: datetime, random: float) -> None:
    assert 0 < seconds_to_night(now, random=random) <= 24 * HOUR_S + JITTER_S
