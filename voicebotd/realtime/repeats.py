"""Events that a service sends twice: a second delta of the same audio would be heard.

Owns the memory of event ids. An event is a repeat where both its id and all of its content were there before; a service
that gives one id to different events is not judged by its ids from then on. Pure.
"""

from __future__ import annotations

from collections import OrderedDict

from voicebotd.realtime.fields import JsonObject, optional_text

REMEMBERED = 256
"""Events: what is sent twice is sent soon after."""


class Repeats:
    """One session's."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._unique = True

    def is_repeat(self, event: JsonObject, frame: str | bytes) -> bool:
        """Whether this very event came before; it is remembered, but not its content. `frame`: as it came."""
        event_id = optional_text(event, "event_id")
        if not event_id or not self._unique:
            return False
        content = hash(frame)
        before = self._seen.get(event_id)
        if before is None:
            self._seen[event_id] = content
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            return False
        if before != content:
            self._unique = False
            self._seen.clear()
            return False
        return True
