"""What is said and what sounds, without the states around it."""

from __future__ import annotations

from typing import Any

import pytest

from voicebotd.conversation import barge_in
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.context import Spoken
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.responses import Request

PCM_100_MS = b"\x01\x00" * 2400


class Talk:
    """Drives a dialogue with short words."""

    def __init__(self) -> None:
        self.dialogue = Dialogue("c", Ids())

    def handle(self, event: ev.Event) -> list[fx.Effect]:
        return self.dialogue.handle(event)

    def created(self, response_id: str = "r1") -> list[fx.Effect]:
        return self.handle(ev.ResponseCreated(response_id=response_id))

    def item(
        self, item_id: str = "a1", index: int = 0, kind: str = "message", response_id: str = "r1"
    ) -> list[fx.Effect]:
        return self.handle(
            ev.OutputItemAdded(response_id=response_id, item_id=item_id, output_index=index, item_type=kind)
        )

    def delta(self, item_id: str = "a1", index: int = 0, response_id: str = "r1") -> list[fx.Effect]:
        return self.handle(
            ev.AudioDelta(response_id=response_id, item_id=item_id, output_index=index, content_index=0, pcm=PCM_100_MS)
        )

    def words(self, text: str, item_id: str = "a1", response_id: str = "r1") -> list[fx.Effect]:
        return self.handle(ev.AssistantTextDelta(response_id=response_id, item_id=item_id, content_index=0, delta=text))

    def done(self, status: Any = "completed", response_id: str = "r1", **more: Any) -> list[fx.Effect]:
        return self.dialogue.response_done(ev.ResponseDone(response_id=response_id, status=status, **more))

    def finished(self, call_id: str, *, connected: bool = True) -> list[fx.Effect]:
        told = ev.ToolFinished(call_id=call_id, output="done", status="completed")
        return self.dialogue.tool_finished(told, connected=connected)

    def heard(self, ms: int, item_id: str = "a1") -> list[fx.Effect]:
        return self.handle(
            ev.PlayoutProgressed(heard=ev.Heard(item_id=item_id, content_index=0, heard_samples=ms * 24))
        )

    def speech(self, mode: ev.BargeInMode = "immediate") -> list[fx.Effect]:
        self.dialogue.visitor_speaks = True
        self.dialogue.responses.hold()
        return self.dialogue.interrupt(barge_in.speech_began(mode, generating=True, service_interrupts=True))


