"""How long the service may take, and what follows when it takes longer."""

from __future__ import annotations

from typing import Any

import pytest
from talkbox import Box, delta, only

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.states import State


def asked(**policy: Any) -> Box:
    """An answer is asked for, and nothing comes."""
    box = Box(**policy).live()
    box.do(cmd.SendMessage(request_id=5, text="Hello"))
    box.do(ev.ItemAdded(item_id=only(box.log, fx.CreateMessage)[0].item_id, item_type="message"))
    box.log.clear()
    return box


def errors(effects: list[fx.Effect]) -> list[str]:
    return [one.data["code"] for one in only(effects, fx.Publish) if one.topic == "error"]


def test_an_answer_that_does_not_come_is_asked_for_once_more_and_then_of_another_session() -> None:
    box = asked(answer_within_s=4.0)
    assert box.wait(3900) == []
    again = box.wait(200)
    assert (errors(again), len(only(again, fx.CreateResponse))) == (["no_answer"], 1)
    assert box.core.snapshot().trouble == "the service did not answer in time"
    over = box.wait(4000)
    assert (errors(over), only(over, fx.CreateResponse)) == (["no_answer"], [])
    assert len(only(over, fx.DropLink)) == 1
    box.do(ev.LinkLost(reason="dropped"))
    assert len(only(box.ready(), fx.CreateResponse)) == 1, "and the next session is asked"


def test_without_a_session_nothing_is_due() -> None:
    box = asked()
    box.do(ev.LinkLost(reason="gone"))
    assert errors(box.wait(60_000)) == []


def test_an_answer_that_stops_midway_is_given_up_once_and_not_while_something_comes() -> None:
    box = asked(signs_within_s=10.0)
    box.do(ev.ResponseCreated(response_id="r1"))
    for _ in range(3):
        assert errors(box.wait(9000)) == []
        box.do(delta())
    assert errors(box.wait(9900)) == []
    over = box.wait(1000)
    assert (errors(over), len(only(over, fx.DropLink))) == (["no_answer"], 1)
    assert box.core.snapshot().trouble == "the service did not answer in time"


@pytest.mark.parametrize(
    ("done", "reset_s", "wait_s"),
    [({"retry_after_s": 3.0}, 9.0, 3.0), ({}, 9.0, 9.0), ({}, None, 5.0), ({"retry_after_s": 900.0}, None, 60.0)],
    ids=["as the answer says", "as the limits say", "where nobody says", "but not for ever"],
)
def test_at_the_rate_limit_the_service_is_asked_again_when_it_allows_it(
    done: dict[str, Any], reset_s: float | None, wait_s: float
) -> None:
    box = asked()
    box.do(ev.ResponseCreated(response_id="r1"))
    if reset_s is not None:
        assert box.do(ev.RateLimited(reset_s=reset_s)) == [], "nobody was refused yet"
    limited = box.done(status="failed", error_code="rate_limit_exceeded", error_message="slow down", **done)
    assert only(limited, fx.CreateResponse) == []
    assert box.core.snapshot().trouble == "the latest answer failed: slow down"
    assert only(box.wait(wait_s * 1000 - 100), fx.CreateResponse) == []
    assert len(only(box.wait(200), fx.CreateResponse)) == 1


def test_the_trouble_with_an_answer_is_named_by_what_is_known_and_over_with_the_next() -> None:
    box = asked()
    for known, named in (({"error_code": "oops"}, "oops"), ({"reason": "unknown"}, "unknown")):
        box.do(ev.ResponseCreated(response_id="r1"))
        box.done(status="failed", **known)
        assert box.core.snapshot().trouble == f"the latest answer failed: {named}"
    box.do(ev.ResponseCreated(response_id="r1"))
    box.done(status="cancelled")
    assert box.core.snapshot().trouble != ""
    box.do(ev.ResponseCreated(response_id="r1"))
    box.done()
    assert box.core.snapshot().trouble == ""


def test_words_that_were_heard_again_and_make_no_turn_are_answered_after_a_while() -> None:
    box = Box().live()
    box.speaks()
    box.stops(after_ms=900)
    box.do(ev.LinkLost(reason="gone"))
    box.ready()
    assert box.state is State.THINKING
    assert only(box.wait(7900), fx.CommitInput) == []
    late = box.wait(200)
    assert len(only(late, fx.CommitInput)) == len(only(late, fx.CreateResponse)) == 1


def test_a_session_that_waits_is_gone_over_to_before_the_end_of_the_present_one() -> None:
    box = Box().live()
    box.speaks()
    box.do(ev.SuccessorReady(within_s=7.0))
    assert only(box.wait(6900), fx.Succeed) == []
    assert len(only(box.wait(200), fx.Succeed)) == 1


def test_a_person_who_waits_for_it_waits_ten_seconds_at_most() -> None:
    box = Box().live()
    box.speaks()
    box.do(ev.SuccessorReady(within_s=60.0), cmd.RollSession(request_id=6))
    assert only(box.wait(9900), fx.Succeed) == []
    assert len(only(box.wait(200), fx.Succeed)) == 1


def test_a_timer_that_was_cancelled_meanwhile_does_nothing() -> None:
    box = Box().live()
    for name in ("answer", "limit", "owed", "roll", "signs", "succeed"):
        assert box.do(ev.TimerFired(name=name)) == []


def test_an_answer_that_came_whole_is_over_though_its_end_was_lost() -> None:
    box = asked(signs_within_s=10.0)
    box.reply(deltas=1)
    box.do(ev.AudioDone(response_id="r1", item_id="a1", content_index=0))
    over = box.wait(12_100)
    assert (errors(over), only(over, fx.DropLink)) == ([], [])
    assert "signs" not in box.timers


def test_an_answer_that_does_not_begin_is_given_up_sooner_than_one_that_stops() -> None:
    box = asked(begins_within_s=5.0, signs_within_s=20.0)
    box.do(ev.ResponseCreated(response_id="r1"))
    assert errors(box.wait(4900)) == []
    assert len(only(box.wait(200), fx.DropLink)) == 1
