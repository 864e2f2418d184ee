"""What each event about the visitor means: for the service's detection, for the box's own, for what is understood."""

from __future__ import annotations

import pytest
from talkbox import Box, only, recorded, shapes, turns

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.records import TurnRecord
from voicebotd.conversation.states import State

LOCAL = ev.TurnDetection(type="local", prefix_padding_ms=300, silence_duration_ms=600)


def local(mode: ev.BargeInMode = "confirm", *, reply: bool = False) -> Box:
    """A box that detects turns by itself."""
    box = Box(LOCAL, mode=mode).live()
    if reply:
        box.reply()
        box.heard(ms=1000)
    box.log.clear()
    return box


def records(box: Box, item_id: str) -> list[TurnRecord]:
    return [one.record for one in only(box.log, fx.Record) if getattr(one.record, "item_id", "") == item_id]


# The service's detection.


def test_a_turn_is_recorded_with_its_length_and_its_words() -> None:
    box = Box().live()
    box.speaks()
    box.stops(after_ms=900)
    box.do(ev.UserTranscriptDelta(item_id="u1", delta="hel"), ev.UserTranscriptDone(item_id="u1", transcript="hello"))
    assert records(box, "u1")[-1].audio_ms == 500 + 900 + 1200, "with padding and silence, as the service tells it"
    assert records(box, "u1")[-1].heard_text == "hello"
    told = [one.data for one in only(box.log, fx.Publish) if one.topic == "transcript"]
    assert [data["final"] for data in told] == [False, True]


def test_what_could_not_be_understood_is_told() -> None:
    box = Box().live()
    box.speaks()
    told = box.do(ev.UserTranscriptFailed(item_id="u1", message="too noisy"))
    assert only(told, fx.Publish)[0].data["code"] == "transcription_failed"
    assert records(box, "u1")[-1].status == "failed"


def test_a_service_that_answers_by_itself_is_awaited_and_nothing_is_created() -> None:
    box = Box(mode="immediate").live()
    box.speaks()
    assert only(box.stops(after_ms=900), fx.CreateResponse) == []
    assert box.state is State.THINKING


def test_an_answer_is_created_where_the_service_said_that_it_creates_none() -> None:
    box = Box(mode="immediate").live()
    box.do(
        ev.SessionUpdated(
            session=ev.SessionView(instructions="", turn_detection=ev.TurnDetection(create_response=False))
        )
    )
    box.speaks()
    assert len(only(box.stops(after_ms=900), fx.CreateResponse)) == 1


def test_a_noise_whose_item_came_before_its_end_is_deleted_when_it_is_known_as_one() -> None:
    box = Box().live()
    box.reply()
    box.speaks()
    assert box.do(ev.InputCommitted(item_id="u1"), ev.ItemAdded(item_id="u1", item_type="message")) == []
    over = box.stops(after_ms=100)
    assert [one.item_id for one in only(over, fx.DeleteItem)] == ["u1"]


def test_a_speech_right_after_another_is_measured_by_the_clock_because_its_padding_is_unknown() -> None:
    box = Box().live()
    box.reply()
    box.speaks()
    box.stops(after_ms=100)
    end_ms = box.began_ms["u1"] + 100 + 1200
    box.do(ev.SpeechStarted(item_id="u2", audio_start_ms=end_ms))
    box.wait(1200 + 1100)
    over = box.do(ev.SpeechStopped(item_id="u2", audio_end_ms=end_ms + 2300))
    assert "noise" not in turns(over), "the padding of 500 ms may not be taken off what is not padded"


def test_semantic_detection_is_measured_by_local_evidence() -> None:
    for voiced_ms, judged in ((300, "noise"), (1100, "committed")):
        box = Box(ev.TurnDetection(type="semantic_vad")).live()
        box.reply()
        box.do(ev.VoiceStarted())
        box.speaks()
        box.wait(voiced_ms)
        box.wait(200)
        box.do(ev.VoiceStopped())
        assert judged in turns(box.stops(after_ms=voiced_ms))


def test_while_the_key_is_held_the_service_s_detection_has_no_say() -> None:
    box = Box().live()
    box.do(cmd.TalkBegin(request_id=9))
    assert box.speaks() == []
    assert box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=1)) == []
    assert box.state is State.HEARING


# The silence that the service answers.


@pytest.mark.parametrize("mode", ["immediate", "confirm"])
def test_an_idle_timeout_that_the_service_answers_has_one_answer(mode: ev.BargeInMode) -> None:
    box = Box(mode=mode).live()
    assert turns(box.do(ev.InputTimedOut(item_id="u9"))) == ["idle_timeout"]
    assert box.state is State.THINKING
    box.do(ev.InputCommitted(item_id="u9"))
    box.reply()
    box.done()
    box.wait(20_000)
    assert only(box.log, fx.CreateResponse) == []


