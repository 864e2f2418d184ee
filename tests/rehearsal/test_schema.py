from __future__ import annotations

from typing import Any

import pytest

from voicebotd.rehearsal.schema import check_event, parse_message
from voicebotd.rehearsal.wire import Refusal


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def listening(**turn_detection: Any) -> dict[str, Any]:
    return update(audio={"input": {"turn_detection": {"type": "server_vad", **turn_detection}}})


def message(role: str, **part: Any) -> dict[str, Any]:
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": role, "content": [part]},
    }


def test_a_message_is_a_json_object_in_a_text_frame() -> None:
    assert parse_message('{"type": "x"}') == {"type": "x"}


@pytest.mark.parametrize("wrong", [b"{}", "{", "[]", "null", "[" * 100_000])
def test_anything_else_is_an_invalid_event(wrong: str | bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_message(wrong)
    assert refused.value.code == "invalid_event"


@pytest.mark.parametrize(
    "event",
    [
        update(
            instructions="",
            output_modalities=["text"],
            max_output_tokens=4096,
            tools=[{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}],
            tool_choice={"type": "function", "name": "f"},
            parallel_tool_calls=True,
            reasoning={"effort": "low"},
            truncation={"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 1}},
            tracing="auto",
            prompt=None,
        ),
        update(
            audio={
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "noise_reduction": {"type": "far_field", "strength": 0.5},
                    "transcription": {"model": "gpt-transcribe", "language": "en"},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
                },
                "output": {"voice": {"id": "voice_1"}, "speed": 1.5},
            }
        ),
        listening(threshold=0.85, prefix_padding_ms=500, silence_duration_ms=1200, idle_timeout_ms=5000),
        update(audio={"input": {"turn_detection": None, "noise_reduction": None, "transcription": None}}),
        {"type": "input_audio_buffer.commit", "event_id": "e"},
        {"type": "input_audio_buffer.clear"},
        message("system", type="input_text", text="a"),
        message("user", type="input_text", text="a"),
        message("assistant", type="output_text", text="a"),
        {"type": "conversation.item.create", "item": {"type": "function_call", "name": "f", "arguments": "{}"}},
        {
            "type": "conversation.item.create",
            "previous_item_id": "root",
            "item": {"type": "function_call_output", "call_id": "c", "output": "1"},
        },
        {"type": "conversation.item.retrieve", "item_id": "a"},
        {"type": "conversation.item.delete", "item_id": "a"},
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1},
        {"type": "response.create"},
        {
            "type": "response.create",
            "response": {
                "conversation": "none",
                "input": [{"type": "item_reference", "id": "a"}],
                "metadata": {"k": "v"},
                "audio": {"output": {"voice": "cedar"}},
            },
        },
        {"type": "response.cancel", "response_id": "r"},
    ],
)
def test_what_the_service_takes_is_taken_unchanged(event: dict[str, Any]) -> None:
    assert check_event(event) == event


def test_audio_is_decoded_wherever_it_is() -> None:
    assert check_event({"type": "input_audio_buffer.append", "audio": "AAA="})["audio"] == b"\x00\x00"
    item = check_event(message("user", type="input_audio", audio="AAA="))["item"]
    assert item["content"][0]["audio"] == b"\x00\x00"


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({}, "missing_required_parameter", "type"),
        ({"type": "response.sing"}, "invalid_value", "type"),
        ({"type": "input_audio_buffer.commit", "extra": 1}, "unknown_parameter", "extra"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
        (
            {"type": "session.update", "session": {"type": "transcription"}},
            "invalid_value",
            "session.type",
        ),
        (update(temperature=0.8), "unknown_parameter", "session.temperature"),
        (update(modalities=["audio"]), "unknown_parameter", "session.modalities"),
        (update(output_modalities=["audio", "text"]), "invalid_value", "session.output_modalities"),
        (update(max_output_tokens=4097), "invalid_value", "session.max_output_tokens"),
        (update(max_output_tokens=0), "invalid_value", "session.max_output_tokens"),
        (update(tools=[{"type": "function"}]), "missing_required_parameter", "session.tools[0].name"),
        (listening(threshold=1.5), "invalid_value", "session.audio.input.turn_detection.threshold"),
        (listening(prefix_padding_ms=-1), "invalid_value", "session.audio.input.turn_detection.prefix_padding_ms"),
        (listening(silence_duration_ms=1.5), "invalid_value", "session.audio.input.turn_detection.silence_duration_ms"),
        (listening(idle_timeout_ms=4999), "invalid_value", "session.audio.input.turn_detection.idle_timeout_ms"),
        (listening(eagerness="low"), "unknown_parameter", "session.audio.input.turn_detection.eagerness"),
        (
            update(audio={"input": {"turn_detection": {}}}),
            "missing_required_parameter",
            "session.audio.input.turn_detection.type",
        ),
        (update(audio={"output": {"speed": 2}}), "invalid_value", "session.audio.output.speed"),
        (
            update(audio={"input": {"format": {"type": "audio/pcmu"}}}),
            "invalid_value",
            "session.audio.input.format.type",
        ),
        (
            update(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}),
            "invalid_value",
            "session.audio.input.format.rate",
        ),
        ({"type": "input_audio_buffer.append", "audio": "?"}, "invalid_value", "audio"),
        (message("assistant", type="output_audio", audio="AAA="), "invalid_value", "item.content[0].type"),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "id": "x" * 33, "call_id": "c", "output": ""},
            },
            "string_above_max_length",
            "item.id",
        ),
        (
            {"type": "response.create", "response": {"metadata": {str(n): "" for n in range(17)}}},
            "invalid_value",
            "response.metadata",
        ),
        ({"type": "response.create", "response": {"modalities": []}}, "unknown_parameter", "response.modalities"),
        (
            {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": -1},
            "invalid_value",
            "audio_end_ms",
        ),
    ],
)
def test_what_the_service_refuses_is_refused_by_its_code_and_the_fields_name(
    event: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(Refusal) as refused:
        check_event(event)
    assert (refused.value.code, refused.value.param) == (code, param)
