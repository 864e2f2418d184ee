"""What a conversation tells of itself at one moment. Plain data, stdlib only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voicebotd.conversation.spending import SpendingView
from voicebotd.conversation.states import State
from voicebotd.conversation.wanted import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What `status.get` tells of the conversation."""

    state: State
    conversation_id: str | None
    started_at_s: float
    """On the clock of `handle`'s `now_s`."""
    turns: int
    instructions: str
    runtime_instructions: Runtime
    turn_detection: dict[str, Any]
    """As wanted; `confirmed` as the service has it, None without a session."""
    confirmed: dict[str, Any] | None
    barge_in: dict[str, Any]
    talking: bool
    spending: SpendingView
    trouble: str
    """Why the latest answer failed; empty after one that did not."""
