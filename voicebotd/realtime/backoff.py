"""Who retries when: from what went wrong to when to try again, and what to tell people meanwhile.

Owns the one reconnect policy. Fatal or not is decided by the service's error code, never by a close number, because
1013 and 4000 mean different things on different days. Knows no exception class and no clock;
chance is passed in. Pure.

    fatal            60 s growing to 10 min: a person must act, and a refilled account still heals by itself
    session expired  at once: every session ends after an hour
    anything else    full jitter, 250 ms doubling to 30 s; at least what Retry-After says

The counters go back to zero only after a completed response: a service that greets and then fails (no quota) would
otherwise be called four times a second for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voicebotd.realtime.endpoint import KEY_SOURCES
from voicebotd.realtime.fields import one_line

FailureKind = Literal[
    "key",  # there is none that could be sent
    "dns",
    "refused",
    "unreachable",
    "reset",
    "timeout",
    "certificate",
    "tls",
    "proxy",
    "http",  # the upgrade was answered with a status
    "handshake",  # the upgrade was answered with something else
    "setup",  # the service refused our session
    "closed",
    "stalled",  # nothing comes, or nothing can be sent
    "system",  # this machine
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no link: all that is known, none of it judged."""

    kind: FailureKind
    address: str = ""
    """Host and port that were tried."""
    detail: str = ""
    """The exception's own words, the close reason, what was waited for."""
    hint: str = ""
    """Where the finder of the failure knows better than this file."""
    http_status: int = 0
    retry_after_s: float = 0.0
    close_code: int = 0
    error_code: str = ""
    """The service's own code: from its `error` event, its HTTP body or its close reason."""
    error_type: str = ""
    error_message: str = ""
    unheard_s: float = 0.0
    """For how long before the service may have heard nothing any more."""
    session_age_s: float = 0.0
    """How long the session had been ready; 0 if it never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When to try again, and what to tell people."""

    delay_s: float
    fatal: bool
    code: str
    message: str
    hint: str
    unheard_s: float = 0.0
    """As the failure says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The numbers of the policy, in seconds."""

    first_s: float = 0.25
    most_s: float = 30.0
    fatal_first_s: float = 60.0
    fatal_most_s: float = 600.0
    most_retry_after_s: float = 3600.0
    """A service that asks for more is asked again all the same: it may have been a mistake."""
    expiry_age_s: float = 15.0
    """A session younger than that did not come to its natural end: reconnecting at once could become a storm."""


FATAL_CODES: dict[str, tuple[str, str]] = {
    "missing_api_key": ("there is no API key", f"put one in {KEY_SOURCES}"),
    "unusable_api_key": (
        "the API key has characters that no key has: a space, a line break, an accent",
        f"look at {KEY_SOURCES}",
    ),
    "invalid_api_key": ("the API key was refused", f"put a valid key in {KEY_SOURCES}"),
    "model_not_found": (
        "the model does not exist, or this key may not use it",
        "check service.model and what the key's project may use",
    ),
    "insufficient_quota": ("the account has no credit left", "add credit to the account; the daemon keeps trying"),
    "credit_balance_exhausted": (
        "the account has no credit left",
        "add credit to the account; the daemon keeps trying",
    ),
    "account_deactivated": ("the account is deactivated", "ask the provider why, or use another key"),
    "beta_api_shape_disabled": (
        "the service took us for a client of its old API",
        "check that service.base_url is the provider's present address and that no proxy adds an OpenAI-Beta header",
    ),
    "invalid_intent": ("the service refused the purpose of the session", "remove `intent` from service.base_url"),
}
"""Trying again soon cannot help: what happened, and what to do."""

EXPIRED = "session_expired"

_ABOUT_SOMETHING_ELSE = frozenset(
    {
        "conversation_already_has_active_response",
        "input_audio_buffer_commit_empty",
        "item_not_found",
        "item_truncate_invalid_item_id",
        "rate_limit_exceeded",
        "response_cancel_not_active",
    }
)
"""Codes of errors that no `session.update` can cause."""

_REFUSED_SETTING = {"unknown_parameter", "missing_required_parameter", "invalid_value", "invalid_type"}
"""Said while a session is set up, these mean that a setting of ours cannot be."""

