"""What we ask of the service. The oracle is openai's own types, without a field that they do not know."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeClientEvent
from pydantic import BaseModel, TypeAdapter

from voicebotd.conversation.effects import (
    AnswerApproval,
    AppendAudio,
    CancelResponse,
    ClearInput,
    CommitInput,
    CreateFunctionCall,
    CreateFunctionOutput,
    CreateMessage,
    CreateResponse,
    DeleteItem,
    ToService,
    TruncateItem,
)
from voicebotd.realtime.encode import Shown, append_audio, encode, to_json

ORACLE: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


def unknown_fields(value: object) -> list[str]:
    """Return the names that openai's models accepted only because they accept anything."""
    if isinstance(value, BaseModel):
        found = list(value.model_extra or {})
        for name in type(value).model_fields:
            found += unknown_fields(getattr(value, name))
        return found
    if isinstance(value, list):
        return [name for entry in value for name in unknown_fields(entry)]
    return []


short = st.text(max_size=20)
ids = st.text(alphabet="abcdef_0123456789", min_size=1, max_size=32)
modalities = st.sampled_from(["audio", "text"])
effects: st.SearchStrategy[ToService] = st.one_of(
    st.builds(
        CreateMessage,
        event_id=ids,
        item_id=ids,
        role=st.sampled_from(["user", "assistant", "system"]),
        text=short,
        previous_item_id=st.none() | ids,
    ),
    st.builds(CreateFunctionCall, event_id=ids, item_id=ids, call_id=ids, name=ids, arguments=short),
    st.builds(CreateFunctionOutput, event_id=ids, item_id=ids, call_id=ids, output=short),
    st.builds(
        CreateResponse,
        event_id=ids,
        instructions=st.none() | short,
        output=st.none() | modalities,
        metadata=st.dictionaries(ids, short, max_size=3),
    ),
    st.builds(CancelResponse, event_id=ids, response_id=st.none() | ids),
    st.builds(
        TruncateItem,
        event_id=ids,
        item_id=ids,
        content_index=st.integers(0, 9),
        audio_end_ms=st.integers(0, 10**7),
    ),
    st.builds(DeleteItem, event_id=ids, item_id=ids),
    st.builds(CommitInput, event_id=ids),
    st.builds(ClearInput, event_id=ids),
)


def test_a_call_of_an_earlier_session_is_told_again_as_it_was_made() -> None:
    message = encode(CreateFunctionCall(event_id="e", item_id="i", call_id="c", name="book", arguments='{"at":10}'))
    item = {"id": "i", "type": "function_call", "call_id": "c", "name": "book", "arguments": '{"at":10}'}
    assert message == {"type": "conversation.item.create", "event_id": "e", "item": item}


def test_what_was_heard_before_travels_like_the_microphone_s_audio_and_without_an_id() -> None:
    assert encode(AppendAudio(event_id="", pcm=b"\1\0")) == append_audio(b"\1\0")


@given(effects)
def test_everything_that_we_send_is_an_event_of_the_service_and_carries_its_id(effect: ToService) -> None:
    message = json.loads(to_json(encode(effect)))
    event = ORACLE.validate_python(message)
    assert event.type == message["type"]
    assert event.event_id == effect.event_id
    assert unknown_fields(event) == []


@pytest.mark.parametrize(
    ("role", "part"), [("user", "input_text"), ("system", "input_text"), ("assistant", "output_text")]
)
def test_the_assistants_words_are_output_and_everybody_elses_are_input(role: Any, part: str) -> None:
    message = encode(CreateMessage(event_id="e", item_id="i", role=role, text="Hello"))
    assert message["item"] == {"id": "i", "type": "message", "role": role, "content": [{"type": part, "text": "Hello"}]}


def test_a_function_output_names_its_call() -> None:
    message = encode(CreateFunctionOutput(event_id="e", item_id="i", call_id="c", output="{}"))
    assert message["item"] == {"id": "i", "type": "function_call_output", "call_id": "c", "output": "{}"}


