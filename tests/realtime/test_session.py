"""The session that is wanted, and how it is asked for. The oracle is openai's own types."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from openai.types.realtime import SessionUpdateEvent
from pydantic import BaseModel

from voicebotd.conversation.effects import (
    UpdateSession,
)
from voicebotd.conversation.events import (
    TurnDetection,
)
from voicebotd.realtime.session import (
    FunctionTool,
    RemoteServer,
    Retention,
    SessionConfig,
    Truncation,
    WantedSession,
    apply,
    full_update,
    keeping_live_changes,
    live_update,
    reasons,
)

CONFIG = SessionConfig(model="gpt-realtime-2.1", instructions="Be kind")
TOOL = FunctionTool(name="book", description="Books a visit", parameters={"type": "object", "properties": {}})


def session_of(config: SessionConfig) -> dict[str, Any]:
    """Return the session of the full update, after openai's types took every field of it."""
    message = full_update(config)
    assert unknown_fields(SessionUpdateEvent.model_validate(message)) == []
    session: dict[str, Any] = message["session"]
    return session


def unknown_fields(value: object) -> list[str]:
    if not isinstance(value, BaseModel):
        return []
    inner = [name for field in type(value).model_fields for name in unknown_fields(getattr(value, field))]
    return [*(value.model_extra or {}), *inner]


def update(**changes: Any) -> UpdateSession:
    return UpdateSession(event_id="ours", **changes)


def test_the_full_update_has_the_whole_session_in_the_ga_shape() -> None:
    assert session_of(replace(CONFIG, tools=(TOOL,))) == {
        "type": "realtime",
        "instructions": "Be kind",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "truncation": "auto",
        "tools": [
            {
                "type": "function",
                "name": "book",
                "description": "Books a visit",
                "parameters": {"type": "object", "properties": {}},
            }
        ],
        "tool_choice": "auto",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "noise_reduction": {"type": "far_field"},
                "transcription": {"model": "gpt-transcribe"},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.85,
                    "prefix_padding_ms": 500,
                    "silence_duration_ms": 1200,
                    "create_response": True,
                    "interrupt_response": True,
                    "idle_timeout_ms": None,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
        },
    }


def test_what_is_off_is_asked_for_as_null() -> None:
    off = replace(CONFIG, noise_reduction=None, transcription_model=None, turn_detection=TurnDetection(type="none"))
    heard = session_of(off)["audio"]["input"]
    assert (heard["noise_reduction"], heard["transcription"], heard["turn_detection"]) == (None, None, None)


def test_semantic_vad_has_its_own_fields_only() -> None:
    semantic = TurnDetection(type="semantic_vad", eagerness="low", interrupt_response=False)
    assert session_of(replace(CONFIG, turn_detection=semantic))["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "low",
        "create_response": True,
        "interrupt_response": False,
    }


def test_a_language_goes_with_its_transcription() -> None:
    heard = session_of(replace(CONFIG, transcription_language="de"))["audio"]["input"]
    assert heard["transcription"] == {"model": "gpt-transcribe", "language": "de"}


@pytest.mark.parametrize(
    ("model", "does"),
    [
        ("gpt-realtime-2", True),
        ("gpt-realtime-2.1", True),
        ("gpt-realtime-2.1-mini", True),
        ("gpt-realtime-2-2026-05-07", True),
        ("gpt-realtime", False),
        ("gpt-realtime-1.5", False),
        ("gpt-realtime-mini", False),
        ("gpt-realtime-2025-08-28", False),
        ("some-gpt-realtime-2", False),
    ],
)
def test_only_a_model_that_reasons_is_told_how_hard_to(model: str, does: bool) -> None:
    assert reasons(model) is does
    assert ("reasoning" in session_of(replace(CONFIG, model=model, reasoning_effort="low"))) is does


def test_without_an_effort_reasoning_is_left_to_the_service() -> None:
    assert "reasoning" not in session_of(CONFIG)


def test_a_live_change_asks_for_nothing_but_the_change_and_never_for_the_voice() -> None:
    quick = TurnDetection(threshold=0.7)
    message = live_update(update(turn_detection=quick))
    assert message["event_id"] == "ours"
    assert message["session"]["type"] == "realtime"
    assert set(message["session"]) == {"type", "audio"}
    assert set(message["session"]["audio"]) == {"input"}
    assert message["session"]["audio"]["input"]["turn_detection"]["threshold"] == 0.7
    assert live_update(update(instructions=""))["session"] == {"type": "realtime", "instructions": ""}
    assert live_update(update())["session"] == {"type": "realtime"}
    told = live_update(update(tools=(TOOL,)))
    assert told["session"] == {"type": "realtime", "tools": session_of(replace(CONFIG, tools=(TOOL,)))["tools"]}
    assert live_update(update(tools=()))["session"] == {"type": "realtime", "tools": []}


