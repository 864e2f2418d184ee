from __future__ import annotations

import pytest

from voicebotd.rehearsal.fault_table import DENIALS, EXPIRED, KINDS, error_body, number_within
from voicebotd.rehearsal.faults import (
    AnswerStatus,
    CloseLink,
    Doom,
    Effect,
    HalfOpen,
    ReadSlowly,
    Refuse,
    ResetLink,
    SendEvent,
    SendFrame,
    Twist,
)


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_can_be_made_without_an_argument(name: str) -> None:
    kind = KINDS[name]
    assert isinstance(kind.make(kind.usual), Effect)
    assert kind.meaning


@pytest.mark.parametrize(
    ("name", "argument", "effect"),
    [
        ("refuse", "0.5", Refuse(for_s=0.5)),
        ("down", "2", Refuse(for_s=2.0, drop=True)),
        ("status", "401", AnswerStatus(status=401)),
        ("status", "429:7", AnswerStatus(status=429, retry_after_s=7)),
        ("close", "1011", CloseLink(code=1011)),
        ("close", "4000:so: it is", CloseLink(code=4000, reason="so: it is")),
        ("rst", "", ResetLink()),
        ("half-open", "3", HalfOpen(for_s=3.0)),
        ("slow-reader", "8", ReadSlowly(bytes_per_s=8000.0)),
        ("huge", "0.5", SendFrame(kind="huge", size_bytes=500_000)),
        ("duplicate", "response.done", Twist(kind="duplicate", type="response.done")),
        ("lose", "response.done:2", Twist(kind="lose", type="response.done", count=2)),
        ("failed", "server_error", Doom(kind="failed", error=error_body("server_error"))),
        ("incomplete", "content_filter", Doom(kind="incomplete", reason="content_filter")),
        ("error", "invalid_value", SendEvent(error=error_body("invalid_value"))),
        ("going-away", "3", CloseLink(code=1001)),
    ],
)
def test_an_argument_says_what_exactly(name: str, argument: str, effect: Effect) -> None:
    assert KINDS[name].make(argument) == effect


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("refuse", "-1"),
        ("refuse", "nan"),
        ("status", "418"),
        ("status", "429:soon"),
        ("denied", "nothing"),
        ("close", "1006"),
        ("close", "2000"),
        ("close", "no"),
        ("rst", "1"),
        ("failed", "no"),
        ("failed", "server_error:2"),
        ("incomplete", "no"),
        ("error", "No"),
        ("lose", "response.done:0"),
        ("lose", "Not A Type"),
    ],
)
def test_an_argument_that_cannot_be_is_refused(name: str, argument: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the caller tells what is expected
        KINDS[name].make(argument)


@pytest.mark.parametrize("code", DENIALS)
def test_who_is_denied_is_told_as_the_service_does(code: str) -> None:
    effect = KINDS["denied"].make(code)
    assert isinstance(effect, CloseLink)
    assert effect.error is not None
    assert (effect.code, effect.error.code) == (DENIALS[code], code)
    assert effect.reason == f"{effect.error.type}.{code}"


def test_a_want_of_quota_is_a_denial_with_a_type_of_its_own() -> None:
    assert KINDS["quota"].make("") == KINDS["denied"].make("insufficient_quota")
    assert error_body("insufficient_quota").type == "insufficient_quota"
    assert error_body("unheard_of").type == "invalid_request_error"


def test_an_expiry_says_what_the_service_says() -> None:
    effect = KINDS["expire"].make("20")
    assert isinstance(effect, CloseLink)
    assert effect.error is not None
    assert (effect.code, effect.reason, effect.error.code) == (1001, EXPIRED, "session_expired")
    assert effect.error.message == EXPIRED


def test_a_rate_limit_says_when_it_ends() -> None:
    effect = KINDS["failed"].make("rate_limit_exceeded:1.5")
    assert isinstance(effect, Doom)
    assert effect.error is not None
    assert effect.reset_s == 1.5
    assert "try again in 1.5s" in effect.error.message
    assert KINDS["failed"].make("rate_limit_exceeded") == KINDS["failed"].make("rate_limit_exceeded:2")


def test_numbers_have_bounds() -> None:
    assert number_within("1", 1, 2) == 1.0
    with pytest.raises(ValueError):  # noqa: PT011 - the caller tells what is expected
        number_within("2.1", 1, 2)