def test_a_response_without_wishes_overrides_nothing() -> None:
    assert encode(CreateResponse(event_id="e")) == {"type": "response.create", "event_id": "e"}


def test_a_response_carries_its_instructions_its_modality_and_its_metadata() -> None:
    message = encode(CreateResponse(event_id="e", instructions="Whisper", output="text", metadata={"why": "test"}))
    assert message["response"] == {
        "instructions": "Whisper",
        "output_modalities": ["text"],
        "metadata": {"why": "test"},
    }


def test_a_response_that_is_to_be_short_calls_nothing() -> None:
    message = encode(CreateResponse(event_id="e", calls_functions=False, max_output_tokens=500))
    assert message["response"] == {"tool_choice": "none", "max_output_tokens": 500}


def test_a_cancel_names_a_response_only_if_it_knows_one() -> None:
    assert "response_id" not in encode(CancelResponse(event_id="e"))
    assert encode(CancelResponse(event_id="e", response_id="r"))["response_id"] == "r"


def test_a_truncation_is_sent_as_it_is_asked_for() -> None:
    message = encode(TruncateItem(event_id="e", item_id="i", content_index=1, audio_end_ms=1234))
    assert message == {
        "type": "conversation.item.truncate",
        "event_id": "e",
        "item_id": "i",
        "content_index": 1,
        "audio_end_ms": 1234,
    }


def test_an_effect_that_is_not_for_the_service_is_our_own_mistake() -> None:
    with pytest.raises(TypeError, match="ToService"):
        encode(ToService(event_id="e"))


def test_audio_is_appended_as_base64_in_an_event_of_the_service() -> None:
    message = append_audio(b"\x01\x02\x03\x04")
    assert ORACLE.validate_python(message).type == "input_audio_buffer.append"
    assert b64decode(message["audio"]) == b"\x01\x02\x03\x04"


def test_a_frame_is_compact_and_ascii() -> None:
    assert to_json({"a": 1, "b": "ü"}) == '{"a":1,"b":"\\u00fc"}'


def test_a_log_line_shows_the_length_of_audio_and_not_the_audio() -> None:
    assert repr(Shown(append_audio(b"\x00" * 30))) == '{"type":"input_audio_buffer.append","audio":"<40 characters>"}'
    for name in ("response.output_audio.delta", "response.audio.delta"):
        assert "AAAA" not in repr(Shown({"type": name, "delta": "AAAA"}))


def test_a_log_line_shows_other_messages_shortened_and_leaves_them_unchanged() -> None:
    message = {"type": "response.output_text.delta", "delta": "word " * 1000}
    assert len(repr(Shown(message))) == 1000
    assert len(message["delta"]) == 5000


@pytest.mark.parametrize("reason", ["", "no"])
def test_an_approval_is_an_item_of_the_conversation(reason: str) -> None:
    effect = AnswerApproval(event_id="e", item_id="i", approval_id="a", approve=False, reason=reason)
    told = {"reason": reason} if reason else {}
    assert encode(effect)["item"] == {
        "id": "i",
        "type": "mcp_approval_response",
        "approval_request_id": "a",
        "approve": False,
        **told,
    }


def test_a_message_is_put_at_the_end_or_in_its_place() -> None:
    last = encode(CreateMessage(event_id="e", item_id="i", role="assistant", text="Hello"))
    assert "previous_item_id" not in last
    placed = encode(CreateMessage(event_id="e", item_id="i", role="assistant", text="Hello", previous_item_id="root"))
    assert placed == {**last, "previous_item_id": "root"}


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        (DeleteItem(event_id="e", item_id="i"), {"type": "conversation.item.delete", "item_id": "i"}),
        (CommitInput(event_id="e"), {"type": "input_audio_buffer.commit"}),
        (ClearInput(event_id="e"), {"type": "input_audio_buffer.clear"}),
    ],
)
def test_what_is_short_is_said_shortly(effect: ToService, message: dict[str, Any]) -> None:
    assert encode(effect) == {**message, "event_id": "e"}
