"""Every function call is answered exactly once."""

from __future__ import annotations

import json

import pytest

from voicebotd.conversation.events import (
    FunctionCalled,
    ResponseDone,
    ResponseStatus,
)
from voicebotd.conversation.tool_round import ToolRound


def call(call_id: str, response_id: str = "r") -> FunctionCalled:
    return FunctionCalled(response_id=response_id, item_id=f"i-{call_id}", call_id=call_id, name="book", arguments="{}")


def done(status: ResponseStatus = "completed", response_id: str = "r") -> ResponseDone:
    return ResponseDone(response_id=response_id, status=status)


def test_all_calls_of_a_response_are_answered_when_it_is_done_and_the_model_goes_on() -> None:
    tools = ToolRound()
    assert tools.called(call("1"))
    assert tools.called(call("2"))
    assert tools.called(call("3", response_id="another"))
    finished = tools.finished(done())
    assert [(answer.call_id, answer.name) for answer in finished.answers] == [("1", "book"), ("2", "book")]
    assert "not available" in json.loads(finished.answers[0].output)["error"]
    assert finished.respond


def test_a_duplicate_call_is_answered_once() -> None:
    tools = ToolRound()
    assert tools.called(call("1"))
    assert not tools.called(call("1"))
    assert len(tools.finished(done()).answers) == 1


@pytest.mark.parametrize("status", ["cancelled", "failed", "incomplete"])
def test_a_call_of_a_response_that_was_cut_short_is_answered_but_not_pursued(status: ResponseStatus) -> None:
    tools = ToolRound()
    tools.called(call("1"))
    finished = tools.finished(done(status))
    assert "not run" in json.loads(finished.answers[0].output)["error"]
    assert not finished.respond


def test_a_response_without_calls_needs_nothing() -> None:
    finished = ToolRound().finished(done())
    assert (finished.answers, finished.respond) == ((), False)


def test_old_call_ids_are_forgotten_and_a_lost_session_forgets_the_round() -> None:
    tools = ToolRound()
    for number in range(ToolRound.MAX_REMEMBERED + 1):
        tools.called(call(str(number)))
    assert tools.called(call("0")), "the oldest was forgotten"
    tools.forget()
    assert tools.finished(done()).answers == ()
