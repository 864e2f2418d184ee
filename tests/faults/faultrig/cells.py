"""Which fault is tried at which moment of a conversation, and what is to come of it. Plain data.

Owns the list. The visitor asks three questions, the first before there is a session; for the second something is
booked where the moment is one of functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["handshake", "created", "idle", "reconnecting", "listening", "thinking", "speaking", "calling", "tool"]
"""`handshake` and `created` are of the first session, while the first question is asked. `idle` is after the first
answer; the others are around the second question; `reconnecting`: in the middle of it, after a reset; `calling`: a
function call was sent, and the response is not over; `tool`: the function runs."""
Expected = Literal["answered", "told"]
"""`answered`: every question, exactly once, without a word lost. `told`: no help for this visitor, but a sound and the
status say so, and whoever comes when the service is well again is answered."""

MOMENTS = {
    "handshake": "@handshake",
    "created": "@created",
    "listening": "@listening#2+700",
    "thinking": "@thinking#2",
    "speaking": "@speaking#2+400",
    "calling": "@tool",
    "tool": "@tool+300",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """`faults`: what the server is told at its start. `injected`: what it is told when the state is there."""

    fault: str
    state: State
    faults: tuple[str, ...] = ()
    injected: tuple[str, ...] = ()
    expected: Expected = "answered"
    quick: bool = False

    @property
    def name(self) -> str:
        return f"{self.fault} while {self.state}"


ENDS = ("rst", "fin", "close=1011:oops", "close=1000", "close=1001", "close=1012:restart", "expire")
SILENCES = ("stall", "half-open")
NONSENSE = ("garbage", "binary", "huge=20", "unknown-event", "error=server_error", "error=item_not_found")
ANSWERS = (
    "failed=server_error",
    "failed=rate_limit_exceeded:1.5",
    "incomplete=max_output_tokens",
    "incomplete=content_filter",
)
OPENINGS = ("mute", "status=429:2/1", "status=503/2", "rst@handshake", "fin@handshake")
REFUSALS = ("status=401/1", "status=403/1", "denied=invalid_api_key/1", "denied=model_not_found/1", "quota/1")
WHOLE_SESSIONS = (
    "duplicate",
    "reorder",
    "unknown-fields",
    "slow-reader=256",
    "no-done",
    "lose=response.output_audio.done",
    "lose=conversation.item.input_audio_transcription.completed",
)

QUICK = {
    ("rst", "idle"),
    ("rst", "listening"),
    ("rst", "thinking"),
    ("rst", "speaking"),
    ("rst", "created"),
    ("rst", "calling"),
    ("rst", "tool"),
    ("expire", "speaking"),
    ("close=1001", "listening"),
    ("status=503/2", "reconnecting"),
    ("failed=server_error", "thinking"),
    ("garbage", "listening"),
    ("duplicate", "handshake"),
    ("unknown-fields", "handshake"),
}


def _cell(fault: str, state: State, *, expected: Expected = "answered", whole: bool = False) -> Cell:
    faults: tuple[str, ...] = ()
    injected: tuple[str, ...] = ()
    if state == "idle":
        injected = (fault,)
    elif state == "reconnecting":
        injected = (fault, "rst")
    else:
        faults = (fault if whole or "@" in fault else fault + MOMENTS[state],)
    quick = (fault, state) in QUICK
    return Cell(fault=fault, state=state, faults=faults, injected=injected, expected=expected, quick=quick)


def _cells() -> list[Cell]:
    begun: tuple[State, ...] = ("created", "idle", "listening", "thinking", "speaking", "calling", "tool")
    found = [_cell(fault, state) for fault in (*ENDS, *SILENCES, *NONSENSE) for state in begun]
    found += [_cell(fault, state) for fault in ANSWERS for state in ("thinking", "speaking")]  # type: ignore[arg-type]
    found += [_cell("no-response@response.create#2", "thinking"), _cell("stuck-response", "thinking")]
    found += [
        _cell("down=1.5", "idle"),
        _cell("down=1.5", "reconnecting"),
        _cell("refuse=1.5", "handshake", whole=True),
    ]
    for fault in OPENINGS:
        found += [_cell(fault, "handshake", whole=True), _cell(fault, "reconnecting")]
    found += [_cell(fault, "handshake", whole=True) for fault in WHOLE_SESSIONS]
    found += [_cell("no-updated", "handshake", whole=True), _cell("not-applied", "created")]
    for fault in REFUSALS:
        found.append(_cell(fault, "handshake", expected="told", whole=True))
    return found


CELLS = tuple(_cells())
