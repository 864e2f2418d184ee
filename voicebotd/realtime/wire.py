"""What one session says and hears in its server's dialect: effects become client events, server events become ours.

Owns the state that a dialect needs while a session lasts. Knows no socket and no conversation. Pure.
"""

from __future__ import annotations

from voicebotd.conversation.effects import (
    ToService,
    UpdateSession,
)
from voicebotd.realtime.dialects import Dialect
from voicebotd.realtime.encode import append_audio, encode
from voicebotd.realtime.fields import JsonObject
from voicebotd.realtime.protocol import Decoded, decode
from voicebotd.realtime.session import SessionConfig, full_update, live_update


class Wire:
    """One for each session."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def opening(self, config: SessionConfig) -> JsonObject:
        """Return the `session.update` that opens the session."""
        return full_update(config)

    def encode(self, effect: ToService | UpdateSession) -> JsonObject | None:
        """Return the client event for `effect`, or None where this server has nothing of the kind."""
        return live_update(effect) if isinstance(effect, UpdateSession) else encode(effect)

    def append_audio(self, pcm: bytes) -> JsonObject:
        """Return the client event that carries microphone audio (24 kHz, 16 bit, mono)."""
        return append_audio(pcm)

    def decode(self, message: JsonObject) -> tuple[Decoded, ...]:
        """Return what one server event means to us, in order."""
        return (decode(message),)
