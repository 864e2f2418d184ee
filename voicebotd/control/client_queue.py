"""What waits to be sent to one client, and what is given up when the client is slow.

Owns the overflow policy. Pure: knows no socket, no clock, no JSON beyond the two notifications it hands on.

    replies          are never given up; the reader stops asking for more while `replies` is at its limit
    fleeting topics  only the latest event of each waits, ever
    state topics     while the client is slow, only the latest event of each waits
    other topics     at the limit the oldest waiting event goes, and `gap {dropped}` says so before the next one
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from voicebotd.control.contract import FLEETING_TOPICS, QUEUE_LIMIT, STATE_TOPICS
from voicebotd.control.contract_types import Topic
from voicebotd.control.jsonrpc import encode_notification

SLOW_FROM_EVENTS = 16
"""A client is slow when so many events wait: enough for a burst of one loop turn, so that a client that keeps up sees
every state in between."""


class ClientQueue:
    """First in, first out. `on_push` is called after every push, to wake whoever sends."""

    def __init__(
        self, *, limit: int = QUEUE_LIMIT, slow_from: int = SLOW_FROM_EVENTS, on_push: Callable[[], None] = lambda: None
    ) -> None:
        # The oldest event that is not a state must exist at the limit.
        assert limit > slow_from + len(STATE_TOPICS)
        self.topics: set[Topic] = set()
        """What the client subscribed to."""
        self.replies = 0
        """Replies that wait."""
        self.events = 0
        """Events that wait."""
        self.dropped_total = 0
        """Events given up since the client came."""
        self._dropped = 0
        self._waiting: deque[tuple[Topic | None, bytes]] = deque()
        self._limit = limit
        self._slow_from = slow_from
        self._on_push = on_push

    def __len__(self) -> int:
        return len(self._waiting)

    def push_reply(self, line: bytes) -> None:
        self._waiting.append((None, line))
        self.replies += 1
        self._on_push()

    def push_event(self, topic: Topic, line: bytes) -> None:
        """Queue an event, if the client subscribed to its topic, making room as the policy says."""
        if topic not in self.topics:
            return
        if topic in FLEETING_TOPICS or (topic in STATE_TOPICS and self.events >= self._slow_from):
            self._waiting = deque(entry for entry in self._waiting if entry[0] != topic)
            self.events = len(self._waiting) - self.replies
        if self.events >= self._limit:
            self._drop_oldest()
        self._waiting.append((topic, line))
        self.events += 1
        self._on_push()

    def pop(self) -> bytes | None:
        """Take the next document to send, without its newline; None when nothing waits."""
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return encode_notification("gap", {"dropped": dropped})
        if not self._waiting:
            return None
        topic, line = self._waiting.popleft()
        if topic is None:
            self.replies -= 1
        else:
            self.events -= 1
        return line

    def _drop_oldest(self) -> None:
        index = next(i for i, (topic, _) in enumerate(self._waiting) if topic is not None and topic not in STATE_TOPICS)
        del self._waiting[index]
        self.events -= 1
        self._dropped += 1
        self.dropped_total += 1
