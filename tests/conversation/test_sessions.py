"""A conversation's sessions one after another: what the first is given, what each takes with it, who follows when."""

from __future__ import annotations

from typing import Any

import pytest
from talkbox import Box, only

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.sessions import GREET
from voicebotd.conversation.states import State

NONE = ev.TurnDetection(type="none")
LOCAL = ev.TurnDetection(type="local")


def lose(box: Box, **how: Any) -> list[fx.Effect]:
    return box.do(ev.LinkLost(**{"reason": "gone", "retry_in_s": 0.3, **how}))


def since(effects: list[fx.Effect]) -> fx.Since | None:
    (opened,) = [one for one in only(effects, fx.OpenMicrophone) if one.open]
    found: fx.Since | None = opened.since
    return found


# One begins.


def test_the_first_session_is_opened_as_the_conversation_wants_it() -> None:
    tool = fx.FunctionTool(name="book", description="", parameters={})
    begun = Box(NONE, tools=(tool,)).start(instructions="It is Monday.")
    (update,) = only(begun, fx.UpdateSession)
    assert update.instructions == "Be kind.\n\nIt is Monday."
    assert update.turn_detection.type == "none"
    assert update.tools == (tool,)
    assert len(only(begun, fx.OpenLink)) == 1


@pytest.mark.parametrize(
    ("policy", "start", "greeting"),
    [
        ({}, {}, None),
        ({"speaks_first": "assistant", "greeting": "Welcome!"}, {}, "Welcome!"),
        ({"speaks_first": "assistant", "greeting": "Welcome!"}, {"speaks_first": "user"}, None),
        ({}, {"speaks_first": "assistant", "greeting": "Hi!"}, "Hi!"),
        ({}, {"greeting": "Hi!"}, "Hi!"),
        ({}, {"greeting": "Hi!", "speaks_first": "user"}, None),
    ],
)
def test_the_assistant_opens_where_that_is_wanted_and_once(policy: Any, start: Any, greeting: str | None) -> None:
    box = Box(**policy).live(**start)
    creates = [create.instructions for create in only(box.log, fx.CreateResponse)]
    assert creates == ([] if greeting is None else [f"Be kind.\n\n{GREET}{greeting}"])
    if greeting is not None:
        box.reply()
        box.done()
    lose(box)
    assert only(box.ready(), fx.CreateResponse) == []


# One ends.


@pytest.mark.parametrize("detection", [NONE, LOCAL])
def test_what_was_said_into_the_key_is_committed_again_where_the_service_finds_no_turns(
    detection: ev.TurnDetection,
) -> None:
    box = Box(detection).live()
    box.do(cmd.TalkBegin(request_id=2))
    box.wait(1000)
    box.do(cmd.TalkEnd(request_id=3))
    lose(box)
    again = box.ready()
    assert len(only(again, fx.CommitInput)) == len(only(again, fx.CreateResponse)) == 1
    assert [one.open for one in only(again, fx.OpenMicrophone)] == [True, False]


def test_a_key_that_is_held_is_held_in_the_next_session() -> None:
    box = Box().live()
    box.do(cmd.TalkBegin(request_id=2))
    pressed_s = box.now_s
    box.wait(500)
    lose(box)
    again = box.ready()
    assert since(again) == fx.Since(at_s=pytest.approx(pressed_s))
    assert box.state is State.HEARING
    assert only(again, fx.CommitInput) == []
    assert len(only(box.do(cmd.TalkEnd(request_id=3)), fx.CommitInput)) == 1


def test_a_file_is_heard_again_from_where_it_is_not_answered() -> None:
    box = Box(source="file").live()
    box.speaks()
    box.stops(after_ms=900)
    end_ms = box.began_ms["u1"] + 900 + 1200
    lose(box)
    assert since(box.ready()) == fx.Since(place_ms=0)
    box.speaks("u2")
    box.stops("u2", after_ms=900)
    box.reply()
    box.done()
    end_ms = box.began_ms["u2"] + 900 + 1200
    lose(box)
    assert since(box.ready()) == fx.Since(place_ms=end_ms)


