"""The shape of everything that a client may send: one table of events, built of checks.

Owns the field names and ranges of the GA Realtime API (openai-python 3.54 `types/realtime`, OpenAI's reference). Pure;
it knows nothing of the session's present state, so what depends on that is refused elsewhere. Not accepted although the
service does: G.711 audio, images, MCP tools and items, transcription sessions; each is refused as an unsupported value.
"""

from __future__ import annotations

import json
from typing import Any

from voicebotd.rehearsal import checks
from voicebotd.rehearsal.checks import Check, array, by_kind, choice, integer, nullable, number, record, tagged, text
from voicebotd.rehearsal.wire import Refusal

LONGEST_ITEM_ID = 32
"""Longer ids of a client's own were refused by the service before GA; a short one is safe with both."""

_FORMAT = record({"type": choice("audio/pcm"), "rate": by_kind({int: integer(24_000, 24_000)})}, required=("type",))
_VOICE = by_kind({str: text(), dict: record({"id": text()}, required=("id",))})
_MODALITIES = checks.exactly((["audio"], ["text"]))
_MAX_OUTPUT_TOKENS = by_kind({int: integer(1, 4096), str: choice("inf")})
_METADATA = nullable(checks.pairs(longest=16, longest_key=64, longest_value=512))
_REASONING = nullable(record({"effort": choice("minimal", "low", "medium", "high", "xhigh")}))
_PROMPT = nullable(
    record({"id": text(), "version": nullable(text()), "variables": nullable(by_kind({dict: checks.anything}))})
)

_FUNCTION_TOOL = record(
    {"type": choice("function"), "name": text(), "description": text(), "parameters": by_kind({dict: checks.anything})},
    required=("name",),
)
_MCP_TOOL = record(
    {
        "type": choice("mcp"),
        "server_label": text(),
        "server_url": text(),
        "connector_id": text(),
        "server_description": text(),
        "authorization": text(),
        "headers": nullable(by_kind({dict: checks.anything})),
        "allowed_tools": nullable(by_kind({list: array(text()), dict: checks.anything})),
        "require_approval": nullable(by_kind({str: choice("always", "never"), dict: checks.anything})),
    },
    required=("server_label",),
)
_TOOLS = array(tagged("type", {"function": _FUNCTION_TOOL, "mcp": _MCP_TOOL}))
_FORCED_FUNCTION = record({"type": choice("function"), "name": text()}, required=("name",))
_TOOL_CHOICE = by_kind({str: choice("none", "auto", "required"), dict: tagged("type", {"function": _FORCED_FUNCTION})})

# idle_timeout_ms: the service does not publish its range; this one is what its clients are told to assume.
_SERVER_VAD = record(
    {
        "type": choice("server_vad"),
        "threshold": number(0.0, 1.0),
        "prefix_padding_ms": integer(0),
        "silence_duration_ms": integer(0),
        "create_response": checks.flag,
        "interrupt_response": checks.flag,
        "idle_timeout_ms": nullable(integer(5_000, 30_000)),
    }
)
_SEMANTIC_VAD = record(
    {
        "type": choice("semantic_vad"),
        "eagerness": choice("low", "medium", "high", "auto"),
        "create_response": checks.flag,
        "interrupt_response": checks.flag,
    }
)
_NOISE_REDUCTION = record({"type": choice("near_field", "far_field"), "strength": number(0.0, 1.0)}, required=("type",))
_TRANSCRIPTION = record(
    {
        "model": text(),
        "language": nullable(text()),
        "languages": array(text()),
        "prompt": nullable(text()),
        "keywords": array(text()),
        "delay": choice("minimal", "low", "medium", "high", "xhigh"),
    },
    required=("model",),
)
_AUDIO_INPUT = record(
    {
        "format": _FORMAT,
        "noise_reduction": nullable(_NOISE_REDUCTION),
        "transcription": nullable(_TRANSCRIPTION),
        "turn_detection": nullable(tagged("type", {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD})),
    }
)
_AUDIO_OUTPUT = record({"format": _FORMAT, "voice": _VOICE, "speed": number(0.25, 1.5)})
_RETENTION = record(
    {
        "type": choice("retention_ratio"),
        "retention_ratio": number(0.0, 1.0),
        "token_limits": record({"post_instructions": integer(0)}),
    },
    required=("retention_ratio",),
)
_TRACING = record({"workflow_name": text(), "group_id": text(), "metadata": by_kind({dict: checks.anything})})

SESSION: Check = record(
    {
        "type": choice("realtime"),
        "model": text(),
        "instructions": text(),
        "output_modalities": _MODALITIES,
        "max_output_tokens": _MAX_OUTPUT_TOKENS,
        "tools": _TOOLS,
        "tool_choice": _TOOL_CHOICE,
        "parallel_tool_calls": checks.flag,
        "reasoning": _REASONING,
        "truncation": by_kind({str: choice("auto", "disabled"), dict: tagged("type", {"retention_ratio": _RETENTION})}),
        "tracing": nullable(by_kind({str: choice("auto"), dict: _TRACING})),
        "include": nullable(array(choice("item.input_audio_transcription.logprobs"))),
        "prompt": _PROMPT,
        "audio": record({"input": _AUDIO_INPUT, "output": _AUDIO_OUTPUT}),
    },
    required=("type",),
)

