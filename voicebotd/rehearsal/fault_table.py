"""Which faults there are: of each its name, its argument, what it does, and when and how often where nothing is said.

Owns the table and the reading of arguments: ValueError where one does not fit. Adding a fault is one entry here. How
moments and numbers are written is in fault_words.py. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from voicebotd.rehearsal.faults import (
    AnswerStatus,
    CloseLink,
    Doom,
    Effect,
    EndLink,
    ErrorBody,
    HalfOpen,
    IgnoreUpdate,
    NeverAnswer,
    ReadSlowly,
    Refuse,
    ResetLink,
    SendEvent,
    SendFrame,
    Stall,
    Twist,
    When,
)
from voicebotd.rehearsal.moments import ANY

ERROR_TYPES = {
    "server_error": "server_error",
    "insufficient_quota": "insufficient_quota",
    "credit_balance_exhausted": "insufficient_quota",
    "rate_limit_exceeded": "rate_limit_error",
}
"""The type that comes with a code, where it is not `invalid_request_error`."""
DENIALS = {
    "invalid_api_key": 3000,
    "account_deactivated": 3000,
    "invalid_intent": 4000,
    "beta_api_shape_disabled": 4000,
    "model_not_found": 4004,
    "insufficient_quota": 1013,
    "credit_balance_exhausted": 1013,
}
"""The close code that follows the error that denies a session."""
EXPIRED = "Your session hit the maximum duration of 60 minutes."
STATUSES = (400, 401, 403, 404, 429, 500, 502, 503)
_OPENING = When(moment="handshake")
_ALWAYS_OPENING = When(moment="handshake", times=None)
_SPEAKING = When(moment="speaking", plus_ms=400)


def error_body(code: str) -> ErrorBody:
    return ErrorBody(
        type=ERROR_TYPES.get(code, "invalid_request_error"), code=code, message=f"A rehearsed error: {code}."
    )


# --- Arguments: text in, effect out; ValueError says what is expected ------------------------------------------------


def number_within(text: str, lowest: float, highest: float) -> float:
    value = float(text)
    if not lowest <= value <= highest:
        raise ValueError
    return value


def _status(text: str) -> Effect:
    status, _, wait = text.partition(":")
    if int(status) not in STATUSES:
        raise ValueError
    return AnswerStatus(status=int(status), retry_after_s=round(number_within(wait, 0, 86_400)) if wait else None)


def _close(text: str) -> Effect:
    code, _, reason = text.partition(":")
    if not (1000 <= int(code) <= 1014 and int(code) not in (1004, 1005, 1006)) and not 3000 <= int(code) <= 4999:
        raise ValueError
    return CloseLink(code=int(code), reason=reason)


def _denied(text: str) -> Effect:
    error = error_body(text)
    if text not in DENIALS:
        raise ValueError
    return CloseLink(code=DENIALS[text], reason=f"{error.type}.{error.code}", error=error)


def _error(text: str) -> Effect:
    if not re.fullmatch(r"[a-z_]+", text):
        raise ValueError
    return SendEvent(error=error_body(text))


def _failed(text: str) -> Effect:
    code, _, reset = text.partition(":")
    if code == "server_error" and not reset:
        return Doom(kind="failed", error=error_body(code))
    if code != "rate_limit_exceeded":
        raise ValueError
    reset_s = number_within(reset or "2", 0, 3600)
    message = f"Rate limit reached. Please try again in {reset_s:g}s."
    return Doom(kind="failed", error=replace(error_body(code), message=message), reset_s=reset_s)


def _incomplete(text: str) -> Effect:
    if text == "max_output_tokens":
        return Doom(kind="incomplete", reason="max_output_tokens")
    if text == "content_filter":
        return Doom(kind="incomplete", reason="content_filter")
    raise ValueError


def _twist(kind: str) -> Callable[[str], Effect]:
    def make(text: str) -> Effect:
        type_, _, count = text.partition(":")
        number = int(count) if count else None
        if not re.fullmatch(r"[a-z_.]+", type_) or (number is not None and number < 1):
            raise ValueError
        return Twist(kind=kind, type=type_, count=number)  # type: ignore[arg-type] # from the table below

    return make


def _expired(_text: str) -> Effect:
    return CloseLink(code=1001, reason=EXPIRED, error=replace(error_body("session_expired"), message=EXPIRED))


def _only(effect: Effect) -> Callable[[str], Effect]:
    def make(text: str) -> Effect:
        if text:
            raise ValueError
        return effect

    return make


# --- The table -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`usual` is the argument where none is given; `timed`: it is the time, in seconds, of every session.

    `anywhere`: it can act at any moment of a session, not only where it usually does.
    """

    meaning: str
    make: Callable[[str], Effect]
    argument: str = ""
    usual: str = ""
    when: When = field(default=_SPEAKING)
    timed: bool = False
    anywhere: bool = True


