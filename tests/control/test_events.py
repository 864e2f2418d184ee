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


class Interest:
    """Notes who listens to what, as the hub tells it."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []
        self.hub = EventHub(on_interest=lambda topic, wanted: self.told.append((topic, wanted)))


def test_the_first_listener_of_a_topic_and_the_end_of_the_last_are_told() -> None:
    interest, first, second = Interest(), ClientQueue(), ClientQueue()
    interest.hub.subscribe(first, ["audio.level"])
    interest.hub.subscribe(second, ["audio.level"])
    interest.hub.subscribe(second, ["audio.level"])
    assert interest.told == [("audio.level", True)]
    interest.hub.unsubscribe(first, TOPICS)
    interest.hub.unsubscribe(second, ["turn"])
    assert len(interest.told) == 1
    interest.hub.unsubscribe(second, ["audio.level"])
    assert interest.told == [("audio.level", True), ("audio.level", False)]


def test_a_client_that_never_listened_and_goes_changes_no_interest() -> None:
    interest = Interest()
    interest.hub.unsubscribe(ClientQueue(), TOPICS)
    assert interest.told == []


def test_a_level_that_nobody_keeps_up_to_date_is_in_no_snapshot() -> None:
    hub, queue = _hub(), ClientQueue()
    hub.subscribe(queue, ["audio.level", "state"])
    hub.publish("audio.level", {"input_dbfs": -30})
    hub.publish("state", {"state": "listening"})
    assert set(hub.subscribe(queue, ["audio.level", "state"])[0]) == {"audio.level", "state"}
    hub.unsubscribe(queue, TOPICS)
    assert set(hub.subscribe(queue, ["audio.level", "state"])[0]) == {"state"}


def test_a_topic_that_the_contract_does_not_know_is_our_bug() -> None:
    with pytest.raises(ValueError, match="no such topic: nonsense"):
        _hub().publish("nonsense", {})
