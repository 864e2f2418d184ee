"""A session is lost, or followed by another, at every moment of a conversation: nothing is lost, nothing happens twice.

Where the moment matters the box is told of it event by event; what becomes of the visitor's sentences is asked of a
visit to a service that hears what it is really sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from talkbox import Box, only, states
from visit import Visit, press

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.context import RESUMED, UNINTELLIGIBLE
from voicebotd.conversation.second_try import GO_ON
from voicebotd.conversation.states import State

LOCAL = ev.TurnDetection(type="local")
NONE = ev.TurnDetection(type="none")
REPLY = "one two three four five six seven eight nine ten"


def lose(box: Box, **how: Any) -> list[fx.Effect]:
    return box.do(ev.LinkLost(**{"reason": "gone", "retry_in_s": 0.3, **how}))


def told(effects: list[fx.Effect]) -> list[tuple[str, str]]:
    """What a new session is told, in order."""
    found = []
    for effect in effects:
        match effect:
            case fx.CreateMessage():
                found.append((effect.role, effect.text))
            case fx.CreateFunctionCall():
                found.append(("call", effect.call_id))
            case fx.CreateFunctionOutput():
                found.append(("output", effect.call_id))
    return found


def since(effects: list[fx.Effect]) -> fx.Since | None:
    (opened,) = [one for one in only(effects, fx.OpenMicrophone) if one.open]
    found: fx.Since | None = opened.since
    return found


def asked(effects: list[fx.Effect]) -> list[str]:
    """The answers that are asked for, by their own instructions."""
    return [(create.instructions or "").partition("\n\n")[2] for create in only(effects, fx.CreateResponse)]


def cues(effects: list[fx.Effect]) -> list[str]:
    return [cue.cue for cue in only(effects, fx.PlayCue)]


def spoken_to(box: Box, words: str = "Hello", item_id: str = "u1") -> Box:
    """The visitor said something, and the answer is asked for."""
    box.speaks(item_id)
    box.stops(item_id, after_ms=900)
    box.do(ev.UserTranscriptDone(item_id=item_id, transcript=words))
    return box


def written(text: str = REPLY, response_id: str = "r1", item_id: str = "a1") -> ev.AssistantTextDelta:
    return ev.AssistantTextDelta(response_id=response_id, item_id=item_id, content_index=0, delta=text)


def answered(box: Box) -> Box:
    """The visitor said something, and heard the whole answer."""
    spoken_to(box)
    box.reply()
    box.do(written())
    box.done()
    box.heard(ms=5000)
    box.do(ev.PlayoutIdle())
    assert box.state is State.LISTENING
    return box


# At every moment of a conversation with a function and an interruption, in every way.

SENTENCES = {0: ("w1", 1500), 7000: ("w2", 2000), 12_000: ("w3", 1500)}


def twice(visit: Visit, first_ms: int, between_ms: int) -> None:
    visit.loses(back_in_ms=first_ms)
    visit.wait(between_ms)
    visit.loses(back_in_ms=200)


LOSSES: dict[str, Callable[[Visit], object]] = {
    "lost for a moment": lambda visit: visit.loses(back_in_ms=300),
    "lost for seconds": lambda visit: visit.loses(back_in_ms=3000),
    "dead for seconds before anybody noticed": lambda visit: visit.loses(dead_ms=5000),
    "lost again while the second hears what was said": lambda visit: twice(visit, 200, 400),
    "lost again when the second has heard it": lambda visit: twice(visit, 200, 1000),
    "lost again before there was a second": lambda visit: twice(visit, 2000, 500),
    "followed in a quiet moment": lambda visit: visit.offer(60.0),
    "followed within a second, quiet or not": lambda visit: visit.offer(1.0),
}
BOXES: dict[str, Callable[[], Box]] = {
    "confirm": Box,
    "immediate": lambda: Box(mode="immediate"),
    "the box detects": lambda: Box(LOCAL),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", BOXES)
def test_every_sentence_is_answered_once_whenever_the_session_goes(kind: str, loss: str) -> None:
    offset_ms = 100 * (list(LOSSES).index(loss) + len(LOSSES) * list(BOXES).index(kind))
    for at_ms in range(offset_ms % 1500, 20_000, 1500):
        visit = Visit(BOXES[kind](), "w2").begin()
        for now_ms in range(0, 24_000, 50):
            if now_ms in SENTENCES:
                visit.says(*SENTENCES[now_ms])
            if now_ms == at_ms // 50 * 50:
                LOSSES[loss](visit)
            visit.wait(50)
        visit.quiet().is_well()
        assert visit.executed == ['{"for": "w2"}'], f"lost at {at_ms} ms"


# Lost while nothing happens.


def test_an_idle_session_is_replaced_and_the_next_one_knows_the_conversation() -> None:
    box = answered(Box().live())
    assert states(lose(box)) == ["connecting"]
    again = box.ready()
    assert told(again) == [("user", "Hello"), ("assistant", REPLY), ("system", RESUMED)]
    assert asked(again) == []
    assert since(again) is None
    assert cues(box.log) == [], "nobody noticed"
    assert box.state is State.LISTENING


def test_it_is_told_no_more_turns_than_are_wanted() -> None:
    box = answered(Box(context_turns=1).live())
    lose(box)
    assert told(box.ready()) == [("assistant", REPLY), ("system", RESUMED)]


# Lost while the visitor speaks.


def test_what_the_visitor_is_saying_is_heard_from_its_beginning_and_answered_once() -> None:
    visit = Visit(Box()).begin()
    visit.says("w1", 3000).wait(2000).loses()
    visit.quiet().is_well()
    assert visit.said() == ["w1"]
    assert len(visit.sessions) == 2


def test_its_place_is_the_service_s_own() -> None:
    box = answered(Box().live())
    box.speaks("u2")
    lose(box)
    assert since(box.ready()) == fx.Since(place_ms=box.began_ms["u2"] - 500)
    assert box.state is State.LISTENING, "the session will say so itself"


def test_what_is_judged_over_a_reply_is_heard_again_and_the_reply_goes_on_meanwhile() -> None:
    box = spoken_to(Box().live())
    box.reply()
    box.do(written())
    box.heard(ms=500)
    box.speaks("u2")
    box.wait(600)
    lost = lose(box)
    assert only(lost, fx.ShapePlayout)[-1] == fx.ShapePlayout(gain_db=0.0, paused=False)
    again = box.ready()
    assert since(again) == fx.Since(place_ms=box.began_ms["u2"] - 500)
    assert (told(again)[-1], asked(again)) == (("system", GO_ON), [""])


def test_a_sentence_over_a_reply_whose_session_is_lost_interrupts_it() -> None:
    visit = Visit(Box()).begin()
    visit.says("w1", 1500).wait(3500)
    visit.says("w2", 2500).wait(600).loses(back_in_ms=1500)
    visit.quiet().is_well()
    assert visit.answered == ["w1", "w2"]


def test_a_voice_that_was_told_to_nobody_is_heard_by_the_next_session() -> None:
    box = answered(Box().live())
    box.wait(5000)
    box.do(ev.VoiceStarted())
    began_s = box.now_s
    box.wait(500)
    lose(box)
    assert since(box.ready()) == fx.Since(at_s=pytest.approx(began_s - 1.5))


def test_a_link_that_was_dead_for_seconds_lost_what_was_said_meanwhile() -> None:
    box = answered(Box().live())
    box.wait(3000)
    box.do(ev.VoiceStarted())
    began_s = box.now_s
    box.wait(1000)
    box.do(ev.VoiceStopped())
    box.wait(4000)
    assert since([*lose(box, unheard_s=6.0), *box.ready()]) == fx.Since(at_s=pytest.approx(began_s - 1.5))
    box.wait(11_000)
    assert since([*lose(box, unheard_s=2.0), *box.ready()]) is None, "and what came before that was heard"


# Lost while the box thinks.


@pytest.mark.parametrize("mode", ["confirm", "immediate"])
@pytest.mark.parametrize("how_far", ["asked for", "created", "announced", "written"])
def test_an_answer_of_which_nothing_sounded_is_made_by_the_next_session(mode: ev.BargeInMode, how_far: str) -> None:
    box = spoken_to(Box(mode=mode).live())
    begun = [
        ev.ResponseCreated(response_id="r1"),
        ev.OutputItemAdded(response_id="r1", item_id="a1", output_index=0, item_type="message"),
        written(),
    ]
    box.do(*begun[: ["asked for", "created", "announced", "written"].index(how_far)])
    assert box.state is State.THINKING
    lose(box)
    again = box.ready()
    assert since(again) == fx.Since(place_ms=box.began_ms["u1"] - 500)
    assert told(again) == [], "it hears the words themselves, and nothing else was said"
    assert asked(again) == [], "it will say that there was a turn"
    assert box.state is State.THINKING
    box.speaks("u2")
    over = box.stops("u2", after_ms=900)
    if mode == "confirm":
        assert asked(over) == [""]
    records = [one.record for one in only(box.log, fx.Record) if getattr(one.record, "role", "") == "user"]
    assert {record.item_id for record in records} == {"u1"}, "it is the same turn"
    assert box.core.snapshot().turns == 1


def test_words_that_waited_too_long_are_told_as_they_were_written_down() -> None:
    box = spoken_to(Box().live(), "Hello there")
    lose(box)
    box.wait(31_000)
    again = box.ready()
    assert told(again) == [("user", "Hello there"), ("system", RESUMED)]
    assert asked(again) == [""]
    assert since(again) is None


def test_words_of_which_no_turn_is_made_again_are_answered_all_the_same() -> None:
    box = spoken_to(Box().live())
    lose(box)
    box.ready()
    late = box.wait(8000)
    assert len(only(late, fx.CommitInput)) == len(only(late, fx.CreateResponse)) == 1


def test_what_a_person_asked_for_is_refused_only_where_that_person_is_told() -> None:
    box = answered(Box().live())
    box.do(cmd.RequestResponse(request_id=7, instructions="Sing.", wait=True))
    assert [refusal.request_id for refusal in only(lose(box), fx.Refuse)] == [7]
    assert asked(box.ready()) == []
    box.do(cmd.RequestResponse(request_id=8, instructions="Sing."))
    (create,) = only(box.log, fx.CreateResponse)[-1:]
    box.do(ev.ResponseCreated(response_id="r8", metadata=create.metadata))
    assert only(lose(box), fx.Refuse) == [], "it was told that it is being made"
    assert asked(box.ready()) == ["Sing."]


# Lost while the box speaks.


def test_an_answer_that_was_cut_off_is_heard_as_far_as_it_came_and_then_gone_on_with() -> None:
    box = spoken_to(Box().live())
    box.reply(deltas=10)
    box.do(written("Good morning! How"))
    assert box.state is State.SPEAKING
    assert only(lose(box), fx.Flush) == []
    again = box.ready()
    assert told(again)[:2] == [("user", "Hello"), ("assistant", "Good morning! How")]
    assert (told(again)[-1], asked(again)) == (("system", GO_ON), [""])
    assert since(again) is None, "it is answered"


def test_an_answer_that_came_to_its_end_is_just_heard() -> None:
    box = spoken_to(Box().live())
    box.reply()
    box.do(written())
    box.done()
    lose(box)
    assert asked(box.ready()) == []
    assert box.state is State.SPEAKING
    box.heard(ms=5000)
    box.do(ev.PlayoutIdle())
    assert box.state is State.LISTENING


def test_words_of_a_lost_session_that_are_interrupted_are_shortened_in_the_next() -> None:
    box = spoken_to(Box(mode="immediate").live())
    box.reply()
    box.do(written())
    box.done()
    lose(box)
    (words,) = [one for one in only(box.ready(), fx.CreateMessage) if one.role == "assistant"]
    box.speaks("u2")
    cut = box.flushed("a1", 2500)
    assert only(cut, fx.TruncateItem) == [], "there is no audio of it in this session"
    assert [one.item_id for one in only(cut, fx.DeleteItem)] == [words.item_id]
    (shorter,) = only(cut, fx.CreateMessage)
    assert (shorter.role, shorter.text) == ("assistant", "one two three four five")
    assert [one.role for one in only(box.log, fx.CreateMessage) if one.item_id == shorter.previous_item_id] == ["user"]


def test_words_that_are_interrupted_while_there_is_no_session_are_told_as_they_were_heard() -> None:
    box = spoken_to(Box().live())
    box.reply()
    box.do(written())
    box.done()
    lose(box)
    box.do(cmd.InterruptResponse(request_id=5))
    box.flushed("a1", 2500)
    assert told(box.ready())[:2] == [("user", "Hello"), ("assistant", "one two three four five")]


def test_a_reply_whose_cut_is_not_measured_yet_is_told_as_it_was_heard_in_the_end() -> None:
    box = spoken_to(Box(mode="immediate").live())
    box.reply()
    box.do(written())
    box.done()
    box.speaks("u2")
    lose(box)
    box.ready()
    box.flushed("a1", 2500)
    assert told(box.log)[-1] == ("assistant", "one two three four five")


# Functions.

CALL = ev.FunctionCalled(response_id="r1", item_id="f1", call_id="k1", name="book", arguments="{}")
DONE = ev.ToolFinished(call_id="k1", output="booked", status="completed")


def calling(box: Box) -> Box:
    spoken_to(box)
    box.do(ev.ResponseCreated(response_id="r1"), CALL)
    return box


def test_a_function_of_a_response_that_did_not_come_to_its_end_never_ran_and_is_called_again() -> None:
    box = calling(Box().live())
    assert only(lose(box), fx.RunTool) == []
    again = box.ready()
    assert told(again) == []
    assert since(again) == fx.Since(place_ms=box.began_ms["u1"] - 500), "the question is asked again"


def test_a_function_that_runs_goes_on_and_its_outcome_is_told_to_the_session_that_there_is_then() -> None:
    box = calling(Box().live())
    assert len(only(box.done(), fx.RunTool)) == 1
    assert only(lose(box), fx.CancelTool) == []
    again = box.ready()
    assert told(again) == [("user", "Hello"), ("system", RESUMED), ("call", "k1")]
    assert asked(again) == []
    finished = box.do(DONE)
    assert told(finished) == [("output", "k1")]
    assert asked(finished) == [""]
    assert len(only(box.log, fx.RunTool)) == 1


def test_a_function_that_ends_while_there_is_no_session_is_gone_on_with_in_the_next() -> None:
    box = calling(Box().live())
    box.done()
    lose(box)
    assert told(box.do(DONE)) == []
    again = box.ready()
    assert told(again) == [("user", "Hello"), ("system", RESUMED), ("call", "k1"), ("output", "k1")]
    assert asked(again) == [""]


def test_outputs_that_no_response_knows_yet_are_told_again_and_gone_on_with() -> None:
    box = calling(Box().live())
    box.done()
    assert asked(box.do(DONE)) == [""]
    lose(box)
    again = box.ready()
    assert told(again)[-2:] == [("call", "k1"), ("output", "k1")]
    assert asked(again) == [""]


def test_a_visitor_who_speaks_while_outputs_wait_is_answered_once_for_both() -> None:
    box = calling(Box(mode="off").live())
    box.done()
    box.speaks("u2")
    assert asked(box.do(DONE)) == []
    lose(box)
    again = box.ready()
    assert told(again)[-2:] == [("call", "k1"), ("output", "k1")]
    assert asked(again) == [], "not over the visitor"
    box.speaks("u3")
    assert asked(box.stops("u3", after_ms=900)) == [""]


# Greetings and messages.


def test_a_greeting_that_was_not_begun_is_made_by_the_next_session_and_nobody_is_greeted_twice() -> None:
    box = Box(speaks_first="assistant", greeting="Welcome!").live()
    lose(box)
    assert "Welcome!" in asked(box.ready())[0]
    box.reply()
    box.do(written("Welcome! What"))
    lose(box)
    again = box.ready()
    assert asked(again) == [""]
    assert told(again) == [("assistant", "Welcome! What"), ("system", RESUMED), ("system", GO_ON)]


def test_a_message_that_was_under_way_is_told_to_the_next_session_and_answered_there() -> None:
    box = Box().live()
    box.do(cmd.SendMessage(request_id=5, text="Hello"))
    (reply,) = only(lose(box), fx.Reply)
    assert reply.request_id == 5, "whoever sent it must not send it again"
    again = box.ready()
    assert told(again) == [("user", "Hello"), ("system", RESUMED)]
    assert asked(again) == [""]


# The talk key.


@pytest.mark.parametrize("kind", ["server_vad", "none", "local"])
def test_what_is_said_into_the_talk_key_is_answered_once_whenever_the_session_goes(kind: Any) -> None:
    for at_ms in range(0, 5000, 300):
        visit = Visit(Box(ev.TurnDetection(type=kind))).begin()
        visit.talks().says("w1", 1500)
        for now_ms in range(0, 6000, 50):
            if now_ms == 1700:
                visit.falls_silent()
            if now_ms == at_ms:
                visit.loses(back_in_ms=400)
            visit.wait(50)
        visit.quiet().is_well()


def test_a_key_that_is_pressed_and_let_go_between_two_sessions_is_refused_and_nothing_is_heard() -> None:
    box = Box(NONE).live()
    lose(box)
    assert only(box.do(cmd.TalkBegin(request_id=5)), fx.Refuse)[0].retryable
    assert only(box.ready(), fx.OpenMicrophone) == []


def test_what_was_said_into_the_key_is_not_heard_again_when_it_was_answered() -> None:
    visit = Visit(Box()).begin()
    press(visit, 1500, "w1")
    visit.wait(600).loses()
    visit.quiet().is_well()


# Sleep.


def test_whoever_wakes_the_box_is_answered_though_the_new_session_is_lost_again() -> None:
    visit = Visit(Box(idle_hangup_s=10.0)).begin()
    visit.wait(11_000)
    assert visit.box.state is State.DOZING
    visit.says("w1", 2000).wait(1000).loses(back_in_ms=500)
    visit.quiet().is_well()


# Local detection.


def test_a_turn_that_the_box_detects_goes_on_over_a_lost_session() -> None:
    visit = Visit(Box(LOCAL)).begin()
    visit.says("w1", 3000).wait(1000).loses(back_in_ms=500)
    visit.wait(1000)
    assert visit.box.state is State.HEARING
    visit.quiet().is_well()


def test_a_turn_that_the_box_detected_and_that_is_not_answered_is_committed_again() -> None:
    visit = Visit(Box(LOCAL)).begin()
    visit.says("w1", 1500).wait(2750).loses(back_in_ms=500)
    visit.quiet().is_well()


# Not one loss but many.


@pytest.mark.parametrize("every_ms", [700, 1300, 2900])
def test_a_session_that_is_lost_again_and_again_is_answered_in_the_end(every_ms: int) -> None:
    visit = Visit(Box()).begin()
    visit.says("w1", 1500)
    for _ in range(8):
        visit.wait(every_ms).loses(back_in_ms=200)
    visit.quiet().is_well()


def test_two_failures_in_a_row_are_told_once_and_so_is_the_recovery() -> None:
    box = Box().live()
    lose(box)
    second = lose(box)
    assert cues(second) == ["link_lost"]
    notices = [one.data.get("notice", "") for one in only(second, fx.Publish) if one.topic == "state"]
    assert notices == ["no_connection"]
    assert cues(lose(box)) == []
    back = box.ready()
    assert cues(back) == ["link_back"]
    assert [one.data.get("notice", "") for one in only(back, fx.Publish) if one.topic == "state"] == ["connection_back"]
    assert "notice" not in only(box.do(cmd.StopConversation(request_id=9)), fx.Publish)[-1].data


def test_a_key_that_is_refused_is_told_at_once() -> None:
    assert cues(lose(Box().live(), fatal=True, code="invalid_api_key")) == ["link_lost"]


# One session follows another.


def offered(box: Box, within_s: float = 60.0) -> list[fx.Effect]:
    return box.do(ev.SuccessorReady(within_s=within_s))


def test_a_session_that_waits_takes_over_at_once_where_nothing_happens() -> None:
    box = answered(Box().live())
    assert only(offered(box), fx.Succeed) == [fx.Succeed()]
    again = box.ready()
    assert told(again) == [("user", "Hello"), ("assistant", REPLY), ("system", RESUMED)]
    assert states(again) == []
    assert "succeed" not in box.timers


def busy_with(what: str, box: Box) -> None:
    match what:
        case "speech":
            box.speaks("u2")
        case "voice":
            box.do(ev.VoiceStarted())
        case "answer":
            spoken_to(box, item_id="u2")
        case "reply":
            box.do(ev.ResponseCreated(response_id="r2"))
        case "function":
            box.do(ev.ResponseCreated(response_id="r2"))
            box.do(ev.FunctionCalled(response_id="r2", item_id="f", call_id="k", name="book", arguments="{}"))
            box.done("r2")
        case "message":
            box.do(cmd.SendMessage(request_id=5, text="Hi", respond=False))
        case "key":
            box.do(cmd.TalkBegin(request_id=5))


@pytest.mark.parametrize("what", ["speech", "voice", "answer", "reply", "function", "message", "key"])
def test_it_waits_for_a_quiet_moment_and_not_beyond_the_end_of_the_present_one(what: str) -> None:
    box = answered(Box().live())
    busy_with(what, box)
    assert only(offered(box, within_s=3.0), fx.Succeed) == []
    assert only(box.wait(2900), fx.Succeed) == []
    assert only(box.wait(200), fx.Succeed) == [fx.Succeed()]


def test_it_takes_over_in_the_middle_of_a_reply_that_is_complete() -> None:
    box = spoken_to(Box().live())
    box.reply()
    assert only(offered(box), fx.Succeed) == []
    assert only(box.done(), fx.Succeed) == [fx.Succeed()]
    box.ready()
    assert box.state is State.SPEAKING


def test_a_session_that_waited_in_vain_is_not_gone_over_to() -> None:
    box = answered(Box().live())
    box.speaks("u2")
    offered(box, within_s=3.0)
    box.do(ev.SuccessorFailed(reason="reset"))
    assert only(box.wait(5000), fx.Succeed) == []


def test_the_present_session_hears_on_when_the_one_that_was_to_follow_died_just_then() -> None:
    box = answered(Box().live())
    assert len(only(offered(box), fx.Succeed)) == 1
    (opened,) = only(box.do(ev.SuccessorFailed(reason="reset")), fx.OpenMicrophone)
    assert (opened.open, opened.again) == (True, False)
    assert opened.preroll_ms > 1000, "with what was said meanwhile"


def test_a_person_s_wish_for_another_session_is_answered_with_it() -> None:
    box = answered(Box().live())
    assert only(box.do(cmd.RollSession(request_id=5)), fx.OpenSuccessor) == [fx.OpenSuccessor()]
    offered(box)
    (reply,) = only(box.do(ev.LinkReady(session_id="s2", model="m", session=box.session)), fx.Reply)
    assert (reply.request_id, reply.result) == (5, {"session_id": "s2"})


@pytest.mark.parametrize("how", ["failed", "lost", "stopped"])
def test_a_person_s_wish_for_another_session_that_cannot_be_is_refused(how: str) -> None:
    box = answered(Box().live())
    box.do(cmd.RollSession(request_id=5))
    happened = {
        "failed": ev.SuccessorFailed(reason="too many"),
        "lost": ev.LinkLost(reason="gone"),
        "stopped": cmd.StopConversation(request_id=6),
    }
    (refusal,) = only(box.do(happened[how]), fx.Refuse)
    assert (refusal.request_id, refusal.kind, refusal.retryable) == (5, "link.unavailable", True)


def test_a_person_s_wish_does_not_wait_long_for_a_silence() -> None:
    box = answered(Box().live())
    box.speaks("u2")
    box.do(cmd.RollSession(request_id=5))
    offered(box, within_s=300.0)
    assert len(only(box.wait(10_100), fx.Succeed)) == 1


def test_nor_where_another_session_waits_already() -> None:
    box = answered(Box().live())
    box.speaks("u2")
    offered(box, within_s=300.0)
    box.wait(1000)
    box.do(cmd.RollSession(request_id=5))
    assert len(only(box.wait(10_100), fx.Succeed)) == 1


def test_a_word_that_was_not_written_down_yet_is_waited_for() -> None:
    box = Box()
    box.start()
    transcribed = replace(box.session, transcription_model="gpt-transcribe")
    box.do(ev.LinkReady(session_id="s1", model="m", session=transcribed))
    box.speaks()
    box.stops(after_ms=900)
    box.reply()
    box.done()
    assert only(offered(box), fx.Succeed) == []
    assert len(only(box.do(ev.UserTranscriptDone(item_id="u1", transcript="Hello")), fx.Succeed)) == 1


def test_a_word_that_was_never_written_down_is_told_as_such() -> None:
    box = Box().live()
    box.speaks()
    box.stops(after_ms=900)
    box.reply()
    box.do(written())
    box.done()
    lose(box)
    assert told(box.ready())[0] == ("user", UNINTELLIGIBLE)


# What a service may owe.


def test_an_answer_that_failed_is_asked_for_once_more_and_then_the_visitor_is_told() -> None:
    box = spoken_to(Box().live())
    box.do(ev.ResponseCreated(response_id="r1"))
    assert asked(box.done(status="failed", error_code="server_error")) == [""]
    (create,) = only(box.log, fx.CreateResponse)[-1:]
    box.do(ev.ResponseCreated(response_id="r2", metadata=create.metadata))
    failed = box.done("r2", status="failed", error_code="server_error")
    assert asked(failed) == []
    assert cues(failed) == ["trouble"]


def test_at_the_rate_limit_nothing_is_asked_for_before_it_allows_it() -> None:
    box = spoken_to(Box().live())
    box.do(ev.ResponseCreated(response_id="r1"))
    limited = box.done(status="failed", error_code="rate_limit_exceeded", retry_after_s=4.0)
    assert asked(limited) == []
    assert box.state is State.THINKING
    assert asked(box.wait(3900)) == []
    assert asked(box.wait(200)) == [""]


def test_the_rate_limit_is_the_account_s_and_holds_in_the_next_session_too() -> None:
    box = answered(Box().live())
    box.do(cmd.SendMessage(request_id=5, text="Hi"))
    box.do(ev.ResponseCreated(response_id="r2"))
    box.done("r2", status="failed", error_code="rate_limit_exceeded", retry_after_s=4.0)
    box.wait(1000)
    lose(box)
    assert asked(box.ready()) == []
    assert asked(box.wait(2900)) == []
    assert asked(box.wait(200)) == [""]


def test_a_service_that_does_not_answer_is_asked_once_more_and_then_left() -> None:
    visit = Visit(Box()).begin()
    assert visit.session is not None
    visit.session.mute = True
    visit.says("w1", 1500)
    visit.wait(25_000)
    assert len(visit.sessions) == 2
    visit.quiet().is_well()
