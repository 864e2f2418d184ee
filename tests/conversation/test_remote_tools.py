"""The functions that the service itself calls: told, asked about, and followed up once."""

from __future__ import annotations

from typing import Any

import pytest
from talkbox import Box, only

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.records import ToolCallRecord
from voicebotd.conversation.remote_tools import MOST_REMEMBERED, MOST_WAITING, TOO_LATE, RemoteTools


def remote() -> RemoteTools:
    return RemoteTools("c1", Ids(), approve_within_s=30.0)


def called(item_id: str = "m1", **more: Any) -> ev.RemoteCalled:
    values = {"response_id": "r1", "server": "docs", "name": "search", "arguments": '{"q":1}', "output": "found"}
    return ev.RemoteCalled(item_id=item_id, **{**values, **more})


def asked(approval_id: str = "a1") -> ev.ApprovalRequested:
    return ev.ApprovalRequested(approval_id=approval_id, server="docs", name="pay", arguments="{}")


def decision(approval_id: str = "a1", *, approve: bool = True) -> cmd.DecideApproval:
    return cmd.DecideApproval(request_id=7, approval_id=approval_id, approve=approve, reason="so")


def told(effects: list[fx.Effect]) -> list[str]:
    return [one.data["event"] for one in only(effects, fx.Publish) if one.topic == "tool"]


def answers(effects: list[fx.Effect]) -> list[tuple[str, bool, str]]:
    return [(one.approval_id, one.approve, one.reason) for one in only(effects, fx.AnswerApproval)]


@pytest.mark.parametrize(
    ("status", "event", "kept"),
    [("completed", "answered", "completed"), ("failed", "failed", "failed"), ("running", "called", "cancelled")],
)
def test_a_call_is_told_and_recorded_once(status: Any, event: str, kept: str) -> None:
    calls = remote()
    effects = calls.called(called(status=status))
    assert told(effects) == [event]
    (record,) = [one.record for one in only(effects, fx.Record)]
    assert isinstance(record, ToolCallRecord)
    assert (record.name, record.call_id, record.status, record.output) == ("docs__search", "m1", kept, "found")
    assert calls.called(called(status=status)) == []


def test_there_is_something_to_say_when_no_call_runs_any_more() -> None:
    calls = remote()
    calls.began("m1")
    calls.began("m2")
    assert (calls.running, calls.settled) == (True, False)
    calls.ended(ev.RemoteCallEnded(item_id="m1"))
    assert not calls.settled
    assert only(calls.ended(ev.RemoteCallEnded(item_id="m2")), fx.CancelTimer) != []
    assert (calls.running, calls.settled) == (False, True)
    calls.response_began()
    assert not calls.settled


@pytest.mark.parametrize("ended_first", [True, False])
def test_the_end_of_a_call_and_its_item_are_one_piece_of_news_in_either_order(ended_first: bool) -> None:
    calls = remote()
    calls.began("m1")
    steps = [lambda: calls.ended(ev.RemoteCallEnded(item_id="m1")), lambda: calls.called(called())]
    first, second = steps if ended_first else reversed(steps)
    first()
    assert calls.settled
    calls.response_began()
    second()
    assert not calls.settled


def test_the_end_of_a_call_that_nobody_heard_begin_is_news_too() -> None:
    calls = remote()
    assert calls.ended(ev.RemoteCallEnded(item_id="m1")) == []
    assert calls.settled


def test_a_call_whose_end_never_comes_holds_nothing_up_for_ever() -> None:
    calls = remote()
    (timer,) = only(calls.began("m1"), fx.SetTimer)
    assert calls.overdue(timer.name) == []
    assert not calls.running


def test_a_list_of_functions_is_told_and_one_that_failed_is_an_error() -> None:
    calls = remote()
    listed = calls.listed(ev.RemoteToolsListed(item_id="l", ok=True, server="docs", functions=("search",)))
    assert told(listed) == ["listed"]
    failed = calls.listed(ev.RemoteToolsListed(item_id="l", ok=False))
    assert told(failed) == ["listing_failed"]
    (error,) = [one for one in only(failed, fx.Publish) if one.topic == "error"]
    assert error.data["message"] == "the service could not list the functions of the server l"


