from __future__ import annotations

import pytest

from voicebotd.rehearsal.faults import (
    CloseLink,
    Effect,
    EndLink,
    ErrorBody,
    Fault,
    HalfOpen,
    NeverAnswer,
    Plan,
    ResetLink,
    Stall,
    When,
    meets_opening,
)


def fault(effect: Effect, **when: object) -> Fault:
    return Fault(name="f", effect=effect, when=When(**{"moment": "handshake", **when}))  # type: ignore[arg-type]


def test_a_fault_acts_as_often_as_it_was_written() -> None:
    plan = Plan([fault(ResetLink(), moment="idle", times=2)])
    (pending,) = plan.pending
    assert [pending.take() for _ in range(3)] == [True, True, False]
    assert plan.pending == ()


def test_a_fault_without_an_end_acts_always() -> None:
    plan = Plan([fault(ResetLink(), moment="idle", times=None)])
    assert all(plan.pending[0].take() for _ in range(100))


def test_the_same_fault_written_twice_acts_twice() -> None:
    plan = Plan([fault(NeverAnswer()), fault(NeverAnswer())])
    assert [plan.on_opening(0.0) is not None for _ in range(3)] == [True, True, False]


def test_a_fault_can_be_added_while_the_server_runs() -> None:
    plan = Plan()
    assert plan.on_opening(0.0) is None
    plan.add(fault(NeverAnswer()))
    assert plan.on_opening(0.0) is not None


def test_an_opening_request_meets_a_fault_when_its_time_has_come() -> None:
    plan = Plan([fault(ResetLink(), after_s=5.0, times=None)])
    assert plan.on_opening(4.9) is None
    assert plan.on_opening(5.0) == plan.on_opening(6.0)


@pytest.mark.parametrize("effect", [NeverAnswer(), ResetLink(), EndLink(), Stall(), HalfOpen(for_s=1.0)])
def test_what_needs_no_websocket_meets_opening_requests(effect: Effect) -> None:
    assert meets_opening(fault(effect))
    assert not meets_opening(fault(effect, moment="idle"))


def test_what_needs_a_websocket_lets_opening_requests_pass() -> None:
    plan = Plan([fault(CloseLink(code=1011))])
    assert plan.on_opening(0.0) is None
    assert len(plan.pending) == 1


def test_an_error_looks_as_on_the_wire() -> None:
    assert ErrorBody(type="t", code="c", message="m").wire() == {"type": "t", "code": "c", "message": "m"}
