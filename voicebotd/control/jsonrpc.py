"""JSON-RPC 2.0 as bytes: what a line asks, and how an answer is written.

Owns every corner of the specification and the traps of the JSON parser. Knows no method, no transport and no clock.
Section numbers are those of the JSON-RPC 2.0 specification (https://www.jsonrpc.org/specification).

Where the specification leaves room, we are strict, and say so here: JSON that other parsers would read differently
(a key twice, NaN, Infinity, numbers too large, half a surrogate pair, nesting too deep) is a parse error; a batch
beyond the limit is one invalid request; unknown members of a request are ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from voicebotd.control.contract import BATCH_LIMIT, ERRORS
from voicebotd.errors import RpcError

Id = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A well-formed request. A notification (§4.1: no id at all) is never answered, not even with an error."""

    method: str
    params: list[Any] | dict[str, Any] | None = None
    id: Id = None
    notification: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is not a request, and the error that answers it."""

    error: RpcError
    id: Id = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line: its parts in order. A line that is no batch has exactly one part."""

    parts: tuple[Call | Fault, ...]
    batch: bool = False


# Reading.


def parse(line: bytes) -> Message:
    """Say what a line asks. Never raises: nonsense is a `Fault`."""
    try:
        document = _decode(line)
    except (ValueError, RecursionError) as error:
        return _fault("rpc.parse_error", "Parse error", _why(error))
    if not isinstance(document, list):
        return Message(parts=(_classify(document),))
    if not document:
        return _fault("rpc.invalid_request", "Invalid Request", "an empty batch")
    if len(document) > BATCH_LIMIT:
        return _fault("rpc.invalid_request", "Invalid Request", f"a batch of more than {BATCH_LIMIT}")
    return Message(parts=tuple(_classify(part) for part in document), batch=True)


def _fault(kind: str, message: str, detail: str) -> Message:
    return Message(parts=(Fault(error=refusal(kind, message, hint=detail)),))


def _why(error: Exception) -> str:
    """The parser's own wording changes with the version of Python; ours does not."""
    match error:
        case RecursionError():
            return "nested too deep"
        case json.JSONDecodeError():
            return f"not JSON from character {error.pos + 1}"
        case UnicodeDecodeError():
            return f"not UTF-8 from byte {error.start + 1}"
        case _:
            return "a number is too long" if "integer string conversion" in str(error) else str(error)


def _decode(line: bytes) -> Any:
    """Raise ValueError (or one of its kinds) or RecursionError for anything but plain, interoperable JSON."""
    document = json.loads(
        line.decode("utf-8"),
        object_pairs_hook=_object,
        parse_float=_finite,
        parse_constant=_no_constant,
    )
    if b"\\u" in line and _has_lone_surrogate(document):
        raise ValueError("half a surrogate pair")
    return document


def _has_lone_surrogate(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the same key twice in one object")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _classify(document: Any) -> Call | Fault:
    if not isinstance(document, dict):
        return _invalid(None, "a request is an object")
    call_id = document.get("id")
    if isinstance(call_id, bool) or not isinstance(call_id, str | int | float | None):
        return _invalid(None, "id is a string, a number or null")
    if document.get("jsonrpc") != "2.0":
        return _invalid(call_id, 'jsonrpc is "2.0"')
    method = document.get("method")
    if not isinstance(method, str):
        return _invalid(call_id, "method is a string")
    params = document.get("params")
    if "params" in document and not isinstance(params, list | dict):
        return _invalid(call_id, "params is an array or an object")
    return Call(method=method, params=params, id=call_id, notification="id" not in document)


def _invalid(call_id: Id, detail: str) -> Fault:
    """An invalid request that lacks an id is answered all the same, with id null (§5, §7 `rpc call with invalid …`)."""
    return Fault(error=refusal("rpc.invalid_request", "Invalid Request", hint=detail), id=call_id)


# Refusing.


def refusal(kind: str, message: str, *, hint: str = "", retryable: bool | None = None) -> RpcError:
    """Make the error of a kind declared in contract.py; raises KeyError for any other. The contract knows the code."""
    declared = ERRORS[kind]
    return RpcError(
        declared.code, kind, message, hint=hint, retryable=declared.retryable if retryable is None else retryable
    )


def refuse_all(line: bytes, error: RpcError) -> bytes | None:
    """Answer every request of a line with the same error, without doing any of it; None where none wants an answer."""
    message = parse(line)
    return join(
        (
            encode_error(part.id, part.error if isinstance(part, Fault) else error)
            for part in message.parts
            if isinstance(part, Fault) or not part.notification
        ),
        batch=message.batch,
    )


# Writing: documents without their newline.


def encode_result(call_id: Id, result: Any) -> bytes:
    """Raise TypeError or ValueError where the result is not JSON: a bug of ours."""
    return _encode({"jsonrpc": "2.0", "result": result, "id": call_id})


def encode_error(call_id: Id, error: RpcError) -> bytes:
    data = {"kind": error.kind, "retryable": error.retryable, "hint": error.hint}
    body = {"code": error.code, "message": error.message, "data": data}
    return _encode({"jsonrpc": "2.0", "error": body, "id": call_id})


def encode_notification(method: str, params: Mapping[str, Any]) -> bytes:
    """Raise TypeError or ValueError where the params are not JSON: a bug of ours."""
    return _encode({"jsonrpc": "2.0", "method": method, "params": params})


def join(replies: Iterable[bytes], *, batch: bool) -> bytes | None:
    """Make one document of the replies to one line; None when there is nothing to say (§6: not an empty array)."""
    documents = list(replies)
    if not documents:
        return None
    return b"[" + b",".join(documents) + b"]" if batch else documents[0]


def _encode(document: Mapping[str, Any]) -> bytes:
    """UTF-8 as it is, for people with socat. One undecodable file or device name must not cost the whole reply."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
