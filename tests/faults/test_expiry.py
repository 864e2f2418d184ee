"""Sessions that expire without a warning; `make expiry` holds the conversation of ten minutes."""

from __future__ import annotations

import pytest
from faultrig.expiry import talk
from faultrig.hurry import hurried

PACE = 4.0
SECONDS = 40.0

pytestmark = pytest.mark.usefixtures("log")


def test_a_conversation_over_many_sessions_is_the_same_conversation() -> None:
    whole = hurried(lambda: talk(SECONDS), pace=PACE)
    cut = hurried(lambda: talk(SECONDS, "expire=15.5"), pace=PACE)
    assert (whole.sessions, cut.sessions >= 3) == (1, True)
    assert cut.transcript == whole.transcript
    assert whole.asked_in_vain == 0
    assert cut.asked_in_vain < cut.sessions
