"""Who hears what: the service, the local detector, and a box that dozes until somebody speaks."""

from __future__ import annotations

import pytest
from talkbox import Box, only, shapes, states, turns

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.states import State

LOCAL = ev.TurnDetection(type="local", threshold=0.7, prefix_padding_ms=300, silence_duration_ms=600)
RULE = fx.TurnRule(threshold=0.7, silence_duration_ms=600)


def microphone(effects: list[fx.Effect]) -> list[tuple[bool, int]]:
    return [(one.open, one.preroll_ms) for one in only(effects, fx.OpenMicrophone)]


def told_since(effects: list[fx.Effect]) -> fx.Since | None:
    """From when on the new session hears the visitor."""
    (opened,) = [one for one in only(effects, fx.OpenMicrophone) if one.open]
    assert opened.again
    since: fx.Since | None = opened.since
    return since


def detects(effects: list[fx.Effect]) -> list[tuple[bool, fx.TurnRule | None]]:
    return [(one.voice, one.turns) for one in only(effects, fx.Detect)]


def dozing(detection: ev.TurnDetection | None = None) -> Box:
    box = Box(detection, idle_hangup_s=60.0).live()
    box.wait(60_010)
    assert box.state is State.DOZING
    return box


# Evidence and turns.


def test_evidence_is_asked_for_while_there_is_a_conversation_because_a_link_may_die_unnoticed() -> None:
    box = Box(mode="immediate")
    assert detects(box.start()) == [(True, None)]
    assert detects(box.ready()) == detects(box.do(ev.LinkLost(reason="gone"))) == []
    assert detects(box.do(cmd.StopConversation(request_id=2))) == [(False, None)]


def test_where_a_key_says_what_a_turn_is_evidence_only_confirms_interruptions() -> None:
    none = ev.TurnDetection(type="none")
    assert detects(Box(none, mode="immediate").live().log) == []
    box = Box(none)
    assert detects(box.start()) == []
    assert detects(box.ready()) == [(True, None)]
    assert detects(box.do(ev.LinkLost(reason="gone"))) == [(False, None)]


def test_evidence_that_nobody_tells_of_any_more_counts_for_nothing() -> None:
    box = Box(ev.TurnDetection(type="none")).live()
    box.do(ev.VoiceStarted(), ev.LinkLost(reason="gone"))
    box.ready()
    box.reply()
    box.speaks()
    assert "overlap.evidence" not in box.timers


def test_a_voice_that_sounds_over_a_lost_link_is_evidence_in_the_next_session() -> None:
    box = Box().live()
    box.do(ev.VoiceStarted(), ev.LinkLost(reason="gone"))
    box.ready()
    box.reply()
    box.speaks()
    assert "overlap.evidence" in box.timers


def test_the_box_detects_turns_when_the_service_confirmed_that_it_does_not() -> None:
    box = Box().live()
    assert detects(box.do(cmd.SetTurnDetection(request_id=2, changes={"type": "local"}))) == []
    confirmed = box.confirmed()
    assert [turn.threshold for _, turn in detects(confirmed) if turn] == [0.85]
    assert microphone(confirmed) == [(False, 0)]
    assert detects(box.do(cmd.TalkBegin(request_id=3)))[-1] == (True, None), "the key says what a turn is"
    assert microphone(box.log)[-1] == (True, 0), "and nothing from before it was pressed is heard"


def test_a_threshold_is_changed_in_the_detector_without_asking_the_service() -> None:
    box = Box(LOCAL).live()
    box.log.clear()
    box.do(cmd.SetTurnDetection(request_id=2, changes={"threshold": 0.9}))
    assert detects(box.log) == [(True, fx.TurnRule(threshold=0.9, silence_duration_ms=600))]
    assert only(box.log, fx.UpdateSession) == []


# Sleep.


def test_a_box_to_which_nobody_talks_closes_its_session_and_listens_by_itself() -> None:
    box = Box(idle_hangup_s=60.0).live()
    box.log.clear()
    assert box.wait(59_900) == []
    box.wait(200)
    assert len(only(box.log, fx.CloseLink)) == 1
    assert [one.data for one in only(box.log, fx.Publish) if one.topic == "link"] == [{"state": "idle"}]
    assert states(box.log) == ["dozing"]
    assert microphone(box.log) == [(False, 0)]
    assert box.core.snapshot().conversation_id == "c1"


