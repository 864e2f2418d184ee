"""What the link tells of itself at one moment. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LinkState = Literal["off", "connecting", "ready", "waiting", "refused"]
"""`waiting`: lost, and tried again soon; `refused`: a person must act, and it is tried again slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """The link at one moment. `last_error` stays after a recovery, the hint does not."""

    state: LinkState
    provider: str
    server: str
    """The family of servers, by its name in the table of dialects."""
    shape: str
    """ga or beta; "" until a server has shown it."""
    lacks: frozenset[str]
    missing: tuple[str, ...]
    """What this server lacks, in words."""
    model: str
    session_id: str
    session_age_s: float | None
    last_error: str
    last_error_code: str
    hint: str
    retry_in_s: float | None
    rollovers: int
    reconnects: int
    events_received: int
    unknown_events: int
    dropped_messages: int
    unsent_messages: int
    dropped_audio_ms: int
    sent_audio_ms: int
    backlog_ms: int
