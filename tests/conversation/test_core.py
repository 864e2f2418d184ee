"""Whole conversations: events in, effects out, and what must never happen."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talkbox import CENT, PCM_100_MS, Box, CentPerToken, delta, only, shapes, states

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.budget import Limits
from voicebotd.conversation.core import IllegalEventError
from voicebotd.conversation.states import State

SESSION = ev.SessionView(instructions="Be kind.", turn_detection=ev.TurnDetection())


def started(item_id: str = "u1") -> ev.SpeechStarted:
    return ev.SpeechStarted(item_id=item_id, audio_start_ms=0)


def stopped(item_id: str = "u1") -> ev.SpeechStopped:
    return ev.SpeechStopped(item_id=item_id, audio_end_ms=1000)


def test_the_microphone_opens_only_when_the_service_confirmed_the_session() -> None:
    box = Box()
    begun = box.start()
    assert len(only(begun, fx.OpenLink)) == 1
    assert only(begun, fx.Reply)[0].result == {"conversation_id": "c1"}
    assert only(begun, fx.OpenMicrophone) == []
    ready = box.do(ev.LinkReady(session_id="s1", model="m", session=SESSION))
    assert only(ready, fx.OpenMicrophone) == [fx.OpenMicrophone(open=True, preroll_ms=700, again=True)]
    assert box.state is State.LISTENING
    snapshot = box.core.snapshot()
    assert (snapshot.conversation_id, snapshot.talking) == ("c1", False)
    assert snapshot.confirmed == snapshot.turn_detection


def test_a_spoken_turn_goes_through_hearing_thinking_speaking_and_back() -> None:
    box = Box(mode="immediate").live()
    box.log.clear()
    box.do(started(), stopped(), ev.InputCommitted(item_id="u1"))
    assert box.state is State.THINKING
    box.reply()
    assert box.state is State.SPEAKING
    usage = ev.Usage(input_audio=20, output_audio=30)
    told = box.do(ev.ResponseDone(response_id="r1", status="completed", usage=usage))
    assert [told.data["tokens"] for told in only(told, fx.Publish) if told.topic == "usage"] == [50]
    box.heard("a1", 5000)
    box.do(ev.PlayoutIdle())
    assert states(box.log) == ["hearing", "thinking", "speaking", "listening"]
    assert box.core.snapshot().spending.tokens == 50
    assert box.core.snapshot().turns == 2


def test_an_interruption_is_heard_at_once_and_truncated_once() -> None:
    box = Box(mode="immediate").live()
    box.reply()
    assert len(only(box.do(started("u2")), fx.Flush)) == 1
    assert box.state is State.HEARING
    token = only(box.log, fx.Flush)[0].token
    heard = ev.Heard(item_id="a1", content_index=0, heard_samples=2400)
    effects = box.do(ev.PlayoutFlushed(token=token, heard=(heard,)))
    assert [effect.audio_end_ms for effect in only(effects, fx.TruncateItem)] == [100]
    assert only(box.do(delta()), fx.Play) == []


def test_the_assistant_may_speak_first() -> None:
    box = Box(speaks_first="assistant", greeting="Welcome!")
    box.live()
    (create,) = only(box.log, fx.CreateResponse)
    assert create.instructions.startswith("Be kind.")
    assert create.instructions.endswith("Welcome!")
    assert box.state is State.THINKING
    box.do(ev.LinkLost(reason="gone", retry_in_s=0.3))
    (again,) = only(box.ready(), fx.CreateResponse)
    assert again.instructions == create.instructions, "nobody was greeted yet"
    box.reply()
    box.done()
    box.do(ev.LinkLost(reason="gone", retry_in_s=0.3))
    assert only(box.ready(), fx.CreateResponse) == [], "nobody is greeted twice"


def test_a_greeting_given_with_the_start_is_spoken() -> None:
    assert "Hi" in only(Box(mode="immediate").live(greeting="Hi").log, fx.CreateResponse)[0].instructions
    assert only(Box(mode="immediate").live(greeting="Hi", speaks_first="user").log, fx.CreateResponse) == []


def test_instructions_of_one_conversation_end_with_it() -> None:
    box = Box()
    (update,) = only(box.start(instructions="It is Monday."), fx.UpdateSession)
    assert update.instructions.endswith("It is Monday.")
    box.do(cmd.StopConversation(request_id=2))
    assert box.core.snapshot().instructions == "Be kind."


def test_a_stop_silences_closes_records_and_sums_up() -> None:
    box = Box(mode="immediate").live()
    box.reply()
    effects = box.do(cmd.StopConversation(request_id=2, reason="requested"))
    assert box.state is State.OFF
    assert len(only(effects, fx.Flush)) == 1
    assert len(only(effects, fx.CloseLink)) == 1
    assert only(effects, fx.OpenMicrophone) == [fx.OpenMicrophone(open=False)]
    assert only(effects, fx.Record)[-1].record.end_reason == "requested"
    summary = only(effects, fx.Reply)[0].result
    assert summary["turns"] == 1
    assert summary["seconds"] > 0
    token = only(effects, fx.Flush)[0].token
    assert only(box.do(ev.PlayoutFlushed(token=token, heard=())), fx.ToService) == []


def test_commands_that_make_no_sense_are_refused_with_a_hint() -> None:
    box = Box()
    (refusal,) = box.do(cmd.SendMessage(request_id=9, text="hello"))
    assert (refusal.request_id, refusal.kind) == (9, "conversation.not_running")
    assert refusal.hint
    box.start()
    assert box.do(cmd.StartConversation(request_id=2, conversation_id="x"))[0].kind == "conversation.already_running"
    assert box.do(cmd.RequestResponse(request_id=3))[0].kind == "link.unavailable"


def test_events_of_a_session_that_is_gone_change_nothing() -> None:
    box = Box()
    assert box.do(started(), ev.LinkReady(session_id="s", model="m", session=SESSION)) == []
    assert box.state is State.OFF


def test_an_event_that_the_table_does_not_know_raises_and_changes_nothing() -> None:
    class Unheard(ev.Event):
        pass

    box = Box(mode="immediate").live()
    before = box.core.snapshot()
    with pytest.raises(IllegalEventError):
        box.do(Unheard())
    assert box.core.snapshot() == before


def test_a_lost_link_refuses_who_waits_and_a_new_one_goes_on() -> None:
    box = Box(mode="immediate").live()
    box.do(cmd.RequestResponse(request_id=5, wait=True))
    lost = box.do(ev.LinkLost(reason="reset", code="", hint="wait", retry_in_s=0.25))
    assert box.state is State.CONNECTING
    assert only(lost, fx.Refuse)[0].request_id == 5
    assert only(lost, fx.Publish)[0].data["state"] == "lost"
    assert only(lost, fx.OpenMicrophone) == [fx.OpenMicrophone(open=False)]
    refused = box.do(ev.LinkLost(reason="the key was refused", code="invalid_api_key", fatal=True))
    assert only(refused, fx.Publish)[0].data["state"] == "refused"
    box.do(ev.LinkReady(session_id="s2", model="m", session=SESSION))
    assert box.state is State.LISTENING


def test_a_second_session_without_a_loss_hears_what_the_visitor_is_saying_from_its_beginning() -> None:
    box = Box(mode="immediate").live()
    box.do(ev.SpeechStarted(item_id="u1", audio_start_ms=1230))
    effects = box.do(ev.LinkReady(session_id="s2", model="m", session=SESSION))
    assert box.state is State.LISTENING
    (opened,) = only(effects, fx.OpenMicrophone)
    assert (opened.again, opened.since) == (True, fx.Since(place_ms=1230))


def test_an_answer_that_does_not_come_is_asked_for_once_more_and_then_of_another_session() -> None:
    box = Box(mode="immediate").live()
    effects = box.do(started(), stopped())
    assert fx.SetTimer(name="answer", delay_s=8.0) in effects
    again = box.wait(8000)
    assert only(again, fx.Publish)[0].data["code"] == "no_answer"
    assert len(only(again, fx.CreateResponse)) == 1
    assert box.core.snapshot().trouble == "the service did not answer in time"
    assert box.state is State.THINKING
    given_up = box.wait(8001)
    assert only(given_up, fx.DropLink) == [fx.DropLink(reason="the service did not answer in time")]
    assert only(given_up, fx.CreateResponse) == []
    box.do(ev.LinkLost(reason="dropped"))
    assert box.do(ev.TimerFired(name="answer")) == [], "a timer that was cancelled meanwhile"
    assert len(only(box.ready(), fx.OpenMicrophone)) == 1


def test_an_answer_that_comes_stops_its_timer() -> None:
    box = Box(mode="immediate").live()
    box.do(started(), stopped())
    assert fx.CancelTimer(name="answer") in box.do(ev.ResponseCreated(response_id="r1"))


def test_a_response_whose_end_is_lost_blocks_nobody() -> None:
    box = Box(mode="immediate").live()
    box.reply()
    box.do(cmd.RequestResponse(request_id=5))
    assert only(box.wait(14_000), fx.DropLink) == []
    box.do(delta())
    assert only(box.wait(14_900), fx.DropLink) == [], "something came meanwhile"
    stopped_midway = box.wait(200)
    assert only(stopped_midway, fx.DropLink) == [fx.DropLink(reason="the service stopped in the middle of an answer")]
    lost = box.do(ev.LinkLost(reason="dropped"))
    assert only(lost, fx.Refuse)[0].request_id == 5
    resumed = box.ready()
    assert "cut off in the middle" in only(resumed, fx.CreateMessage)[-1].text, "and what was begun is finished"
    (create,) = only(resumed, fx.CreateResponse)
    assert create.instructions is None, "the service has the conversation in its cache"


def test_an_answer_that_was_received_whole_is_over_though_its_end_was_lost() -> None:
    box = Box(mode="immediate").live()
    box.reply(deltas=3)
    box.do(ev.AudioDone(response_id="r1", item_id="a1", content_index=0))
    over = box.wait(15_100)
    assert only(over, fx.DropLink) == []
    box.heard("a1", 300)
    box.do(ev.PlayoutIdle())
    assert box.state is State.LISTENING


def test_a_response_of_which_nothing_comes_is_given_up_sooner_than_one_that_stops() -> None:
    box = Box(mode="immediate").live()
    box.do(ev.ResponseCreated(response_id="r1"))
    assert only(box.wait(11_900), fx.DropLink) == []
    assert len(only(box.wait(200), fx.DropLink)) == 1


def test_a_failed_answer_is_trouble_until_one_succeeds() -> None:
    box = Box(mode="immediate").live()
    box.reply()
    box.do(ev.ResponseDone(response_id="r1", status="failed", error_message="overloaded"))
    assert box.core.snapshot().trouble == "the latest answer failed: overloaded"
    box.reply("r2", "a2")
    box.do(ev.ResponseDone(response_id="r2", status="completed"))
    assert box.core.snapshot().trouble == ""


def test_errors_are_matched_to_what_caused_them_and_the_rest_is_told() -> None:
    box = Box(mode="immediate").live()
    box.do(cmd.SendMessage(request_id=7, text="x" * 9, respond=False))
    event_id = only(box.log, fx.CreateMessage)[0].event_id
    assert only(box.do(ev.ServerError(code="a", message="b", event_id=event_id)), fx.Refuse)[0].request_id == 7
    assert box.do(ev.ServerError(code="response_cancel_not_active", message="nothing to cancel")) == []
    told = box.do(ev.ServerError(code="server_error", message="oops", param="p"))
    assert only(told, fx.Publish)[0].data == {"code": "server_error", "message": "oops", "param": "p"}


def test_deliveries_and_confirmations_are_timed() -> None:
    box = Box(mode="immediate").live()
    timer = only(box.do(cmd.SendMessage(request_id=7, text="hi", respond=False)), fx.SetTimer)[0].name
    assert only(box.do(ev.TimerFired(name=timer)), fx.Refuse)[0].request_id == 7
    box.do(cmd.SetTurnDetection(request_id=8, changes={"threshold": 0.5}))
    confirmed = ev.SessionView(instructions="", turn_detection=ev.TurnDetection(threshold=0.5))
    assert only(box.do(ev.SessionUpdated(session=confirmed)), fx.Reply)[0].request_id == 8
    box.do(cmd.SetInstructions(request_id=9, text="Be brief."))
    assert only(box.do(ev.SessionUpdated(session=confirmed)), fx.Reply)[0].request_id == 9


def test_a_message_is_delivered_and_answers_of_the_service_about_items_are_no_news() -> None:
    box = Box(mode="immediate").live()
    item_id = only(box.do(cmd.SendMessage(request_id=7, text="hi", respond=False)), fx.CreateMessage)[0].item_id
    assert only(box.do(ev.ItemAdded(item_id=item_id, item_type="message")), fx.Reply)[0].request_id == 7
    assert box.do(ev.ItemTruncated(item_id="a", content_index=0, audio_end_ms=5), ev.ItemDeleted(item_id="a")) == []


def test_without_turn_detection_the_microphone_is_open_only_while_somebody_talks() -> None:
    box = Box(detection=ev.TurnDetection(type="none")).live()
    assert only(box.log, fx.OpenMicrophone) == []
    (opened,) = only(box.do(cmd.TalkBegin(request_id=2)), fx.OpenMicrophone)
    assert (opened.open, opened.preroll_ms, opened.since) == (True, 0, None), "nothing from before it was pressed"
    assert box.state is State.HEARING
    box.now_s += 1
    ended = box.do(cmd.TalkEnd(request_id=3))
    assert only(ended, fx.OpenMicrophone) == [fx.OpenMicrophone(open=False)]
    assert len(only(ended, fx.CommitInput)) == 1
    assert box.state is State.THINKING


def test_a_talk_key_that_nobody_lets_go_is_let_go() -> None:
    box = Box(mode="immediate").live()
    assert fx.SetTimer(name="talk", delay_s=60.0) in box.do(cmd.TalkBegin(request_id=2))
    box.now_s += 60
    assert len(only(box.do(ev.TimerFired(name="talk")), fx.CommitInput)) == 1
    assert box.state is State.THINKING


def test_the_service_s_own_detection_has_no_say_while_the_key_is_held() -> None:
    box = Box(mode="immediate").live()
    box.do(started(), cmd.TalkBegin(request_id=2))
    assert box.do(stopped()) == []
    assert box.state is State.HEARING


def test_a_change_of_turn_detection_in_mid_speech_begins_anew() -> None:
    box = Box(mode="immediate").live()
    box.do(started(), cmd.SetTurnDetection(request_id=8, changes={"threshold": 0.5}))
    assert box.state is State.HEARING
    box.do(ev.SessionUpdated(session=SESSION))
    assert box.state is State.LISTENING


def test_a_hard_stop_is_obeyed_in_mode_off_and_without_a_link() -> None:
    box = Box(mode="off").live()
    box.reply()
    assert only(box.do(started()), fx.Flush) == []
    assert len(only(box.do(cmd.InterruptResponse(request_id=4)), fx.Flush)) == 1
    box.do(ev.LinkLost(reason="gone"))
    assert only(box.do(cmd.InterruptResponse(request_id=5)), fx.Reply)[0].result == {
        "heard_ms": 0,
        "item_id": None,
    }


def test_device_news_are_told_in_every_state() -> None:
    box = Box()
    assert only(box.do(ev.AudioLost(reason="unplugged", hint="plug it in")), fx.Publish)[0].data["state"] == "lost"
    told = box.do(ev.AudioReady(input_name="mic", output_name="speaker"))
    assert only(told, fx.Publish)[0].data == {"state": "ready", "input": "mic", "output": "speaker"}


def test_a_file_ends_its_conversation_when_the_last_answer_was_heard() -> None:
    box = Box(source="file", hold_input="while_answering").live()
    assert only(box.log, fx.HoldInput) == [fx.HoldInput(hold=False)], "it waits until it is heard"
    box.do(started(), ev.AudioInputEnded())
    assert [timer.name for timer in only(box.log, fx.SetTimer)] == ["speech"]
    assert only(box.do(stopped()), fx.HoldInput) == [fx.HoldInput(hold=True)]
    box.reply()
    box.do(ev.ResponseDone(response_id="r1", status="completed"))
    box.heard("a1", 5000)
    over = box.do(ev.PlayoutIdle())
    assert fx.SetTimer(name="quiet", delay_s=2.7) in over
    assert fx.CancelTimer(name="quiet") in box.do(started("u2"))
    box.do(stopped("u2"), ev.ResponseCreated(response_id="r2"))
    box.done("r2", status="cancelled")
    ended = box.do(ev.TimerFired(name="quiet"))
    assert box.state is State.OFF
    assert only(ended, fx.Record)[-1].record.end_reason == "the input ended"


def test_a_file_in_real_time_waits_for_the_session_and_not_for_the_answers() -> None:
    box = Box(source="file", hold_input="until_connected").live()
    box.do(started(), stopped())
    assert only(box.log, fx.HoldInput) == [fx.HoldInput(hold=False)]


def test_a_file_without_turn_detection_is_one_turn() -> None:
    box = Box(detection=ev.TurnDetection(type="none"), source="file").live()
    assert only(box.log, fx.OpenMicrophone) == [fx.OpenMicrophone(open=True, preroll_ms=700, again=True)]
    effects = box.do(ev.AudioInputEnded())
    assert len(only(effects, fx.CommitInput)) == len(only(effects, fx.CreateResponse)) == 1


def test_a_file_whose_link_is_lost_ends_with_the_reason() -> None:
    box = Box(source="file")
    box.start()
    ended = box.do(ev.LinkLost(reason="refused"))
    assert box.state is State.OFF
    assert only(ended, fx.Record)[-1].record.end_reason == "link lost: refused"


def test_a_radio_is_cut_off_and_a_cancelled_answer_is_no_trouble() -> None:
    box = Box(mode="immediate", longest_speech_s=5.0).live()
    box.do(started())
    assert len(only(box.wait(5010), fx.CommitInput)) == 1
    box.reply()
    box.done(status="cancelled")
    assert box.core.snapshot().trouble == ""


def test_a_session_to_which_nobody_talks_is_closed_and_a_voice_or_a_command_opens_another() -> None:
    box = Box(idle_hangup_s=10.0).live()
    box.wait(9000)
    box.do(ev.VoiceStopped())
    assert only(box.wait(9000), fx.CloseLink) == [], "somebody stirred"
    assert len(only(box.wait(10_100), fx.CloseLink)) == 1
    assert box.state is State.DOZING
    assert len(only(box.do(ev.VoiceStarted()), fx.OpenLink)) == 1
    assert box.state is State.CONNECTING
    box.ready()
    box.wait(10_100)
    woken = box.do(cmd.RequestResponse(request_id=7))
    assert len(only(woken, fx.OpenLink)) == len(only(woken, fx.Refuse)) == 1


# What must never happen, whatever happens.

RESPONSES = st.sampled_from(["r1", "r2", "r3"])
ITEMS = st.sampled_from(["a1", "a2", "u1"])
MS = st.integers(0, 400)
REQUEST_ID = st.just(0)
OWN_TIMERS = ["answer", "quiet", "talk", "signs", "idle", "owed", "limit", "succeed", "roll", "fill", "confirm:evt_3"]
TIMERS = [*OWN_TIMERS, "speech", "overlap.confirm", "overlap.evidence", "overlap.latest", "overlap.resume"]
LOCAL_SESSION = ev.SessionView(instructions="Be kind.", turn_detection=None)
TYPES = st.sampled_from(["server_vad", "semantic_vad", "none", "local"])
MODES = st.sampled_from(["immediate", "confirm", "off"])
EVENTS: st.SearchStrategy[ev.Event] = st.one_of(
    st.builds(ev.LinkReady, session_id=st.just("s"), model=st.just("m"), session=st.just(SESSION)),
    st.builds(ev.LinkLost, reason=st.just("x"), fatal=st.booleans(), unheard_s=st.floats(0.0, 10.0)),
    st.builds(ev.SessionUpdated, session=st.just(SESSION)),
    st.builds(ev.SpeechStarted, item_id=ITEMS, audio_start_ms=MS),
    st.builds(ev.SpeechStopped, item_id=ITEMS, audio_end_ms=MS),
    st.builds(ev.InputCommitted, item_id=ITEMS),
    st.builds(ev.InputTimedOut, item_id=ITEMS),
    st.builds(ev.UserTranscriptDone, item_id=ITEMS, transcript=st.text(max_size=5)),
    st.builds(ev.ResponseCreated, response_id=RESPONSES),
    st.builds(ev.OutputItemAdded, response_id=RESPONSES, item_id=ITEMS, output_index=MS, item_type=st.just("message")),
    st.builds(
        ev.AudioDelta,
        response_id=RESPONSES,
        item_id=ITEMS,
        output_index=st.integers(0, 2),
        content_index=st.integers(0, 1),
        pcm=st.just(PCM_100_MS),
    ),
    st.builds(ev.AudioDone, response_id=RESPONSES, item_id=ITEMS, content_index=st.integers(0, 1)),
    st.builds(
        ev.FunctionCalled,
        response_id=RESPONSES,
        item_id=ITEMS,
        call_id=st.sampled_from(["k1", "k2"]),
        name=st.just("f"),
        arguments=st.just("{}"),
    ),
    st.builds(
        ev.ResponseDone,
        response_id=RESPONSES,
        status=st.sampled_from(["completed", "cancelled", "failed", "incomplete"]),
        error_code=st.sampled_from(["", "rate_limit_exceeded"]),
    ),
    st.builds(
        ev.ToolFinished, call_id=st.sampled_from(["k1", "k2"]), output=st.just("{}"), status=st.just("completed")
    ),
    st.builds(ev.RateLimited, reset_s=st.floats(0.1, 90.0)),
    st.builds(ev.SuccessorReady, within_s=st.floats(0.0, 90.0)),
    st.builds(ev.SuccessorFailed, reason=st.just("x")),
    st.builds(
        ev.ToolFinished,
        call_id=st.sampled_from(["k1", "k2"]),
        output=st.just("done"),
        status=st.sampled_from(["completed", "failed", "timed_out"]),
    ),
    st.builds(ev.ServerError, code=st.just("x"), message=st.just("y"), event_id=st.sampled_from(["", "evt_5"])),
    st.builds(ev.PlayoutStarted, item_id=ITEMS, content_index=st.just(0)),
    st.builds(
        ev.PlayoutProgressed, heard=st.builds(ev.Heard, item_id=ITEMS, content_index=st.just(0), heard_samples=MS)
    ),
    st.builds(ev.PlayoutIdle),
    st.builds(ev.ItemAdded, item_id=ITEMS, item_type=st.just("message")),
    st.builds(ev.VoiceStarted),
    st.builds(ev.VoiceStopped),
    st.builds(ev.LocalTurnStarted),
    st.builds(ev.LocalTurnStopped, speech_ms=st.integers(0, 3000)),
    st.builds(ev.SessionUpdated, session=st.just(LOCAL_SESSION)),
    st.builds(ev.AudioInputEnded),
    st.builds(ev.TimerFired, name=st.sampled_from(TIMERS)),
    st.builds(cmd.StartConversation, request_id=REQUEST_ID, conversation_id=st.just("c")),
    st.builds(cmd.StopConversation, request_id=REQUEST_ID),
    st.builds(cmd.SendMessage, request_id=REQUEST_ID, text=st.just("hi"), respond=st.booleans()),
    st.builds(cmd.RequestResponse, request_id=REQUEST_ID, wait=st.booleans()),
    st.builds(cmd.RollSession, request_id=REQUEST_ID),
    st.builds(cmd.InterruptResponse, request_id=REQUEST_ID),
    st.builds(cmd.SetInstructions, request_id=REQUEST_ID, text=st.one_of(st.none(), st.just("x"))),
    st.builds(cmd.SetTurnDetection, request_id=REQUEST_ID, changes=st.builds(dict, type=TYPES)),
    st.builds(cmd.SetBargeIn, request_id=REQUEST_ID, changes=st.builds(dict, mode=MODES)),
    st.builds(cmd.SetTools, request_id=REQUEST_ID, tools=st.just(())),
    st.builds(cmd.TalkBegin, request_id=REQUEST_ID),
    st.builds(cmd.TalkEnd, request_id=REQUEST_ID),
)


@settings(max_examples=400, deadline=None)
@given(
    mode=MODES,
    kind=TYPES,
    source=st.sampled_from(["microphone", "file"]),
    events=st.lists(EVENTS, max_size=60),
    share=st.floats(0, 1.5),
)
def test_whatever_happens_the_promises_hold(
    mode: Any, kind: Any, source: str, events: list[ev.Event], share: float
) -> None:
    box = Box(ev.TurnDetection(type=kind), mode=mode, source=source, idle_hangup_s=0.5)
    box.live()
    called, truncated, flushed = set[str](), 0, 0
    received: dict[str, int] = {}
    unanswered_creates = 0
    for number, drawn in enumerate(events):
        event = replace(drawn, request_id=100 + number) if isinstance(drawn, cmd.Command) else drawn
        live = box.state not in (State.OFF, State.CONNECTING, State.DOZING)
        effects = box.do(event)
        if isinstance(event, ev.AudioDelta) and live:
            received[event.item_id] = received.get(event.item_id, 0) + 100
        for flush in only(effects, fx.Flush):
            flushed += 1
            heard = tuple(
                ev.Heard(item_id=item, content_index=0, heard_samples=int(ms * 24 * share))
                for item, ms in received.items()
            )
            effects += box.do(ev.PlayoutFlushed(token=flush.token, heard=heard))
        truncated += len(only(effects, fx.TruncateItem))
        for truncate in only(effects, fx.TruncateItem):
            assert 0 < truncate.audio_end_ms <= received[truncate.item_id]
        if only(effects, fx.CreateFunctionCall):
            called.clear()  # another session, which is told of all again
        for output in only(effects, fx.CreateFunctionOutput):
            assert output.call_id not in called, "a call is answered once"
            called.add(output.call_id)
        unanswered_creates = _creates_under_way(unanswered_creates, event, effects)
        assert unanswered_creates <= 1, "never two creates at once"
        played = only(effects, fx.Play)
        assert not (played and box.state is State.OFF)
    assert truncated <= flushed, "at most one truncate for each interruption"
    box.do(ev.LinkLost(reason="the end"), cmd.StopConversation(request_id=9999))
    told = [(0.0, False), *shapes(box.log)]
    assert all(before != after for before, after in pairwise(told)), "a shape is told when it changes"
    assert told[-1] == (0.0, False)
    assert not box.timers
    ids = [effect.request_id for effect in box.log if isinstance(effect, fx.Reply | fx.Refuse)]
    assert len(ids) == len(set(ids)), "nobody is answered twice"
    numbers = {100 + number for number, event in enumerate(events) if isinstance(event, cmd.Command)}
    assert numbers <= set(ids), "everybody is answered"


def _creates_under_way(before: int, event: ev.Event, effects: list[fx.Effect]) -> int:
    settled = isinstance(event, ev.ResponseCreated | ev.LinkLost | ev.LinkReady | cmd.StopConversation | ev.TimerFired)
    settled = settled or isinstance(event, ev.ServerError | cmd.StartConversation)
    return (0 if settled else before) + len(only(effects, fx.CreateResponse))


def test_nothing_that_waited_for_the_end_of_a_noise_is_created_when_the_conversation_ends() -> None:
    box = Box().live()
    box.reply()
    box.speaks()
    box.wait(1500)
    box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=box.began_ms["u1"] + 1500))
    box.do(cmd.SendMessage(request_id=2, text="hello"))
    box.done()
    assert only(box.do(cmd.StopConversation(request_id=3)), fx.CreateResponse) == []
    assert only(box.log, fx.CreateResponse) == []


def test_a_day_whose_cap_is_reached_allows_no_conversation_and_the_next_day_does() -> None:
    box = Box(limits=Limits(daily_nano_usd=5 * CENT), tariff=CentPerToken())
    box.do(ev.DayBegan(spent_nano_usd=5 * CENT, until="2026-11-30 00:00 CET"))
    (refusal,) = only(box.start(), fx.Refuse)
    assert (refusal.request_id, refusal.kind, box.state) == (1, "budget.exhausted", State.OFF)
    assert "2026-11-30 00:00 CET" in refusal.hint
    box.do(ev.DayBegan(spent_nano_usd=0, until="2026-12-01 00:00 CET"))
    box.start()
    assert box.state is State.CONNECTING


def test_a_conversation_whose_cap_is_reached_hears_and_is_asked_nothing_more() -> None:
    box = Box(limits=Limits(session_nano_usd=5 * CENT), tariff=CentPerToken()).live()
    box.reply()
    box.do(cmd.RequestResponse(request_id=4))
    spent = box.costs(5)
    assert only(spent, fx.OpenMicrophone) == [fx.OpenMicrophone(open=False)]
    assert [refusal.request_id for refusal in only(spent, fx.Refuse)] == [4]
    assert box.do(started("u2")) == []
    commands = (
        cmd.TalkBegin(request_id=5),
        cmd.RequestResponse(request_id=5),
        cmd.SendMessage(request_id=5, text="hello"),
    )
    for command in commands:
        assert [refusal.kind for refusal in only(box.do(command), fx.Refuse)] == ["budget.exhausted"]
    box.plays_out()
    assert box.state is State.THINKING, "one goodbye is being made"
    over = box.wait(121_000)
    assert box.state is State.OFF
    assert only(over, fx.Record)[-1].record.end_reason.startswith("budget: ")


def test_the_summary_of_a_conversation_says_what_it_cost() -> None:
    box = Box(tariff=CentPerToken()).live()
    box.reply()
    box.costs(3)
    (reply,) = only(box.do(cmd.StopConversation(request_id=2)), fx.Reply)
    assert reply.result["usd"] == 0.03
    assert only(box.log, fx.Record)[-1].record.end_reason == "requested"


def test_a_function_that_keeps_the_visitor_waiting_is_apologised_for() -> None:
    box = Box().live()
    box.do(ev.ResponseCreated(response_id="r1"))
    box.called()
    (filler,) = only(box.wait(2100), fx.CreateResponse)
    assert "still at it" in filler.instructions
    assert box.do(ev.TimerFired(name="fill")) == [], "late"


def test_other_functions_are_wanted_of_this_session_and_of_the_next() -> None:
    book = fx.FunctionTool(name="book", description="Books.", parameters={"type": "object"})
    box = Box(tools=(book,))
    assert only(box.start(), fx.UpdateSession)[0].tools == (book,)
    box.ready()
    changed = box.do(cmd.SetTools(request_id=9, tools=()))
    assert only(changed, fx.UpdateSession)[0].tools == ()


def test_an_approval_that_nobody_gives_is_refused_when_its_time_is_over() -> None:
    box = Box().live()
    (timer,) = [
        one
        for one in box.do(ev.ApprovalRequested(approval_id="a", server="docs", name="pay", arguments="{}"))
        if isinstance(one, fx.SetTimer) and one.name.startswith("remote:")
    ]
    assert any(isinstance(one, fx.AnswerApproval) for one in box.do(ev.TimerFired(name=timer.name)))


def test_a_service_that_hears_nothing_is_asked_and_then_left() -> None:
    box = Box().live()
    box.do(ev.VoiceStarted(), ev.VoiceStopped())
    assert box.do(ev.TimerFired(name="pulse.asked")) == [], "nobody asked yet"
    assert len(only(box.wait(5300), fx.UpdateSession)) == 1
    assert [one.reason for one in only(box.wait(5100), fx.DropLink)] == ["the service hears nothing any more"]


def test_a_service_that_answers_the_question_is_left_alone() -> None:
    box = Box().live()
    box.do(ev.VoiceStarted())
    assert len(only(box.wait(5300), fx.UpdateSession)) == 1
    box.confirmed()
    assert only(box.wait(60_000), fx.DropLink) == []
    assert box.do(ev.TimerFired(name="pulse.asked")) == []