def test_whoever_stirs_keeps_it_awake() -> None:
    box = Box(idle_hangup_s=60.0).live()
    box.wait(50_000)
    box.do(ev.VoiceStarted(), ev.VoiceStopped())
    box.wait(50_000)
    assert box.state is State.LISTENING
    box.wait(11_000)
    assert box.state is State.DOZING


def test_it_does_not_doze_while_it_is_talked_to_or_where_nobody_asked_for_it() -> None:
    box = Box(idle_hangup_s=5.0).live()
    box.reply()
    box.wait(10_000)
    assert box.state is State.SPEAKING
    for other in (Box().live(), Box(idle_hangup_s=5.0, source="file").live()):
        other.wait(10_000)
        assert other.state is State.LISTENING


def test_a_voice_opens_another_session_and_its_first_words_are_told() -> None:
    box = dozing()
    woken = box.do(ev.VoiceStarted())
    assert len(only(woken, fx.OpenLink)) == 1
    assert box.state is State.CONNECTING
    began_s = box.now_s
    assert box.do(ev.VoiceStopped(), ev.VoiceStarted()) == [], "once"
    box.wait(1500)
    told = box.ready()
    assert told_since(told) == fx.Since(at_s=pytest.approx(began_s - 0.5 - 0.2))
    assert box.state is State.LISTENING
    assert only(told, fx.Record)[0].record.conversation_id == "c1"
    box.speaks()
    assert turns(box.stops(after_ms=800))[-1] == "committed"


def test_what_waited_for_half_a_minute_is_told_to_nobody() -> None:
    box = dozing()
    box.do(ev.VoiceStarted())
    box.wait(29_900)
    assert told_since(box.ready()) is not None
    box = dozing()
    box.do(ev.VoiceStarted())
    box.wait(30_100)
    told = box.ready()
    assert (microphone(told), told_since(told)) == ([(True, 700)], None)


def test_whoever_asks_again_while_there_is_no_link_for_long_is_heard_when_it_is_back() -> None:
    box = Box().live()
    box.speaks()
    box.do(ev.LinkLost(reason="gone"))
    box.wait(35_000)
    box.do(ev.VoiceStarted())
    began_s = box.now_s
    box.wait(6000)
    assert told_since(box.ready()) == fx.Since(at_s=pytest.approx(began_s - 0.7))


def test_a_link_that_is_lost_while_it_wakes_is_opened_again_and_told_all() -> None:
    box = dozing()
    box.do(ev.VoiceStarted())
    began_s = box.now_s
    box.do(ev.LinkLost(reason="busy", retry_in_s=1.0))
    box.wait(1000)
    assert told_since(box.ready()) == fx.Since(at_s=pytest.approx(began_s - 0.7))


@pytest.mark.parametrize("command", [cmd.SendMessage(request_id=7, text="hi"), cmd.RequestResponse(request_id=7)])
def test_a_command_that_needs_a_session_opens_one_and_is_to_be_tried_again(command: cmd.Command) -> None:
    box = dozing()
    woken = box.do(command)
    (refusal,) = only(woken, fx.Refuse)
    assert (refusal.request_id, refusal.retryable) == (7, True)
    assert refusal.hint
    assert len(only(woken, fx.OpenLink)) == 1
    assert box.state is State.CONNECTING
    box.ready()
    assert box.state is State.LISTENING


def test_what_needs_no_session_does_not_wake_it() -> None:
    box = dozing()
    box.do(
        cmd.SetBargeIn(request_id=2, changes={"duck_db": -6.0}),
        cmd.InterruptResponse(request_id=3),
        ev.SpeechStarted(item_id="u1", audio_start_ms=0),
        ev.LinkLost(reason="late"),
        ev.VoiceStopped(),
    )
    assert box.state is State.DOZING
    assert len(only(box.do(cmd.StopConversation(request_id=4)), fx.Reply)) == 1
    assert box.state is State.OFF


def test_with_push_to_talk_no_voice_wakes_it() -> None:
    box = dozing(ev.TurnDetection(type="none"))
    assert detects(box.log)[-1] == (False, None)
    assert only(box.do(cmd.TalkBegin(request_id=2)), fx.Refuse)[0].retryable
    assert microphone(box.ready()) == []


