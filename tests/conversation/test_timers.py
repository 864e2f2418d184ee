from __future__ import annotations

from voicebotd.conversation.effects import (
    CancelTimer,
    SetTimer,
)
from voicebotd.conversation.timers import Timers


def test_a_timer_runs_while_it_is_wanted() -> None:
    timers = Timers()
    assert timers.keep("t", wanted=False, delay_s=2.0) == []
    assert timers.keep("t", wanted=True, delay_s=2.0) == [SetTimer(name="t", delay_s=2.0)]
    assert timers.keep("t", wanted=True, delay_s=2.0) == []
    assert timers.keep("t", wanted=False, delay_s=2.0) == [CancelTimer(name="t")]


def test_a_timer_that_was_cancelled_meanwhile_did_not_fire() -> None:
    timers = Timers()
    timers.keep("t", wanted=True, delay_s=2.0)
    assert timers.fired("t")
    assert not timers.fired("t")
    assert timers.keep("t", wanted=True, delay_s=2.0) == [SetTimer(name="t", delay_s=2.0)], "it can run again"
