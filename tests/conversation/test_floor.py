"""Who has the floor: over a reply, in every mode, for every end that it may take."""

from __future__ import annotations

import pytest
from talkbox import Box, only, recorded, shapes, turns

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.states import State

DUCK = -12.0
CALL = ev.FunctionCalled(response_id="r1", item_id="f1", call_id="k", name="book", arguments="{}")


def speaking(**box: object) -> Box:
    """A box in the middle of a reply of 5 s that is still being made."""
    talk = Box(**box).live()  # type: ignore[arg-type]
    talk.reply()
    talk.heard(ms=1000)
    talk.log.clear()
    return talk


# A reply that sounds.


def test_speech_over_a_reply_makes_it_quieter_at_once_and_interrupts_nothing() -> None:
    box = speaking()
    began = box.speaks()
    assert shapes(began) == [(DUCK, False)]
    assert only(began, fx.Flush) == only(began, fx.CancelResponse) == []
    assert box.state is State.HEARING


def test_speech_that_lasts_pauses_the_reply() -> None:
    box = speaking()
    box.speaks()
    assert shapes(box.wait(499)) == []
    assert shapes(box.wait(2)) == [(DUCK, True)]


def test_a_cough_resumes_the_reply_after_a_moment_and_is_deleted_once() -> None:
    box = speaking()
    box.speaks()
    over = box.stops(after_ms=300)
    assert turns(over) == ["speech_stopped", "noise"]
    assert [effect.item_id for effect in only(over, fx.DeleteItem)] == ["u1"]
    assert box.state is State.HEARING, "it waits for more"
    assert shapes(box.wait(790)) == []
    assert shapes(box.wait(20)) == [(0.0, False)]
    assert box.state is State.SPEAKING
    late = box.do(
        ev.ItemAdded(item_id="u1", item_type="message", role="user"),
        ev.UserTranscriptDelta(item_id="u1", delta="Hm"),
        ev.UserTranscriptDone(item_id="u1", transcript="Hm."),
        ev.UserTranscriptFailed(item_id="u1", message="too short"),
    )
    assert late == []
    assert recorded(box.log) == []
    assert only(box.log, fx.CreateResponse) == only(box.log, fx.Flush) == []


def test_what_is_shorter_than_the_pause_is_only_ducked_and_comes_back_after_the_same_moment() -> None:
    box = speaking(detection=ev.TurnDetection(silence_duration_ms=100))
    box.speaks()
    box.wait(250)
    over = box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=box.began_ms["u1"] + 250))
    assert turns(over) == ["speech_stopped", "noise"]
    assert shapes(box.wait(790)) == []
    assert shapes(box.wait(20)) == [(0.0, False)], "it was never paused"


@pytest.mark.parametrize("generating", [True, False])
def test_a_turn_stops_the_reply_where_it_was_heard_and_is_answered_at_its_end(generating: bool) -> None:
    box = speaking()
    if not generating:
        box.done()
    box.speaks()
    over = box.stops(after_ms=1000)
    order = [type(effect) for effect in over if isinstance(effect, fx.Flush | fx.ShapePlayout | fx.CancelResponse)]
    cancelled = [fx.CancelResponse] if generating else []
    assert order == [fx.ShapePlayout, fx.Flush, *cancelled, fx.ShapePlayout]
    assert shapes(over) == [(DUCK, True), (0.0, False)]
    assert only(over, fx.CreateResponse) == [], "before the service knows what was heard"
    mended = box.flushed(ms=1300)
    assert [effect.audio_end_ms for effect in only(mended, fx.TruncateItem)] == [1300]
    if generating:
        mended = box.done(status="cancelled")
    assert len(only(mended, fx.CreateResponse)) == 1
    assert set(recorded(box.log)) == {"u1"}
    assert box.state is State.THINKING


