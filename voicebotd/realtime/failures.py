"""From exceptions to facts: what the socket, TLS, HTTP or the websocket raised, as a `Failure` record.

Owns the knowledge of exception classes and of the texts in which codes are hidden (close reasons, HTTP bodies). Judges
nothing, opens nothing. Pure.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import ssl
from email.utils import parsedate_to_datetime

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidProxy, InvalidStatus, ProxyError, WebSocketException

from voicebotd.conversation.events import (
    ServerError,
)
from voicebotd.errors import RealtimeError, VoicebotError
from voicebotd.realtime.backoff import Failure, FailureKind
from voicebotd.realtime.fields import optional_nested, optional_text

CONNECT_ERRORS = (OSError, EOFError, ImportError, ValueError, WebSocketException)
"""What opening a connection raises where the outside is to blame. ImportError: a SOCKS proxy without python-socks;
ValueError: a proxy or a redirect that is no address."""

_BY_CLASS: tuple[tuple[tuple[type[BaseException], ...], FailureKind], ...] = (
    ((ssl.SSLCertVerificationError,), "certificate"),
    ((ssl.SSLError,), "tls"),
    ((socket.gaierror, UnicodeError), "dns"),  # UnicodeError: a host name that IDNA cannot encode
    ((TimeoutError,), "timeout"),
    ((InvalidProxy, ProxyError, ImportError, ValueError), "proxy"),
)
"""Read from above: TLS errors are also ValueErrors."""

_BY_ERRNO: dict[int, FailureKind] = {
    errno.ECONNREFUSED: "refused",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.ETIMEDOUT: "timeout",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
}

_CLOSE_REASON = re.compile(r"([a-z_]+)\.([a-z_]+)")
"""`<error type>.<error code>`; anything else in a reason is prose."""

_PROTOCOL_ERRORS = {1002: "a websocket error", 1007: "text that is not UTF-8", 1009: "a message that is too big"}


def from_connecting(exc: BaseException, address: str) -> Failure:
    """Return why no connection came about."""
    if isinstance(exc, InvalidStatus):
        return _from_status(exc, address)
    return Failure(kind=_kind(exc), address=address, detail=_detail(exc))


def from_close(exc: ConnectionClosed, address: str, last_error: ServerError | None) -> Failure:
    """Return why a connection ended; `last_error` is the `error` event that directly preceded the end, if one did."""
    error = last_error or ServerError(code="", message="")
    if exc.rcvd is None:
        return _unclean_close(exc, address, error)
    reason = _CLOSE_REASON.fullmatch(exc.rcvd.reason)
    return Failure(
        kind="closed",
        address=address,
        detail=f"{exc.rcvd.code} {exc.rcvd.reason}".rstrip(),
        close_code=exc.rcvd.code,
        error_code=error.code or (reason[2] if reason else ""),
        error_type=error.type or (reason[1] if reason else ""),
        error_message=error.message,
    )


def from_setup_error(error: ServerError, address: str) -> Failure:
    """Return the failure of a session that the service refused."""
    named = f" ({error.param})" if error.param and error.param not in error.message else ""
    return Failure(
        kind="setup",
        address=address,
        error_code=error.code,
        error_type=error.type,
        error_message=f"{error.message}{named}",
    )


def from_ending_error(error: ServerError, address: str) -> Failure:
    """Return the failure of a session that an `error` event ended before any close."""
    return Failure(
        kind="closed", address=address, error_code=error.code, error_type=error.type, error_message=error.message
    )


def from_key(error: VoicebotError | OSError, address: str) -> Failure:
    """Return the failure of having no key to send."""
    if isinstance(error, RealtimeError):
        return Failure(kind="key", address=address, error_code=error.code)
    hint = error.hint if isinstance(error, VoicebotError) else ""
    return Failure(kind="key", address=address, detail=str(error), hint=hint)


def retry_after_s(headers: Headers) -> float:
    """Return what Retry-After asks for, 0 if it is absent or senseless (RFC 9110 §10.2.3: seconds or a date).

    A date is counted from the answer's own Date, so that this machine's clock does not matter.
    """
    told = headers.get("Retry-After", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        asked, answered = parsedate_to_datetime(told), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (asked - answered).total_seconds())
    except (ValueError, TypeError):  # TypeError: one date has a zone and the other has none
        return 0.0


def _from_status(exc: InvalidStatus, address: str) -> Failure:
    response = exc.response
    try:
        body = json.loads(response.body or b"")
    except (ValueError, RecursionError):
        body = None
    error = optional_nested(body, "error") if isinstance(body, dict) else {}
    return Failure(
        kind="http",
        address=address,
        http_status=response.status_code,
        retry_after_s=retry_after_s(response.headers),
        error_code=optional_text(error, "code"),
        error_type=optional_text(error, "type"),
        error_message=optional_text(error, "message"),
    )


def _unclean_close(exc: ConnectionClosed, address: str, error: ServerError) -> Failure:
    """No close frame came: the line broke, or we gave up on it."""
    kind: FailureKind = "reset"
    detail = _detail(exc.__cause__) if exc.__cause__ else ""
    if exc.sent is not None and exc.sent.code in _PROTOCOL_ERRORS:
        kind, detail = "closed", f"it sent {_PROTOCOL_ERRORS[exc.sent.code]}"
    elif exc.sent is not None:
        kind, detail = "stalled", exc.sent.reason
    return Failure(
        kind=kind,
        address=address,
        detail=detail,
        close_code=1006,
        error_code=error.code,
        error_type=error.type,
        error_message=error.message,
    )


def _kind(exc: BaseException) -> FailureKind:
    for classes, kind in _BY_CLASS:
        if isinstance(exc, classes):
            return kind
    return _BY_ERRNO.get(_errno(exc), "system") if isinstance(exc, OSError) else "handshake"


def _errno(exc: OSError) -> int:
    """Return the number; asyncio hides it in the text when every address of a name failed."""
    if exc.errno is not None:
        return exc.errno
    hidden = re.search(r"\[Errno (\d+)\]", str(exc))
    return int(hidden[1]) if hidden else 0


def _detail(exc: BaseException) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return exc.verify_message
    if isinstance(exc, OSError):
        # asyncio writes its own text over the system's: "Connect call failed ('127.0.0.1', 8765)".
        number = _errno(exc)
        return os.strerror(number) if number in _BY_ERRNO else exc.strerror or str(exc)
    return str(exc)
