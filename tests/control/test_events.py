"""Events: numbered, told to whoever wants them, and nothing lost between a snapshot and the first of them."""

import json
from typing import Any

import pytest

from voicebotd.control.client_queue import ClientQueue
from voicebotd.control.contract import TOPICS
from voicebotd.control.events import EventHub


def _hub() -> EventHub:
    return EventHub(wall_clock_s=lambda: 1_700_000_000.12345)


def _next(queue: ClientQueue) -> Any:
    line = queue.pop()
    return None if line is None else json.loads(line)


def test_an_event_carries_topic_number_time_and_data() -> None:
    hub, queue = _hub(), ClientQueue()
    hub.subscribe(queue, ["turn"])
    hub.publish("turn", {"item_id": "a"})

    assert _next(queue) == {
        "jsonrpc": "2.0",
        "method": "event",
        "params": {"topic": "turn", "seq": 1, "time": 1_700_000_000.123, "data": {"item_id": "a"}},
    }


def test_only_the_topics_asked_for_arrive_but_the_number_counts_all() -> None:
    hub, queue = _hub(), ClientQueue()
    hub.subscribe(queue, ["turn"])
    hub.publish("usage", {})
    hub.publish("turn", {})

    assert _next(queue)["params"]["seq"] == 2
    assert _next(queue) is None


def test_the_snapshot_is_the_latest_of_each_state_topic_and_later_events_follow_its_number() -> None:
    hub, queue = _hub(), ClientQueue()
    hub.publish("state", {"state": "idle"})
    hub.publish("state", {"state": "listening"})
    hub.publish("turn", {"item_id": "a"})

    assert hub.subscribe(queue, ["state", "link", "turn"]) == ({"state": {"state": "listening"}}, 3)
    hub.publish("state", {"state": "speaking"})
    assert _next(queue)["params"]["seq"] == 4


def test_subscribing_again_adds_and_unsubscribing_takes_away() -> None:
    hub, queue = _hub(), ClientQueue()
    hub.subscribe(queue, ["turn"])
    hub.subscribe(queue, ["usage"])
    hub.unsubscribe(queue, ["turn", "state"])
    hub.publish("turn", {})
    hub.publish("usage", {})

    assert _next(queue)["params"]["topic"] == "usage"
    hub.unsubscribe(queue, TOPICS)
    hub.publish("usage", {})
    assert _next(queue) is None


def test_unsubscribing_a_client_that_never_subscribed_is_nothing() -> None:
    _hub().unsubscribe(ClientQueue(), TOPICS)


def test_every_subscriber_is_told() -> None:
    hub, first, second = _hub(), ClientQueue(), ClientQueue()
    hub.subscribe(first, ["turn"])
    hub.subscribe(second, TOPICS)
    hub.publish("turn", {})

    assert first.pop() == second.pop() is not None


def test_a_topic_that_the_contract_does_not_know_is_our_bug() -> None:
    with pytest.raises(ValueError, match="no such topic: nonsense"):
        _hub().publish("nonsense", {})