def test_an_answer_is_left_to_who_asks_where_none_is_to_be_created() -> None:
    box = speaking(detection=ev.TurnDetection(create_response=False))
    box.done()
    box.speaks()
    box.stops(after_ms=1500)
    assert only(box.flushed(), fx.CreateResponse) == []
    assert box.state is State.LISTENING
    assert len(only(box.do(cmd.RequestResponse(request_id=2)), fx.CreateResponse)) == 1


def test_local_evidence_decides_before_the_end_of_the_speech() -> None:
    box = speaking()
    box.do(ev.VoiceStarted())
    box.speaks()
    assert only(box.wait(1190), fx.Flush) == []
    decided = box.wait(20)
    assert len(only(decided, fx.Flush)) == len(only(decided, fx.CancelResponse)) == 1
    assert recorded(decided) == ["u1"]
    assert box.state is State.HEARING
    box.flushed()
    box.done(status="cancelled")
    assert only(box.log, fx.CreateResponse) == [], "the visitor speaks still"
    assert len(only(box.stops(after_ms=2000), fx.CreateResponse)) == 1


def test_a_voice_that_paused_is_no_evidence_until_it_sounds_again() -> None:
    box = speaking()
    box.do(ev.VoiceStarted())
    box.speaks()
    box.wait(900)
    box.do(ev.VoiceStopped())
    assert only(box.wait(400), fx.Flush) == []
    box.do(ev.VoiceStarted())
    assert len(only(box.wait(10), fx.Flush)) == 1


def test_a_timer_of_evidence_that_fires_too_early_is_set_anew() -> None:
    box = speaking()
    box.do(ev.VoiceStarted())
    box.speaks()
    again = box.do(ev.TimerFired(name="overlap.evidence"))
    assert [timer.name for timer in only(again, fx.SetTimer)] == ["overlap.evidence"]


@pytest.mark.parametrize(
    ("detection", "latest_ms"),
    [
        (ev.TurnDetection(), 2200),
        (ev.TurnDetection(type="semantic_vad", eagerness="high"), 3000),
        (ev.TurnDetection(type="semantic_vad"), 5000),
    ],
)
def test_without_evidence_what_has_no_end_by_then_is_a_turn_anyhow(detection: ev.TurnDetection, latest_ms: int) -> None:
    box = speaking(detection=detection)
    box.speaks()
    assert only(box.wait(latest_ms - 10), fx.Flush) == []
    assert len(only(box.wait(20), fx.Flush)) == 1


# A reply that does not sound yet.


def test_an_answer_that_is_due_does_not_begin_over_the_visitor() -> None:
    box = Box().live()
    box.speaks()
    box.stops(after_ms=2000)
    assert box.state is State.THINKING
    assert shapes(box.speaks("u2")) == [(0.0, True)]
    assert len(only(box.generate(), fx.Play)) == 50, "it is kept ready"
    box.stops("u2", after_ms=200)
    assert shapes(box.wait(900)) == [(0.0, False)]


def test_a_pause_in_a_long_sentence_costs_the_answer_that_was_too_early_and_one_comes_at_its_end() -> None:
    box = Box().live()
    box.speaks()
    first = box.stops(after_ms=2000)
    assert len(only(first, fx.CreateResponse)) == 1
    box.speaks("u2")
    again = box.stops("u2", after_ms=2000)
    assert only(again, fx.CreateResponse) == []
    created = box.do(ev.ResponseCreated(response_id="r1", metadata=only(first, fx.CreateResponse)[0].metadata))
    assert len(only(created, fx.CancelResponse)) == 1
    assert len(only(box.done(status="cancelled"), fx.CreateResponse)) == 1
    assert box.state is State.THINKING


def test_many_turns_before_an_answer_have_one_answer() -> None:
    box = speaking()
    for number in range(2, 5):
        box.speaks(f"u{number}")
        box.stops(f"u{number}", after_ms=1500)
    box.flushed()
    assert only(box.log, fx.CreateResponse) == []
    assert len(only(box.done(status="cancelled"), fx.CreateResponse)) == 1
    assert len(only(box.log, fx.Flush)) == 1


# What may happen meanwhile.


