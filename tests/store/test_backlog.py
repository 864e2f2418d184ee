"""What waits for the disk stays in order, bounded, and only in its newest version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebotd.conversation.records import AnyRecord, ConversationRecord, ToolCallRecord, TurnRecord, UsageRecord
from voicebotd.store.backlog import Backlog, retry_delay_s, without_words


def conversation(name: str = "c", **fields: object) -> ConversationRecord:
    return ConversationRecord(conversation_id=name, **fields)  # type: ignore[arg-type]


def turn(item: str, **fields: object) -> TurnRecord:
    return TurnRecord(conversation_id="c", item_id=item, number=1, role="user", **fields)  # type: ignore[arg-type]


def call(call_id: str, **fields: object) -> ToolCallRecord:
    given = {"name": "book", "arguments": "{}", **fields}
    return ToolCallRecord(conversation_id="c", call_id=call_id, **given)  # type: ignore[arg-type]


def used(source_id: str, **fields: object) -> UsageRecord:
    return UsageRecord(conversation_id="c", source_id=source_id, **fields)  # type: ignore[arg-type]


def test_records_wait_in_the_order_in_which_they_came() -> None:
    backlog = Backlog(limit=10)
    records = (conversation(), turn("a"), turn("b"))
    for record in records:
        backlog.add(record)
    assert backlog.oldest(10) == records
    assert backlog.oldest(2) == records[:2]


def test_a_newer_version_takes_the_place_of_the_one_that_waits() -> None:
    backlog = Backlog(limit=10)
    backlog.add(turn("a", generated_text="I"))
    backlog.add(turn("b"))
    backlog.add(turn("a", generated_text="I hear"))
    assert backlog.oldest(10) == (turn("a", generated_text="I hear"), turn("b"))


def test_the_first_beginning_and_the_last_known_end_are_kept_across_versions() -> None:
    backlog = Backlog(limit=10)
    backlog.add(turn("a", started_at=1.0, ended_at=2.0))
    backlog.add(turn("a", started_at=9.0))
    backlog.add(turn("b"))
    backlog.add(turn("b", started_at=3.0, ended_at=4.0))
    assert backlog.oldest(10) == (turn("a", started_at=1.0, ended_at=2.0), turn("b", started_at=3.0, ended_at=4.0))


def test_records_of_different_kinds_never_take_each_others_place() -> None:
    records: tuple[AnyRecord, ...] = (conversation("c"), turn("x"), call("x"), used("x"))
    backlog = Backlog(limit=10)
    for record in records:
        backlog.add(record)
    assert backlog.oldest(10) == records


def test_the_outcome_of_a_call_takes_the_place_of_its_beginning_and_keeps_when_it_began() -> None:
    backlog = Backlog(limit=10)
    backlog.add(call("a", started_at=1.0))
    backlog.add(call("a", output="booked", status="completed", started_at=1.0, ended_at=3.0))
    assert backlog.oldest(10) == (call("a", output="booked", status="completed", started_at=1.0, ended_at=3.0),)


def test_usage_that_is_told_again_is_counted_once_at_its_first_time() -> None:
    backlog = Backlog(limit=10)
    backlog.add(used("r", usd=0.1, started_at=1.0))
    backlog.add(used("r", usd=0.2, started_at=2.0))
    assert backlog.oldest(10) == (used("r", usd=0.2, started_at=1.0),)


def test_a_new_record_is_refused_when_full_but_a_newer_version_is_not() -> None:
    backlog = Backlog(limit=2)
    assert backlog.add(conversation())
    assert backlog.add(turn("a"))
    assert not backlog.add(turn("b"))
    assert backlog.add(turn("a", status="completed"))
    assert backlog.lost == 1
    assert backlog.oldest(10) == (conversation(), turn("a", status="completed"))


def test_a_version_that_came_while_the_older_one_was_being_stored_waits_on() -> None:
    backlog = Backlog(limit=10)
    backlog.add(turn("a"))
    backlog.add(turn("b"))
    batch = backlog.oldest(10)
    backlog.add(turn("a", status="completed"))
    backlog.settle(batch)
    assert backlog.oldest(10) == (turn("a", status="completed"),)


def test_what_the_database_refuses_is_given_up_and_counted() -> None:
    backlog = Backlog(limit=10)
    backlog.add(turn("a"))
    batch = backlog.oldest(10)
    backlog.give_up(batch)
    backlog.settle(batch)
    assert (len(backlog), backlog.lost) == (0, 1)


def test_without_words_keeps_who_and_when_but_not_what() -> None:
    spoken = turn("a", generated_text="my telephone number", heard_text="my telephone", audio_ms=900, started_at=1.0)
    assert without_words(spoken) == turn("a", audio_ms=900, started_at=1.0)
    booking = call("a", arguments='{"name": "Ada"}', output="booked for Ada", duration_ms=20)
    assert without_words(booking) == call("a", arguments="", output="", duration_ms=20)
    for wordless in (conversation(model="m"), used("r", usd=0.1)):
        assert without_words(wordless) == wordless


@given(failures=st.integers(1, 10_000), random=st.floats(0, 1, exclude_max=True))
def test_a_retry_is_never_later_than_the_cap_and_never_at_once(failures: int, random: float) -> None:
    delay_s = retry_delay_s(failures, first_s=0.5, cap_s=60.0, random=random)
    assert 0.25 <= delay_s <= 60.0


@pytest.mark.parametrize(("failures", "delay_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (20, 60.0)])
def test_retries_wait_twice_as_long_each_time_up_to_the_cap(failures: int, delay_s: float) -> None:
    assert retry_delay_s(failures, first_s=0.5, cap_s=60.0, random=0.0) == delay_s


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans())), st.integers(1, 4))
def test_never_more_than_the_limit_waits_and_nothing_vanishes_uncounted(
    steps: list[tuple[str, bool]], limit: int
) -> None:
    backlog, accepted, stored = Backlog(limit=limit), 0, 0
    for item, store in steps:
        before = len(backlog)
        if backlog.add(turn(item)):
            accepted += len(backlog) - before
        if store:
            batch = backlog.oldest(2)
            backlog.settle(batch)
            stored += len(batch)
        assert len(backlog) <= limit
    assert accepted == stored + len(backlog)
