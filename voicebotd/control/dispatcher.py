"""A line in, a line out (or none): finds the handler, checks parameters and permission, turns failures into errors.

Owns the seam between the socket and the handlers. Knows no transport and no part of the daemon behind a handler.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from difflib import get_close_matches
from typing import Any

import structlog

from voicebotd.control.binding import Binder
from voicebotd.control.caller import Caller
from voicebotd.control.contract import METHODS, Method
from voicebotd.control.contract_types import needs_admin
from voicebotd.control.jsonrpc import Call, Fault, encode_error, encode_result, join, parse, refusal
from voicebotd.errors import AudioError, ConfigError, RealtimeError, RpcError, StorageError, ToolError, VoicebotError

Handler = Callable[[Any, Caller], Awaitable[Any]]
"""Takes the bound params dataclass and the caller, returns the result dataclass, or raises from the error tree."""

_log = structlog.get_logger(__name__)

_KIND_OF_ERROR: tuple[tuple[type[VoicebotError], str], ...] = (
    (ConfigError, "config.invalid"),
    (AudioError, "audio.device_unavailable"),
    (RealtimeError, "link.unavailable"),
    (StorageError, "history.unavailable"),
    (ToolError, "tool.failed"),
)
"""What a handler that lets a part's own error through is taken to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    method: Method
    binder: Binder
    result_type: type[Any]
    handler: Handler


class Dispatcher:
    """Knows every handler. Requests of a batch are done one after the other, in their order."""

    def __init__(self, *handlers: Mapping[str, Handler], methods: Mapping[str, Method] = METHODS) -> None:
        """Raise ValueError unless the mappings together have exactly one handler for each method."""
        names = [name for part in handlers for name in part]
        wrong = {
            "without a handler": set(methods) - set(names),
            "not in the contract": set(names) - set(methods),
            "handled twice": {name for name in names if names.count(name) > 1},
        }
        if any(wrong.values()):
            raise ValueError("; ".join(f"{what}: {', '.join(sorted(who))}" for what, who in wrong.items() if who))
        self._endpoints = {
            name: _Endpoint(
                method=methods[name],
                binder=Binder(methods[name].params_type),
                result_type=methods[name].result_type,
                handler=handler,
            )
            for part in handlers
            for name, handler in part.items()
        }

    async def answer(self, line: bytes, caller: Caller) -> bytes | None:
        """Do what a line asks; return the document to send back, None when none is wanted. Raises only cancellation."""
        message = parse(line)
        replies = [await self._answer(part, caller) for part in message.parts]
        return join((reply for reply in replies if reply is not None), batch=message.batch)

    async def _answer(self, part: Call | Fault, caller: Caller) -> bytes | None:
        if isinstance(part, Fault):
            return encode_error(part.id, part.error)
        try:
            result = await self._call(part, caller)
            reply = encode_result(part.id, result)
        except VoicebotError as error:
            reply = encode_error(part.id, _as_rpc_error(error))
        except Exception:  # noqa: BLE001 - the handler boundary: one bad method must not cost the client its connection
            _log.exception("handler failed", method=part.method)
            reply = encode_error(
                part.id, refusal("rpc.internal_error", "Internal error", hint="the daemon's log has it")
            )
        return None if part.notification else reply

    async def _call(self, call: Call, caller: Caller) -> Any:
        endpoint = self._endpoints.get(call.method)
        if endpoint is None:
            raise refusal("rpc.method_not_found", "Method not found", hint=_nearest(call.method, self._endpoints))
        params = endpoint.binder.bind(call.params)
        if needs_admin(endpoint.method.scope, params) and not caller.peer.admin:
            _log.warning("permission refused", method=call.method, uid=caller.peer.uid, pid=caller.peer.pid)
            message = f"{call.method}: not permitted to user {caller.peer.uid}"
            raise refusal("rpc.permission", message, hint="ask as root or as the daemon's own user")
        result = await endpoint.handler(params, caller)
        if not isinstance(result, endpoint.result_type):
            raise TypeError(f"{call.method} returned {type(result).__name__}, not {endpoint.result_type.__name__}")
        return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"nearest: {near[0]}" if near else "rpc.discover lists all"


def _as_rpc_error(error: VoicebotError) -> RpcError:
    if isinstance(error, RpcError):
        return error
    for error_type, kind in _KIND_OF_ERROR:
        if isinstance(error, error_type):
            return refusal(kind, error.message, hint=error.hint)
    return refusal("rpc.internal_error", error.message, hint=error.hint)
