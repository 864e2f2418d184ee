"""A session that was opened: the link that carries it, how it was asked for, and how the service has it.

What a link hears goes nowhere until its session is the present one, because a second session may wait beside the first.
Knows no conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from voicebotd.conversation.events import Event
from voicebotd.realtime.backoff import Failure
from voicebotd.realtime.endpoint import Endpoint
from voicebotd.realtime.fields import JsonObject, optional_text
from voicebotd.realtime.protocol import SessionTold
from voicebotd.realtime.rollover import Schedule
from voicebotd.realtime.session import SessionConfig
from voicebotd.realtime.transport import SessionLink

Decoded = Event | SessionTold


class Voice:
    """What one link says. While it is not listened to, only how its session changes is kept."""

    def __init__(self, listener: Callable[[Decoded], None]) -> None:
        self._listener = listener
        self.on = False
        self.told: JsonObject = {}

    def __call__(self, decoded: Decoded) -> None:
        if self.on:
            self._listener(decoded)
        elif isinstance(decoded, SessionTold):
            self.told = decoded.session


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """`serving` ends with the reason when the session does; `ready_at_s` is on the monotonic clock."""

    link: SessionLink
    voice: Voice
    endpoint: Endpoint
    config: SessionConfig
    created: JsonObject
    ready_at_s: float
    schedule: Schedule
    serving: asyncio.Task[Failure]

    @property
    def session_id(self) -> str:
        return optional_text(self.voice.told, "id") or optional_text(self.created, "id")

    @property
    def model(self) -> str:
        return optional_text(self.voice.told, "model") or self.endpoint.model
