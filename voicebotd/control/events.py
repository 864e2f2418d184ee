"""Who is told what happens: topics in, `event` notifications to every subscribed client out.

Owns the sequence number, the subscriptions, the latest event of each state topic, and who must know that somebody (or
nobody any more) listens to a topic. Knows no socket; what a slow client misses is client_queue.py's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from voicebotd.control.client_queue import ClientQueue
from voicebotd.control.contract import FLEETING_TOPICS, STATE_TOPICS, TOPICS
from voicebotd.control.contract_types import Topic
from voicebotd.control.jsonrpc import encode_notification


class EventHub:
    """One for the daemon. Every method returns at once: nobody can slow the daemon down by listening.

    `on_interest(topic, wanted)` is called when a topic gets its first listener and when it loses its last one, and must
    return at once.
    """

    def __init__(
        self,
        *,
        wall_clock_s: Callable[[], float] = time.time,
        on_interest: Callable[[Topic, bool], None] = lambda _topic, _wanted: None,
    ) -> None:
        self.seq = 0
        """Number of the last event, over all topics."""
        self._wall_clock_s = wall_clock_s
        self._on_interest = on_interest
        self._queues: set[ClientQueue] = set()
        self._latest: dict[Topic, Mapping[str, Any]] = {}

    def publish(self, topic: str, data: Mapping[str, Any]) -> None:
        """Tell all who subscribed. `data` is the hub's from now on: do not change it. Raise ValueError, TypeError for
        a topic that the contract does not know and for data that is not JSON: bugs of ours."""
        if topic not in TOPICS:
            raise ValueError(f"no such topic: {topic}")
        self.seq += 1
        if topic in STATE_TOPICS:
            self._latest[topic] = data
        interested = [queue for queue in self._queues if topic in queue.topics]
        if not interested:
            return
        now = round(self._wall_clock_s(), 3)
        line = encode_notification("event", {"topic": topic, "seq": self.seq, "time": now, "data": data})
        for queue in interested:
            queue.push_event(topic, line)

    def subscribe(self, queue: ClientQueue, topics: Iterable[Topic]) -> tuple[dict[str, Any], int]:
        """Add topics to a client's; return the latest event of each state topic among them, and the number after
        which events will be delivered. Nothing can happen in between: this never waits."""
        wanted = set(topics)
        before = self._listened_to()
        self._queues.add(queue)
        queue.topics |= wanted
        self._tell_interest(before)
        return {topic: self._latest[topic] for topic in TOPICS if topic in wanted & self._latest.keys()}, self.seq

    def unsubscribe(self, queue: ClientQueue, topics: Iterable[Topic]) -> None:
        """Take topics from a client's; what already waits for it is still sent."""
        before = self._listened_to()
        queue.topics -= set(topics)
        if not queue.topics:
            self._queues.discard(queue)
        self._tell_interest(before)

    def _listened_to(self) -> set[Topic]:
        return set().union(*(queue.topics for queue in self._queues))

    def _tell_interest(self, before: set[Topic]) -> None:
        after = self._listened_to()
        for topic in before - after:
            if topic in FLEETING_TOPICS:
                self._latest.pop(topic, None)  # nobody keeps it up to date any more
            self._on_interest(topic, False)
        for topic in after - before:
            self._on_interest(topic, True)