@pytest.mark.parametrize("approve", [True, False])
def test_whoever_decides_is_answered_and_the_service_is_told(approve: bool) -> None:
    calls = remote()
    effects = calls.asked(asked())
    assert told(effects) == ["approval_requested"]
    (timer,) = only(effects, fx.SetTimer)
    assert (timer.delay_s, calls.waiting) == (30.0, True)
    assert calls.asked(asked()) == []
    decided = calls.decide(decision(approve=approve))
    assert answers(decided) == [("a1", approve, "so")]
    assert told(decided) == ["approved" if approve else "refused"]
    assert only(decided, fx.CancelTimer) == [fx.CancelTimer(name=timer.name)]
    assert only(decided, fx.Reply)[0].result == {"id": "a1", "approved": approve, "server": "docs", "name": "pay"}
    assert calls.settled is not approve
    assert calls.asked(asked()) == []


def test_nobodys_word_is_a_refusal_and_a_late_one_finds_nothing() -> None:
    calls = remote()
    (timer,) = only(calls.asked(asked()), fx.SetTimer)
    assert answers(calls.overdue(timer.name)) == [("a1", False, TOO_LATE)]
    (refused,) = only(calls.decide(decision()), fx.Refuse)
    assert (refused.kind, refused.message) == ("tool.no_approval", "no call waits for the approval 'a1'; waiting: none")


def test_more_than_can_wait_are_refused() -> None:
    calls = remote()
    for number in range(MOST_WAITING):
        assert answers(calls.asked(asked(f"a{number}"))) == []
    assert answers(calls.asked(asked("one too many"))) == [
        ("one too many", False, "too many others wait for an approval")
    ]


def test_a_lost_session_takes_its_calls_along() -> None:
    calls = remote()
    calls.began("m1")
    calls.asked(asked())
    assert len(only(calls.lost(), fx.CancelTimer)) == 2
    assert (calls.running, calls.waiting, calls.settled) == (False, False, False)


def test_what_is_remembered_against_duplicates_is_bounded() -> None:
    calls = remote()
    for number in range(MOST_REMEMBERED + 1):
        calls.called(called(f"m{number}"))
    assert calls.called(called("m1")) == []
    assert calls.called(called("m0")) != []


# In a conversation.


def calling() -> Box:
    box = Box().live()
    box.speaks()
    box.stops(after_ms=1500)
    box.do(ev.ResponseCreated(response_id="r1"))
    box.do(ev.OutputItemAdded(response_id="r1", item_id="m1", output_index=0, item_type="mcp_call"))
    return box


def test_the_model_is_asked_to_go_on_when_the_call_and_its_response_are_over() -> None:
    box = calling()
    assert only(box.do(ev.RemoteCallEnded(item_id="m1")), fx.CreateResponse) == []
    assert only(box.do(called()), fx.CreateResponse) == []
    assert len(only(box.done(), fx.CreateResponse)) == 1


def test_a_call_that_outlives_its_response_is_followed_up_when_it_ends() -> None:
    box = calling()
    assert only(box.done(), fx.CreateResponse) == []
    assert len(only(box.do(ev.RemoteCallEnded(item_id="m1")), fx.CreateResponse)) == 1
    assert only(box.do(called()), fx.CreateResponse) == []


def test_an_approval_that_nobody_gives_is_refused_in_time_and_spoken_about() -> None:
    box = calling()
    (timer,) = [one for one in only(box.do(asked()), fx.SetTimer) if "a1" in one.name]
    box.do(ev.RemoteCallEnded(item_id="m1"))
    assert only(box.done(), fx.CreateResponse) == []
    effects = box.do(ev.TimerFired(name=timer.name))
    assert answers(effects) == [("a1", False, TOO_LATE)]
    assert len(only(effects, fx.CreateResponse)) == 1


def test_an_approval_is_given_by_command() -> None:
    box = calling()
    box.do(asked())
    assert answers(box.do(decision())) == [("a1", True, "so")]
