"""A conversation whose money is spent: what is said comes to its end, one goodbye follows, then it is over."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from talkbox import CENT, Box, CentPerToken, only, states, turns

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.budget import Limits
from voicebotd.conversation.farewell import GOODBYE, GOODBYE_TOKENS
from voicebotd.conversation.states import State

FIVE = Limits(session_nano_usd=5 * CENT)


def box_with(limits: Limits = FIVE, **more: Any) -> Box:
    return Box(limits=limits, tariff=CentPerToken(), **more)


def raised(cents: int = 100) -> cmd.SetBudget:
    return cmd.SetBudget(request_id=50, limits=Limits(session_nano_usd=cents * CENT), tariff=CentPerToken())


def ends(effects: list[fx.Effect]) -> list[str]:
    records = [effect.record for effect in only(effects, fx.Record)]
    return [record.end_reason for record in records if getattr(record, "end_reason", "")]


def goodbyes(effects: list[fx.Effect]) -> list[fx.CreateResponse]:
    """The responses that the words for a goodbye stand right before."""
    return [
        after
        for before, after in pairwise(effects)
        if isinstance(before, fx.CreateMessage) and before.text == GOODBYE and isinstance(after, fx.CreateResponse)
    ]


def test_the_reply_plays_to_its_end_then_one_short_goodbye_and_the_conversation_is_over() -> None:
    box = box_with().live()
    box.reply()
    spent = box.costs(5)
    assert only(spent, fx.OpenMicrophone) == [fx.OpenMicrophone(open=False)]
    assert (only(spent, fx.CreateResponse), box.state) == ([], State.SPEAKING)
    (goodbye,) = goodbyes(box.plays_out())
    assert (goodbye.calls_functions, goodbye.max_output_tokens) == (False, GOODBYE_TOKENS)
    assert goodbye.instructions is None, "with others the service would read the whole conversation anew"
    box.reply("r2", "a2")
    assert box.costs(2, "r2"), "it is counted, and asks for no second goodbye"
    over = box.plays_out("a2")
    assert ends(over) == ["budget: the cap of one conversation of $0.05 is reached: $0.05 is spent"]
    assert len(only(over, fx.CloseLink)) == 1
    assert box.state is State.OFF
    assert len(only(box.log, fx.CreateResponse)) == 1
    assert box.core.snapshot().spending.session_nano_usd == 7 * CENT


def test_below_the_cap_nothing_happens() -> None:
    box = box_with().live()
    box.reply()
    box.costs(4)
    box.plays_out()
    assert (box.state, goodbyes(box.log)) == (State.LISTENING, [])


def test_a_transcript_that_reaches_the_cap_lets_the_answer_be_made_and_said() -> None:
    box = box_with(mode="immediate").live()
    box.speaks()
    box.stops(after_ms=2000)
    box.reply()
    box.do(ev.UserTranscriptDone(item_id="u1", transcript="Hello", usage=ev.Usage(input_audio=5)))
    assert box.state is State.SPEAKING
    box.costs(1)
    assert len(goodbyes(box.plays_out())) == 1


def test_a_function_that_was_called_is_answered_and_the_goodbye_tells_what_came_of_it() -> None:
    box = box_with().live()
    box.do(ev.ResponseCreated(response_id="r1"))
    call = ev.FunctionCalled(response_id="r1", item_id="f1", call_id="call_1", name="book", arguments="{}")
    assert only(box.do(call) + box.costs(5), fx.CreateResponse) == [], "it is not over while a function runs"
    effects = box.answered("call_1")
    (output,) = only(effects, fx.CreateFunctionOutput)
    assert output.call_id == "call_1"
    (create,) = only(effects, fx.CreateResponse)
    assert effects.index(output) < effects.index(create), "the goodbye knows what came of it"
    assert goodbyes(effects) == [create], "and no answer is paid for beside it"


def test_a_visitor_who_speaks_when_the_money_is_spent_is_not_answered_any_more() -> None:
    box = box_with().live()
    box.speaks()
    box.do(ev.SpentElsewhere(nano_usd=0))
    assert box.state is State.HEARING
    effects = box.do(ev.UserTranscriptDone(item_id="u0", transcript="Before", usage=ev.Usage(input_audio=9)))
    assert len(only(effects, fx.ClearInput)) == 1
    assert len(goodbyes(effects)) == 1
    late = box.do(
        ev.SpeechStopped(item_id="u1", audio_end_ms=3000), ev.SpeechStarted(item_id="u2", audio_start_ms=3100)
    )
    assert (turns(late), only(late, fx.CreateResponse)) == ([], [])
    assert box.state is State.THINKING


def test_a_noise_over_the_last_reply_leaves_it_as_loud_as_it_was() -> None:
    box = box_with().live()
    box.reply()
    box.speaks()
    effects = box.costs(5)
    assert only(effects, fx.ShapePlayout)[-1] == fx.ShapePlayout(gain_db=0.0, paused=False)
    assert box.state is State.SPEAKING


def test_who_holds_the_talk_key_is_let_go() -> None:
    box = box_with(detection=ev.TurnDetection(type="none")).live()
    box.do(cmd.TalkBegin(request_id=3))
    effects = box.do(ev.UserTranscriptDone(item_id="u0", transcript="Before", usage=ev.Usage(input_audio=9)))
    assert "talk_ended" in turns(effects)
    assert len(goodbyes(effects)) == 1


def test_whatever_would_be_paid_for_is_refused_meanwhile_and_the_rest_is_not() -> None:
    box = box_with().live()
    box.reply()
    box.costs(5)
    for command in (
        cmd.RequestResponse(request_id=3),
        cmd.SendMessage(request_id=3, text="hello"),
        cmd.TalkBegin(request_id=3),
    ):
        (refusal,) = only(box.do(command), fx.Refuse)
        assert (refusal.request_id, refusal.kind) == (3, "budget.exhausted")
        assert "budget.session_usd" in refusal.hint
    taken = box.do(cmd.SendMessage(request_id=4, text="hello", respond=False))
    assert [message.text for message in only(taken, fx.CreateMessage)] == ["hello"]


def test_who_waits_for_an_answer_when_the_money_is_spent_is_refused() -> None:
    box = box_with().live()
    box.reply()
    box.do(cmd.RequestResponse(request_id=6))
    refused = only(box.costs(5), fx.Refuse)
    assert [(refusal.request_id, refusal.kind) for refusal in refused] == [(6, "budget.exhausted")]


def test_a_cap_that_is_raised_before_the_goodbye_lets_the_conversation_go_on() -> None:
    box = box_with().live()
    box.reply()
    box.costs(5)
    effects = box.do(raised())
    assert only(effects, fx.OpenMicrophone) == [fx.OpenMicrophone(open=True, preroll_ms=700)]
    box.plays_out()
    assert (box.state, goodbyes(box.log)) == (State.LISTENING, [])
    assert len(only(box.do(cmd.RequestResponse(request_id=6)), fx.CreateResponse)) == 1


def test_a_goodbye_that_is_on_its_way_is_the_end_though_the_cap_is_raised() -> None:
    box = box_with().live()
    box.reply()
    box.costs(5)
    box.plays_out()
    box.do(raised())
    box.reply("r2", "a2")
    box.done("r2")
    assert ends(box.plays_out("a2"))[0].startswith("budget: ")


def test_a_lost_link_is_not_opened_again_to_say_goodbye() -> None:
    box = box_with().live()
    box.reply()
    box.costs(5)
    effects = box.do(ev.LinkLost(reason="reset", retry_in_s=0.2))
    assert ends(effects)[0].startswith("budget: ")
    assert box.state is State.OFF


def test_a_goodbye_that_the_service_does_not_make_is_not_waited_for() -> None:
    box = box_with().live()
    box.reply()
    box.costs(5)
    box.plays_out()
    assert len(only(box.wait(10_000), fx.CreateResponse)) == 1, "it is asked for once more"
    assert len(only(box.wait(10_000), fx.DropLink)) == 1
    assert ends(box.do(ev.LinkLost(reason="dropped")))[0].startswith("budget: ")


@pytest.mark.parametrize(
    "ended",
    [
        {"status": "incomplete", "reason": "max_output_tokens"},
        {"status": "incomplete", "reason": "content_filter"},
        {"status": "failed", "error_code": "server_error"},
    ],
    ids=lambda ended: str(ended["status"]),
)
def test_a_goodbye_that_came_to_nothing_is_not_paid_for_twice(ended: dict[str, Any]) -> None:
    box = box_with().live()
    box.reply()
    box.costs(5)
    box.plays_out()
    box.do(ev.ResponseCreated(response_id="r2"))
    over = box.done("r2", **ended)
    assert (only(over, fx.CreateResponse), box.state) == ([], State.OFF)


def test_a_reply_that_never_ends_is_cut_off_at_last() -> None:
    box = box_with().live()
    box.reply()
    box.costs(5)
    over = box.wait(121_000)
    assert ends(over)[0].startswith("budget: ")
    assert len(only(over, fx.Flush)) == 1


@pytest.mark.parametrize("dozing", [False, True])
def test_a_box_without_a_session_just_ends_the_conversation(dozing: bool) -> None:
    box = box_with(Limits(daily_nano_usd=5 * CENT), idle_hangup_s=30.0)
    box.start()
    if dozing:
        box.ready()
        box.wait(31_000)
    assert box.state is (State.DOZING if dozing else State.CONNECTING)
    over = box.do(ev.SpentElsewhere(nano_usd=5 * CENT))
    assert (states(over), goodbyes(over)) == (["off"], [])


def test_a_conversation_that_a_person_stops_meanwhile_ends_for_that_reason() -> None:
    box = box_with().live()
    box.reply()
    box.costs(5)
    assert ends(box.do(cmd.StopConversation(request_id=8))) == ["requested"]
    box.live()
    assert (box.state, box.timers.get("farewell")) == (State.LISTENING, None)
