from __future__ import annotations

import base64
import random
from typing import Any

from voicebotd.rehearsal.faults import CloseLink, Effect, Fault, NeverAnswer, Plan, Refuse, ResetLink, When
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.saboteur import LATEST_RANDOM, RANDOM, Saboteur

START_S = 100.0
IDLE = {"type": "session.updated"}
COMMITTED = {"type": "input_audio_buffer.committed"}
TICK = {"type": "rate_limits.updated"}


def fault(effect: Effect | None = None, **when: Any) -> Fault:
    return Fault(name=str(when), effect=effect or ResetLink(), when=When(**when))


def saboteur(*faults: Fault, plan: Plan | None = None, seed: int = 1) -> Saboteur:
    return Saboteur(plan or Plan(faults), now_s=START_S, rng=random.Random(seed))


def response(response_id: str) -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": response_id, "conversation_id": "c"}}


def audio(response_id: str, ms: int) -> dict[str, Any]:
    delta = base64.b64encode(bytes(ms * PCM_BYTES_PER_MS)).decode()
    return {"type": "response.output_audio.delta", "response_id": response_id, "delta": delta}


def test_a_fault_acts_at_its_moment_and_then_no_more() -> None:
    wanted = fault(moment="committed")
    subject = saboteur(wanted)
    assert subject.sent(IDLE, START_S) == []
    assert subject.sent(COMMITTED, START_S) == [wanted]
    assert subject.sent(COMMITTED, START_S) == []


def test_how_often_is_counted_over_all_sessions() -> None:
    plan = Plan([fault(moment="committed", times=3)])
    acted = [len(saboteur(plan=plan).sent(COMMITTED, START_S)) for _ in range(4)]
    assert acted == [1, 1, 1, 0]


def test_the_moment_of_a_client_event_is_before_the_session_takes_it() -> None:
    wanted = fault(moment="response.create")
    assert saboteur(wanted).received({"type": "response.create"}, START_S) == [wanted]


def test_what_meets_opening_requests_or_the_door_does_not_act_in_a_session() -> None:
    opening = Fault(name="mute", effect=NeverAnswer(), when=When(moment="handshake"))
    door = Fault(name="refuse", effect=Refuse(for_s=1.0), when=When())
    subject = saboteur(fault(moment="handshake"), opening, door)
    assert subject.begin(START_S) == []
    assert subject.due_s is None


def test_a_fault_at_the_beginning_of_a_session_acts_before_anything_is_sent() -> None:
    wanted = Fault(name="close", effect=CloseLink(code=1013), when=When(moment="handshake"))
    assert saboteur(wanted).begin(START_S) == [wanted]


def test_the_kth_time_is_counted_in_each_session() -> None:
    plan = Plan([fault(moment="committed", kth=2, times=None)])
    for _ in range(2):
        subject = saboteur(plan=plan)
        assert [len(subject.sent(COMMITTED, START_S)) for _ in range(4)] == [0, 1, 0, 0]


def test_while_speaking_it_waits_for_so_much_audio_once_for_each_response() -> None:
    subject = saboteur(fault(moment="speaking", plus_ms=300, times=None))
    acted = [
        len(subject.sent(event, START_S))
        for response_id in ("r1", "r2")
        for event in (response(response_id), *[audio(response_id, 200)] * 3)
    ]
    assert acted == [0, 0, 1, 0] * 2


def test_after_any_other_moment_it_waits_for_so_much_time() -> None:
    wanted = fault(moment="committed", plus_ms=500)
    subject = saboteur(wanted)
    assert subject.sent(COMMITTED, START_S) == []
    assert subject.due_s == START_S + 0.5
    assert subject.tick(START_S + 0.4) == []
    assert subject.tick(START_S + 0.5) == [wanted]
    assert subject.due_s is None


def test_a_time_without_a_moment_counts_from_the_sessions_begin() -> None:
    wanted = fault(after_s=20.0, times=None)
    subject = saboteur(wanted)
    assert subject.due_s == START_S + 20.0
    assert subject.tick(START_S + 20.0) == [wanted]
    assert subject.due_s is None


def test_every_so_often_it_acts_again() -> None:
    wanted = fault(every_s=2.0, times=None)
    subject = saboteur(wanted)
    assert subject.tick(START_S + 2.0) == [wanted]
    assert subject.due_s == START_S + 4.0


def test_a_moment_with_a_time_is_not_before_it_and_not_more_often() -> None:
    subject = saboteur(fault(moment="committed", every_s=2.0, times=None))
    acted = [len(subject.sent(COMMITTED, START_S + at_s)) for at_s in (1.0, 2.0, 3.0, 4.5)]
    assert acted == [0, 1, 0, 1]


def test_at_random_it_acts_at_one_event_of_each_session_which_the_seed_decides() -> None:
    def acted(seed: int) -> int:
        subject = saboteur(fault(moment=RANDOM, times=None), seed=seed)
        (at,) = [n for n in range(1, LATEST_RANDOM + 50) if subject.sent(TICK, START_S)]
        return at

    drawn = [acted(seed) for seed in range(20)]
    assert drawn == [acted(seed) for seed in range(20)]
    assert len(set(drawn)) > 10
    assert all(1 <= at <= LATEST_RANDOM for at in drawn)