def test_an_idle_timeout_that_the_service_does_not_answer_has_one_too() -> None:
    box = Box().live()
    box.do(ev.InputTimedOut(item_id="u9"))
    late = box.wait(8001)
    assert len(only(late, fx.CreateResponse)) == 1


# The box's own detection.


def test_the_box_s_own_detection_opens_the_microphone_for_the_turn_with_what_was_before() -> None:
    box = local()
    began = box.do(ev.LocalTurnStarted())
    assert only(began, fx.OpenMicrophone) == [fx.OpenMicrophone(open=True, preroll_ms=500, again=True)]
    assert turns(began) == ["speech_started"]
    assert box.state is State.HEARING
    over = box.do(ev.LocalTurnStopped(speech_ms=800))
    kept = (fx.CommitInput, fx.CreateResponse, fx.OpenMicrophone)
    assert [type(one) for one in over if isinstance(one, kept)] == list(kept)
    assert only(over, fx.OpenMicrophone) == [fx.OpenMicrophone(open=False)]
    box.do(ev.InputCommitted(item_id="i1"))
    assert records(box, "i1")[-1].audio_ms == 800


def test_a_noise_over_a_reply_is_never_committed() -> None:
    box = local(reply=True)
    assert shapes(box.do(ev.LocalTurnStarted())) == [(-12.0, False)]
    over = box.do(ev.LocalTurnStopped(speech_ms=300))
    assert only(over, fx.CommitInput) == only(over, fx.DeleteItem) == []
    assert len(only(over, fx.ClearInput)) == 1
    assert turns(over) == ["speech_stopped", "noise"]
    assert shapes(box.wait(900)) == [(0.0, False)]


def test_a_turn_over_a_reply_stops_it_and_is_answered() -> None:
    box = local(reply=True)
    box.do(ev.LocalTurnStarted())
    over = box.do(ev.LocalTurnStopped(speech_ms=1000))
    assert len(only(over, fx.CommitInput)) == len(only(over, fx.Flush)) == len(only(over, fx.CancelResponse)) == 1
    box.flushed()
    assert len(only(box.done(status="cancelled"), fx.CreateResponse)) == 1


def test_where_interruptions_are_immediate_the_first_local_sign_is_enough() -> None:
    box = local("immediate", reply=True)
    assert len(only(box.do(ev.LocalTurnStarted()), fx.CancelResponse)) == 1


def test_what_is_too_short_to_be_committed_is_forgotten() -> None:
    box = local()
    box.do(ev.LocalTurnStarted())
    over = box.do(ev.LocalTurnStopped(speech_ms=60))
    assert only(over, fx.CommitInput) == only(over, fx.CreateResponse) == []
    assert len(only(over, fx.ClearInput)) == 1
    assert box.state is State.LISTENING


def test_local_turns_mean_nothing_where_the_service_detects_them_or_a_key_is_held() -> None:
    box = Box().live()
    assert box.do(ev.LocalTurnStarted(), ev.LocalTurnStopped(speech_ms=800)) == []
    box = local()
    box.do(cmd.TalkBegin(request_id=9))
    assert box.do(ev.LocalTurnStarted(), ev.LocalTurnStopped(speech_ms=800)) == []


def test_a_local_turn_is_over_when_the_service_is_to_detect_turns() -> None:
    box = local(reply=True)
    box.do(ev.LocalTurnStarted())
    box.do(cmd.SetTurnDetection(request_id=9, changes={"type": "server_vad"}))
    assert only(box.log, fx.OpenMicrophone)[-1].open, "the service hears from now on"
    assert box.state is State.HEARING
    assert shapes(box.wait(900))[-1] == (0.0, False)
    assert box.do(ev.LocalTurnStopped(speech_ms=800)) == []


def test_a_local_turn_that_is_too_long_is_cut_off_and_its_rest_is_not_heard() -> None:
    box = Box(LOCAL, longest_speech_s=5.0).live()
    box.do(ev.LocalTurnStarted())
    cut = box.wait(5001)
    assert len(only(cut, fx.CommitInput)) == len(only(cut, fx.CreateResponse)) == 1
    assert only(cut, fx.OpenMicrophone) == [fx.OpenMicrophone(open=False)]
    rest = box.do(ev.LocalTurnStarted(), ev.LocalTurnStopped(speech_ms=9000))
    assert only(rest, fx.OpenMicrophone) == []
    box.wait(910)
    assert len(only(box.do(ev.LocalTurnStarted()), fx.OpenMicrophone)) == 1


