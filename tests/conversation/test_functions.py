"""What is sent, recorded and told of the functions that the model calls; and when the model speaks about them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from talkbox import Box, only

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.records import ToolCallRecord
from voicebotd.conversation.states import State


def calling(*call_ids: str, **how: Any) -> Box:
    """A box whose visitor asked for something, and whose model calls functions for it."""
    box = Box(**how).live()
    box.speaks()
    box.stops(after_ms=1500)
    box.do(ev.ResponseCreated(response_id="r1"))
    for call_id in call_ids or ("k",):
        box.do(call(call_id))
    box.log.clear()
    return box


def call(call_id: str, response_id: str = "r1") -> ev.FunctionCalled:
    return ev.FunctionCalled(
        response_id=response_id, item_id=f"f-{call_id}", call_id=call_id, name="book", arguments='{"at":10}'
    )


def records(effects: list[fx.Effect]) -> list[ToolCallRecord]:
    return [one.record for one in only(effects, fx.Record) if isinstance(one.record, ToolCallRecord)]


def told(effects: list[fx.Effect]) -> list[str]:
    return [one.data["event"] for one in only(effects, fx.Publish) if one.topic == "tool"]


def creates(effects: list[fx.Effect]) -> list[fx.CreateResponse]:
    return only(effects, fx.CreateResponse)


def test_a_call_is_told_when_it_is_made_and_runs_when_its_response_is_complete() -> None:
    box = Box().live()
    box.do(ev.ResponseCreated(response_id="r1"))
    called = box.do(call("k"))
    assert told(called) == ["called"]
    assert only(called, fx.RunTool) == []
    begun = box.done()
    assert only(begun, fx.RunTool) == [
        fx.RunTool(call_id="k", conversation_id="c1", name="book", arguments='{"at":10}')
    ]
    (record,) = records(begun)
    assert (record.call_id, record.name, record.status, record.response_id) == ("k", "book", "running", "r1")
    assert box.state is State.THINKING


def test_the_output_is_delivered_recorded_and_told_and_the_model_goes_on() -> None:
    box = calling()
    box.done()
    answered = box.answered(output="booked", duration_ms=120)
    (output,) = only(answered, fx.CreateFunctionOutput)
    assert (output.call_id, output.output) == ("k", "booked")
    (record,) = records(answered)
    assert (record.status, record.output, record.duration_ms) == ("completed", "booked", 120)
    assert told(answered) == ["answered"]
    assert len(creates(answered)) == 1
    order = [type(one) for one in answered if isinstance(one, fx.ToService)]
    assert order == [fx.CreateFunctionOutput, fx.CreateResponse]


@pytest.mark.parametrize("status", ["failed", "timed_out"])
def test_a_failure_is_an_output_like_any_other(status: Any) -> None:
    box = calling()
    box.done()
    failed = box.answered(status=status, output="it failed")
    assert told(failed) == ["failed"]
    assert records(failed)[0].status == status
    assert len(creates(failed)) == 1


def test_a_call_that_is_told_twice_is_told_of_and_run_once() -> None:
    box = calling()
    assert told(box.do(call("k"))) == []
    assert len(only(box.done(calls=(call("k"),)), fx.RunTool)) == 1


def test_parallel_calls_run_at_once_and_the_model_goes_on_once_after_the_last() -> None:
    box = calling("k1", "k2", "k3")
    assert [one.call_id for one in only(box.done(), fx.RunTool)] == ["k1", "k2", "k3"]
    assert creates(box.answered("k2") + box.answered("k1")) == []
    assert len(creates(box.answered("k3"))) == 1


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_a_call_of_a_response_that_was_cut_short_is_answered_without_being_run(status: Any) -> None:
    box = calling()
    cut = box.done(status=status)
    assert only(cut, fx.RunTool) == []
    assert len(creates(cut)) == (0 if status == "cancelled" else 1), "the answer is asked for once more, not the call"
    (output,) = only(cut, fx.CreateFunctionOutput)
    assert "not run" in json.loads(output.output)["error"]
    assert records(cut)[0].status == "cancelled"


def test_an_interruption_while_a_function_runs_still_delivers_its_output() -> None:
    box = calling(mode="immediate")
    box.done()
    box.speaks("u2")
    answered = box.answered()
    assert len(only(answered, fx.CreateFunctionOutput)) == 1
    assert creates(answered) == [], "the visitor speaks and gets an answer, with the output in it"
    box.stops("u2", after_ms=1500)
    assert creates(box.do(ev.ResponseCreated(response_id="r2"))) == []
    assert creates(box.done("r2")) == []


def test_an_output_that_comes_while_another_answer_is_made_is_spoken_about_after_it() -> None:
    box = calling()
    box.done()
    box.wait(2000)
    box.do(ev.ResponseCreated(response_id="filler", metadata=only(box.log, fx.CreateResponse)[0].metadata))
    assert creates(box.answered()) == []
    assert len(creates(box.done("filler"))) == 1


def test_outputs_that_the_services_own_answer_knows_are_not_answered_again() -> None:
    box = calling(mode="immediate")
    box.done()
    box.speaks("u2")
    box.stops("u2", after_ms=1500)
    assert creates(box.answered()) == [], "the service answers by itself any moment"
    box.do(ev.ResponseCreated(response_id="r2"))
    assert creates(box.done("r2")) == []


def test_outputs_that_came_too_late_for_the_services_own_answer_are_gone_on_with_after_it() -> None:
    box = calling(mode="immediate")
    box.done()
    box.speaks("u2")
    box.stops("u2", after_ms=1500)
    box.do(ev.ToolFinished(call_id="k", output="done", status="completed"))
    box.do(ev.ResponseCreated(response_id="r2"))
    assert len(creates(box.done("r2"))) == 1


def test_an_output_on_its_way_when_the_visitor_was_answered_is_gone_on_with() -> None:
    box = calling(mode="immediate")
    box.done()
    box.speaks("u2")
    box.do(ev.ToolFinished(call_id="k", output="done", status="completed"))
    box.stops("u2", after_ms=1500)
    box.do(ev.ResponseCreated(response_id="r2"))
    (later,) = creates(box.done("r2"))
    box.do(ev.ResponseCreated(response_id="r3", metadata=later.metadata))
    assert creates(box.done("r3")) == [], "once"


# It takes a while.


def test_after_two_seconds_of_silence_the_visitor_is_told_once_that_it_takes_a_while() -> None:
    box = calling()
    box.done()
    assert creates(box.wait(1900)) == []
    (filler,) = creates(box.wait(200))
    assert not filler.calls_functions
    assert filler.instructions is not None
    assert filler.instructions.startswith("Be kind.")
    assert "still at it" in filler.instructions
    box.do(ev.ResponseCreated(response_id="r2", metadata=filler.metadata))
    box.done("r2")
    assert creates(box.wait(10_000)) == []
    assert len(creates(box.answered())) == 1


def test_a_preamble_that_still_sounds_is_no_silence() -> None:
    box = Box().live()
    box.reply(deltas=30)
    box.do(call("k"))
    box.done()
    assert creates(box.wait(3000)) == []
    box.heard(ms=3000)
    box.do(ev.PlayoutIdle())
    assert creates(box.wait(1900)) == []
    assert len(creates(box.wait(200))) == 1


def test_nobody_is_told_of_a_function_that_is_quick_or_while_they_speak() -> None:
    box = calling(mode="immediate")
    box.done()
    box.wait(1000)
    box.speaks("u2")
    assert creates(box.wait(5000)) == []
    box.answered()
    assert "fill" not in box.timers


def test_an_output_while_it_is_said_that_it_takes_a_while_is_gone_on_with_after_that() -> None:
    box = calling()
    box.done()
    (filler,) = creates(box.wait(2100))
    assert creates(box.answered()) == [], "one response at a time"
    box.do(ev.ResponseCreated(response_id="r2", metadata=filler.metadata))
    assert len(creates(box.done("r2"))) == 1


def test_who_has_been_told_that_it_takes_a_while_may_speak_up_in_a_word() -> None:
    box = calling()
    box.done()
    (filler,) = creates(box.wait(2100))
    box.do(ev.ResponseCreated(response_id="r2", metadata=filler.metadata))
    box.done("r2")
    box.speaks("u2")
    box.stops("u2", after_ms=300)
    assert any(getattr(one.record, "item_id", "") == "u2" for one in only(box.log, fx.Record)), "a turn, no noise"


# The session and the conversation may go meanwhile.


def test_a_function_outlives_its_session_and_the_next_one_gets_call_and_output() -> None:
    box = calling("k1", "k2")
    box.done()
    box.answered("k1", output="one")
    box.do(ev.LinkLost(reason="gone", retry_in_s=1.0))
    assert box.state is State.CONNECTING
    meanwhile = box.answered("k2", output="two")
    assert only(meanwhile, fx.ToService) == []
    assert records(meanwhile)[0].status == "completed"
    sent = [one for one in box.ready() if isinstance(one, fx.ToService)]
    calls = [(one.call_id, one.name, one.arguments) for one in sent if isinstance(one, fx.CreateFunctionCall)]
    assert calls == [("k1", "book", '{"at":10}'), ("k2", "book", '{"at":10}')]
    assert [(one.call_id, one.output) for one in sent if isinstance(one, fx.CreateFunctionOutput)] == [
        ("k1", "one"),
        ("k2", "two"),
    ]
    assert isinstance(sent[-1], fx.CreateResponse)


def test_a_function_that_runs_on_in_the_next_session_is_answered_there() -> None:
    box = calling()
    box.done()
    box.do(ev.LinkLost(reason="gone", retry_in_s=1.0))
    ready = box.ready()
    assert len(only(ready, fx.CreateFunctionCall)) == 1
    assert only(ready, fx.CreateFunctionOutput) == creates(ready) == []
    assert box.state is State.THINKING
    answered = box.answered()
    assert len(only(answered, fx.CreateFunctionOutput)) == len(creates(answered)) == 1


def test_what_the_model_has_spoken_about_is_known_to_the_next_session_and_not_spoken_about_again() -> None:
    box = calling()
    box.done()
    (create,) = creates(box.answered())
    box.do(ev.ResponseCreated(response_id="r2", metadata=create.metadata))
    box.done("r2")
    box.do(ev.LinkLost(reason="gone", retry_in_s=1.0))
    ready = box.ready()
    told = [type(effect) for effect in ready if isinstance(effect, fx.CreateFunctionCall | fx.CreateFunctionOutput)]
    assert told == [fx.CreateFunctionCall, fx.CreateFunctionOutput]
    assert creates(ready) == []


def test_the_end_of_the_conversation_cancels_what_runs_and_ignores_what_comes_of_it() -> None:
    box = calling()
    box.done()
    stopped = box.do(cmd.StopConversation(request_id=9))
    assert only(stopped, fx.CancelTool) == [fx.CancelTool(call_id="k")]
    assert records(stopped)[0].status == "cancelled"
    assert only(stopped, fx.ToService) == []
    assert box.answered() == []


def test_an_output_for_a_call_of_an_earlier_conversation_is_nobodys() -> None:
    box = calling()
    box.done()
    box.do(cmd.StopConversation(request_id=9))
    box.live()
    assert box.answered() == []
