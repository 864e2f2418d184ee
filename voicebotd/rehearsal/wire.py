"""What every message to a client has: an id, and its place in the order of sending; and what a refusal looks like.

Owns the ids of one session, its outbox, and `Refusal`. Pure; it knows no event in particular.
"""

from __future__ import annotations

from typing import Any

from voicebotd.errors import VoicebotError

ServerEvent = dict[str, Any]


class Refusal(VoicebotError):  # noqa: N818 - a refusal is what the service does, not what went wrong here
    """The client asked for something that the service refuses; nothing of the request was done.

    `code` and `param` are the service's own (`error.code`, `error.param`); some of its errors have no code.
    """

    def __init__(self, code: str | None, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class Outbox:
    """Collects one session's events in the order in which the client must see them."""

    def __init__(self, session_id: str) -> None:
        self._tag = session_id.removeprefix("sess_")
        self._ids = 0
        self._events: list[ServerEvent] = []

    def new_id(self, kind: str) -> str:
        """Return an id that this session has not used, `item_…`; unique between sessions as far as their ids are."""
        self._ids += 1
        return f"{kind}_{self._tag}{self._ids:05d}"

    def emit(self, type_: str, **fields: Any) -> None:
        self._events.append({"type": type_, "event_id": self.new_id("event"), **fields})

    def refuse(self, refusal: Refusal, client_event_id: str | None = None) -> None:
        error = {
            "type": "invalid_request_error",
            "code": refusal.code,
            "message": refusal.message,
            "param": refusal.param,
            "event_id": client_event_id,
        }
        self.emit("error", error=error)

    def drain(self) -> list[ServerEvent]:
        events, self._events = self._events, []
        return events
