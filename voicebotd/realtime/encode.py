"""What we ask of the service, in its words: effects of the conversation become client events.

Owns the client events' names and shapes (GA) and how an event is shown in a log. Clamps nothing and decides nothing.
`session.update` is in `session.py`, the way in is `protocol.py`. Pure.
"""

from __future__ import annotations

import json
from base64 import b64encode

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
from voicebotd.realtime.fields import JsonObject, one_line


def encode(effect: ToService) -> JsonObject:
    """Return the client event for `effect`; its `event_id` travels along, so that an error can be matched to it.

    Raises TypeError for an effect that is not for the service.
    """
    if isinstance(effect, AppendAudio):
        return append_audio(effect.pcm)
    return {**_body(effect), "event_id": effect.event_id}


def append_audio(pcm: bytes) -> JsonObject:
    """Return the client event that carries microphone audio. It is never acknowledged, so it has no id."""
    return {"type": "input_audio_buffer.append", "audio": b64encode(pcm).decode("ascii")}


def to_json(message: JsonObject) -> str:
    """Return the text frame for a client event."""
    return json.dumps(message, separators=(",", ":"))


class Shown:
    """A message as a log line shows it, made only if the line is really written. Audio is shown as its length."""

    __slots__ = ("_message",)

    def __init__(self, message: JsonObject) -> None:
        self._message = message

    def __repr__(self) -> str:
        message = dict(self._message)
        for name in _AUDIO_FIELDS.get(str(message.get("type")), ()):
            message[name] = f"<{len(str(message.get(name)))} characters>"
        return one_line(to_json(message), 1000)


_AUDIO_FIELDS = {
    "input_audio_buffer.append": ("audio",),
    "response.output_audio.delta": ("delta",),
    "response.audio.delta": ("delta",),
}


def _body(effect: ToService) -> JsonObject:  # noqa: PLR0911 (one return for each effect)
    match effect:
        case CreateMessage(previous_item_id=str(previous_item_id)):
            item = _item(effect)
            return {"type": "conversation.item.create", "previous_item_id": previous_item_id, "item": item}
        case CreateMessage() | CreateFunctionCall() | CreateFunctionOutput() | AnswerApproval():
            return {"type": "conversation.item.create", "item": _item(effect)}
        case CreateResponse():
            return _response_create(effect)
        case CancelResponse(response_id=None):
            return {"type": "response.cancel"}
        case CancelResponse(response_id=response_id):
            return {"type": "response.cancel", "response_id": response_id}
        case TruncateItem(item_id=item_id, content_index=content_index, audio_end_ms=audio_end_ms):
            return {
                "type": "conversation.item.truncate",
                "item_id": item_id,
                "content_index": content_index,
                "audio_end_ms": audio_end_ms,
            }
        case DeleteItem(item_id=item_id):
            return {"type": "conversation.item.delete", "item_id": item_id}
        case CommitInput():
            return {"type": "input_audio_buffer.commit"}
        case ClearInput():
            return {"type": "input_audio_buffer.clear"}
    raise TypeError(f"{type(effect).__name__} is not for the service")


def _item(effect: CreateMessage | CreateFunctionCall | CreateFunctionOutput | AnswerApproval) -> JsonObject:
    if isinstance(effect, CreateFunctionCall):
        return {
            "id": effect.item_id,
            "type": "function_call",
            "call_id": effect.call_id,
            "name": effect.name,
            "arguments": effect.arguments,
        }
    if isinstance(effect, CreateFunctionOutput):
        return {
            "id": effect.item_id,
            "type": "function_call_output",
            "call_id": effect.call_id,
            "output": effect.output,
        }
    if isinstance(effect, AnswerApproval):
        return {
            "id": effect.item_id,
            "type": "mcp_approval_response",
            "approval_request_id": effect.approval_id,
            "approve": effect.approve,
            **({"reason": effect.reason} if effect.reason else {}),
        }
    # The service takes an assistant's words only as output, everybody else's only as input.
    part = "output_text" if effect.role == "assistant" else "input_text"
    return {
        "id": effect.item_id,
        "type": "message",
        "role": effect.role,
        "content": [{"type": part, "text": effect.text}],
    }


def _response_create(effect: CreateResponse) -> JsonObject:
    response: JsonObject = {}
    if effect.instructions is not None:
        response["instructions"] = effect.instructions
    if effect.output is not None:
        response["output_modalities"] = [effect.output]
    if not effect.calls_functions:
        response["tool_choice"] = "none"
    if effect.max_output_tokens is not None:
        response["max_output_tokens"] = effect.max_output_tokens
    if effect.metadata:
        response["metadata"] = effect.metadata
    # Some compatible servers refuse overrides, even empty ones.
    return {"type": "response.create", "response": response} if response else {"type": "response.create"}
