"""From exceptions to facts."""

from __future__ import annotations

import errno
import json
import socket
import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import Close
from websockets.http11 import Response

from voicebotd.conversation.events import (
    ServerError,
)
from voicebotd.errors import ConfigError, Problem, RealtimeError
from voicebotd.realtime.failures import (
    CONNECT_ERRORS,
    from_close,
    from_connecting,
    from_ending_error,
    from_key,
    from_setup_error,
    retry_after_s,
)

AT = "example.test:443"


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("exc", "kind", "detail"),
    [
        (certificate_error(), "certificate", "self-signed certificate"),
        (ssl.SSLError(1, "wrong version number"), "tls", "wrong version number"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "dns", "Temporary failure"),
        (UnicodeError("label too long"), "dns", "label too long"),
        (TimeoutError("timed out during opening handshake"), "timeout", "timed out during opening handshake"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "refused", "Connection refused"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "unreachable", "Network is unreachable"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "reset", "Connection reset by peer"),
        (OSError(errno.EMFILE, "Too many open files"), "system", "Too many open files"),
        (OSError("Multiple exceptions: [Errno 111] a, [Errno 111] b"), "refused", "Connection refused"),
        (OSError("something else"), "system", "something else"),
        (InvalidProxy("ftp://proxy", "scheme"), "proxy", None),
        (ImportError("python-socks"), "proxy", "python-socks"),
        (ValueError("bad"), "proxy", "bad"),
        (InvalidURI("x", "no host"), "handshake", None),
        (InvalidMessage("did not receive a valid HTTP response"), "handshake", "did not receive a valid HTTP response"),
        (EOFError("stream ends"), "handshake", "stream ends"),
    ],
)
def test_what_stopped_us_from_connecting_is_told_by_kind(exc: Exception, kind: str, detail: str | None) -> None:
    assert isinstance(exc, CONNECT_ERRORS)
    failure = from_connecting(exc, AT)
    assert (failure.kind, failure.address) == (kind, AT)
    assert failure.detail == (str(exc) if detail is None else detail)


def refused_upgrade(status: int, body: bytes | None, **headers: str) -> InvalidStatus:
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return InvalidStatus(Response(status, "", named, body=body or b""))


def test_a_refused_upgrade_tells_its_status_its_patience_and_its_code() -> None:
    body = json.dumps({"error": {"code": "insufficient_quota", "type": "t", "message": "m"}}).encode()
    failure = from_connecting(refused_upgrade(429, body, Retry_After="7"), AT)
    assert (failure.kind, failure.http_status, failure.retry_after_s) == ("http", 429, 7.0)
    assert (failure.error_code, failure.error_type, failure.error_message) == ("insufficient_quota", "t", "m")


@pytest.mark.parametrize("body", [None, b"<html>", b"[]", b'{"error": "no"}', b"\xff\xfe\xfa", b"[" * 100_000])
def test_a_refused_upgrade_without_a_readable_body_has_no_code(body: bytes | None) -> None:
    failure = from_connecting(refused_upgrade(503, body), AT)
    assert (failure.kind, failure.http_status, failure.error_code) == ("http", 503, "")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "17"}, 17),
        ({"Retry-After": "9" * 99}, 999_999_999),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "²"}, 0),
        ({"Retry-After": "Tue, 03 Nov 2026 10:00:30 GMT", "Date": "Tue, 03 Nov 2026 10:00:00 GMT"}, 30),
        ({"Retry-After": "Tue, 03 Nov 2026 10:00:00 GMT", "Date": "Tue, 03 Nov 2026 10:00:30 GMT"}, 0),
        ({"Retry-After": "Tue, 03 Nov 2026 10:00:30 GMT"}, 0),
        ({"Retry-After": "Tue, 03 Nov 2026 10:00:30 GMT", "Date": "Tue, 03 Nov 2026 10:00:00 -0000"}, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_counted_from_the_answers_own_date(
    headers: dict[str, str], seconds: float
) -> None:
    assert retry_after_s(Headers(headers)) == seconds


def closed(rcvd: Close | None, sent: Close | None = None) -> ConnectionClosed:
    if rcvd is not None and rcvd.code in {1000, 1001}:
        return ConnectionClosedOK(rcvd, rcvd, True)
    return ConnectionClosedError(rcvd, sent, None if rcvd is None or sent is None else True)


def test_a_close_reason_holds_the_code_of_the_error() -> None:
    failure = from_close(closed(Close(3000, "invalid_request_error.invalid_api_key")), AT, None)
    assert (failure.kind, failure.close_code) == ("closed", 3000)
    assert (failure.error_type, failure.error_code) == ("invalid_request_error", "invalid_api_key")


def test_a_close_reason_in_prose_holds_none() -> None:
    failure = from_close(closed(Close(1001, "Your session hit the maximum duration. Sorry.")), AT, None)
    assert (failure.close_code, failure.error_code) == (1001, "")
    assert failure.detail == "1001 Your session hit the maximum duration. Sorry."


def test_the_error_right_before_a_close_explains_it() -> None:
    error = ServerError(code="model_not_found", type="invalid_request_error", message="No such model")
    failure = from_close(closed(Close(4004, "other.reason")), AT, error)
    assert (failure.error_code, failure.error_type) == ("model_not_found", "invalid_request_error")
    assert failure.error_message == "No such model"


def test_a_line_that_breaks_is_a_reset_with_its_cause() -> None:
    exc = closed(None)
    assert from_close(exc, AT, None).kind == "reset"
    exc.__cause__ = ConnectionResetError(errno.ECONNRESET, "x")
    failure = from_close(exc, AT, ServerError(code="server_error", message="oops"))
    assert (failure.detail, failure.error_code, failure.error_message) == (
        "Connection reset by peer",
        "server_error",
        "oops",
    )


def test_a_service_that_answers_no_ping_is_stalled() -> None:
    failure = from_close(closed(None, Close(1011, "keepalive ping timeout")), AT, None)
    assert (failure.kind, failure.detail) == ("stalled", "keepalive ping timeout")


def test_a_message_that_is_too_big_closed_the_connection() -> None:
    failure = from_close(closed(None, Close(1009, "")), AT, None)
    assert (failure.kind, failure.detail) == ("closed", "it sent a message that is too big")


@pytest.mark.parametrize(
    ("message", "param", "told"),
    [
        ("Unknown parameter", "session.reasoning", "Unknown parameter (session.reasoning)"),
        ("Unknown parameter: 'session.reasoning'", "session.reasoning", "Unknown parameter: 'session.reasoning'"),
        ("No", "", "No"),
    ],
)
def test_a_session_that_was_refused_names_the_parameter(message: str, param: str, told: str) -> None:
    failure = from_setup_error(ServerError(code="unknown_parameter", message=message, param=param), AT)
    assert (failure.kind, failure.error_code, failure.error_message) == ("setup", "unknown_parameter", told)


def test_an_error_can_end_a_session_without_a_close() -> None:
    failure = from_ending_error(ServerError(code="session_expired", message="Over"), AT)
    assert (failure.kind, failure.error_code, failure.error_message) == ("closed", "session_expired", "Over")


def test_a_key_that_is_missing_or_unreadable_is_told_with_its_remedy() -> None:
    assert from_key(RealtimeError("none", code="missing_api_key"), AT).error_code == "missing_api_key"
    unreadable = from_key(PermissionError(errno.EACCES, "Permission denied", "/run/key"), AT)
    assert (unreadable.kind, unreadable.hint) == ("key", "")
    assert "/run/key" in unreadable.detail
    assert from_key(ConfigError([Problem(key="key", message="is empty")]), AT).detail == "key: is empty"
