from __future__ import annotations

import copy
from typing import Any

import pytest

from voicebotd.rehearsal.settings import apply_update, default_session, turn_policy
from voicebotd.rehearsal.vad import TurnRule
from voicebotd.rehearsal.wire import Refusal

BEGIN = default_session(session_id="sess_1", model="m", expires_at=5)


def updated(update: dict[str, Any], before: dict[str, Any] = BEGIN, *, voice_locked: bool = False) -> dict[str, Any]:
    return apply_update(before, {"type": "realtime", **update}, voice_locked=voice_locked)


def listening(turn_detection: dict[str, Any] | None, before: dict[str, Any] = BEGIN) -> dict[str, Any]:
    return updated({"audio": {"input": {"turn_detection": turn_detection}}}, before)


def test_a_new_session_listens_with_the_services_defaults() -> None:
    policy = turn_policy(BEGIN)
    assert policy.rule == TurnRule(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500)
    assert (policy.create_response, policy.interrupt_response, policy.idle_timeout_s) == (True, True, None)
    assert (BEGIN["id"], BEGIN["model"], BEGIN["expires_at"]) == ("sess_1", "m", 5)


def test_only_what_is_present_changes() -> None:
    after = updated({"instructions": "Sing.", "audio": {"output": {"speed": 1.25}}})
    assert after["instructions"] == "Sing."
    assert after["audio"]["output"] == {**BEGIN["audio"]["output"], "speed": 1.25}
    assert after["audio"]["input"] == BEGIN["audio"]["input"]


def test_an_update_leaves_the_session_before_it_alone() -> None:
    before = copy.deepcopy(BEGIN)
    listening({"type": "server_vad", "threshold": 0.9})
    assert before == BEGIN


def test_turn_detection_of_the_same_type_keeps_what_is_not_given() -> None:
    first = listening({"type": "server_vad", "threshold": 0.7})
    second = listening({"type": "server_vad", "silence_duration_ms": 900, "idle_timeout_ms": 6000}, first)
    policy = turn_policy(second)
    assert policy.rule == TurnRule(threshold=0.7, prefix_padding_ms=300, silence_duration_ms=900)
    assert policy.idle_timeout_s == 6.0


def test_another_type_of_turn_detection_begins_with_its_defaults() -> None:
    semantic = listening({"type": "semantic_vad"}, listening({"type": "server_vad", "threshold": 0.9}))
    assert semantic["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }
    assert turn_policy(listening({"type": "server_vad"}, semantic)).rule == turn_policy(BEGIN).rule


def test_eagerness_chooses_how_long_semantic_vad_waits() -> None:
    def silence_ms(eagerness: str) -> int:
        rule = turn_policy(listening({"type": "semantic_vad", "eagerness": eagerness})).rule
        assert rule is not None
        return rule.silence_duration_ms

    assert silence_ms("high") < silence_ms("medium") == silence_ms("auto") < silence_ms("low")


def test_no_turn_detection_means_that_the_client_commits() -> None:
    manual = listening(None)
    assert turn_policy(manual).rule is None
    assert turn_policy(listening({"type": "server_vad"}, manual)).rule == turn_policy(BEGIN).rule


def test_noise_reduction_begins_at_full_strength_and_keeps_its_strength() -> None:
    def reduction(given: dict[str, Any], before: dict[str, Any] = BEGIN) -> dict[str, Any]:
        return updated({"audio": {"input": {"noise_reduction": given}}}, before)

    first = reduction({"type": "far_field"})
    assert first["audio"]["input"]["noise_reduction"] == {"type": "far_field", "strength": 1.0}
    weaker = reduction({"type": "far_field", "strength": 0.3}, first)
    kept = reduction({"type": "near_field"}, weaker)
    assert kept["audio"]["input"]["noise_reduction"] == {"type": "near_field", "strength": 0.3}


def test_the_voice_cannot_change_once_it_was_heard() -> None:
    with pytest.raises(Refusal) as refused:
        updated({"audio": {"output": {"voice": "cedar"}}}, voice_locked=True)
    assert refused.value.code == "cannot_update_voice"
    assert updated({"audio": {"output": {"voice": "marin"}}}, voice_locked=True) == BEGIN
    assert updated({"audio": {"output": {"voice": "cedar"}}})["audio"]["output"]["voice"] == "cedar"


def test_the_model_cannot_change() -> None:
    assert updated({"model": "m"}) == BEGIN
    with pytest.raises(Refusal) as refused:
        updated({"model": "other"})
    assert refused.value.param == "session.model"