def only(effects: list[fx.Effect], kind: type[Any]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def topics(effects: list[fx.Effect]) -> list[tuple[str, Any]]:
    return [(effect.topic, effect.data.get("event")) for effect in only(effects, fx.Publish)]


def test_a_spoken_reply_is_played_and_recorded_when_it_was_heard() -> None:
    talk = Talk()
    assert topics(talk.created()) == [("response", "created")]
    assert talk.item() == [], "a session that is lost now leaves no empty answer behind"
    sounds = talk.delta()
    assert only(sounds, fx.Record)[0].record.role == "assistant"
    assert len(only(sounds, fx.Play)) == 1
    talk.words("Good morning")
    talk.handle(ev.PlayoutStarted(item_id="a1", content_index=0))
    assert talk.dialogue.sounding
    talk.handle(ev.AudioDone(response_id="r1", item_id="a1", content_index=0))
    done = talk.done()
    assert only(done, fx.Record) == [], "it is still being heard"
    assert talk.dialogue.thinking
    talk.heard(100)
    record = only(talk.handle(ev.PlayoutIdle()), fx.Record)[0].record
    assert (record.heard_text, record.heard_ms) == ("Good morning", 100)
    assert not talk.dialogue.thinking


def test_a_reply_whose_end_is_told_after_its_sound_is_finished_then() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    talk.delta()
    talk.heard(100)
    talk.handle(ev.PlayoutIdle())
    assert talk.dialogue.thinking
    assert only(talk.done(), fx.Record)[-1].record.status == "completed"
    assert not talk.dialogue.thinking


def test_an_interruption_flushes_truncates_once_and_drops_what_still_comes() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    for _ in range(3):
        talk.delta()
    talk.words("one two three four")
    talk.heard(100)
    began = talk.speech()
    (flush,) = only(began, fx.Flush)
    assert only(began, fx.CancelResponse) == [], "the service interrupts by itself"
    assert talk.delta() == []
    assert talk.words("five") == []
    assert talk.item("a2", 1) == []
    final = ev.AssistantTextDone(response_id="r1", item_id="a1", content_index=0, text="all of it")
    assert talk.handle(final) == []
    told = ev.Heard(item_id="a1", content_index=0, heard_samples=150 * 24)
    mended = talk.dialogue.flushed(ev.PlayoutFlushed(token=flush.token, heard=(told,)), connected=True)
    (truncate,) = only(mended, fx.TruncateItem)
    assert (truncate.item_id, truncate.audio_end_ms) == ("a1", 150)
    assert only(mended, fx.Record)[-1].record.heard_text == "one two"
    assert only(mended, fx.Publish)[-1].data == {"event": "interrupted", "heard_ms": 150, "item_id": "a1"}
    assert talk.dialogue.flushed(ev.PlayoutFlushed(token=flush.token, heard=(told,)), connected=True) == []
    assert only(talk.done("cancelled"), fx.Record) == []


def test_without_a_session_nothing_is_mended_but_the_history() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    talk.delta()
    (flush,) = only(talk.speech(), fx.Flush)
    effects = talk.dialogue.flushed(ev.PlayoutFlushed(token=flush.token, heard=()), connected=False)
    assert only(effects, fx.ToService) == []
    assert only(effects, fx.Record)[-1].record.interrupted


def test_items_that_nobody_heard_are_deleted_and_one_heard_to_its_end_is_left_alone() -> None:
    talk = Talk()
    talk.created()
    talk.item("a1", 0)
    talk.delta("a1", 0)
    talk.handle(ev.AudioDone(response_id="r1", item_id="a1", content_index=0))
    talk.item("a2", 1)
    talk.delta("a2", 1)
    talk.heard(100, "a1")
    (flush,) = only(talk.speech(), fx.Flush)
    told = ev.Heard(item_id="a1", content_index=0, heard_samples=2400)
    effects = talk.dialogue.flushed(ev.PlayoutFlushed(token=flush.token, heard=(told,)), connected=True)
    assert [effect.item_id for effect in only(effects, fx.DeleteItem)] == ["a2"]
    assert only(effects, fx.TruncateItem) == []
    assert only(effects, fx.Publish)[-1].data["item_id"] == "a1"


def test_in_mode_off_the_box_finishes() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    talk.delta()
    assert only(talk.speech("off"), fx.Flush) == []
    assert len(only(talk.delta(), fx.Play)) == 1


def test_while_a_reply_is_cut_no_other_is_created_because_the_service_must_know_first_how_much_was_heard() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    talk.delta()
    talk.done()
    talk.heard(50)
    (first,) = only(talk.speech(), fx.Flush)
    talk.dialogue.responses.submit(Request(event_id="e"))
    assert talk.dialogue.end_of_speech(service_answers=False) == []
    assert talk.dialogue.thinking
    told = ev.Heard(item_id="a1", content_index=0, heard_samples=60 * 24)
    effects = talk.dialogue.flushed(ev.PlayoutFlushed(token=first.token, heard=(told,)), connected=True)
    order = [type(effect) for effect in effects if isinstance(effect, fx.ToService)]
    assert order == [fx.TruncateItem, fx.CreateResponse]


def test_two_cuts_at_once_are_both_waited_for() -> None:
    talk = Talk()
    tokens = []
    for number in ("1", "2"):
        talk.created(f"r{number}")
        talk.delta(f"a{number}", response_id=f"r{number}")
        talk.done(response_id=f"r{number}")
        tokens += [flush.token for flush in only(talk.speech(), fx.Flush)]
    talk.dialogue.responses.submit(Request(event_id="e"))
    talk.dialogue.end_of_speech(service_answers=False)
    first = talk.dialogue.flushed(ev.PlayoutFlushed(token=tokens[0], heard=()), connected=True)
    assert [effect.item_id for effect in only(first, fx.ToService)] == ["a1"], "deleted, and nothing created yet"
    last = talk.dialogue.flushed(ev.PlayoutFlushed(token=tokens[1], heard=()), connected=True)
    assert len(only(last, fx.CreateResponse)) == 1


def test_there_is_something_to_talk_over_from_the_wish_for_an_answer_to_its_last_sound() -> None:
    talk = Talk()
    assert not talk.dialogue.in_play
    talk.dialogue.responses.submit(Request(event_id="e"))
    assert talk.dialogue.in_play
    talk.created()
    talk.delta()
    talk.done()
    talk.heard(100)
    assert talk.dialogue.in_play
    talk.handle(ev.PlayoutIdle())
    assert not talk.dialogue.in_play


def test_a_written_reply_is_complete_when_the_response_is_done() -> None:
    talk = Talk()
    talk.dialogue.responses.submit(Request(event_id="e", reply_to=1, wait=True))
    talk.created()
    talk.item()
    talk.words("Good ")
    talk.handle(ev.AssistantTextDone(response_id="r1", item_id="a1", content_index=0, text="Good morning"))
    effects = talk.done()
    assert only(effects, fx.Record)[0].record.heard_text == "Good morning"
    assert only(effects, fx.Reply)[0].result["text"] == "Good morning"


def test_a_failed_response_is_an_error_that_people_see() -> None:
    talk = Talk()
    talk.created()
    effects = talk.done("failed", error_code="rate_limit_exceeded", error_message="slow down")
    assert only(effects, fx.Publish)[-1].data == {"code": "rate_limit_exceeded", "message": "slow down"}


def test_calls_are_answered_after_the_response_and_the_model_goes_on() -> None:
    talk = Talk()
    talk.created()
    assert talk.item("f1", 0, "function_call") == []
    call = ev.FunctionCalled(response_id="r1", item_id="f1", call_id="k", name="book", arguments="{}")
    assert topics(talk.handle(call)) == [("tool", "called")]
    assert talk.handle(call) == []
    begun = talk.done()
    assert only(begun, fx.RunTool) == [fx.RunTool(call_id="k", conversation_id="c", name="book", arguments="{}")]
    assert only(begun, fx.CreateFunctionOutput) == only(begun, fx.CreateResponse) == []
    assert talk.dialogue.thinking
    effects = talk.finished("k")
    assert only(effects, fx.CreateFunctionOutput)[0].call_id == "k"
    assert len(only(effects, fx.CreateResponse)) == 1
    assert talk.finished("k") == []


def test_a_call_that_is_told_only_at_the_end_is_run_and_one_told_twice_once() -> None:
    talk = Talk()
    talk.created()
    call = ev.FunctionCalled(response_id="r1", item_id="f1", call_id="k", name="book", arguments="{}")
    talk.handle(call)
    late = ev.FunctionCalled(response_id="r1", item_id="f2", call_id="l", name="book", arguments="{}")
    assert [one.call_id for one in only(talk.done(calls=(call, late)), fx.RunTool)] == ["k", "l"]
    assert only(talk.finished("l"), fx.CreateResponse) == [], "the round is not complete"
    assert len(only(talk.finished("k"), fx.CreateResponse)) == 1


def test_a_visitor_who_speaks_gets_an_answer_anyway_so_none_is_asked_for() -> None:
    talk = Talk()
    talk.created()
    talk.handle(ev.FunctionCalled(response_id="r1", item_id="f1", call_id="k", name="book", arguments="{}"))
    talk.speech("off")
    talk.done()
    assert len(only(talk.finished("k"), fx.CreateFunctionOutput)) == 1
    talk.dialogue.end_of_speech(service_answers=False)
    assert not talk.dialogue.responses.busy


def called(talk: Talk) -> None:
    """A response is made that calls a function, which runs."""
    talk.created()
    talk.handle(ev.FunctionCalled(response_id="r1", item_id="f1", call_id="k", name="book", arguments="{}"))
    talk.done()


def test_a_response_of_the_services_own_that_does_not_know_the_outputs_is_followed_by_one_that_does() -> None:
    talk = Talk()
    called(talk)
    talk.dialogue.responses.expect()
    assert only(talk.finished("k"), fx.CreateResponse) == []
    talk.created("r2")
    assert talk.dialogue.in_play
    assert len(only(talk.done(response_id="r2"), fx.CreateResponse)) == 1


def test_a_response_of_the_services_own_that_knows_the_outputs_is_enough() -> None:
    talk = Talk()
    called(talk)
    talk.dialogue.responses.expect()
    (output,) = only(talk.finished("k"), fx.CreateFunctionOutput)
    talk.dialogue.functions.rounds.item_added(output.item_id)
    talk.created("r2")
    assert only(talk.done(response_id="r2"), fx.CreateResponse) == []


def test_a_visitor_who_speaks_when_such_a_response_begins_is_not_talked_over() -> None:
    talk = Talk()
    called(talk)
    talk.speech("off")
    talk.finished("k")
    talk.dialogue.owes_outputs = False  # the answer to the visitor is to go on with them
    assert only(talk.created("r2"), fx.CreateResponse) == []
    assert talk.dialogue.owes_outputs, "and if it does not know them, somebody is to tell"


def test_who_waits_in_silence_is_told_once_that_it_takes_a_while() -> None:
    talk = Talk()
    assert not talk.dialogue.keeps_waiting
    called(talk)
    assert talk.dialogue.keeps_waiting
    (filler,) = only(talk.dialogue.fill("Wait."), fx.CreateResponse)
    assert (filler.instructions, filler.calls_functions) == ("Wait.", False)
    assert not talk.dialogue.keeps_waiting
    talk.handle(ev.ResponseCreated(response_id="r2", metadata=filler.metadata))
    talk.finished("k")
    assert talk.dialogue.functions.rounds.open, "to say so is not to go on with the output"
    assert len(only(talk.done(response_id="r2"), fx.CreateResponse)) == 1


def test_what_was_called_goes_on_when_the_session_is_lost_and_the_next_one_is_told_of_it() -> None:
    talk = Talk()
    talk.created()
    talk.handle(ev.FunctionCalled(response_id="r1", item_id="f1", call_id="k", name="book", arguments="{}"))
    talk.done()
    talk.dialogue.lost("link.unavailable", "gone", judged=False)
    assert talk.dialogue.functions.running
    assert only(talk.finished("k", connected=False), fx.ToService) == []
    resumed = talk.dialogue.debts.resume(limit=20, words_follow=False, now_s=1.0)
    assert [type(effect) for effect in resumed] == [fx.CreateFunctionCall, fx.CreateFunctionOutput, fx.CreateResponse]


def test_a_response_that_was_asked_for_with_outputs_and_never_began_is_asked_for_in_the_next_session() -> None:
    talk = Talk()
    talk.created()
    talk.handle(ev.FunctionCalled(response_id="r1", item_id="f1", call_id="k", name="book", arguments="{}"))
    talk.done()
    assert len(only(talk.finished("k"), fx.CreateResponse)) == 1
    talk.dialogue.lost("link.unavailable", "gone", judged=False)
    assert len(only(talk.dialogue.debts.resume(limit=20, words_follow=False, now_s=1.0), fx.CreateResponse)) == 1


def test_a_hard_stop_tells_who_asked_what_was_heard() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    talk.delta()
    talk.heard(40)
    effects = talk.dialogue.interrupt(barge_in.hard_stop(generating=True), reply_to=7)
    (flush,) = only(effects, fx.Flush)
    assert len(only(effects, fx.CancelResponse)) == 1
    told = ev.Heard(item_id="a1", content_index=0, heard_samples=60 * 24)
    effects = talk.dialogue.flushed(ev.PlayoutFlushed(token=flush.token, heard=(told,)), connected=True)
    assert only(effects, fx.Reply) == [fx.Reply(request_id=7, result={"heard_ms": 60, "item_id": "a1"})]


def test_the_end_of_a_conversation_is_silent_and_keeps_what_was_heard() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    talk.delta()
    talk.words("one two")
    talk.heard(50)
    effects = talk.dialogue.stop()
    assert len(only(effects, fx.Flush)) == 1
    assert only(effects, fx.Record)[0].record.interrupted
    assert talk.dialogue.stop() == []


def test_an_interrupt_that_waits_for_its_flush_is_answered_by_the_end_of_the_conversation() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    talk.delta()
    effects = talk.dialogue.interrupt(barge_in.hard_stop(generating=True), reply_to=7)
    (flush,) = only(effects, fx.Flush)
    assert only(talk.dialogue.stop(), fx.Reply)[0].request_id == 7
    late = talk.dialogue.flushed(ev.PlayoutFlushed(token=flush.token, heard=()), connected=True)
    assert only(late, fx.Reply) == []


def test_a_reply_that_is_interrupted_before_its_first_sound_is_recorded_as_such() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    talk.words("Good mor")
    talk.speech()
    record = only(talk.done("cancelled"), fx.Record)[0].record
    assert (record.status, record.generated_text, record.heard_text) == ("interrupted", "Good mor", "")


def test_an_answer_whose_end_does_not_come_is_over_with_what_came() -> None:
    talk = Talk()
    assert talk.dialogue.give_up() == []
    talk.created()
    talk.item()
    talk.delta()
    talk.heard(100)
    talk.handle(ev.PlayoutIdle())
    assert only(talk.dialogue.give_up(), fx.Record)[0].record.status == "completed"
    assert not talk.dialogue.thinking


def test_a_lost_session_lets_the_reply_be_heard_to_the_end_of_what_came() -> None:
    talk = Talk()
    talk.created()
    talk.item("a1", 0)
    talk.delta("a1", 0)
    talk.item("a2", 1)
    talk.delta("a2", 1)
    effects = talk.dialogue.lost("link.unavailable", "gone", judged=False)
    assert [effect.item_id for effect in only(effects, fx.Play)] == ["a2"]
    talk.heard(100, "a1")
    talk.heard(100, "a2")
    assert len(only(talk.handle(ev.PlayoutIdle()), fx.Record)) == 2
    assert talk.dialogue.lost("link.unavailable", "gone", judged=False) == []


def test_it_is_at_rest_when_nothing_sounds_is_made_or_follows() -> None:
    talk = Talk()
    assert talk.dialogue.at_rest
    talk.created()
    assert not talk.dialogue.at_rest
    talk.item()
    talk.delta()
    talk.done()
    assert not talk.dialogue.at_rest, "it is not heard yet"
    talk.heard(100)
    talk.handle(ev.PlayoutIdle())
    assert talk.dialogue.at_rest
    talk.dialogue.owes_outputs = True
    assert not talk.dialogue.at_rest


def test_what_the_service_called_itself_is_followed_up_once_when_nothing_is_being_made() -> None:
    talk = Talk()
    talk.created()
    talk.item("m1", kind="mcp_call")
    assert talk.dialogue.thinking
    talk.handle(ev.RemoteCallEnded(item_id="m1"))
    effects = talk.done()
    assert [type(one) for one in effects if isinstance(one, fx.CreateResponse)] == [fx.CreateResponse]
    assert not talk.dialogue.owes_outputs


def test_while_the_visitor_speaks_what_the_service_called_itself_waits() -> None:
    talk = Talk()
    talk.created()
    talk.handle(ev.ApprovalRequested(approval_id="a", server="docs", name="pay", arguments="{}"))
    talk.done()
    talk.dialogue.visitor_speaks = True
    effects = talk.dialogue.remote_overdue("remote:approve:a")
    assert any(isinstance(one, fx.AnswerApproval) for one in effects)
    assert not any(isinstance(one, fx.CreateResponse) for one in effects)
    assert talk.dialogue.owes_outputs


def test_a_function_of_ours_and_a_call_of_the_services_are_spoken_about_together() -> None:
    talk = Talk()
    talk.created()
    talk.item("m1", kind="mcp_call")
    talk.handle(ev.RemoteCallEnded(item_id="m1"))
    talk.handle(ev.FunctionCalled(response_id="r1", item_id="f", call_id="k", name="book", arguments="{}"))
    assert not any(isinstance(one, fx.CreateResponse) for one in talk.done())
    finished = talk.finished("k")
    assert len([one for one in finished if isinstance(one, fx.CreateResponse)]) == 1
    talk.created("r2")
    assert not any(isinstance(one, fx.CreateResponse) for one in talk.done(response_id="r2"))


# When the session goes.


def test_nothing_is_at_rest_while_an_answer_is_made_or_outputs_are_owed() -> None:
    talk = Talk()
    assert talk.dialogue.at_rest
    talk.created()
    assert not talk.dialogue.at_rest
    talk.done()
    talk.dialogue.owes_outputs = True
    assert not talk.dialogue.at_rest


def test_a_key_that_is_held_when_a_session_begins_keeps_the_answers_back() -> None:
    talk = Talk()
    talk.dialogue.hold_for_key()
    assert talk.dialogue.visitor_speaks
    assert talk.dialogue.responses.key_is_held


@pytest.mark.parametrize("announced", [True, False])
def test_what_was_made_of_a_reply_that_was_taken_back_before_it_sounded_is_deleted(announced: bool) -> None:
    talk = Talk()
    talk.created()
    if announced:
        talk.item()
    talk.speech()
    talk.item()
    over = talk.done("cancelled")
    assert {effect.item_id for effect in only(over, fx.DeleteItem)} == {"a1"}
    assert len(only(over, fx.Record)) == announced, "of what was never announced nothing is recorded"


def test_a_function_that_ends_without_a_session_is_owed_to_the_next_with_the_last_of_its_round() -> None:
    talk = Talk()
    talk.created()
    for call_id in ("k", "l"):
        talk.handle(ev.FunctionCalled(response_id="r1", item_id="f", call_id=call_id, name="book", arguments="{}"))
    talk.done()
    talk.dialogue.lost("link.unavailable", "gone", judged=False)
    for call_id, owed in (("k", False), ("l", True)):
        finished = ev.ToolFinished(call_id=call_id, output="{}", status="completed")
        assert only(talk.dialogue.tool_finished(finished, connected=False), fx.ToService) == []
        assert (talk.dialogue.debts.owed is not None) is owed


def test_what_a_new_session_was_told_in_words_is_shortened_in_words() -> None:
    talk = Talk()
    talk.created()
    talk.item()
    talk.delta()
    talk.words("one two three four")
    talk.done()
    talk.dialogue.lost("link.unavailable", "gone", judged=False)
    talk.dialogue.debts.resume(limit=20, words_follow=False, now_s=10.0)
    (flush,) = only(talk.speech(), fx.Flush)
    told = ev.Heard(item_id="a1", content_index=0, heard_samples=1200)
    cut = talk.dialogue.flushed(ev.PlayoutFlushed(token=flush.token, heard=(told,)), connected=True)
    assert only(cut, fx.TruncateItem) == []
    assert [message.text for message in only(cut, fx.CreateMessage)] == ["one two"]


def test_the_answer_to_a_turn_is_made_of_the_outputs_too_and_owed_if_the_session_is_lost() -> None:
    talk = Talk()
    talk.dialogue.owes_outputs = True
    talk.dialogue.wants_answer(Spoken(began_s=10.0, start_ms=500, end_ms=1500))
    assert not talk.dialogue.owes_outputs
    assert talk.dialogue.debts.context.unanswered is not None


def test_an_answer_is_whole_when_each_spoken_part_that_began_has_ended() -> None:
    talk = Talk()
    talk.created()
    assert (talk.dialogue.has_begun, talk.dialogue.is_whole) == (False, False)
    talk.item()
    talk.delta()
    assert (talk.dialogue.has_begun, talk.dialogue.is_whole) == (True, False)
    talk.handle(ev.AudioDone(response_id="r1", item_id="a1", content_index=0))
    assert talk.dialogue.is_whole
    talk.item("a2", index=1)
    assert not talk.dialogue.is_whole, "another was announced"
