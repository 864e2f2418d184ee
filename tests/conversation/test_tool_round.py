"""Every function call runs once and is answered exactly once, and the model goes on once for each round."""

from __future__ import annotations

import json

import pytest

from voicebotd.conversation.events import (
    FunctionCalled,
    ResponseDone,
    ResponseStatus,
)
from voicebotd.conversation.tool_round import NOT_RUN, ToolRound


def call(call_id: str, response_id: str = "r") -> FunctionCalled:
    return FunctionCalled(response_id=response_id, item_id=f"i-{call_id}", call_id=call_id, name="book", arguments="{}")


def done(status: ResponseStatus = "completed", response_id: str = "r") -> ResponseDone:
    return ResponseDone(response_id=response_id, status=status)


def begun(*call_ids: str, response_id: str = "r", tools: ToolRound | None = None) -> ToolRound:
    tools = tools or ToolRound()
    for call_id in call_ids:
        assert tools.called(call(call_id, response_id))
    tools.begin(done(response_id=response_id))
    return tools


def test_all_calls_of_a_response_begin_together_when_it_is_complete() -> None:
    tools = ToolRound()
    assert tools.called(call("1"))
    assert tools.called(call("2"))
    assert tools.called(call("3", response_id="another"))
    assert not tools.running
    assert [one.call_id for one in tools.begin(done()).to_run] == ["1", "2"]
    assert [one.call_id for one in tools.running] == ["1", "2"]


def test_a_duplicate_call_is_run_once() -> None:
    tools = begun("1")
    assert not tools.called(call("1"))
    assert tools.begin(done()).to_run == ()


@pytest.mark.parametrize("status", ["cancelled", "failed", "incomplete"])
def test_a_call_of_a_response_that_was_cut_short_is_refused_and_never_run(status: ResponseStatus) -> None:
    tools = ToolRound()
    tools.called(call("1"))
    refused = tools.begin(done(status))
    assert (refused.to_run, [one.call_id for one in refused.to_refuse]) == ((), ["1"])
    assert "not run" in json.loads(NOT_RUN)["error"]
    assert not tools.running


def test_a_round_is_complete_with_the_last_of_its_outputs() -> None:
    tools = begun("1", "2")
    first = tools.finished("1", "one")
    assert first is not None
    assert not first.complete
    assert [one.call_id for one in tools.running] == ["2"]
    last = tools.finished("2", "two")
    assert last is first
    assert last.complete
    assert last.outputs == {"1": "one", "2": "two"}


def test_an_output_that_comes_twice_or_for_no_call_is_nobodys() -> None:
    tools = begun("1")
    tools.finished("1", "one")
    assert tools.finished("1", "again") is None
    assert tools.finished("9", "strange") is None


def test_each_round_is_complete_by_itself() -> None:
    tools = begun("2", response_id="s", tools=begun("1"))
    quick = tools.finished("2", "two")
    assert quick is not None
    assert quick.complete
    assert [one.call_id for one in tools.running] == ["1"]


def test_a_response_that_was_asked_for_after_the_outputs_closes_their_round() -> None:
    tools = begun("1")
    tools.finished("1", "one")
    assert not tools.response_began(knows_all=True)
    assert tools.open == ()


def test_a_response_of_the_services_own_knows_what_the_session_had_when_it_began() -> None:
    tools = begun("1")
    one = tools.finished("1", "one")
    assert one is not None
    one.items["out"] = False
    assert tools.response_began(knows_all=False), "the output was still on its way"
    tools.item_added("somebody's")
    tools.item_added("out")
    assert not tools.response_began(knows_all=False)
    assert tools.open == ()


def test_a_round_that_still_runs_is_closed_by_no_response() -> None:
    tools = begun("1")
    assert not tools.response_began(knows_all=True)
    assert len(tools.open) == 1


def test_the_visitor_is_told_once_for_each_round_that_it_takes_a_while() -> None:
    tools = begun("1")
    assert tools.unfilled
    tools.fill()
    assert not tools.unfilled
    begun("2", response_id="s", tools=tools)
    assert tools.unfilled
    tools.finished("2", "two")
    assert not tools.unfilled


def test_a_lost_session_forgets_what_was_half_called_and_what_was_sent_and_nothing_that_runs() -> None:
    tools = begun("1")
    tools.called(call("2", response_id="s"))
    one = tools.finished("1", "one")
    assert one is not None
    one.items["out"] = True
    tools.lost()
    assert one.items == {}
    assert tools.open == (one,)
    assert tools.begin(done(response_id="s")).to_run == ()


def test_to_stop_is_to_forget_and_to_tell_what_still_ran() -> None:
    tools = begun("1", "2")
    tools.finished("1", "one")
    assert [one.call_id for one in tools.stop()] == ["2"]
    assert tools.open == ()
    assert tools.finished("2", "late") is None


def test_old_call_ids_are_forgotten() -> None:
    tools = ToolRound()
    for number in range(ToolRound.MAX_REMEMBERED + 1):
        tools.called(call(str(number)))
    assert tools.called(call("0")), "the oldest was forgotten"
