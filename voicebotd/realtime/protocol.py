"""What a server event means: the Realtime API's vocabulary on the way in.

Owns every name that a server may send, GA and the older ones that third-party servers still use. Decides nothing
about the conversation and changes no value. What cannot be understood becomes a `Nonsense` value and never an
exception, because the link must outlive whatever the other side sends. The way out is `encode.py`. Pure.
"""

from __future__ import annotations

import json
import re
from binascii import a2b_base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast, get_args

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
    RateLimited,
    RemoteCalled,
    RemoteCallEnded,
    RemoteToolsListed,
    ResponseCreated,
    ResponseDone,
    ResponseStatus,
    ServerError,
    SpeechStarted,
    SpeechStopped,
    Usage,
    UserTranscriptDelta,
    UserTranscriptDone,
    UserTranscriptFailed,
)
from voicebotd.realtime.fields import (
    BadField,
    JsonObject,
    as_amount,
    as_whole,
    identifier,
    is_number,
    nested,
    one_line,
    optional_nested,
    optional_text,
    text,
    whole,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTold:
    """`session.created` or `session.updated`: the session as the service sees it, for `session.confirm`."""

    name: Literal["created", "updated"]
    session: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNeeded:
    """An event that is part of the API and tells us nothing that another event does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonsense:
    """What could not be understood. `kind` is the same for the same mistake, so that it can be logged once."""

    kind: str


Decoded = Event | SessionTold | NotNeeded | Nonsense


def parse(frame: str | bytes) -> JsonObject | Nonsense:
    """Return the JSON object in a websocket frame. The API sends text frames only."""
    if isinstance(frame, bytes):
        return Nonsense(kind="a binary frame")
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):
        return Nonsense(kind="a frame that is not JSON")
    return message if isinstance(message, dict) else Nonsense(kind="a frame that is not a JSON object")


def decode(message: JsonObject) -> Decoded:
    """Return what one server event means to us."""
    name = message.get("type")
    if not isinstance(name, str):
        return Nonsense(kind="an event without a type")
    decoder = _DECODERS.get(_OLD_NAMES.get(name, name))
    if decoder is None:
        return NotNeeded() if name in _NOT_NEEDED else Nonsense(kind=f"an event of unknown type {one_line(name, 60)}")
    try:
        return decoder(message)
    except BadField as problem:
        return Nonsense(kind=f"{name}: {problem}")


# --- The session, and what goes wrong in it --------------------------------------------------------------------------


def _session(name: Literal["created", "updated"], message: JsonObject) -> Decoded:
    return SessionTold(name=name, session=nested(message, "session"))


def _error(message: JsonObject) -> Decoded:
    error = nested(message, "error")
    return ServerError(
        code=optional_text(error, "code"),
        message=optional_text(error, "message"),
        type=optional_text(error, "type"),
        param=optional_text(error, "param"),
        event_id=optional_text(error, "event_id"),
    )


def _about_item(
    event: type[InputCommitted | InputTimedOut | ItemDeleted | RemoteCallEnded], message: JsonObject
) -> Decoded:
    return event(item_id=identifier(message, "item_id"))


def _rate_limits(message: JsonObject) -> Decoded:
    """Only a limit of which nothing is left matters: until it is reset nothing may be asked."""
    limits = message.get("rate_limits")
    told = [limit for limit in limits if isinstance(limit, dict)] if isinstance(limits, list) else []
    resets_s = [limit.get("reset_seconds") for limit in told if as_whole(limit.get("remaining")) == 0]
    known_s = [float(reset_s) for reset_s in resets_s if is_number(reset_s) and reset_s > 0]
    return RateLimited(reset_s=max(known_s)) if known_s else NotNeeded()


# --- What the service hears ------------------------------------------------------------------------------------------


def _speech_started(message: JsonObject) -> Decoded:
    return SpeechStarted(item_id=identifier(message, "item_id"), audio_start_ms=whole(message, "audio_start_ms"))


def _speech_stopped(message: JsonObject) -> Decoded:
    return SpeechStopped(item_id=identifier(message, "item_id"), audio_end_ms=whole(message, "audio_end_ms"))


def _user_delta(message: JsonObject) -> Decoded:
    return UserTranscriptDelta(item_id=identifier(message, "item_id"), delta=text(message, "delta"))


def _user_done(message: JsonObject) -> Decoded:
    return UserTranscriptDone(
        item_id=identifier(message, "item_id"),
        transcript=text(message, "transcript"),
        usage=_transcription_usage(optional_nested(message, "usage")),
    )


def _user_failed(message: JsonObject) -> Decoded:
    error = optional_nested(message, "error")
    return UserTranscriptFailed(item_id=identifier(message, "item_id"), message=optional_text(error, "message"))


# --- What the conversation holds -------------------------------------------------------------------------------------


def _item_added(message: JsonObject) -> Decoded:
    item = nested(message, "item")
    return ItemAdded(
        item_id=identifier(item, "id"), item_type=identifier(item, "type"), role=optional_text(item, "role")
    )


def _item_truncated(message: JsonObject) -> Decoded:
    return ItemTruncated(
        item_id=identifier(message, "item_id"),
        content_index=whole(message, "content_index", 0),
        audio_end_ms=whole(message, "audio_end_ms"),
    )


# --- What the model says. An absent index is 0: servers that know one item and one part leave it out. -----------------


def _response_created(message: JsonObject) -> Decoded:
    response = nested(message, "response")
    metadata = optional_nested(response, "metadata")
    return ResponseCreated(
        response_id=identifier(response, "id"),
        metadata={key: value for key, value in metadata.items() if isinstance(value, str)},
    )


def _output_item_added(message: JsonObject) -> Decoded:
    item = nested(message, "item")
    return OutputItemAdded(
        response_id=identifier(message, "response_id"),
        item_id=identifier(item, "id"),
        output_index=whole(message, "output_index", 0),
        item_type=identifier(item, "type"),
    )


def _output_item_done(message: JsonObject) -> Decoded:
    """A function call is complete here; `function_call_arguments.done` would only say it twice."""
    item = nested(message, "item")
    if _is_call(item):
        return _call(item, identifier(message, "response_id"))
    if item.get("type") == "mcp_call":
        return _remote_call(item, identifier(message, "response_id"))
    if item.get("type") == "mcp_approval_request":
        return ApprovalRequested(
            approval_id=identifier(item, "id"),
            server=identifier(item, "server_label"),
            name=identifier(item, "name"),
            arguments=optional_text(item, "arguments"),
        )
    return NotNeeded()


def _remote_call(item: JsonObject, response_id: str) -> Decoded:
    """Its end is told by an event of its own too; one that a cancel cut short has neither output nor error."""
    error, output = item.get("error"), optional_text(item, "output")
    status: Literal["completed", "failed", "running"] = "completed" if output else "running"
    if error:
        status, told = "failed", error if isinstance(error, dict) else {}
        output = optional_text(told, "message") or one_line(error, 300)
    return RemoteCalled(
        response_id=response_id,
        item_id=identifier(item, "id"),
        server=identifier(item, "server_label"),
        name=identifier(item, "name"),
        arguments=optional_text(item, "arguments"),
        output=output,
        status=status,
    )


def _item_done(message: JsonObject) -> Decoded:
    """Of items only a server's list of functions is told nowhere else."""
    item = nested(message, "item")
    if item.get("type") != "mcp_list_tools":
        return NotNeeded()
    tools = item.get("tools")
    names = [tool.get("name") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    return RemoteToolsListed(
        item_id=identifier(item, "id"),
        ok=True,
        server=optional_text(item, "server_label"),
        functions=tuple(name for name in names if isinstance(name, str)),
    )


def _is_call(item: JsonObject) -> bool:
    """An item that a cancel cut short has half its arguments."""
    return item.get("type") == "function_call" and item.get("status") != "incomplete"


def _call(item: JsonObject, response_id: str) -> FunctionCalled:
    return FunctionCalled(
        response_id=response_id,
        item_id=identifier(item, "id"),
        call_id=identifier(item, "call_id"),
        name=identifier(item, "name"),
        arguments=text(item, "arguments"),
    )


def _audio_delta(message: JsonObject) -> Decoded:
    try:
        pcm = a2b_base64(text(message, "delta"), strict_mode=True)
    except ValueError:
        raise BadField("delta is not base64") from None
    if len(pcm) % 2:
        raise BadField("delta is not whole 16-bit samples")
    return AudioDelta(
        response_id=identifier(message, "response_id"),
        item_id=identifier(message, "item_id"),
        output_index=whole(message, "output_index", 0),
        content_index=whole(message, "content_index", 0),
        pcm=pcm,
    )


def _audio_done(message: JsonObject) -> Decoded:
    return AudioDone(
        response_id=identifier(message, "response_id"),
        item_id=identifier(message, "item_id"),
        content_index=whole(message, "content_index", 0),
    )


def _text_delta(message: JsonObject) -> Decoded:
    return AssistantTextDelta(
        response_id=identifier(message, "response_id"),
        item_id=identifier(message, "item_id"),
        content_index=whole(message, "content_index", 0),
        delta=text(message, "delta"),
    )


def _text_done(field: str, message: JsonObject) -> Decoded:
    return AssistantTextDone(
        response_id=identifier(message, "response_id"),
        item_id=identifier(message, "item_id"),
        content_index=whole(message, "content_index", 0),
        text=text(message, field),
    )


def _response_done(message: JsonObject) -> Decoded:
    """A status that nobody knows counts as incomplete: without its end, a response would block all later ones."""
    response = nested(message, "response")
    details = optional_nested(response, "status_details")
    error = optional_nested(details, "error")
    told = optional_text(response, "status")
    known = told in get_args(ResponseStatus)
    response_id = identifier(response, "id")
    output = response.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    return ResponseDone(
        response_id=response_id,
        status=cast("ResponseStatus", told) if known else "incomplete",
        reason=optional_text(details, "reason") if known else f"unknown status {told}".rstrip(),
        error_code=optional_text(error, "code") or optional_text(error, "type"),
        error_message=optional_text(error, "message"),
        retry_after_s=_retry_after_s(optional_text(error, "message")),
        usage=_usage(response if optional_nested(response, "usage") else message),
        calls=tuple(_call(item, response_id) for item in items if _is_call(item)),
    )


def _retry_after_s(message: str) -> float:
    """The service tells it in the words for people only: "Please try again in 1.302s"."""
    told = _TRY_AGAIN.search(message)
    return 0.0 if told is None else float(told[1]) * (0.001 if told[2] == "ms" else 1.0)


_TRY_AGAIN = re.compile(r"try again in (\d{1,6}(?:\.\d{1,6})?) ?(ms|s)\b", re.IGNORECASE)


def _usage(response: JsonObject) -> Usage | None:
    """Tokens by kind; some servers tell them beside the response. A server that gives totals without details has them
    counted as text, the cheaper kind.

    Of cached tokens without details as many are text as there is text: the instructions come first, and a cache is a
    beginning.
    """
    usage = optional_nested(response, "usage")
    if not usage:
        return None
    incoming, outgoing = _details(usage, "input"), _details(usage, "output")
    cached = optional_nested(incoming, "cached_tokens_details")
    input_text = _count(incoming, "text_tokens") if incoming else _count(usage, "input_tokens")
    cached_text = _count(cached, "text_tokens") if cached else min(_count(incoming, "cached_tokens"), input_text)
    return Usage(
        input_text=input_text,
        input_audio=_count(incoming, "audio_tokens"),
        cached_text=cached_text,
        cached_audio=_count(cached, "audio_tokens") if cached else _count(incoming, "cached_tokens") - cached_text,
        output_text=_count(outgoing, "text_tokens") if outgoing else _count(usage, "output_tokens"),
        output_audio=_count(outgoing, "audio_tokens"),
    )


def _details(usage: JsonObject, direction: str) -> JsonObject:
    """The Responses API's name, with an s, is what some compatible services use."""
    return optional_nested(usage, f"{direction}_token_details") or optional_nested(usage, f"{direction}_tokens_details")


def _transcription_usage(usage: JsonObject) -> Usage | None:
    """A transcription is paid by the token or by the second of audio; `type` only says what the fields show."""
    if not usage:
        return None
    incoming = optional_nested(usage, "input_token_details")
    return Usage(
        input_text=_count(incoming, "text_tokens"),
        input_audio=_count(incoming, "audio_tokens") if incoming else _count(usage, "input_tokens"),
        output_text=_count(usage, "output_tokens"),
        audio_s=as_amount(usage.get("seconds")) or 0.0,
    )


def _count(source: JsonObject, name: str) -> int:
    return as_whole(source.get(name)) or 0


_DECODERS: dict[str, Callable[[JsonObject], Decoded]] = {
    "error": _error,
    "session.created": partial(_session, "created"),
    "session.updated": partial(_session, "updated"),
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "input_audio_buffer.committed": partial(_about_item, InputCommitted),
    "input_audio_buffer.timeout_triggered": partial(_about_item, InputTimedOut),
    "conversation.item.input_audio_transcription.delta": _user_delta,
    "conversation.item.input_audio_transcription.completed": _user_done,
    "conversation.item.input_audio_transcription.failed": _user_failed,
    "conversation.item.added": _item_added,
    "conversation.item.done": _item_done,
    "conversation.item.deleted": partial(_about_item, ItemDeleted),
    "conversation.item.truncated": _item_truncated,
    "response.created": _response_created,
    "response.output_item.added": _output_item_added,
    "response.output_item.done": _output_item_done,
    "response.output_audio.delta": _audio_delta,
    "response.output_audio.done": _audio_done,
    "response.output_audio_transcript.delta": _text_delta,
    "response.output_audio_transcript.done": partial(_text_done, "transcript"),
    "response.output_text.delta": _text_delta,
    "response.output_text.done": partial(_text_done, "text"),
    "response.done": _response_done,
    "rate_limits.updated": _rate_limits,
    "mcp_list_tools.failed": lambda message: RemoteToolsListed(item_id=identifier(message, "item_id"), ok=False),
    "response.mcp_call.completed": partial(_about_item, RemoteCallEnded),
    "response.mcp_call.failed": partial(_about_item, RemoteCallEnded),
}

_NOT_NEEDED = frozenset(
    """
    conversation.created conversation.item.retrieved
    conversation.item.input_audio_transcription.segment
    input_audio_buffer.cleared input_audio_buffer.dtmf_event_received
    mcp_list_tools.completed mcp_list_tools.in_progress
    output_audio_buffer.cleared output_audio_buffer.started output_audio_buffer.stopped
    ping
    response.content_part.added response.content_part.done
    response.function_call_arguments.delta response.function_call_arguments.done
    response.mcp_call.in_progress
    response.mcp_call_arguments.delta response.mcp_call_arguments.done
    """.split()  # noqa: SIM905 (as a list it would fill a page)
)
"""Part of the API, and `ping`, with which some compatible services keep the link alive."""

_OLD_NAMES = {
    "conversation.item.created": "conversation.item.added",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}
"""What the same event was called before GA."""
