"""Whether the service does what we asked."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebotd.conversation.events import (
    SessionView,
    TurnDetection,
)
from voicebotd.realtime.granted import confirm
from voicebotd.realtime.session import FunctionTool, SessionConfig, wire

TOOL = FunctionTool(name="book", description="Books a visit", parameters={"type": "object"})
CONFIG = SessionConfig(model="gpt-realtime-2.1", instructions="Be kind", tools=(TOOL,), reasoning_effort="low")
AS_WANTED = SessionView(
    instructions="Be kind",
    turn_detection=TurnDetection(),
    voice="marin",
    output="audio",
    transcription_model="gpt-transcribe",
)


def told(config: SessionConfig = CONFIG) -> dict[str, Any]:
    """Return the session as a service tells it that grants everything."""
    return {"id": "sess_1", "object": "realtime.session", "model": config.model, **deepcopy(wire(config))}


def test_a_session_that_is_as_wanted_has_no_differences() -> None:
    assert confirm(CONFIG, told()) == (AS_WANTED, ())


def test_what_the_service_tells_beyond_our_wishes_is_its_own_affair() -> None:
    session = told()
    session["audio"]["input"]["noise_reduction"]["strength"] = 1.0
    session["tools"][0]["strict"] = False
    session["tracing"] = "auto"
    assert confirm(CONFIG, session) == (AS_WANTED, ())


def test_a_number_that_was_kept_in_fewer_bits_is_the_same_number() -> None:
    session = told()
    session["audio"]["input"]["turn_detection"].update(threshold=0.8500000238418579, silence_duration_ms=1200.0)
    view, differences = confirm(CONFIG, session)
    assert differences == ()
    assert view.turn_detection is not None
    assert view.turn_detection.silence_duration_ms == 1200
    assert view.turn_detection.threshold == pytest.approx(0.85)


def test_turn_detection_is_shown_as_the_service_has_it_and_each_difference_is_named() -> None:
    session = told()
    session["audio"]["input"]["turn_detection"] = {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 1200,
        "create_response": False,
        "interrupt_response": True,
        "idle_timeout_ms": 6000,
    }
    view, differences = confirm(CONFIG, session)
    assert view.turn_detection == TurnDetection(
        threshold=0.5, prefix_padding_ms=300, create_response=False, idle_timeout_ms=6000
    )
    prefix = "audio.input.turn_detection"
    assert differences == (
        f"{prefix}.create_response: wanted True, the service has False",
        f"{prefix}.threshold: wanted 0.85, the service has 0.5",
        f"{prefix}.prefix_padding_ms: wanted 500, the service has 300",
        f"{prefix}.idle_timeout_ms: wanted nothing, the service has 6000",
    )


@pytest.mark.parametrize("kind", ["none", "local"])
def test_a_service_that_is_not_to_detect_turns_has_no_turn_detection(kind: Any) -> None:
    wanted = replace(CONFIG, turn_detection=TurnDetection(type=kind))
    view, differences = confirm(wanted, told(wanted))
    assert (view.turn_detection, differences) == (None, ())
    view, differences = confirm(CONFIG, told(wanted))
    assert view.turn_detection is None
    assert differences[0].startswith("audio.input.turn_detection: wanted {")


def test_semantic_vad_is_shown_with_its_eagerness() -> None:
    wanted = replace(CONFIG, turn_detection=TurnDetection(type="semantic_vad", eagerness="low"))
    view, differences = confirm(wanted, told(wanted))
    assert (view.turn_detection, differences) == (wanted.turn_detection, ())


def test_another_voice_modality_tool_or_text_is_noticed() -> None:
    session = told()
    session.update(output_modalities=["text"], tools=[], instructions="Be rude")
    session["audio"]["output"]["voice"] = "alloy"
    view, differences = confirm(CONFIG, session)
    assert view == replace(AS_WANTED, instructions="Be rude", voice="alloy", output="text")
    assert [difference.split(":")[0] for difference in differences] == [
        "instructions",
        "output_modalities",
        "tools",
        "audio.output.voice",
    ]


def test_what_is_not_told_is_shown_as_wanted_and_named() -> None:
    view, differences = confirm(CONFIG, {})
    assert view == AS_WANTED
    assert "instructions: wanted 'Be kind', the service has nothing" in differences


@pytest.mark.parametrize(
    ("transcription", "model"), [({"model": "whisper-1"}, "whisper-1"), ({}, ""), (None, ""), ("whisper-1", "")]
)
def test_the_model_that_transcribes_is_the_one_that_the_service_has(transcription: object, model: str) -> None:
    session = told()
    session["audio"]["input"]["transcription"] = transcription
    assert confirm(CONFIG, session)[0].transcription_model == model


def test_an_output_that_is_neither_is_shown_as_wanted() -> None:
    wanted = replace(CONFIG, output="text")
    assert confirm(wanted, {**told(wanted), "output_modalities": ["smell"]})[0].output == "text"


def test_an_effort_that_could_not_be_sent_is_named() -> None:
    wanted = replace(CONFIG, model="gpt-realtime-1.5")
    assert confirm(wanted, told(wanted))[1] == ("reasoning: not sent, because gpt-realtime-1.5 does not reason",)


@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), 10**400, True, "0.5", None])
def test_a_threshold_that_is_no_number_is_shown_as_wanted_and_named(threshold: object) -> None:
    session = told()
    session["audio"]["input"]["turn_detection"]["threshold"] = threshold
    view, differences = confirm(CONFIG, session)
    assert view == AS_WANTED
    assert differences[0].startswith("audio.input.turn_detection.threshold: wanted 0.85")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@given(values, st.sampled_from(["instructions", "audio", "tools", "output_modalities", "max_output_tokens"]))
def test_a_session_with_a_senseless_field_is_still_shown(value: Any, name: str) -> None:
    assert isinstance(confirm(CONFIG, {**told(), name: value})[0], SessionView)


@given(values, st.sampled_from(["type", "threshold", "prefix_padding_ms", "eagerness", "create_response"]))
def test_turn_detection_with_a_senseless_field_is_still_shown(value: Any, name: str) -> None:
    session = told()
    session["audio"]["input"]["turn_detection"][name] = value
    assert isinstance(confirm(CONFIG, session)[0].turn_detection, TurnDetection)