def test_the_visitor_who_starts_again_is_measured_anew_and_the_reply_stays_paused() -> None:
    box = speaking()
    box.speaks()
    box.stops(after_ms=300)
    box.wait(500)
    again = box.speaks("u2")
    assert shapes(again) == []
    assert fx.CancelTimer(name="overlap.resume") in again
    assert shapes(box.wait(900)) == []
    over = box.stops("u2", after_ms=1200)
    assert len(only(over, fx.Flush)) == 1
    assert [effect.item_id for effect in only(box.log, fx.DeleteItem)] == ["u1"]


def test_three_coughs_leave_the_reply_whole() -> None:
    box = speaking()
    for number in range(3):
        box.speaks(f"u{number}")
        box.stops(f"u{number}", after_ms=200)
        assert shapes(box.wait(900)) == [(0.0, False)]
    assert [effect.item_id for effect in only(box.log, fx.DeleteItem)] == ["u0", "u1", "u2"]
    assert only(box.log, fx.Flush) == []


def test_a_reply_that_ends_while_it_is_ducked_makes_of_the_speech_an_ordinary_turn() -> None:
    box = speaking()
    box.done()
    box.heard(ms=5000)
    box.speaks()
    ended = box.do(ev.PlayoutIdle())
    assert shapes(ended) == [(0.0, False)]
    assert recorded(ended) == ["u1"]
    over = box.stops(after_ms=300)
    assert turns(over) == ["speech_stopped", "committed"]
    assert len(only(over, fx.CreateResponse)) == 1


def test_a_reply_that_ends_after_a_noise_is_over_without_further_delay() -> None:
    box = speaking(detection=ev.TurnDetection(silence_duration_ms=100))
    box.done()
    box.heard(ms=5000)
    box.speaks()
    box.wait(200)
    box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=box.began_ms["u1"] + 200))
    assert shapes(box.do(ev.PlayoutIdle())) == [(0.0, False)]
    assert box.state is State.LISTENING


def test_a_noise_of_which_no_item_ever_comes_costs_no_later_answer() -> None:
    box = speaking(detection=ev.TurnDetection(silence_duration_ms=100))
    box.done()
    box.heard(ms=5000)
    box.speaks()
    box.wait(200)
    box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=box.began_ms["u1"] + 200))
    box.do(ev.PlayoutIdle())
    box.speaks("u2")
    assert len(only(box.stops("u2", after_ms=1500), fx.CreateResponse)) == 1


@pytest.mark.parametrize("noise", [True, False])
def test_outputs_of_functions_are_owed_a_response_only_if_the_visitor_gets_none(noise: bool) -> None:
    box = speaking()
    box.do(CALL)
    box.speaks()
    box.done()
    answered = box.answered()
    assert len(only(answered, fx.CreateFunctionOutput)) == 1
    assert only(answered, fx.CreateResponse) == []
    over = box.stops(after_ms=300 if noise else 1500)
    assert len(only(over, fx.CreateResponse)) == (1 if noise else 0)
    if not noise:
        assert len(only(box.flushed(), fx.CreateResponse)) == 1


def test_an_answer_that_turns_out_to_be_nothing_but_a_function_call_is_still_an_answer_to_come() -> None:
    box = Box().live()
    box.speaks()
    box.stops(after_ms=2000)
    box.do(ev.ResponseCreated(response_id="r1"), CALL)
    assert shapes(box.speaks("u2")) == [(0.0, True)]
    assert shapes(box.done() + box.answered()) == [], "the model goes on with the output"
    assert len(only(box.stops("u2", after_ms=100), fx.CreateResponse)) == 1


@pytest.mark.parametrize("after_ms", [100, 600, 2000])
def test_a_link_that_is_lost_lets_what_was_received_be_heard_at_once(after_ms: int) -> None:
    box = speaking()
    box.speaks()
    box.wait(after_ms) if after_ms < 2000 else box.stops(after_ms=300)
    lost = box.do(ev.LinkLost(reason="gone", retry_in_s=1.0))
    assert shapes(lost) == [(0.0, False)]
    assert only(lost, fx.Flush) == []
    box.ready()
    assert box.do(ev.ItemAdded(item_id="u1", item_type="message")) == [], "there is nothing to delete any more"
    assert "overlap.resume" not in box.timers


