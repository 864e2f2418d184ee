"""What holds until changed: wanted, sent, confirmed, refused, overdue."""

from __future__ import annotations

from typing import Any

from voicebotd.conversation.commands import SetInstructions, SetTurnDetection
from voicebotd.conversation.effects import (
    CancelTimer,
    Effect,
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
from voicebotd.conversation.standing import Standing, describe


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
    desk.set_instructions(SetInstructions(request_id=1, text="Speak French."), "e1", ready=True)
    effects = desk.refused(ServerError(code="invalid_value", message="no", event_id="e1"))
    assert effects is not None
    assert updates(effects) == [UpdateSession(event_id="e1-undo", instructions="Be kind.")]
    undone = desk.refused(ServerError(code="invalid_value", message="no", event_id="e1-undo"))
    assert undone is not None
    assert [type(effect) for effect in undone] == [Publish], "nobody waits for the undoing, and it is not undone again"


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
    assert not standing(barge_in=BargeIn(mode="off")).session_turn_detection().interrupt_response


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


def test_only_the_settings_that_a_type_has_are_shown() -> None:
    assert describe(None) == {"type": "none"}
    assert describe(TurnDetection(type="none")) == {"type": "none"}
    assert "eagerness" not in describe(TurnDetection())
    assert "threshold" not in describe(TurnDetection(type="semantic_vad"))
    assert describe(TurnDetection(type="semantic_vad"))["eagerness"] == "auto"


def test_confirmed_turn_detection_is_shown_as_the_service_has_it() -> None:
    desk = standing()
    desk.updated(SessionView(instructions="", turn_detection=None))
    assert desk.effective_turn_detection == {"type": "none"}