def test_a_turn_that_goes_on_when_the_session_is_there_is_heard_from_its_beginning() -> None:
    box = dozing(LOCAL)
    assert detects(box.log)[-1] == (True, RULE)
    box.do(ev.VoiceStarted())
    began_s = box.now_s
    box.do(ev.LocalTurnStarted())
    box.wait(1000)
    assert told_since(box.ready()) == fx.Since(at_s=pytest.approx(began_s - 0.3 - 0.2))
    assert box.state is State.HEARING
    over = box.do(ev.LocalTurnStopped(speech_ms=1500))
    assert len(only(over, fx.CommitInput)) == len(only(over, fx.CreateResponse)) == 1


def test_a_turn_that_was_over_before_the_session_was_there_is_answered_at_once() -> None:
    box = dozing(LOCAL)
    box.do(ev.LocalTurnStarted())
    assert box.state is State.CONNECTING
    box.wait(800)
    box.do(ev.LocalTurnStopped(speech_ms=700))
    box.wait(300)
    told = box.ready()
    wanted = (fx.OpenMicrophone, fx.CommitInput, fx.CreateResponse)
    order = [type(one) for one in told if isinstance(one, wanted)]
    assert order == [fx.OpenMicrophone, fx.CommitInput, fx.CreateResponse, fx.OpenMicrophone]
    assert [is_open for is_open, _ in microphone(told)] == [True, False]
    assert box.state is State.THINKING
    assert shapes(box.log) == []


def test_a_voice_that_was_no_turn_opens_a_session_and_nothing_is_told() -> None:
    box = dozing(LOCAL)
    box.do(ev.VoiceStarted())
    box.do(ev.VoiceStopped())
    assert microphone(box.ready()) == []
    assert box.state is State.LISTENING


# A file.


def test_a_file_that_is_one_turn_is_heard_whole_and_waits_until_it_is() -> None:
    box = Box(ev.TurnDetection(type="none"), source="file", hold_input="while_answering")
    box.live()
    assert microphone(box.log) == [(True, 700)]
    assert [one.hold for one in only(box.log, fx.HoldInput)] == [False]
    box.do(cmd.RequestResponse(request_id=2))
    assert [one.hold for one in only(box.log, fx.HoldInput)] == [False, True]


def test_a_turn_that_the_box_detects_when_the_session_is_lost_is_open_in_the_next() -> None:
    box = Box(LOCAL).live()
    box.do(ev.LocalTurnStarted())
    began_s = box.now_s
    box.wait(1000)
    box.do(ev.LinkLost(reason="gone"))
    again = box.ready()
    assert told_since(again) == fx.Since(at_s=pytest.approx(began_s - 1.5))
    assert box.state is State.HEARING


def test_a_voice_right_after_a_turn_is_heard_without_the_end_of_that_turn() -> None:
    box = Box().live()
    box.speaks()
    box.stops(after_ms=900)
    judged_s = box.now_s
    box.reply()
    box.do(ev.LinkLost(reason="gone"), ev.VoiceStarted())
    assert told_since(box.ready()) == fx.Since(at_s=pytest.approx(judged_s, abs=0.01))


def test_a_microphone_that_was_closed_for_a_session_that_did_not_come_is_opened_with_what_it_heard() -> None:
    box = Box().live()
    box.do(ev.SuccessorReady(within_s=60.0))
    assert microphone(box.do(ev.SuccessorFailed(reason="reset"))) == [(True, 10_000)]
    assert microphone(box.do(ev.SuccessorFailed(reason="reset"))) == [], "once"


def test_what_was_said_into_the_key_is_heard_once_where_nobody_detects_turns() -> None:
    box = Box(ev.TurnDetection(type="none")).live()
    box.do(cmd.TalkBegin(request_id=2))
    pressed_s = box.now_s
    box.wait(1000)
    box.do(cmd.TalkEnd(request_id=3), ev.LinkLost(reason="gone"))
    again = box.ready()
    assert told_since(again) == fx.Since(at_s=pytest.approx(pressed_s))
    order = [type(one) for one in again if isinstance(one, fx.OpenMicrophone | fx.CommitInput | fx.CreateResponse)]
    assert order == [fx.OpenMicrophone, fx.CommitInput, fx.CreateResponse, fx.OpenMicrophone]