def test_a_file_whose_turns_the_box_detects_is_heard_again_like_a_microphone() -> None:
    box = Box(LOCAL, source="file").live()
    box.do(ev.LocalTurnStarted())
    began_s = box.now_s
    box.wait(500)
    lose(box)
    assert since(box.ready()) == fx.Since(at_s=pytest.approx(began_s - 1.5))


@pytest.mark.parametrize(
    ("lost", "state"),
    [([{}], State.CONNECTING), ([{}] * 4, State.CONNECTING), ([{}] * 5, State.OFF), ([{"fatal": True}], State.OFF)],
)
def test_a_file_waits_for_another_session_but_not_for_ever(lost: list[Any], state: State) -> None:
    box = Box(source="file").live()
    for how in lost:
        lose(box, **how)
    assert box.state is state


def test_a_file_that_never_had_a_session_does_not_wait_for_one() -> None:
    box = Box(source="file")
    box.start()
    lose(box)
    assert box.state is State.OFF


def test_what_was_heard_again_and_not_answered_yet_is_heard_once_more() -> None:
    box = Box().live()
    box.do(ev.LinkLost(reason="gone"), ev.VoiceStarted())
    box.wait(1500)
    box.do(ev.VoiceStopped())
    box.ready()
    box.wait(3000)
    lose(box)
    assert since(box.ready()) == fx.Since(place_ms=0), "though nobody had promised an answer"
    box.wait(11_000)
    lose(box)
    assert since(box.ready()) is None, "it was nothing"


def test_a_session_that_follows_one_that_was_dead_hears_what_that_one_did_not() -> None:
    box = Box().live()
    box.wait(5000)
    box.do(ev.VoiceStarted())
    began_s = box.now_s
    box.wait(1000)
    box.do(ev.VoiceStopped())
    box.wait(4000)
    ready = ev.LinkReady(session_id="s2", model="m", session=box.session, unheard_s=6.0)
    assert since(box.do(ready)) == fx.Since(at_s=pytest.approx(began_s - 1.5))


def test_the_end_of_a_conversation_is_the_end_of_all_that_waited_for_its_session() -> None:
    box = Box().live(instructions="It is Monday.")
    box.do(cmd.TalkBegin(request_id=2), cmd.RollSession(request_id=3))
    ended = box.do(cmd.StopConversation(request_id=4))
    assert [one.request_id for one in only(ended, fx.Refuse)] == [3]
    assert len(only(ended, fx.CloseLink)) == 1
    assert [one.data for one in only(ended, fx.Publish) if one.topic == "link"] == [{"state": "off"}]
    assert not box.core.snapshot().talking
    assert box.core.snapshot().instructions == "Be kind."
    box.start()
    assert only(box.ready(), fx.OpenMicrophone)[0].since is None, "the next one hears nothing of it"


def test_a_box_that_falls_asleep_closes_its_session_and_forgets_the_one_that_waits() -> None:
    box = Box(idle_hangup_s=10.0).live()
    box.do(cmd.RollSession(request_id=3))
    asleep = box.wait(10_100)
    assert [one.request_id for one in only(asleep, fx.Refuse)] == [3]
    assert [one.data for one in only(asleep, fx.Publish) if one.topic == "link"] == [{"state": "idle"}]
    assert box.state is State.DOZING


# One follows another.


def test_where_no_words_are_written_down_none_are_waited_for() -> None:
    box = Box().live()
    box.speaks()
    box.stops(after_ms=900)
    box.reply()
    box.done()
    assert len(only(box.do(ev.SuccessorReady(within_s=60.0)), fx.Succeed)) == 1


def test_without_a_session_nobody_follows() -> None:
    box = Box().live()
    box.speaks()
    box.do(ev.SuccessorReady(within_s=60.0))
    lose(box)
    assert only(box.wait(61_000), fx.Succeed) == []


def test_the_present_session_goes_on_when_the_one_that_was_to_follow_died_just_then() -> None:
    box = Box().live()
    box.do(ev.SuccessorReady(within_s=60.0))
    (opened,) = only(box.do(ev.SuccessorFailed(reason="reset")), fx.OpenMicrophone)
    assert (opened.open, opened.again) == (True, False)
    box.speaks()
    box.do(ev.SuccessorReady(within_s=60.0))
    assert only(box.do(ev.SuccessorFailed(reason="reset")), fx.OpenMicrophone) == [], "it was not gone over to"