KINDS = {
    "refuse": Kind(
        meaning="nobody listens at the address",
        make=lambda text: Refuse(for_s=number_within(text, 0, 86_400)),
        argument="SECONDS, 0 to 86400",
        usual="5",
        when=When(),
        anywhere=False,
    ),
    "down": Kind(
        meaning="nobody listens, and every session is reset",
        make=lambda text: Refuse(for_s=number_within(text, 0, 86_400), drop=True),
        argument="SECONDS, 0 to 86400",
        usual="5",
        when=When(),
        anywhere=False,
    ),
    "mute": Kind(
        meaning="the opening request is never answered", make=_only(NeverAnswer()), when=_OPENING, anywhere=False
    ),
    "status": Kind(
        meaning="the opening request is answered with an HTTP status",
        make=_status,
        argument=f"STATUS[:RETRY_AFTER_S], STATUS one of {', '.join(map(str, STATUSES))}",
        usual="503",
        when=_ALWAYS_OPENING,
        anywhere=False,
    ),
    "denied": Kind(
        meaning="an error event and its close answer every connection",
        make=_denied,
        argument=f"CODE, one of {', '.join(DENIALS)}",
        usual="invalid_api_key",
        when=_ALWAYS_OPENING,
    ),
    "quota": Kind(
        meaning="denied=insufficient_quota",
        make=_only(_denied("insufficient_quota")),
        when=_ALWAYS_OPENING,
    ),
    "close": Kind(
        meaning="the websocket is closed",
        make=_close,
        argument="CODE[:REASON], CODE 1000 to 1014 or 3000 to 4999",
        usual="1011",
    ),
    "rst": Kind(meaning="TCP reset", make=_only(ResetLink())),
    "fin": Kind(meaning="TCP end without a close frame", make=_only(EndLink())),
    "stall": Kind(meaning="nothing more is sent; pings are answered", make=_only(Stall())),
    "half-open": Kind(
        meaning="nothing more is read or sent, pings included; then a reset",
        make=lambda text: HalfOpen(for_s=number_within(text, 0, 3600)),
        argument="SECONDS, 0 to 3600",
        usual="60",
    ),
    "slow-reader": Kind(
        meaning="what the client sends is read slowly",
        make=lambda text: ReadSlowly(bytes_per_s=1000 * number_within(text, 0.1, 10_000)),
        argument="KILOBYTES PER SECOND, 0.1 to 10000 (speech is 64)",
        usual="16",
        when=_ALWAYS_OPENING,
    ),
    "garbage": Kind(meaning="a text frame that is not JSON", make=_only(SendFrame(kind="garbage"))),
    "binary": Kind(meaning="a binary frame", make=_only(SendFrame(kind="binary"))),
    "huge": Kind(
        meaning="a frame of so many megabytes",
        make=lambda text: SendFrame(kind="huge", size_bytes=round(number_within(text, 0.001, 64) * 10**6)),
        argument="MEGABYTES, 0.001 to 64",
        usual="20",
    ),
    "duplicate": Kind(
        meaning="events are sent twice",
        make=_twist("duplicate"),
        argument="TYPE[:COUNT], or any",
        usual=ANY,
        when=_ALWAYS_OPENING,
    ),
    "reorder": Kind(
        meaning="events are sent after the one that follows them",
        make=_twist("reorder"),
        argument="TYPE[:COUNT], or any",
        usual=ANY,
        when=_ALWAYS_OPENING,
    ),
    "lose": Kind(
        meaning="events are not sent",
        make=_twist("lose"),
        argument="TYPE[:COUNT], or any",
        usual="response.done:1",
        when=_ALWAYS_OPENING,
    ),
    "unknown-fields": Kind(
        meaning="every object in every event has a field more",
        make=_only(Twist(kind="decorate")),
        when=_ALWAYS_OPENING,
    ),
    "unknown-event": Kind(meaning="an event of an unknown type", make=_only(SendEvent())),
    "error": Kind(
        meaning="an error event; the session goes on", make=_error, argument="CODE, any", usual="server_error"
    ),
    "expire": Kind(
        meaning="session_expired and close 1001, at that age of every session, without a warning",
        make=_expired,
        argument="SECONDS, 0 to 86400",
        usual="20",
        timed=True,
    ),
    "going-away": Kind(
        meaning="a bare close 1001, at that age of every session",
        make=lambda _text: CloseLink(code=1001),
        argument="SECONDS, 0 to 86400",
        usual="20",
        timed=True,
    ),
    "failed": Kind(
        meaning="the response fails",
        make=_failed,
        argument="server_error or rate_limit_exceeded[:RESET_S]",
        usual="server_error",
        when=When(moment="thinking"),
    ),
    "incomplete": Kind(
        meaning="the response is cut short",
        make=_incomplete,
        argument="max_output_tokens or content_filter",
        usual="max_output_tokens",
    ),
    "no-response": Kind(
        meaning="no response comes at all (@listening, where the service answers by itself)",
        make=_only(Doom(kind="never")),
        when=When(moment="response.create"),
    ),
    "stuck-response": Kind(
        meaning="nothing comes after response.created",
        make=_only(Doom(kind="stuck")),
        when=When(moment="thinking"),
    ),
    "no-done": Kind(
        meaning="lose=response.done:1",
        make=_only(Twist(kind="lose", type="response.done", count=1)),
        when=_OPENING,
    ),
    "no-updated": Kind(
        meaning="session.updated is never sent",
        make=_only(Twist(kind="lose", type="session.updated")),
        when=_OPENING,
    ),
    "not-applied": Kind(
        meaning="session.updated comes, and the session is as it was",
        make=_only(IgnoreUpdate()),
        when=When(moment="created"),
    ),
}
