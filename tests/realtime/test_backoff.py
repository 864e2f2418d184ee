"""Who retries when: what went wrong in, when to try again and what to tell people out."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebotd.realtime.backoff import FATAL_CODES, Backoff, Failure, FailureKind, Pace, ends_session, refuses_session

ALMOST_ONE = 1 - 2**-53
CLOSED = Failure(kind="closed", address="example.test:443", close_code=1011)


def delays(failure: Failure, times: int, chance: float) -> list[float]:
    backoff = Backoff()
    return [backoff.decide(failure, chance).delay_s for _ in range(times)]


def test_an_ordinary_loss_is_retried_with_full_jitter_from_250_ms_doubling_to_30_s() -> None:
    limits = [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert delays(CLOSED, 9, ALMOST_ONE) == pytest.approx(limits)
    assert delays(CLOSED, 9, 0.5) == pytest.approx([limit / 2 for limit in limits])
    assert delays(CLOSED, 9, 0.0) == [0.0] * 9


@pytest.mark.parametrize("code", sorted(FATAL_CODES))
def test_a_fatal_code_is_retried_after_a_minute_growing_to_ten_and_says_what_to_do(code: str) -> None:
    failure = Failure(kind="closed", close_code=1013, error_code=code)
    assert delays(failure, 5, 0.0) == [60.0] * 5
    assert delays(failure, 5, ALMOST_ONE) == pytest.approx([120, 240, 480, 600, 600])
    retry = Backoff().decide(failure, 0.0)
    assert retry.fatal
    assert retry.code == code
    assert retry.message
    assert retry.hint


@pytest.mark.parametrize("close_code", [1000, 1001, 1006, 1011, 1012, 1013, 3000, 4000, 4004])
def test_no_close_number_is_fatal_by_itself(close_code: int) -> None:
    assert not Backoff().decide(Failure(kind="closed", close_code=close_code), 0.5).fatal


def test_the_counter_goes_back_only_after_a_completed_response() -> None:
    backoff = Backoff()
    for _ in range(4):
        backoff.decide(CLOSED, ALMOST_ONE)
    assert backoff.decide(CLOSED, ALMOST_ONE).delay_s == pytest.approx(4)
    backoff.completed()
    assert backoff.decide(CLOSED, ALMOST_ONE).delay_s == pytest.approx(0.25)


def test_a_refilled_account_starts_anew_after_a_completed_response() -> None:
    backoff, broke = Backoff(), Failure(kind="closed", error_code="insufficient_quota")
    for _ in range(9):
        backoff.decide(broke, ALMOST_ONE)
    backoff.completed()
    assert backoff.decide(broke, ALMOST_ONE).delay_s == pytest.approx(120)


@pytest.mark.parametrize(
    "failure",
    [
        Failure(kind="closed", error_code="session_expired", session_age_s=3600.0),
        Failure(kind="closed", close_code=1001, session_age_s=3600.0),
    ],
)
def test_a_session_at_the_end_of_its_hour_is_replaced_at_once_however_often(failure: Failure) -> None:
    assert delays(failure, 20, ALMOST_ONE) == [0.0] * 20


@pytest.mark.parametrize(
    "failure",
    [
        Failure(kind="closed", error_code="session_expired", session_age_s=1.0),
        Failure(kind="closed", close_code=1001),
    ],
)
def test_a_session_that_expires_when_it_just_began_makes_no_storm(failure: Failure) -> None:
    assert delays(failure, 9, ALMOST_ONE)[-1] == pytest.approx(30)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_up_to_an_hour(status: int) -> None:
    def delay_s(asked_s: float) -> float:
        failure = Failure(kind="http", http_status=status, retry_after_s=asked_s)
        return Backoff().decide(failure, 0.5).delay_s

    assert delay_s(17) == 17
    assert delay_s(10**9) == 3600
    assert delay_s(0) == 0.125


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_upgrade_is_a_refused_key(status: int) -> None:
    retry = Backoff().decide(Failure(kind="http", address="h:443", http_status=status), 0.0)
    assert (retry.fatal, retry.code, retry.delay_s) == (True, "invalid_api_key", 60.0)
    assert "OPENAI_API_KEY" in retry.hint


def test_a_code_in_the_answer_says_more_than_its_status() -> None:
    failure = Failure(kind="http", http_status=429, error_code="insufficient_quota", error_message="Pay first")
    retry = Backoff().decide(failure, 0.0)
    assert (retry.fatal, retry.message) == (True, "the account has no credit left: Pay first")


@pytest.mark.parametrize("status", [200, 301, 400, 404, 426])
def test_an_address_that_answers_something_else_is_a_matter_of_configuration(status: int) -> None:
    retry = Backoff().decide(Failure(kind="http", address="h:443", http_status=status), 0.0)
    assert (retry.fatal, retry.code) == (True, f"http_{status}")
    assert retry.message == f"h:443 answered with HTTP {status}"
    assert retry.hint == "check service.base_url and service.model"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_a_service_that_says_later_is_retried_soon(status: int) -> None:
    retry = Backoff().decide(Failure(kind="http", http_status=status), 0.5)
    assert (retry.fatal, retry.delay_s) == (False, 0.125)


@pytest.mark.parametrize(
    ("failure", "fatal"),
    [
        (Failure(kind="setup", error_type="invalid_request_error", error_code="whatever"), True),
        (Failure(kind="setup", error_code="unknown_parameter"), True),
        (Failure(kind="setup", error_type="server_error"), False),
        (Failure(kind="setup", error_code="model_load_error"), False),
        (Failure(kind="setup", error_code="session_limit_reached"), False),
    ],
)
def test_a_setup_is_fatal_where_our_session_is_at_fault(failure: Failure, fatal: bool) -> None:
    assert Backoff().decide(failure, 0.5).fatal is fatal


def test_a_setting_that_was_refused_is_named_with_the_services_own_words() -> None:
    failure = Failure(kind="setup", error_code="invalid_value", error_message="Invalid 'session.voice'")
    retry = Backoff().decide(failure, 0.0)
    assert retry.message == "the service refused the session: Invalid 'session.voice'"
    assert retry.hint == "correct the setting that the message names"


@pytest.mark.parametrize(
    ("kind", "message", "hint"),
    [
        ("refused", "nothing listens at h:1", "is the server running"),
        ("dns", "the name of h:1 could not be resolved", "is the network up"),
        ("unreachable", "there is no way to h:1", "is the network up"),
        ("certificate", "the certificate of h:1 was refused", "clock"),
    ],
)
def test_people_are_told_what_is_wrong_and_what_to_do(kind: FailureKind, message: str, hint: str) -> None:
    retry = Backoff().decide(Failure(kind=kind, address="h:1", detail="so\nit\nis"), 0.0)
    assert retry.message == f"{message}: so it is"
    assert hint in retry.hint


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_every_kind_of_failure_has_words(kind: FailureKind) -> None:
    retry = Backoff().decide(Failure(kind=kind), 0.0)
    assert "{" not in retry.message
    assert retry.message
    assert retry.hint


def test_a_hint_of_the_finder_wins() -> None:
    assert Backoff().decide(Failure(kind="key", hint="look there"), 0.0).hint == "look there"


def test_too_many_requests_and_an_expired_session_have_their_own_words() -> None:
    many = Backoff().decide(Failure(kind="http", address="h:1", http_status=429), 0.0)
    expired = Backoff().decide(Failure(kind="closed", error_code="session_expired"), 0.0)
    assert many.message == "h:1 has too many requests from us"
    assert expired.message == "the session came to the end of its hour"


def test_an_error_ends_the_session_if_its_code_is_fatal_or_says_so() -> None:
    assert ends_session("session_expired")
    assert ends_session("insufficient_quota")
    assert not ends_session("response_cancel_not_active")
    assert not ends_session("")


def test_the_pace_can_be_set() -> None:
    backoff = Backoff(Pace(first_s=0.001, most_s=0.002))
    assert [backoff.decide(CLOSED, 0.5).delay_s for _ in range(3)] == [0.0005, 0.001, 0.001]


failures = st.builds(
    Failure,
    kind=st.sampled_from(get_args(FailureKind)),
    http_status=st.sampled_from([0, 200, 401, 429, 503]),
    retry_after_s=st.floats(0, 1e12),
    close_code=st.sampled_from([0, 1001, 1006, 3000]),
    error_code=st.sampled_from(["", "session_expired", "invalid_api_key", "other"]),
    session_age_s=st.floats(0, 1e6),
)


@given(st.lists(st.tuples(failures, st.floats(0, ALMOST_ONE)), max_size=60))
def test_whatever_happens_no_delay_is_endless_and_a_fatal_one_never_under_a_minute(
    history: list[tuple[Failure, float]],
) -> None:
    backoff = Backoff()
    for failure, chance in history:
        retry = backoff.decide(failure, chance)
        if retry.fatal:
            assert 60 <= retry.delay_s <= 600
        else:
            assert 0 <= retry.delay_s <= max(30, min(failure.retry_after_s, 3600))


@pytest.mark.parametrize(("code", "refuses"), [("item_not_found", False), ("invalid_value", True), ("", True)])
def test_an_error_that_no_session_update_can_cause_refuses_no_session(code: str, refuses: bool) -> None:
    assert refuses_session(code) is refuses