def test_who_speaks_to_the_box_after_the_answer_to_a_radio_is_heard() -> None:
    box = Box(LOCAL, longest_speech_s=5.0).live()
    box.do(ev.LocalTurnStarted())
    box.wait(5001)
    box.reply()
    box.done()
    box.heard(ms=5000)
    box.do(ev.PlayoutIdle())
    assert len(only(box.do(ev.LocalTurnStarted()), fx.OpenMicrophone)) == 1


def test_a_speech_that_was_cut_off_is_one_turn_whatever_the_service_calls_its_item() -> None:
    box = Box(longest_speech_s=5.0).live()
    box.speaks()
    box.wait(5001)
    told = box.do(
        ev.InputCommitted(item_id="x1"),
        ev.UserTranscriptDelta(item_id="x1", delta="the "),
        ev.UserTranscriptDone(item_id="x1", transcript="the news"),
    )
    assert {one.data["item_id"] for one in only(told, fx.Publish) if one.topic in ("turn", "transcript")} == {"u1"}
    assert records(box, "x1") == []
    said = records(box, "u1")[-1]
    assert (said.status, said.generated_text, said.audio_ms) == ("completed", "the news", 5000)


def test_a_speech_that_begins_anew_with_a_new_detection_is_one_turn() -> None:
    box = Box().live()
    box.speaks()
    box.do(cmd.SetTurnDetection(request_id=9, changes={"threshold": 0.5}))
    box.confirmed()
    box.speaks("u2")
    box.stops("u2", after_ms=500)
    box.do(ev.UserTranscriptDone(item_id="u2", transcript="well"))
    assert records(box, "u2") == []
    assert records(box, "u1")[-1].status == "completed"


def test_a_hard_stop_in_a_local_turn_leaves_the_turn_to_its_end() -> None:
    box = local(reply=True)
    box.do(ev.LocalTurnStarted(), cmd.InterruptResponse(request_id=9))
    box.flushed()
    box.done(status="cancelled")
    over = box.do(ev.LocalTurnStopped(speech_ms=300))
    assert len(only(over, fx.CommitInput)) == len(only(over, fx.CreateResponse)) == 1


def test_a_file_whose_input_ends_in_a_local_turn_is_answered_when_its_silence_ends_the_turn() -> None:
    box = Box(LOCAL, source="file").live()
    box.do(ev.LocalTurnStarted(), ev.AudioInputEnded())
    assert "quiet" not in box.timers
    assert len(only(box.do(ev.LocalTurnStopped(speech_ms=900)), fx.CommitInput)) == 1


def test_the_session_that_goes_takes_its_noises_with_it() -> None:
    box = Box().live()
    box.reply()
    box.speaks()
    box.wait(1400)
    box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=box.began_ms["u1"] + 1300))
    box.do(ev.LinkLost(reason="gone"))
    box.ready()
    assert recorded(box.do(ev.InputCommitted(item_id="u1"))) == ["u1"], "another session may use the name again"


def test_of_a_noise_nothing_is_understood() -> None:
    box = Box().live()
    box.reply()
    box.speaks()
    box.stops(after_ms=100)
    words = (
        ev.UserTranscriptDelta(item_id="u1", delta="Hm"),
        ev.UserTranscriptDone(item_id="u1", transcript="Hm."),
        ev.UserTranscriptFailed(item_id="u1", message="nothing"),
    )
    assert box.do(*words) == []


def test_the_rest_of_a_noise_that_was_cut_off_is_a_turn_that_interrupts_nothing() -> None:
    box = Box(longest_speech_s=5.0).live()
    box.speaks()
    box.wait(5001)
    box.do(ev.InputCommitted(item_id="x1"))
    box.reply()
    assert recorded(box.speaks("u2")) == ["u2"]
    heard = box.do(ev.VoiceStarted(), ev.VoiceStopped())
    assert [type(effect) for effect in heard] == [fx.SetTimer], "the service hears it still"
    over = box.stops("u2", after_ms=3000)
    assert "deaf" in box.timers
    assert records(box, "u2")[-1].audio_ms == 500 + 3000 + 1200
    assert shapes(over) == []


def test_the_end_of_what_was_cut_off_is_no_turn_of_its_own() -> None:
    box = Box(longest_speech_s=5.0).live()
    box.speaks()
    box.wait(5001)
    assert turns(box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=99_999))) == ["speech_stopped"]
    assert len(only(box.log, fx.CreateResponse)) == 1
