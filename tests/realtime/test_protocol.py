"""What a server event means. Every sample is first held against openai's own types."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from voicebotd.conversation.events import (
    ApprovalRequested,
    AssistantTextDelta,
    AssistantTextDone,
    AudioDelta,
    AudioDone,
    Event,
    FunctionCalled,
    InputCommitted,
    InputTimedOut,
    ItemAdded,
    ItemDeleted,
    ItemTruncated,
    OutputItemAdded,
    RemoteCalled,
    RemoteCallEnded,
    RemoteToolsListed,
    ResponseCreated,
    ResponseDone,
    ServerError,
    SpeechStarted,
    SpeechStopped,
    Usage,
    UserTranscriptDelta,
    UserTranscriptDone,
    UserTranscriptFailed,
)
from voicebotd.realtime.protocol import Decoded, Nonsense, NotNeeded, SessionTold, decode, parse

ORACLE: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
PCM = bytes(range(8))
PART = {"response_id": "resp_1", "item_id": "item_1", "output_index": 1, "content_index": 2}
MESSAGE = {"id": "item_1", "type": "message", "role": "assistant", "content": []}
CALL = {"id": "item_1", "type": "function_call", "call_id": "call_1", "name": "book", "arguments": '{"day":1}'}
SESSION = {"type": "realtime", "instructions": "Be kind"}
USAGE = {
    "total_tokens": 100,
    "input_tokens": 70,
    "output_tokens": 30,
    "input_token_details": {
        "text_tokens": 50,
        "audio_tokens": 20,
        "cached_tokens": 15,
        "cached_tokens_details": {"text_tokens": 10, "audio_tokens": 5},
    },
    "output_token_details": {"text_tokens": 8, "audio_tokens": 22},
}
RESPONSE_DONE = {
    "id": "resp_1",
    "status": "failed",
    "status_details": {"type": "failed", "error": {"type": "server_error", "code": "rate_limit_exceeded"}},
    "usage": USAGE,
}

REMOTE_CALL = {"type": "mcp_call", "id": "m", "server_label": "docs", "name": "search", "arguments": "{}"}
CALLED: dict[str, Any] = {
    "response_id": "resp_1",
    "item_id": "m",
    "server": "docs",
    "name": "search",
    "arguments": "{}",
}
MEANS: list[tuple[dict[str, Any], Decoded]] = [
    (
        {
            "type": "error",
            "error": {"type": "t", "code": "c", "message": "m", "param": "p", "event_id": "ours"},
        },
        ServerError(type="t", code="c", message="m", param="p", event_id="ours"),
    ),
    ({"type": "session.created", "session": SESSION}, SessionTold(name="created", session=SESSION)),
    ({"type": "session.updated", "session": SESSION}, SessionTold(name="updated", session=SESSION)),
    (
        {"type": "input_audio_buffer.speech_started", "item_id": "item_1", "audio_start_ms": 120},
        SpeechStarted(item_id="item_1", audio_start_ms=120),
    ),
    (
        {"type": "input_audio_buffer.speech_stopped", "item_id": "item_1", "audio_end_ms": 950},
        SpeechStopped(item_id="item_1", audio_end_ms=950),
    ),
    (
        {"type": "input_audio_buffer.committed", "item_id": "item_1", "previous_item_id": None},
        InputCommitted(item_id="item_1"),
    ),
    (
        {"type": "input_audio_buffer.timeout_triggered", "item_id": "item_1", "audio_start_ms": 0, "audio_end_ms": 9},
        InputTimedOut(item_id="item_1"),
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.delta",
            "item_id": "item_1",
            "content_index": 0,
            "delta": "Hel",
        },
        UserTranscriptDelta(item_id="item_1", delta="Hel"),
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1",
            "content_index": 0,
            "transcript": "Hello",
            "usage": {"type": "duration", "seconds": 1.5},
        },
        UserTranscriptDone(item_id="item_1", transcript="Hello", usage=Usage(audio_s=1.5)),
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.failed",
            "item_id": "item_1",
            "content_index": 0,
            "error": {"message": "too quiet"},
        },
        UserTranscriptFailed(item_id="item_1", message="too quiet"),
    ),
    (
        {"type": "conversation.item.added", "item": MESSAGE},
        ItemAdded(item_id="item_1", item_type="message", role="assistant"),
    ),
    ({"type": "conversation.item.created", "item": CALL}, ItemAdded(item_id="item_1", item_type="function_call")),
    ({"type": "conversation.item.deleted", "item_id": "item_1"}, ItemDeleted(item_id="item_1")),
    (
        {"type": "conversation.item.truncated", "item_id": "item_1", "content_index": 0, "audio_end_ms": 700},
        ItemTruncated(item_id="item_1", content_index=0, audio_end_ms=700),
    ),
    (
        {"type": "response.created", "response": {"id": "resp_1", "metadata": {"why": "greeting"}}},
        ResponseCreated(response_id="resp_1", metadata={"why": "greeting"}),
    ),
    (
        {"type": "response.output_item.added", "response_id": "resp_1", "output_index": 1, "item": MESSAGE},
        OutputItemAdded(response_id="resp_1", item_id="item_1", output_index=1, item_type="message"),
    ),
    (
        {"type": "response.output_item.done", "response_id": "resp_1", "output_index": 1, "item": CALL},
        FunctionCalled(response_id="resp_1", item_id="item_1", call_id="call_1", name="book", arguments='{"day":1}'),
    ),
    (
        {"type": "response.output_audio.delta", **PART, "delta": b64encode(PCM).decode()},
        AudioDelta(response_id="resp_1", item_id="item_1", output_index=1, content_index=2, pcm=PCM),
    ),
    (
        {"type": "response.output_audio.done", **PART},
        AudioDone(response_id="resp_1", item_id="item_1", content_index=2),
    ),
    (
        {"type": "response.output_audio_transcript.delta", **PART, "delta": "Hel"},
        AssistantTextDelta(response_id="resp_1", item_id="item_1", content_index=2, delta="Hel"),
    ),
    (
        {"type": "response.output_audio_transcript.done", **PART, "transcript": "Hello"},
        AssistantTextDone(response_id="resp_1", item_id="item_1", content_index=2, text="Hello"),
    ),
    (
        {"type": "response.output_text.delta", **PART, "delta": "Hel"},
        AssistantTextDelta(response_id="resp_1", item_id="item_1", content_index=2, delta="Hel"),
    ),
    (
        {"type": "response.output_text.done", **PART, "text": "Hello"},
        AssistantTextDone(response_id="resp_1", item_id="item_1", content_index=2, text="Hello"),
    ),
    (
        {"type": "response.done", "response": RESPONSE_DONE},
        ResponseDone(
            response_id="resp_1",
            status="failed",
            error_code="rate_limit_exceeded",
            usage=Usage(input_text=50, input_audio=20, cached_text=10, cached_audio=5, output_text=8, output_audio=22),
        ),
    ),
    (
        {
            "type": "response.output_item.done",
            "response_id": "resp_1",
            "output_index": 0,
            "item": {**REMOTE_CALL, "output": "found"},
        },
        RemoteCalled(**CALLED, output="found"),
    ),
    (
        {
            "type": "response.output_item.done",
            "response_id": "resp_1",
            "output_index": 0,
            "item": {
                "type": "mcp_approval_request",
                "id": "a",
                "server_label": "docs",
                "name": "search",
                "arguments": "{}",
            },
        },
        ApprovalRequested(approval_id="a", server="docs", name="search", arguments="{}"),
    ),
    (
        {
            "type": "conversation.item.done",
            "item": {
                "type": "mcp_list_tools",
                "id": "l",
                "server_label": "docs",
                "tools": [{"name": "search", "input_schema": {}}],
            },
        },
        RemoteToolsListed(item_id="l", ok=True, server="docs", functions=("search",)),
    ),
    ({"type": "mcp_list_tools.failed", "item_id": "i"}, RemoteToolsListed(item_id="i", ok=False)),
    ({"type": "response.mcp_call.completed", "item_id": "i", "output_index": 0}, RemoteCallEnded(item_id="i")),
    ({"type": "response.mcp_call.failed", "item_id": "i", "output_index": 0}, RemoteCallEnded(item_id="i")),
]

NOT_NEEDED: list[dict[str, Any]] = [
    {"type": "conversation.created", "conversation": {"id": "conv_1"}},
    {"type": "conversation.item.done", "item": MESSAGE},
    {"type": "conversation.item.retrieved", "item": MESSAGE},
    {
        "type": "conversation.item.input_audio_transcription.segment",
        "item_id": "i",
        "content_index": 0,
        "id": "s",
        "text": "t",
        "speaker": "A",
        "start": 0.0,
        "end": 1.0,
    },
    {"type": "input_audio_buffer.cleared"},
    {"type": "input_audio_buffer.dtmf_event_received", "event": "1", "received_at": 1},
    {"type": "mcp_list_tools.completed", "item_id": "i"},
    {"type": "mcp_list_tools.in_progress", "item_id": "i"},
    {"type": "output_audio_buffer.cleared", "response_id": "r"},
    {"type": "output_audio_buffer.started", "response_id": "r"},
    {"type": "output_audio_buffer.stopped", "response_id": "r"},
    {"type": "rate_limits.updated", "rate_limits": []},
    {"type": "response.content_part.added", **PART, "part": {"type": "audio"}},
    {"type": "response.content_part.done", **PART, "part": {"type": "audio"}},
    {"type": "response.function_call_arguments.delta", **PART, "call_id": "c", "delta": "{"},
    {"type": "response.function_call_arguments.done", **PART, "call_id": "c", "arguments": "{}", "name": "n"},
    {"type": "response.mcp_call.in_progress", "item_id": "i", "output_index": 0},
    {"type": "response.mcp_call_arguments.delta", **PART, "delta": "{"},
    {"type": "response.mcp_call_arguments.done", **PART, "arguments": "{}"},
    {"type": "response.output_item.done", "response_id": "resp_1", "output_index": 0, "item": MESSAGE},
]


def name_of(case: object) -> str | None:
    return case["type"] if isinstance(case, dict) else None


@pytest.mark.parametrize(("message", "meaning"), MEANS, ids=name_of)
def test_an_event_of_the_service_means_what_it_should(message: dict[str, Any], meaning: Decoded) -> None:
    ORACLE.validate_python({"event_id": "event_1", **message})
    assert decode(message) == meaning


@pytest.mark.parametrize("message", NOT_NEEDED, ids=name_of)
def test_an_event_that_tells_nothing_new_is_known_all_the_same(message: dict[str, Any]) -> None:
    ORACLE.validate_python({"event_id": "event_1", **message})
    assert decode(message) == NotNeeded()


@pytest.mark.parametrize(
    ("item", "status", "output"),
    [
        ({"error": {"type": "http_error", "code": 500, "message": "no"}}, "failed", "no"),
        ({"error": "no\nway"}, "failed", "no way"),
        ({"output": None}, "running", ""),
    ],
)
def test_a_call_of_the_service_tells_what_became_of_it(item: dict[str, Any], status: Any, output: str) -> None:
    message = {"type": "response.output_item.done", "response_id": "resp_1", "item": {**REMOTE_CALL, **item}}
    assert decode(message) == RemoteCalled(**CALLED, status=status, output=output)


def test_a_list_of_functions_that_is_none_has_none() -> None:
    message = {"type": "conversation.item.done", "item": {"type": "mcp_list_tools", "id": "l", "tools": 3}}
    assert decode(message) == RemoteToolsListed(item_id="l", ok=True)


def test_every_event_that_openai_declares_has_a_sample_here() -> None:
    members = get_args(get_args(RealtimeServerEvent)[0])
    declared = {get_args(member.model_fields["type"].annotation)[0] for member in members}
    assert declared == {message["type"] for message in [*NOT_NEEDED, *(message for message, _ in MEANS)]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("response.audio.delta", "response.output_audio.delta"),
        ("response.audio.done", "response.output_audio.done"),
        ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
        ("response.audio_transcript.done", "response.output_audio_transcript.done"),
        ("response.text.delta", "response.output_text.delta"),
        ("response.text.done", "response.output_text.done"),
        ("conversation.item.created", "conversation.item.added"),
    ],
)
def test_an_older_name_means_the_same(old: str, new: str) -> None:
    message, meaning = next(sample for sample in MEANS if sample[0]["type"] == new)
    assert decode({**message, "type": old}) == meaning


def test_an_index_that_is_left_out_is_the_first() -> None:
    short = {"type": "response.audio.delta", "response_id": "r", "item_id": "i", "delta": ""}
    assert decode(short) == AudioDelta(response_id="r", item_id="i", output_index=0, content_index=0, pcm=b"")


def test_a_function_call_that_was_cut_short_is_not_called() -> None:
    cut = {**CALL, "status": "incomplete"}
    assert decode({"type": "response.output_item.done", "response_id": "r", "item": cut}) == NotNeeded()


def test_a_response_done_of_unknown_status_still_ends_the_response() -> None:
    assert decode({"type": "response.done", "response": {"id": "r", "status": "paused"}}) == ResponseDone(
        response_id="r", status="incomplete", reason="unknown status paused"
    )
    assert decode({"type": "response.done", "response": {"id": "r"}}) == ResponseDone(
        response_id="r", status="incomplete", reason="unknown status"
    )


def test_a_cancelled_response_tells_who_cancelled_it() -> None:
    details = {"type": "cancelled", "reason": "turn_detected"}
    response = {"id": "r", "status": "cancelled", "status_details": details}
    assert decode({"type": "response.done", "response": response}) == ResponseDone(
        response_id="r", status="cancelled", reason="turn_detected"
    )


def test_a_failed_response_without_a_code_tells_the_type_of_its_error() -> None:
    details = {"error": {"type": "server_error", "message": "oops"}}
    done = decode({"type": "response.done", "response": {"id": "r", "status": "failed", "status_details": details}})
    assert isinstance(done, ResponseDone)
    assert (done.error_code, done.error_message) == ("server_error", "oops")


@pytest.mark.parametrize(
    ("usage", "meaning"),
    [
        (None, None),
        ({}, None),
        ("much", None),
        ({"input_tokens": 7, "output_tokens": 5}, Usage(input_text=7, output_text=5)),
        (
            {"input_token_details": {"text_tokens": 9, "cached_tokens": 4}, "output_tokens": True},
            Usage(input_text=9, cached_text=4),
        ),
        ({"input_tokens": -1, "output_token_details": {"audio_tokens": "x"}}, Usage()),
    ],
)
def test_usage_that_is_partial_or_senseless_costs_no_event(usage: object, meaning: Usage | None) -> None:
    done = decode({"type": "response.done", "response": {"id": "r", "status": "completed", "usage": usage}})
    assert isinstance(done, ResponseDone)
    assert done.usage == meaning


def test_cached_tokens_without_details_are_text_as_far_as_there_is_text() -> None:
    usage = {"input_token_details": {"text_tokens": 100, "audio_tokens": 60, "cached_tokens": 128}}
    done = decode({"type": "response.done", "response": {"id": "r", "status": "completed", "usage": usage}})
    assert isinstance(done, ResponseDone)
    assert done.usage == Usage(input_text=100, input_audio=60, cached_text=100, cached_audio=28)


@pytest.mark.parametrize(
    ("usage", "meaning"),
    [
        (None, None),
        ({}, None),
        ("much", None),
        ({"type": "duration", "seconds": 2.5}, Usage(audio_s=2.5)),
        ({"type": "duration", "seconds": -1}, Usage()),
        (
            {
                "type": "tokens",
                "input_tokens": 52,
                "output_tokens": 20,
                "total_tokens": 72,
                "input_token_details": {"audio_tokens": 40, "text_tokens": 12},
            },
            Usage(input_text=12, input_audio=40, output_text=20),
        ),
        ({"type": "tokens", "input_tokens": 30, "output_tokens": 9}, Usage(input_audio=30, output_text=9)),
    ],
)
def test_a_transcription_is_counted_in_tokens_or_in_seconds(usage: object, meaning: Usage | None) -> None:
    name = "conversation.item.input_audio_transcription.completed"
    done = decode({"type": name, "item_id": "i", "transcript": "Hello", "usage": usage})
    assert done == UserTranscriptDone(item_id="i", transcript="Hello", usage=meaning)


def test_metadata_that_is_not_text_is_left_out() -> None:
    created = decode({"type": "response.created", "response": {"id": "r", "metadata": {"a": "x", "b": 1}}})
    assert created == ResponseCreated(response_id="r", metadata={"a": "x"})


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({}, "an event without a type"),
        ({"type": 7}, "an event without a type"),
        ({"type": "response.sung\x1b[2J" + "x" * 99}, "an event of unknown type response.sung [2J" + "x" * 42 + "…"),
        ({"type": "input_audio_buffer.committed"}, "input_audio_buffer.committed: item_id is missing"),
        ({"type": "conversation.item.deleted", "item_id": ""}, "conversation.item.deleted: item_id is empty"),
        ({"type": "response.done", "response": []}, "response.done: response has the wrong type"),
        ({"type": "response.audio.delta", "delta": "A"}, "response.audio.delta: delta is not base64"),
        ({"type": "response.audio.delta", "delta": "ü"}, "response.audio.delta: delta is not base64"),
        ({"type": "response.audio.delta", "delta": "AAAA"}, "response.audio.delta: delta is not whole 16-bit samples"),
    ],
)
def test_what_cannot_be_understood_is_named_without_quoting_it(message: dict[str, Any], kind: str) -> None:
    assert decode(message) == Nonsense(kind=kind)


def test_a_frame_is_a_json_object() -> None:
    assert parse('{"type": "x"}') == {"type": "x"}


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b'{"type": "x"}', "a binary frame"),
        ("{", "a frame that is not JSON"),
        ("9" * 5000, "a frame that is not JSON"),
        ("[" * 100_000, "a frame that is not JSON"),
        ("[]", "a frame that is not a JSON object"),
    ],
)
def test_any_other_frame_is_nonsense(frame: str | bytes, kind: str) -> None:
    assert parse(frame) == Nonsense(kind=kind)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
known_types = st.sampled_from(sorted({message["type"] for message, _ in MEANS}))
known_fields = st.sampled_from(
    ["item_id", "response_id", "item", "response", "error", "session", "delta", "text", "id", "type", "usage", "status"]
)
half_right = st.dictionaries(known_fields, json_values | st.dictionaries(known_fields, json_values), max_size=6)


@given(st.one_of(st.text(), st.binary(), json_values.map(json.dumps)))
def test_no_frame_raises(frame: str | bytes) -> None:
    message = parse(frame)
    assert isinstance(message, Nonsense | dict)
    if isinstance(message, dict):
        assert isinstance(decode(message), Event | SessionTold | NotNeeded | Nonsense)


@given(half_right, known_types)
def test_no_half_right_event_raises(message: dict[str, Any], name: str) -> None:
    assert isinstance(decode({**message, "type": name}), Event | SessionTold | NotNeeded | Nonsense)


def test_calls_are_read_from_the_end_of_a_response_too_but_not_those_cut_short() -> None:
    cut = {**CALL, "id": "item_cut", "status": "incomplete"}
    done = {
        "type": "response.done",
        "response": {"id": "resp_1", "status": "completed", "output": [CALL, cut, MESSAGE, 7]},
    }
    decoded = decode(done)
    assert isinstance(decoded, ResponseDone)
    assert [call.item_id for call in decoded.calls] == [CALL["id"]]
    assert decoded.calls[0].response_id == "resp_1"


def test_usage_beside_the_response_and_details_by_the_other_name_are_understood() -> None:
    usage = {"input_tokens": 9, "input_tokens_details": {"text_tokens": 4, "audio_tokens": 5}, "output_tokens": 2}
    done = decode({"type": "response.done", "response": {"id": "r", "status": "completed"}, "usage": usage})
    assert isinstance(done, ResponseDone)
    assert done.usage == Usage(input_text=4, input_audio=5, output_text=2)


def test_a_response_without_usage_and_output_is_done_all_the_same() -> None:
    done = decode({"type": "response.done", "response": {"id": "r", "status": "completed", "usage": None}})
    assert done == ResponseDone(response_id="r", status="completed")
