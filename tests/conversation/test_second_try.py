"""What becomes of a response that came to a bad end."""

from __future__ import annotations

from typing import Any

import pytest

from voicebotd.conversation.events import ResponseDone
from voicebotd.conversation.second_try import INSTRUCTIONS, NO_USE, Verdict, judge


def done(status: Any, **how: str) -> ResponseDone:
    return ResponseDone(response_id="r", status=status, **how)


@pytest.mark.parametrize("status", ["completed", "cancelled"])
@pytest.mark.parametrize("begun", [True, False])
def test_what_came_to_its_end_or_was_stopped_by_us_is_left_alone(status: str, begun: bool) -> None:
    assert judge(done(status), begun=begun, tried=False) is Verdict.NOTHING
    assert judge(done(status), begun=begun, tried=True) is Verdict.NOTHING


@pytest.mark.parametrize("status", ["failed", "incomplete"])
def test_what_nobody_heard_anything_of_is_asked_for_again_and_what_was_begun_is_gone_on_with(status: str) -> None:
    bad = done(status, error_code="server_error", reason="turn_detected")
    assert judge(bad, begun=False, tried=False) is Verdict.AGAIN
    assert judge(bad, begun=True, tried=False) is Verdict.GO_ON


@pytest.mark.parametrize("status", ["failed", "incomplete"])
@pytest.mark.parametrize("begun", [True, False])
def test_a_second_failure_is_told_to_the_visitor(status: str, begun: bool) -> None:
    assert judge(done(status), begun=begun, tried=True) is Verdict.TELL


@pytest.mark.parametrize("code", sorted(NO_USE))
def test_what_would_fail_again_is_told_at_once(code: str) -> None:
    assert judge(done("failed", error_code=code), begun=False, tried=False) is Verdict.TELL


@pytest.mark.parametrize("begun", [True, False])
def test_an_answer_that_was_too_long_is_finished_shortly(begun: bool) -> None:
    assert judge(done("incomplete", reason="max_output_tokens"), begun=begun, tried=False) is Verdict.FINISH


@pytest.mark.parametrize("begun", [True, False])
def test_an_answer_that_the_service_will_not_give_is_declined_in_words(begun: bool) -> None:
    assert judge(done("incomplete", reason="content_filter"), begun=begun, tried=False) is Verdict.CANNOT_SAY


def test_a_reason_means_something_only_where_the_response_is_incomplete() -> None:
    assert judge(done("failed", reason="max_output_tokens"), begun=False, tried=False) is Verdict.AGAIN


def test_each_verdict_that_needs_words_has_some_and_a_plain_second_try_has_none() -> None:
    assert set(INSTRUCTIONS) == {Verdict.GO_ON, Verdict.FINISH, Verdict.CANNOT_SAY}
    assert len(set(INSTRUCTIONS.values())) == 3