_BY_KIND: dict[FailureKind, tuple[str, str]] = {
    "key": ("there is no usable API key", f"put a valid key in {KEY_SOURCES}"),
    "dns": (
        "the name of {address} could not be resolved",
        "is the network up, does DNS work, is service.base_url spelt right?",
    ),
    "refused": ("nothing listens at {address}", "is the server running, and is service.base_url right?"),
    "unreachable": ("there is no way to {address}", "is the network up?"),
    "reset": ("the connection to {address} broke", "if it happens again and again, look at the network or the proxy"),
    "timeout": ("{address} did not answer in time", "is the network slow, or a firewall in the way?"),
    "certificate": (
        "the certificate of {address} was refused",
        "check this machine's clock, its CA certificates, and service.base_url",
    ),
    "tls": (
        "no encrypted connection to {address}",
        "does the server speak TLS? if not, and on this machine, use ws://",
    ),
    "proxy": ("the proxy on the way to {address} failed", "check HTTPS_PROXY, ALL_PROXY and NO_PROXY"),
    "http": ("{address} answered with HTTP {status}", "is the service down? it is tried again"),
    "handshake": ("what answers at {address} is no websocket", "check service.base_url"),
    "setup": ("the service refused the session", "it is tried again"),
    "closed": ("the service closed the connection", "it is tried again"),
    "stalled": ("the service stopped answering", "is the network up? it is tried again"),
    "system": ("this machine could not open a connection", "look at the daemon's log"),
}


class Backoff:
    """The policy with its two counters."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._failures = 0
        self._fatal_failures = 0

    def completed(self) -> None:
        """A response was completed: the link is well."""
        self._failures = self._fatal_failures = 0

    def decide(self, failure: Failure, chance: float) -> Retry:
        """Return what follows from `failure`; `chance` is 0 ≤ chance < 1."""
        code = _code(failure)
        message, hint = _words(failure, code)
        fatal = _is_fatal(failure, code)
        if fatal:
            delay_s = self._fatal_delay_s(chance)
        elif self._came_to_its_end(failure, code):
            delay_s = 0.0
        else:
            delay_s = max(self._delay_s(chance), min(failure.retry_after_s, self._pace.most_retry_after_s))
        return Retry(delay_s=delay_s, fatal=fatal, code=code, message=message, hint=hint, unheard_s=failure.unheard_s)

    def _delay_s(self, chance: float) -> float:
        limit_s = _doubled(self._pace.first_s, self._failures, self._pace.most_s)
        self._failures += 1
        return chance * limit_s

    def _fatal_delay_s(self, chance: float) -> float:
        """Jitter above the first delay, which is also the least: never more than one attempt a minute."""
        limit_s = _doubled(self._pace.fatal_first_s * 2, self._fatal_failures, self._pace.fatal_most_s)
        self._fatal_failures += 1
        return self._pace.fatal_first_s + chance * (limit_s - self._pace.fatal_first_s)

    def _came_to_its_end(self, failure: Failure, code: str) -> bool:
        # 1001 is "going away", the close that goes with the end of the hour.
        ended = code == EXPIRED or (failure.kind == "closed" and failure.close_code == 1001)
        return ended and failure.session_age_s >= self._pace.expiry_age_s


def ends_session(code: str) -> bool:
    """Return whether an `error` event with this code ends the session, even if the service leaves it open."""
    return code == EXPIRED or code in FATAL_CODES


def refuses_session(code: str) -> bool:
    """Return whether an `error` event with this code, said while a session is set up, can be about that session."""
    return code not in _ABOUT_SOMETHING_ELSE


def _doubled(first_s: float, times: int, most_s: float) -> float:
    return min(first_s * 2.0 ** min(times, 32), most_s)


def _code(failure: Failure) -> str:
    """Return the service's code where it gave one, otherwise one of ours."""
    if failure.error_code:
        return failure.error_code
    if failure.http_status in {401, 403}:
        return "invalid_api_key"
    return f"http_{failure.http_status}" if failure.kind == "http" else failure.kind


def _is_fatal(failure: Failure, code: str) -> bool:
    if code in FATAL_CODES or failure.kind in {"key", "certificate"}:
        return True
    if failure.kind == "setup":
        # Our session is at fault, so the same session would be refused again.
        return failure.error_type == "invalid_request_error" or code in _REFUSED_SETTING
    # 408, 425 and 429 mean "later"; any other answer below 500 means that the address is wrong.
    return failure.kind == "http" and failure.http_status < 500 and failure.http_status not in {408, 425, 429}


def _words(failure: Failure, code: str) -> tuple[str, str]:
    if code in FATAL_CODES:
        message, hint = FATAL_CODES[code]
    elif code == EXPIRED:
        message, hint = "the session came to the end of its hour", "a new one is opened"
    elif failure.http_status == 429:
        message, hint = f"{failure.address} has too many requests from us", "it is tried again when it allows it"
    else:
        message, hint = _BY_KIND[failure.kind]
        message = message.format(address=failure.address or "the service", status=failure.http_status)
        if _is_fatal(failure, code):
            hint = _FATAL_HINTS.get(failure.kind, hint)
    told = one_line(failure.error_message or failure.detail)
    return (f"{message}: {told}" if told else message), failure.hint or hint


_FATAL_HINTS: dict[FailureKind, str] = {
    "http": "check service.base_url and service.model",
    "setup": "correct the setting that the message names",
}
