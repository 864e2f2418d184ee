"""What the history keeps: the records that the core emits and the store writes. Plain data, stdlib only.

Times are seconds since the Unix epoch, UTC; the shell stamps them, the core leaves them None.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from voicebotd.conversation.events import (
    Role,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRecord:
    """One conversation: written at its start, written again (same id) with `ended_at` and `end_reason` at its end."""

    conversation_id: str
    source: Literal["microphone", "file"] = "microphone"
    provider: str = ""
    model: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    end_reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """One item that somebody said. Written when it begins to matter, and again (same ids) whenever more is known.

    `generated_text` is all that the model wrote; `heard_text` is the part that reached the loudspeaker, estimated
    from the heard share of the audio. For what a visitor said, both are the transcript.
    """

    conversation_id: str
    item_id: str
    number: int
    """1, 2, 3 … in the order in which the items began."""
    role: Role
    generated_text: str = ""
    heard_text: str = ""
    audio_ms: int = 0
    """How much audio the item has (0 for text)."""
    heard_ms: int = 0
    interrupted: bool = False
    status: Literal["in_progress", "completed", "interrupted", "failed"] = "in_progress"
    response_id: str = ""
    started_at: float | None = None
    ended_at: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallRecord:
    """One function call of the model: written when it begins to run, and again (same ids) with its outcome."""

    conversation_id: str
    call_id: str
    name: str
    arguments: str
    """JSON text, as the model wrote it."""
    output: str = ""
    """What the model was told."""
    status: Literal["running", "completed", "failed", "timed_out", "cancelled"] = "running"
    response_id: str = ""
    duration_ms: int = 0
    started_at: float | None = None
    ended_at: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """What one response, or the transcription of one turn, used and cost. Written once."""

    conversation_id: str
    source_id: str
    """The response's id, or the item's whose speech was transcribed."""
    kind: Literal["response", "transcription"] = "response"
    model: str = ""
    input_text: int = 0
    input_audio: int = 0
    cached_text: int = 0
    cached_audio: int = 0
    output_text: int = 0
    output_audio: int = 0
    audio_s: float = 0.0
    """Transcribed audio, where the model is paid by its length."""
    usd: float = 0.0
    started_at: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


AnyRecord = ConversationRecord | TurnRecord | ToolCallRecord | UsageRecord
