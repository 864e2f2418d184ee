"""What becomes of the events of a session that is tampered with: doubled, swapped, decorated, lost.

Owns the event that was held back. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from voicebotd.rehearsal.faults import Twist
from voicebotd.rehearsal.moments import ANY
from voicebotd.rehearsal.wire import ServerEvent

HELD_S = 0.1
"""An event that is to come after the next one is not held back for longer than that."""
SURPRISE = {"rehearsal_surprise": {"depth": [1, None]}}


class Twists:
    def __init__(self) -> None:
        self._twists: list[tuple[Twist, Iterator[int]]] = []
        self._held: list[ServerEvent] = []
        self._held_since_s = 0.0

    @property
    def due_s(self) -> float | None:
        """When what is held back must be sent."""
        return self._held_since_s + HELD_S if self._held else None

    def add(self, twist: Twist) -> None:
        self._twists.append((twist, iter(count() if twist.count is None else range(twist.count))))

    def release(self, now_s: float) -> list[ServerEvent]:
        """Return what has been held back for long enough, to be sent now."""
        return self._release() if self.due_s is not None and self.due_s <= now_s else []

    def _release(self) -> list[ServerEvent]:
        held, self._held = self._held, []
        return held

    def apply(self, event: ServerEvent, now_s: float) -> list[ServerEvent]:
        """Return what is to be sent in place of an event."""
        events = [event]
        hold = False
        for twist, left in self._twists:
            if twist.type not in (ANY, event["type"]) or next(left, None) is None:
                continue
            match twist.kind:
                case "lose":
                    events = []
                case "duplicate":
                    events = events * 2
                case "decorate":
                    events = [decorated(each) for each in events]
                case _:
                    hold = not self._held
        if hold:
            self._held, self._held_since_s = events, now_s
            return []
        return events + self._release()


def decorated(value: Any) -> Any:
    """Add a field that nobody knows to this object and to each in it."""
    if isinstance(value, list):
        return [decorated(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {key: decorated(held) for key, held in value.items()} | SURPRISE
