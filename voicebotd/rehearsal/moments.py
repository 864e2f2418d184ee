"""At which point of a conversation a session is, read from the events that pass.

Owns the names of the moments at which a fault can act, and their recognition. Pure; it knows no fault.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from voicebotd.rehearsal.items import duration_ms

MOMENTS = {
    "handshake": "the connection is opened; of what needs a websocket: before session.created",
    "created": "session.created was sent, session.updated was not",
    "idle": "the session is configured, or a response is over",
    "listening": "the visitor has begun to speak (speech_started)",
    "committed": "the visitor's turn is an item of the conversation",
    "thinking": "a response was created, nothing of it was sent",
    "speaking": "audio of a response was sent",
    "tool": "a function call was sent",
}
_BY_TYPE = {
    "session.created": "created",
    "input_audio_buffer.speech_started": "listening",
    "input_audio_buffer.committed": "committed",
}
ANY = "any"
"""Every event that is sent is this moment, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """`turn` numbers what can be reached once; `audio_ms`: how much of a response's audio was sent."""

    moment: str
    turn: int
    audio_ms: int = 0


class Moments:
    """Give it each event when it has passed; it tells which moments that was."""

    def __init__(self) -> None:
        self._count = 0
        self._configured = False
        self._response_id: str | None = None
        self._speaking_turn = 0
        self._audio_ms = 0

    def received(self, event: dict[str, Any]) -> list[Reached]:
        return [self._reach(str(event.get("type")))]

    def sent(self, event: dict[str, Any]) -> list[Reached]:
        reached = [self._reach(event["type"]), self._reach(ANY)]
        moment = self._moment_of(event)
        if moment == "speaking":
            reached.append(Reached(moment=moment, turn=self._speaking_turn, audio_ms=self._audio_ms))
        elif moment is not None:
            reached.append(self._reach(moment))
        return reached

    def _reach(self, moment: str) -> Reached:
        self._count += 1
        return Reached(moment=moment, turn=self._count)

    def _moment_of(self, event: dict[str, Any]) -> str | None:
        type_ = event["type"]
        moment = _BY_TYPE.get(type_)
        if type_ == "session.updated" and not self._configured:
            self._configured = True
            moment = "idle"
        elif type_ == "response.created" and event["response"]["conversation_id"] is not None:
            self._count += 1
            self._speaking_turn, self._audio_ms = self._count, 0
            self._response_id = event["response"]["id"]
            moment = "thinking"
        elif type_ == "response.output_audio.delta" and event["response_id"] == self._response_id:
            self._audio_ms += duration_ms(base64.b64decode(event["delta"]))
            moment = "speaking"
        elif type_ == "response.output_item.done" and event["item"]["type"] == "function_call":
            moment = "tool"
        elif type_ == "response.done" and event["response"]["id"] == self._response_id:
            self._response_id = None
            moment = "idle"
        return moment