# --- Items -----------------------------------------------------------------------------------------------------------

_COMMON: dict[str, Check] = {
    "id": text(longest=LONGEST_ITEM_ID),
    "object": choice("realtime.item"),
    "status": choice("in_progress", "completed", "incomplete"),
}
_INPUT_TEXT = record({"type": choice("input_text"), "text": text()}, required=("text",))
_INPUT_AUDIO = record(
    {"type": choice("input_audio"), "audio": checks.audio, "transcript": nullable(text())}, required=("audio",)
)
_OUTPUT_TEXT = record({"type": choice("output_text"), "text": text()}, required=("text",))


def _message(role: str, parts: dict[str, Check]) -> Check:
    fields = {**_COMMON, "type": choice("message"), "role": choice(role), "content": array(tagged("type", parts))}
    return record(fields, required=("content",))


_MESSAGE = tagged(
    "role",
    {
        "system": _message("system", {"input_text": _INPUT_TEXT}),
        "user": _message("user", {"input_text": _INPUT_TEXT, "input_audio": _INPUT_AUDIO}),
        "assistant": _message("assistant", {"output_text": _OUTPUT_TEXT}),
    },
)
_FUNCTION_CALL = record(
    {**_COMMON, "type": choice("function_call"), "name": text(), "call_id": text(), "arguments": text()},
    required=("name", "arguments"),
)
_FUNCTION_OUTPUT = record(
    {**_COMMON, "type": choice("function_call_output"), "call_id": text(), "output": text()},
    required=("call_id", "output"),
)
_APPROVAL = record(
    {
        **_COMMON,
        "type": choice("mcp_approval_response"),
        "approval_request_id": text(),
        "approve": checks.flag,
        "reason": nullable(text()),
    },
    required=("approval_request_id", "approve"),
)
_ITEMS = {"message": _MESSAGE, "function_call": _FUNCTION_CALL, "function_call_output": _FUNCTION_OUTPUT}
_SENT = {**_ITEMS, "mcp_approval_response": _APPROVAL}
_ITEM = tagged("type", _SENT)
_REFERENCE = record({"type": choice("item_reference"), "id": text()}, required=("id",))

# --- Events ----------------------------------------------------------------------------------------------------------

_RESPONSE = record(
    {
        "conversation": choice("auto", "none"),
        "input": array(tagged("type", {**_ITEMS, "item_reference": _REFERENCE})),
        "instructions": text(),
        "output_modalities": _MODALITIES,
        "audio": record({"output": record({"format": _FORMAT, "voice": _VOICE})}),
        "tools": _TOOLS,
        "tool_choice": _TOOL_CHOICE,
        "max_output_tokens": _MAX_OUTPUT_TOKENS,
        "metadata": _METADATA,
        "reasoning": _REASONING,
        "parallel_tool_calls": checks.flag,
        "prompt": _PROMPT,
    }
)


def _event(type_: str, fields: dict[str, Check] | None = None, required: tuple[str, ...] = ()) -> Check:
    envelope = {"type": choice(type_), "event_id": text(longest=512)}
    return record({**envelope, **(fields or {})}, required=required)


_EVENT = tagged(
    "type",
    {
        "session.update": _event("session.update", {"session": SESSION}, ("session",)),
        "input_audio_buffer.append": _event("input_audio_buffer.append", {"audio": checks.audio}, ("audio",)),
        "input_audio_buffer.commit": _event("input_audio_buffer.commit"),
        "input_audio_buffer.clear": _event("input_audio_buffer.clear"),
        "conversation.item.create": _event(
            "conversation.item.create", {"item": _ITEM, "previous_item_id": nullable(text())}, ("item",)
        ),
        "conversation.item.retrieve": _event("conversation.item.retrieve", {"item_id": text()}, ("item_id",)),
        "conversation.item.delete": _event("conversation.item.delete", {"item_id": text()}, ("item_id",)),
        "conversation.item.truncate": _event(
            "conversation.item.truncate",
            {"item_id": text(), "content_index": integer(0), "audio_end_ms": integer(0)},
            ("item_id", "content_index", "audio_end_ms"),
        ),
        "response.create": _event("response.create", {"response": nullable(_RESPONSE)}),
        "response.cancel": _event("response.cancel", {"response_id": nullable(text())}),
    },
)


def parse_message(message: str | bytes) -> dict[str, Any]:
    """Read one websocket message; Refusal where it is not a JSON object in a text frame."""
    if isinstance(message, bytes):
        raise Refusal("invalid_event", "Events are JSON in text frames; this frame is binary.")
    try:
        event = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise Refusal("invalid_event", f"The event is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise Refusal("invalid_event", "The event is not a JSON object.")
    return event


def check_event(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with its audio decoded to bytes, or raise `Refusal`."""
    checked: dict[str, Any] = _EVENT(event, "")
    return checked
