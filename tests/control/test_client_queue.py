"""What a slow client loses: never a reply, never the latest state, and never without being told."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebotd.control.client_queue import ClientQueue
from voicebotd.control.contract import STATE_TOPICS
from voicebotd.control.contract_types import Topic


def _drain(queue: ClientQueue) -> list[bytes]:
    drained = []
    while (line := queue.pop()) is not None:
        drained.append(line)
    return drained


def _queue(*topics: Topic, limit: int = 8, slow_from: int = 2) -> ClientQueue:
    queue = ClientQueue(limit=limit, slow_from=slow_from)
    queue.topics |= set(topics)
    return queue


def test_replies_and_events_leave_in_the_order_in_which_they_came() -> None:
    queue = _queue("turn")
    queue.push_reply(b"a")
    queue.push_event("turn", b"b")
    queue.push_reply(b"c")

    assert (len(queue), queue.replies, queue.events) == (3, 2, 1)
    assert _drain(queue) == [b"a", b"b", b"c"]
    assert (len(queue), queue.replies, queue.events) == (0, 0, 0)


def test_an_event_without_a_subscription_is_not_for_this_client() -> None:
    queue = _queue("turn")
    queue.push_event("usage", b"x")

    assert _drain(queue) == []


def test_a_client_that_keeps_up_sees_every_state_in_between() -> None:
    queue = _queue("state", slow_from=3)
    for line in (b"1", b"2", b"3"):
        queue.push_event("state", line)

    assert _drain(queue) == [b"1", b"2", b"3"]


def test_a_slow_client_gets_the_latest_state_only_and_at_its_place_in_time() -> None:
    queue = _queue("state", "turn", slow_from=2)
    queue.push_event("state", b"old")
    queue.push_event("turn", b"turn")
    queue.push_reply(b"reply")
    queue.push_event("state", b"new")

    assert _drain(queue) == [b"turn", b"reply", b"new"]
    assert queue.dropped_total == 0


def test_of_what_is_true_for_a_moment_only_the_latest_waits_however_quick_the_client_is() -> None:
    queue = _queue("audio.level", "turn", limit=8, slow_from=2)
    for number in range(100):
        queue.push_event("audio.level", b"level %d" % number)
    queue.push_event("turn", b"turn")

    assert (len(queue), queue.events) == (2, 2)
    assert _drain(queue) == [b"level 99", b"turn"]
    assert queue.dropped_total == 0, "no gap: there is nothing to catch up with"


def test_at_the_limit_the_oldest_event_goes_and_gap_says_how_many() -> None:
    queue = _queue("turn", "state", limit=7, slow_from=2)
    queue.push_event("state", b"state")
    for number in range(8):
        queue.push_event("turn", b"%d" % number)

    gap, *rest = _drain(queue)
    assert json.loads(gap) == {"jsonrpc": "2.0", "method": "gap", "params": {"dropped": 2}}
    assert rest == [b"state", b"2", b"3", b"4", b"5", b"6", b"7"]
    assert queue.dropped_total == 2
    queue.push_event("turn", b"8")
    assert _drain(queue) == [b"8"]


def test_replies_are_never_given_up() -> None:
    queue = _queue("turn", limit=7, slow_from=2)
    for number in range(100):
        queue.push_reply(b"r%d" % number)
        queue.push_event("turn", b"t")

    assert [line for line in _drain(queue) if line.startswith(b"r")] == [b"r%d" % number for number in range(100)]


def test_whoever_sends_is_woken_by_every_push_that_leaves_something_to_send() -> None:
    woken: list[None] = []
    queue = ClientQueue(on_push=lambda: woken.append(None))
    queue.push_event("turn", b"not subscribed")
    assert woken == []
    queue.topics.add("turn")
    queue.push_event("turn", b"x")
    queue.push_reply(b"y")

    assert len(woken) == 2


def test_a_limit_that_could_force_a_state_out_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        ClientQueue(limit=6, slow_from=2)


STEPS = st.lists(st.sampled_from(["state", "link", "turn", "usage", "reply", "pop"]), max_size=80)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_the_queue_is_bounded_and_honest(steps: list[str]) -> None:
    limit = 7
    queue = _queue("state", "link", "turn", "usage", limit=limit, slow_from=2)
    pushed: list[tuple[str, bytes]] = []
    out: list[bytes] = []
    for number, step in enumerate(steps):
        line = b"%d" % number
        if step == "pop":
            out += [popped] if (popped := queue.pop()) is not None else []
            continue
        pushed.append((step, line))
        if step == "reply":
            queue.push_reply(line)
        else:
            queue.push_event(step, line)  # type: ignore[arg-type]
        assert queue.events <= limit
    out += _drain(queue)

    gaps = [json.loads(line)["params"]["dropped"] for line in out if line.startswith(b"{")]
    delivered = [line for line in out if not line.startswith(b"{")]
    assert [int(line) for line in delivered] == sorted({int(line) for line in delivered})
    assert {line for step, line in pushed if step == "reply"} <= set(delivered)
    for topic in STATE_TOPICS & {step for step, _ in pushed}:
        assert [line for step, line in pushed if step == topic][-1] in delivered
    lost = [line for step, line in pushed if step in ("turn", "usage") and line not in delivered]
    assert sum(gaps) == len(lost) == queue.dropped_total