def test_the_end_of_a_conversation_is_silence_and_leaves_the_loudspeaker_as_it_was() -> None:
    box = speaking()
    box.speaks()
    box.wait(600)
    ended = box.do(cmd.StopConversation(request_id=9))
    order = [type(effect) for effect in ended if isinstance(effect, fx.Flush | fx.ShapePlayout)]
    assert order == [fx.Flush, fx.ShapePlayout]
    assert shapes(ended) == [(0.0, False)]
    assert not box.timers


@pytest.mark.parametrize("noise", [True, False])
def test_a_hard_stop_needs_no_certainty(noise: bool) -> None:
    box = speaking()
    box.speaks()
    if noise:
        box.stops(after_ms=100)
    else:
        box.wait(300)
    stopped = box.do(cmd.InterruptResponse(request_id=9))
    order = [type(effect) for effect in stopped if isinstance(effect, fx.Flush | fx.ShapePlayout)]
    assert order == [fx.Flush, fx.ShapePlayout]
    assert recorded(stopped) == ([] if noise else ["u1"])
    assert only(box.flushed(), fx.Reply)[0].result["heard_ms"] == 1000
    assert box.state is State.THINKING, "until the service says that it stopped"
    if not noise:
        box.done(status="cancelled")
        assert len(only(box.stops(after_ms=400), fx.CreateResponse)) == 1, "nothing sounded any more: an ordinary turn"


def test_the_talk_key_ends_all_doubt() -> None:
    box = speaking()
    box.speaks()
    pressed = box.do(cmd.TalkBegin(request_id=9))
    order = [type(effect) for effect in pressed if isinstance(effect, fx.Flush | fx.ShapePlayout)]
    assert order == [fx.Flush, fx.ShapePlayout]
    assert recorded(pressed) == []
    assert box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=99_999)) == []
    assert not {"overlap.confirm", "overlap.latest"} & set(box.timers)


@pytest.mark.parametrize(("mode", "flushes"), [("immediate", 1), ("off", 0)])
def test_a_change_of_mode_decides_what_was_undecided(mode: str, flushes: int) -> None:
    box = speaking()
    box.speaks()
    changed = box.do(cmd.SetBargeIn(request_id=9, changes={"mode": mode}))
    assert len(only(changed, fx.Flush)) == flushes
    assert shapes(changed) == [(0.0, False)]
    assert recorded(changed) == ["u1"]


def test_a_change_of_mode_ends_the_wait_after_a_noise() -> None:
    box = speaking()
    box.speaks()
    box.stops(after_ms=100)
    changed = box.do(cmd.SetBargeIn(request_id=9, changes={"mode": "immediate"}))
    assert shapes(changed) == [(0.0, False)]
    assert only(changed, fx.Flush) == []


def test_a_change_of_turn_detection_lets_the_reply_go_on_unless_the_speech_begins_anew() -> None:
    box = speaking()
    box.speaks()
    box.do(cmd.SetTurnDetection(request_id=9, changes={"threshold": 0.5}))
    box.confirmed()
    assert box.state is State.HEARING
    assert shapes(box.wait(900)) == [(0.0, False)]
    assert turns(box.log) == ["speech_started"]


def test_an_end_without_a_beginning_is_the_end_of_a_turn() -> None:
    box = Box().live()
    over = box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=5000))
    assert len(only(over, fx.CreateResponse)) == 1


def test_with_nothing_to_talk_over_the_shortest_speech_is_a_turn() -> None:
    box = Box().live()
    assert recorded(box.speaks()) == ["u1"]
    over = box.stops(after_ms=60)
    assert turns(over) == ["speech_stopped", "committed"]
    assert len(only(over, fx.CreateResponse)) == 1
    assert only(box.log, fx.ShapePlayout) == []


