"""How the conversation minds its link: what the visitor is told of it, and when a second session takes over."""

from __future__ import annotations

from typing import Any

import pytest

from voicebotd.conversation.commands import RollSession
from voicebotd.conversation.effects import Effect, OpenSuccessor, PlayCue, Refuse, Reply, Succeed
from voicebotd.conversation.events import LinkLost, SuccessorFailed, SuccessorReady
from voicebotd.conversation.tether import TOLD_AFTER, Tether


def lost(**how: Any) -> LinkLost:
    return LinkLost(reason="reset", **how)


def cues(effects: list[Effect]) -> list[str]:
    return [effect.cue for effect in effects if isinstance(effect, PlayCue)]


def refused(effects: list[Effect]) -> list[int]:
    refusals = [effect for effect in effects if isinstance(effect, Refuse)]
    assert all(refusal.kind == "link.unavailable" and refusal.retryable for refusal in refusals)
    return [refusal.request_id for refusal in refusals]


# What the visitor is told.


def test_a_single_failure_is_over_before_anybody_notices() -> None:
    tether = Tether()
    assert tether.lost(lost()) == []
    assert (tether.failures, tether.notice) == (1, "")
    assert tether.ready("s2") == []
    assert tether.failures == 0


def test_two_failures_in_a_row_are_told_once_and_so_is_the_recovery() -> None:
    tether = Tether()
    told = [cues(tether.lost(lost())) for _ in range(5)]
    assert TOLD_AFTER == 2
    assert told == [[], ["link_lost"], [], [], []]
    assert tether.notice == "no_connection"
    assert cues(tether.ready("s2")) == ["link_back"]
    assert tether.notice == ""
    assert tether.ready("s3") == []


def test_failures_are_counted_anew_after_a_recovery() -> None:
    tether = Tether()
    tether.lost(lost())
    tether.ready("s2")
    assert cues(tether.lost(lost())) == []


def test_what_only_a_person_can_mend_is_told_at_once() -> None:
    assert cues(Tether().lost(lost(fatal=True))) == ["link_lost"]


def test_the_end_of_a_conversation_is_the_end_of_the_trouble() -> None:
    tether = Tether()
    tether.lost(lost(fatal=True))
    assert tether.end() == []
    assert (tether.failures, tether.notice) == (0, "")


# A second session.


def test_a_successor_is_gone_over_to_once() -> None:
    tether = Tether()
    assert tether.succeed() == []
    assert not tether.successor_waits
    tether.successor_ready(SuccessorReady(within_s=60.0))
    assert tether.successor_waits
    assert tether.within_s == 60.0
    assert tether.succeed() == [Succeed()]
    assert not tether.successor_waits
    assert tether.succeed() == []


def test_it_may_be_due_at_once() -> None:
    tether = Tether()
    tether.successor_ready(SuccessorReady(within_s=0.0))
    assert tether.successor_waits
    assert tether.within_s == 0.0


def test_a_successor_that_died_is_not_gone_over_to() -> None:
    tether = Tether()
    tether.successor_ready(SuccessorReady(within_s=60.0))
    assert tether.successor_failed(SuccessorFailed(reason="reset")) == []
    assert not tether.successor_waits


def test_whoever_asks_for_another_session_is_told_which_it_is() -> None:
    tether = Tether()
    assert tether.roll(RollSession(request_id=4)) == [OpenSuccessor()]
    assert tether.roll(RollSession(request_id=5)) == [OpenSuccessor()], "it is for the link to know that one is enough"
    assert not tether.is_awaited, "there is none yet"
    tether.successor_ready(SuccessorReady(within_s=60.0))
    assert tether.is_awaited
    assert tether.succeed() == [Succeed()]
    replies = [Reply(request_id=number, result={"session_id": "s2"}) for number in (4, 5)]
    assert tether.ready("s2") == replies
    assert tether.ready("s3") == []


def test_a_session_that_waits_and_that_nobody_asked_for_is_awaited_by_nobody() -> None:
    tether = Tether()
    tether.successor_ready(SuccessorReady(within_s=3.0))
    assert not tether.is_awaited
    tether.roll(RollSession(request_id=4))
    assert tether.is_awaited


@pytest.mark.parametrize("what", ["failed", "lost", "end"])
def test_whoever_asked_is_told_once_that_there_is_none(what: str) -> None:
    tether = Tether()
    tether.roll(RollSession(request_id=4))
    tether.roll(RollSession(request_id=5))

    def happen() -> list[Effect]:
        if what == "failed":
            return tether.successor_failed(SuccessorFailed(reason="no more sessions"))
        return tether.lost(lost()) if what == "lost" else tether.end()

    assert refused(happen()) == [4, 5]
    assert refused(happen()) == []
    assert tether.ready("s2") == [] or what == "lost"


def test_the_reason_is_told() -> None:
    tether = Tether()
    tether.roll(RollSession(request_id=4))
    (refusal,) = tether.successor_failed(SuccessorFailed(reason="no more sessions"))
    assert isinstance(refusal, Refuse)
    assert "no more sessions" in refusal.message


def test_a_conversation_that_ends_or_whose_link_is_lost_has_no_successor_any_more() -> None:
    for happen in (lambda tether: tether.end(), lambda tether: tether.lost(lost())):
        tether = Tether()
        tether.successor_ready(SuccessorReady(within_s=60.0))
        happen(tether)
        assert not tether.successor_waits
