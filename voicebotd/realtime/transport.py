"""What the service needs of one session with a server, whatever protocol carries it.

Owns the interface only. `link.py` is the Realtime protocol over a websocket; another protocol is another class.
"""

from __future__ import annotations

from typing import Protocol

from voicebotd.conversation.effects import (
    ToService,
    UpdateSession,
)
from voicebotd.realtime.backoff import Failure
from voicebotd.realtime.fields import JsonObject
from voicebotd.realtime.session import SessionConfig
from voicebotd.realtime.wire import Wire


class SessionLink(Protocol):
    """One session: `open()`, then `serve()`, and `close()` in any case. What it hears it hands on by itself."""

    async def open(self, headers: dict[str, str], config: SessionConfig) -> tuple[JsonObject, JsonObject]:
        """Connect and have `config` confirmed; return the session as it was created and as it is. Raises LinkDown."""

    async def serve(self) -> Failure:
        """Receive and send until the session is lost; return why it was."""

    async def close(self) -> None:
        """Be closed, within a bounded time."""

    def send(self, effect: ToService | UpdateSession) -> None:
        """Queue what is to be said, without blocking."""

    def send_audio(self, pcm: bytes) -> None:
        """Queue microphone audio (24 kHz, 16 bit, mono), without blocking."""

    @property
    def wire(self) -> Wire:
        """How this server is spoken to, and what it lacks."""

    @property
    def backlog_ms(self) -> int:
        """How much audio waits to be sent."""