def test_other_modes_neither_duck_nor_wait() -> None:
    box = speaking(mode="immediate")
    assert len(only(box.speaks(), fx.Flush)) == 1
    box = speaking(mode="off")
    assert only(box.speaks(), fx.Flush) == []
    assert only(box.log, fx.ShapePlayout) == []


# A radio.


def test_a_speech_without_an_end_is_committed_and_answered() -> None:
    box = Box(longest_speech_s=10.0).live()
    box.speaks()
    cut = box.wait(10_001)
    assert turns(cut) == ["too_long"]
    assert len(only(cut, fx.CommitInput)) == len(only(cut, fx.CreateResponse)) == 1
    assert box.state is State.THINKING


def test_the_same_noise_may_not_interrupt_the_answer_to_it() -> None:
    box = Box(longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    box.reply()
    assert shapes(box.speaks("u2")) == []
    assert box.state is State.SPEAKING
    over = box.stops("u2", after_ms=20_000)
    assert turns(over)[:2] == ["speech_stopped", "committed"]
    assert only(over, fx.Flush) == []
    assert len(only(box.done(), fx.CreateResponse)) == 1, "its rest is answered after the answer"
    box.wait(301)
    assert shapes(box.speaks("u3")) == [(DUCK, False)], "and who speaks when it is over is heard"


@pytest.mark.parametrize(
    ("sign", "quiet_ms"), [(ev.VoiceStopped(), 200), (ev.SpeechStopped(item_id="u1", audio_end_ms=12_000), 1200)]
)
def test_the_deafness_ends_when_the_noise_was_quiet_for_a_second_and_a_half(sign: ev.Event, quiet_ms: int) -> None:
    for more_ms, wanted in ((-20, []), (20, [(DUCK, False)])):
        box = Box(longest_speech_s=10.0).live()
        box.do(ev.VoiceStarted())
        box.speaks()
        box.wait(10_001)
        if not isinstance(sign, ev.VoiceStopped):
            box.do(ev.VoiceStopped())
            box.wait(1000)
        assert len(only(box.log, fx.CreateResponse)) == 1
        assert only(box.do(sign), fx.CreateResponse) == []
        over_s = box.now_s + 1.5 - quiet_ms / 1000
        box.reply()
        box.wait((over_s - box.now_s) * 1000 + more_ms)
        assert shapes(box.speaks("u2")) == wanted


def test_a_radio_that_takes_breath_stays_unheard() -> None:
    box = Box(longest_speech_s=10.0).live()
    box.do(ev.VoiceStarted())
    box.speaks()
    box.wait(10_001)
    box.reply()
    for number in range(2, 6):
        box.wait(500)
        box.do(ev.VoiceStopped())
        box.wait(1000)
        box.do(ev.VoiceStarted())
        assert shapes(box.speaks(f"u{number}")) == []
        box.wait(500)
        box.do(ev.SpeechStopped(item_id=f"u{number}", audio_end_ms=box.stream_ms))
    assert only(box.log, fx.Flush) == []
    box.do(ev.VoiceStopped())
    box.wait(1310)
    assert shapes(box.speaks("u9")) == [(DUCK, False)]


def test_a_timer_of_deafness_that_fires_too_early_is_set_anew() -> None:
    box = Box(longest_speech_s=10.0).live()
    box.do(ev.VoiceStarted())
    box.speaks()
    box.wait(10_001)
    box.do(ev.VoiceStopped())
    again = box.do(ev.TimerFired(name="deaf"))
    assert [timer.name for timer in only(again, fx.SetTimer)] == ["deaf"]
    box.reply()
    assert shapes(box.speaks("u2")) == []


def test_a_noise_of_which_the_box_hears_no_voice_is_over_unless_the_service_hears_it_still() -> None:
    box = Box(longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    box.reply()
    box.wait(1510)
    assert shapes(box.speaks("u2")) == [(DUCK, False)]


def test_a_detection_that_does_not_tell_its_silence_is_waited_for_in_full() -> None:
    box = Box(ev.TurnDetection(type="semantic_vad"), longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    box.reply()
    box.speaks("u2")
    box.do(ev.SpeechStopped(item_id="u2", audio_end_ms=box.stream_ms))
    box.wait(1490)
    assert shapes(box.speaks("u3")) == []
    box.do(ev.SpeechStopped(item_id="u3", audio_end_ms=box.stream_ms))
    box.wait(1510)
    assert shapes(box.speaks("u4")) == [(DUCK, False)]


def test_a_radio_that_goes_on_after_the_answer_is_a_speech_like_any_other_and_is_cut_off_again() -> None:
    box = Box(longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    box.reply()
    box.speaks("u2")
    box.done()
    box.heard(ms=5000)
    box.do(ev.PlayoutIdle())
    assert box.state is State.HEARING
    box.log.clear()
    cut = box.wait(10_001)
    assert turns(cut) == ["too_long"]
    assert len(only(cut, fx.CreateResponse)) == 1


def test_when_the_answer_is_over_nothing_stays_deaf() -> None:
    box = Box(mode="immediate", longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    box.reply()
    box.done()
    box.heard(ms=5000)
    over = box.do(ev.PlayoutIdle())
    assert only(over, fx.UpdateSession)[0].turn_detection.interrupt_response


def test_a_change_of_detection_forgets_the_rest_of_a_noise() -> None:
    box = Box(longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    box.reply()
    box.speaks("u2")
    box.do(cmd.SetTurnDetection(request_id=9, changes={"threshold": 0.5}))
    box.confirmed()
    box.do(ev.VoiceStarted(), ev.VoiceStopped())
    box.wait(1310)
    assert shapes(box.speaks("u3")) == [(DUCK, False)]


def test_outputs_that_are_owed_are_gone_on_with_when_a_speech_begins_anew() -> None:
    box = Box(ev.TurnDetection(interrupt_response=False), mode="off").live()
    box.do(ev.ResponseCreated(response_id="r1"), CALL)
    box.speaks()
    box.done()
    box.answered()
    box.do(cmd.SetTurnDetection(request_id=9, changes={"threshold": 0.5}))
    assert len(only(box.confirmed(), fx.CreateResponse)) == 1


def test_where_nobody_may_interrupt_a_turn_over_a_reply_is_answered_after_it() -> None:
    box = speaking(mode="off")
    box.speaks()
    box.stops(after_ms=1500)
    assert only(box.log, fx.CreateResponse) == []
    assert len(only(box.done(), fx.CreateResponse)) == 1


def test_where_the_service_interrupts_it_keeps_its_hands_off_while_the_noise_goes_on() -> None:
    box = Box(mode="immediate", longest_speech_s=10.0).live()
    box.speaks()
    cut = box.wait(10_001)
    off = only(cut, fx.UpdateSession)[0].turn_detection
    assert (off.create_response, off.interrupt_response) == (False, False)
    assert len(only(cut, fx.CreateResponse)) == 1
    box.confirmed()
    box.reply()
    assert only(box.speaks("u2"), fx.Flush) == []
    box.stops("u2", after_ms=3000)
    on = only(box.wait(301), fx.UpdateSession)[0].turn_detection
    assert on.create_response
    assert on.interrupt_response
    assert len(only(box.done(), fx.CreateResponse)) == 1


def test_a_link_that_is_lost_in_the_deafness_gives_the_next_session_its_hands_back() -> None:
    box = Box(mode="immediate", longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    lost = box.do(ev.LinkLost(reason="gone"))
    assert only(lost, fx.UpdateSession)[0].turn_detection.interrupt_response


def test_a_noise_that_has_nothing_to_interrupt_any_more_is_a_speech_like_any_other() -> None:
    box = Box(longest_speech_s=10.0, detection=ev.TurnDetection(create_response=False)).live()
    box.speaks()
    box.wait(10_001)
    assert box.state is State.LISTENING
    box.speaks("u2")
    assert box.state is State.HEARING


def test_a_limit_below_the_shortest_turn_makes_a_turn_of_what_is_judged() -> None:
    box = speaking(longest_speech_s=0.6)
    box.speaks()
    cut = box.wait(700)
    assert len(only(cut, fx.Flush)) == len(only(cut, fx.CommitInput)) == 1


def test_a_timer_that_was_cancelled_meanwhile_does_nothing() -> None:
    assert speaking().do(ev.TimerFired(name="overlap.resume")) == []


def test_a_local_turn_is_over_when_the_box_is_not_to_detect_turns_any_more() -> None:
    box = Box(ev.TurnDetection(type="local")).live()
    box.do(ev.LocalTurnStarted())
    assert box.state is State.HEARING
    box.do(cmd.SetTurnDetection(request_id=9, changes={"type": "semantic_vad"}))
    assert box.state is State.LISTENING


def test_people_are_told_what_happens_to_the_reply() -> None:
    box = speaking()
    box.speaks()
    box.stops(after_ms=600)
    box.wait(900)
    box.speaks("u2")
    box.stops("u2", after_ms=1500)
    box.flushed()
    told = [one.data["event"] for one in only(box.log, fx.Publish) if one.topic == "response"]
    assert told == ["ducked", "paused", "resumed", "ducked", "paused", "interrupted"]


@pytest.mark.parametrize("committed", [True, False])
def test_what_waits_is_created_when_the_noise_is_deleted_or_a_moment_later_if_no_item_comes(
    committed: bool,
) -> None:
    box = speaking()
    box.do(CALL)
    box.speaks()
    box.done()
    box.answered()
    box.wait(1500)
    over = box.do(ev.SpeechStopped(item_id="u1", audio_end_ms=box.began_ms["u1"] + 1500))
    assert only(over, fx.CreateResponse) == [], "the cough would be a part of it"
    later = box.do(ev.InputCommitted(item_id="u1")) if committed else box.wait(801)
    order = [type(one) for one in later if isinstance(one, fx.ToService)]
    assert order == ([fx.DeleteItem] if committed else []) + [fx.CreateResponse]


def test_a_turn_that_ends_while_a_response_is_made_is_answered_after_it_also_where_the_service_answers() -> None:
    box = Box(mode="immediate").live()
    box.speaks()
    box.do(cmd.InterruptResponse(request_id=8))
    (asked,) = only(box.do(cmd.RequestResponse(request_id=9)), fx.CreateResponse)
    box.do(ev.ResponseCreated(response_id="r1", metadata=asked.metadata))
    assert only(box.stops(after_ms=500), fx.CreateResponse) == []
    assert len(only(box.done(), fx.CreateResponse)) == 1


def test_where_the_box_has_no_evidence_a_noise_goes_on_until_the_service_says_otherwise() -> None:
    box = Box(mode="immediate", longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    box.reply()
    box.wait(5000)
    assert only(box.log, fx.UpdateSession)[-1].turn_detection.interrupt_response is False
    assert "deaf" not in box.timers


def test_the_first_item_of_another_session_is_not_what_was_cut_off_in_the_last() -> None:
    box = Box(longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    box.reply()
    box.done()
    box.heard(ms=5000)
    box.do(ev.PlayoutIdle(), ev.LinkLost(reason="gone"))
    box.ready()
    assert recorded(box.speaks("u2")) == ["u2"]


def test_what_was_cut_off_and_is_heard_again_by_another_session_is_the_same_turn() -> None:
    box = Box(longest_speech_s=10.0).live()
    box.speaks()
    box.wait(10_001)
    box.do(ev.LinkLost(reason="gone"))
    box.ready()
    assert recorded(box.speaks("u2")) == []
    box.stops("u2", after_ms=9000)
    assert recorded(box.do(ev.UserTranscriptDone(item_id="u2", transcript="well"))) == ["u1"]
