"""What holds until changed: wanted, sent, confirmed, refused, overdue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from voicebotd.conversation.commands import SetBargeIn, SetInstructions, SetTools, SetTurnDetection
from voicebotd.conversation.effects import (
    CancelTimer,
    Effect,
    FunctionTool,
    Publish,
    Refuse,
    Reply,
    SetTimer,
    UpdateSession,
)
from voicebotd.conversation.events import (
    BargeIn,
    ServerError,
    SessionView,
    TurnDetection,
)
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.standing import Standing


def standing(**policy: Any) -> Standing:
    policy.setdefault("barge_in", BargeIn(mode="immediate"))
    return Standing(Policy(instructions="Be kind.", turn_detection=TurnDetection(), **policy))


def view(instructions: str = "Be kind.", **changes: Any) -> SessionView:
    return SessionView(instructions=instructions, turn_detection=TurnDetection(**changes))


def vad(request_id: int = 1, **changes: Any) -> SetTurnDetection:
    return SetTurnDetection(request_id=request_id, changes=changes)


def updates(effects: list[Effect]) -> list[UpdateSession]:
    return [effect for effect in effects if isinstance(effect, UpdateSession)]


def answers(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, Reply | Refuse)]


def test_a_live_change_is_answered_with_what_the_service_confirmed() -> None:
    desk = standing()
    sent = desk.set_turn_detection(vad(threshold=0.7), "e1", ready=True)
    assert updates(sent) == [UpdateSession(event_id="e1", turn_detection=TurnDetection(threshold=0.7))]
    assert SetTimer(name="confirm:e1", delay_s=5.0) in sent
    assert answers(sent) == []
    confirmed = desk.updated(view(threshold=0.72))
    assert CancelTimer(name="confirm:e1") in confirmed
    (reply,) = answers(confirmed)
    assert isinstance(reply, Reply)
    assert reply.result["requested"] == {"threshold": 0.7}
    assert reply.result["effective"]["threshold"] == 0.72
    assert reply.result["applied"] == "live"
    assert any(isinstance(effect, Publish) and effect.topic == "config" for effect in confirmed)


def test_without_a_session_a_change_holds_from_the_next_one() -> None:
    desk = standing()
    effects = desk.set_turn_detection(vad(silence_duration_ms=600), "e1", ready=False)
    assert len(updates(effects)) == 1
    (reply,) = answers(effects)
    assert isinstance(reply, Reply)
    assert (reply.result["applied"], reply.result["effective"]["silence_duration_ms"]) == ("next_session", 600)


def test_changes_are_confirmed_in_the_order_in_which_they_were_made() -> None:
    desk = standing()
    desk.set_turn_detection(vad(1, threshold=0.7), "e1", ready=True)
    desk.set_turn_detection(vad(2, threshold=0.6), "e2", ready=True)
    assert [answer.request_id for answer in answers(desk.updated(view()))] == [1]  # type: ignore[attr-defined]
    assert [answer.request_id for answer in answers(desk.updated(view()))] == [2]  # type: ignore[attr-defined]
    assert desk.updated(view()) == [], "an update that nobody asked for is only taken note of"


def test_a_change_that_the_service_refuses_is_undone() -> None:
    desk = standing()
    desk.set_turn_detection(vad(threshold=0.7), "e1", ready=True)
    effects = desk.refused(ServerError(code="invalid_value", message="no", event_id="e1"))
    assert effects is not None
    assert desk.turn_detection == TurnDetection()
    assert updates(effects)[0].turn_detection == TurnDetection()
    (refusal,) = answers(effects)
    assert isinstance(refusal, Refuse)
    assert (refusal.kind, refusal.message) == ("config.invalid", "the service refuses the change: no")


def test_refused_instructions_are_undone_too() -> None:
    desk = standing()
    desk.updated(view())
    desk.set_instructions(SetInstructions(request_id=1, text="Speak French."), "e1", ready=True)
    effects = desk.refused(ServerError(code="invalid_value", message="no", event_id="e1"))
    assert effects is not None
    assert updates(effects) == [UpdateSession(event_id="e1-undo", instructions="Be kind.")]
    undone = desk.refused(ServerError(code="invalid_value", message="no", event_id="e1-undo"))
    assert undone is not None
    assert [type(effect) for effect in undone] == [Publish], "nobody waits for the undoing, and it is not undone again"


def test_what_is_changed_unasked_without_a_session_is_confirmed_by_nobody() -> None:
    desk = standing()
    assert len(updates(desk.talk("e1", talking=False))) == 1
    assert not desk.awaits_turn_detection


def test_undoing_a_refused_change_leaves_the_others_alone() -> None:
    desk = standing()
    desk.set_turn_detection(vad(1, threshold=0.7), "e1", ready=True)
    desk.set_instructions(SetInstructions(request_id=2, text="Speak French."), "e2", ready=True)
    assert desk.awaits_turn_detection
    desk.refused(ServerError(code="invalid_value", message="no", event_id="e1"))
    assert not desk.awaits_turn_detection
    assert desk.turn_detection == TurnDetection()
    assert desk.instructions.endswith("Speak French.")


def test_an_error_about_something_else_is_not_ours() -> None:
    desk = standing()
    desk.set_turn_detection(vad(threshold=0.7), "e1", ready=True)
    assert desk.refused(ServerError(code="x", message="y", event_id="")) is None
    assert desk.refused(ServerError(code="x", message="y", event_id="e9")) is None


def test_a_change_that_is_not_confirmed_in_time_is_told() -> None:
    desk = standing()
    desk.set_turn_detection(vad(threshold=0.7), "e1", ready=True)
    (refusal,) = desk.overdue("confirm:e1")
    assert isinstance(refusal, Refuse)
    assert refusal.kind == "link.unavailable"
    assert desk.overdue("confirm:e1") == []


def test_nobody_is_told_of_an_overdue_change_that_nobody_asked_for() -> None:
    desk = standing()
    desk.talk("t1", talking=True)
    assert desk.overdue("confirm:t1") == []


def test_a_lost_session_answers_those_who_wait_and_keeps_the_wish() -> None:
    desk = standing()
    desk.set_turn_detection(vad(threshold=0.7), "e1", ready=True)
    desk.talk("t1", talking=True)
    (reply,) = answers(desk.lost())
    assert isinstance(reply, Reply)
    assert reply.result["applied"] == "next_session"
    assert desk.turn_detection.threshold == 0.7
    assert desk.confirmed is None


def test_instructions_are_appended_or_replaced_or_cleared() -> None:
    desk = standing()
    desk.set_instructions(SetInstructions(request_id=1, text="Speak French."), "e1", ready=False)
    assert desk.instructions == "Be kind.\n\nSpeak French."
    desk.set_instructions(SetInstructions(request_id=1, text="Be rude.", mode="replace"), "e2", ready=False)
    assert desk.instructions == "Be rude."
    (_, reply) = desk.set_instructions(SetInstructions(request_id=1, text=None), "e3", ready=False)
    assert reply == Reply(request_id=1, result={"instructions": "Be kind.", "applied": "next_session"})
    desk.set_instructions(SetInstructions(request_id=1, text="Be calm.", mode="configured"), "e4", ready=False)
    assert desk.instructions == "Be calm."
    desk.set_instructions(SetInstructions(request_id=1, text="Be kind.", mode="configured"), "e5", ready=False)
    desk.for_this_conversation = "It is Monday."
    assert desk.instructions == "Be kind.\n\nIt is Monday."


def test_instructions_for_one_response_stand_behind_the_standing_ones() -> None:
    assert standing().for_response("Be brief.") == "Be kind.\n\nBe brief."
    assert standing().for_response(None) is None


def test_push_to_talk_switches_turn_detection_off_and_on() -> None:
    desk = standing()
    (off,) = updates(desk.talk("t1", talking=True))
    assert off.turn_detection == TurnDetection(type="none")
    (on,) = updates(desk.talk("t2", talking=False))
    assert on.turn_detection == TurnDetection()
    desk.set_turn_detection(vad(type="none"), "n", ready=False)
    assert desk.talk("t3", talking=True) == [], "it is off already"


def test_where_nobody_may_interrupt_the_service_does_not_either() -> None:
    asked = standing(barge_in=BargeIn(mode="off")).session_turn_detection()
    assert (asked.create_response, asked.interrupt_response) == (False, False), "it would refuse its own answer"


def test_too_many_changes_at_once_are_refused_and_change_nothing() -> None:
    desk = standing()
    for number in range(Standing.MAX_PENDING):
        desk.set_turn_detection(vad(threshold=0.5), f"e{number}", ready=True)
    for effects in (
        desk.set_turn_detection(vad(threshold=0.9), "x", ready=True),
        desk.set_instructions(SetInstructions(request_id=1, text="more"), "y", ready=True),
    ):
        (refusal,) = effects
        assert isinstance(refusal, Refuse)
        assert refusal.kind == "rpc.overloaded"
    assert desk.turn_detection.threshold == 0.5
    assert desk.wanted.runtime is None


def test_confirmed_turn_detection_is_shown_as_the_service_has_it() -> None:
    desk = standing()
    desk.updated(SessionView(instructions="", turn_detection=None))
    assert desk.effective_turn_detection == {"type": "none"}


# How the visitor may interrupt.


def barge_in(request_id: int = 1, **changes: Any) -> SetBargeIn:
    return SetBargeIn(request_id=request_id, changes=changes)


def test_where_certainty_is_waited_for_the_service_neither_answers_nor_interrupts() -> None:
    asked = standing(barge_in=BargeIn()).session_turn_detection()
    assert (asked.create_response, asked.interrupt_response) == (False, False)


def test_a_number_is_changed_at_once_and_the_service_does_not_hear_of_it() -> None:
    (reply,) = standing().set_barge_in(barge_in(duck_db=-6.0), "e1", ready=True)
    assert isinstance(reply, Reply)
    assert reply.result["applied"] == "live"
    assert reply.result["barge_in"]["duck_db"] == -6.0
    assert reply.result["barge_in"]["mode"] == "immediate"


def test_a_mode_that_asks_for_another_session_is_done_when_the_service_confirmed_it() -> None:
    desk = standing()
    sent = desk.set_barge_in(barge_in(mode="confirm"), "e1", ready=True)
    assert updates(sent)[0].turn_detection == TurnDetection(create_response=False, interrupt_response=False)
    assert answers(sent) == []
    assert desk.awaits_turn_detection
    (reply,) = answers(desk.updated(view(create_response=False, interrupt_response=False)))
    assert isinstance(reply, Reply)
    assert (reply.result["applied"], reply.result["barge_in"]["mode"]) == ("live", "confirm")


def test_a_mode_without_a_session_holds_from_the_next_one() -> None:
    effects = standing().set_barge_in(barge_in(mode="off"), "e1", ready=False)
    assert len(updates(effects)) == 1
    (reply,) = answers(effects)
    assert isinstance(reply, Reply)
    assert reply.result["applied"] == "next_session"


def test_a_mode_that_the_service_refuses_is_undone() -> None:
    desk = standing()
    desk.set_barge_in(barge_in(mode="confirm"), "e1", ready=True)
    effects = desk.refused(ServerError(code="invalid_value", message="no", event_id="e1"))
    assert effects is not None
    assert desk.barge_in.mode == "immediate"
    assert updates(effects)[0].turn_detection == TurnDetection()


def test_the_service_may_be_told_to_keep_its_hands_off_for_a_while() -> None:
    desk = standing()
    (off,) = updates(desk.hands_off("e1", on=True))
    assert off.turn_detection == TurnDetection(create_response=False, interrupt_response=False)
    (on,) = updates(desk.hands_off("e2", on=False))
    assert on.turn_detection == TurnDetection()
    assert standing(barge_in=BargeIn()).hands_off("e3", on=True) == [], "it does nothing anyway"


# Who detects turns.


def test_where_the_box_detects_turns_the_service_does_not_and_is_not_told_of_changes() -> None:
    desk = standing()
    sent = desk.set_turn_detection(vad(type="local"), "e1", ready=True)
    assert updates(sent)[0].turn_detection == TurnDetection(type="none")
    assert not desk.is_local, "the service detects turns until it confirms"
    (reply,) = answers(desk.updated(SessionView(instructions="", turn_detection=None)))
    assert isinstance(reply, Reply)
    shown = {"type": "local", "threshold": 0.85, "prefix_padding_ms": 500, "silence_duration_ms": 1200}
    assert reply.result["effective"] == shown
    assert desk.is_local
    assert (desk.service_answers, desk.service_interrupts) == (False, False)
    (reply,) = desk.set_turn_detection(vad(threshold=0.5), "e2", ready=True)
    assert isinstance(reply, Reply)
    assert (reply.result["applied"], reply.result["effective"]["threshold"]) == ("live", 0.5)
    assert desk.talk("t1", talking=True) == [], "it is off already"


def test_what_the_service_does_is_what_it_said_it_does() -> None:
    desk = standing()
    assert (desk.service_answers, desk.service_interrupts) == (False, False), "there is no session"
    assert desk.detection == TurnDetection()
    desk.updated(view(create_response=True, interrupt_response=False, silence_duration_ms=700))
    assert (desk.service_answers, desk.service_interrupts) == (True, False)
    assert desk.detection.silence_duration_ms == 700


BOOK = FunctionTool(name="book", description="Books.", parameters={"type": "object"})


@pytest.mark.parametrize("kind", ["server_vad", "local"])
def test_other_functions_are_sent_to_the_session_and_hold_when_it_confirms_them(kind: Any) -> None:
    desk = standing()
    desk.wanted = replace(desk.wanted, turn_detection=TurnDetection(type=kind))
    sent = desk.set_tools(SetTools(request_id=7, tools=(BOOK,)), "e1", ready=True)
    assert updates(sent) == [UpdateSession(event_id="e1", tools=(BOOK,))]
    assert answers(sent) == []
    (reply,) = answers(desk.updated(view()))
    assert reply == Reply(request_id=7, result={"tools": ["book"], "applied": "live"})


def test_functions_that_the_service_refuses_are_taken_back() -> None:
    desk = standing(tools=(BOOK,))
    desk.set_tools(SetTools(request_id=7, tools=()), "e1", ready=True)
    refused = desk.refused(ServerError(code="invalid_value", message="no", event_id="e1"))
    assert refused is not None
    assert updates(refused) == [UpdateSession(event_id="e1-undo", tools=(BOOK,))]
    assert isinstance(answers(refused)[0], Refuse)
    assert desk.wanted.tools == (BOOK,)


def test_who_finds_the_turns_is_known() -> None:
    desk = standing()
    assert not desk.service_detects, "there is no session"
    desk.updated(view())
    assert desk.service_detects
    desk.updated(SessionView(instructions="", turn_detection=None))
    assert not desk.service_detects


def test_what_is_changed_unasked_is_answered_to_nobody() -> None:
    desk = standing()
    desk.updated(view())
    assert len(updates(desk.talk("e1", talking=True))) == 1
    assert desk.awaits_turn_detection
    assert answers(desk.updated(view())) == []
    assert not desk.awaits_turn_detection


def test_a_question_changes_nothing_and_is_answered_in_its_turn() -> None:
    desk = standing()
    desk.updated(view())
    assert desk.ask("e1") == [UpdateSession(event_id="e1")]
    desk.set_instructions(SetInstructions(request_id=1, text="Speak French."), "e2", ready=True)
    assert desk.updated(view()) == [], "nobody is told that nothing changed"
    assert len(answers(desk.updated(view("Speak French.")))) == 1