@pytest.mark.parametrize("kind", ["none", "local"])
def test_turns_that_the_service_is_not_to_detect_are_a_live_change_to_null(kind: Any) -> None:
    message = live_update(update(turn_detection=TurnDetection(type=kind)))
    assert message["session"]["audio"] == {"input": {"turn_detection": None}}


def test_a_change_leaves_alone_what_it_does_not_name() -> None:
    assert apply(CONFIG, update()) == CONFIG
    assert apply(CONFIG, update(instructions="")) == replace(CONFIG, instructions="")
    quick = TurnDetection(threshold=0.7)
    assert apply(CONFIG, update(turn_detection=quick)) == replace(CONFIG, turn_detection=quick)
    assert apply(CONFIG, update(tools=(TOOL,))) == replace(CONFIG, tools=(TOOL,))
    assert apply(replace(CONFIG, tools=(TOOL,)), update(tools=())) == CONFIG


def change(event_id: str, text: str) -> UpdateSession:
    return UpdateSession(event_id=event_id, instructions=text)


def test_a_change_is_wanted_at_once_and_granted_when_it_is_answered() -> None:
    wanted = WantedSession(CONFIG)
    wanted.change(change("a", "A"))
    assert (wanted.config.instructions, wanted.granted.instructions) == ("A", "Be kind")
    wanted.answered()
    assert (wanted.config.instructions, wanted.granted.instructions) == ("A", "A")


def test_a_change_that_the_service_refuses_is_not_asked_of_the_next_session() -> None:
    wanted = WantedSession(CONFIG)
    wanted.change(change("a", "A"))
    wanted.change(update(turn_detection=TurnDetection(threshold=0.7)))
    wanted.refused("a")
    wanted.refused("somebody else's")
    wanted.answered()
    assert wanted.begin() == replace(CONFIG, turn_detection=TurnDetection(threshold=0.7))


def test_a_confirmation_that_nobody_waits_for_changes_nothing() -> None:
    wanted = WantedSession(CONFIG)
    wanted.answered()
    assert wanted.config == CONFIG


def test_a_new_session_is_opened_with_every_change_answered_or_not() -> None:
    wanted = WantedSession(CONFIG)
    wanted.change(change("a", "A"))
    assert wanted.unanswered == (change("a", "A"),)
    assert wanted.begin().instructions == "A"
    assert wanted.unanswered == ()


def test_a_service_that_answers_no_change_does_not_fill_the_memory() -> None:
    wanted = WantedSession(CONFIG)
    for number in range(100):
        wanted.change(change(str(number), str(number)))
    assert len(wanted.unanswered) == 32
    assert wanted.config.instructions == "99"


@pytest.mark.parametrize(
    ("truncation", "asked"),
    [
        ("disabled", "disabled"),
        (Retention(ratio=0.8), {"type": "retention_ratio", "retention_ratio": 0.8}),
        (
            Retention(ratio=0.5, limit_tokens=9000),
            {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 9000}},
        ),
    ],
)
def test_how_the_service_is_to_forget_is_asked_for_in_its_words(truncation: Truncation, asked: object) -> None:
    assert session_of(replace(CONFIG, truncation=truncation))["truncation"] == asked


def test_a_server_that_the_service_is_to_reach_is_named_with_the_functions_also_when_these_change() -> None:
    server = RemoteServer(label="docs", url="https://docs.example/mcp", authorization="x", allowed=("search",))
    wired = {
        "type": "mcp",
        "server_label": "docs",
        "server_url": "https://docs.example/mcp",
        "authorization": "x",
        "allowed_tools": ["search"],
        "require_approval": "always",
    }
    assert session_of(replace(CONFIG, remote_servers=(server,)))["tools"] == [wired]
    assert live_update(update(tools=()), (server,))["session"]["tools"] == [wired]
    mail = RemoteServer(label="mail", connector="connector_gmail", approval="never")
    assert session_of(replace(CONFIG, remote_servers=(mail,)))["tools"] == [
        {"type": "mcp", "server_label": "mail", "connector_id": "connector_gmail", "require_approval": "never"}
    ]
    assert "authorization" not in repr(server)


def test_a_new_configuration_keeps_what_people_change_while_a_session_runs() -> None:
    configured = replace(CONFIG, voice="cedar", instructions="As configured")
    quick = TurnDetection(threshold=0.7)
    wanted = replace(CONFIG, instructions="Be brief", turn_detection=quick, tools=(TOOL,), voice="marin")
    kept = keeping_live_changes(configured, wanted)
    assert kept == replace(configured, instructions="Be brief", turn_detection=quick, tools=(TOOL,))
