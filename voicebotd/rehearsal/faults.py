"""What can go wrong on purpose: each fault, what it does, when and how often.

Owns the vocabulary (effects, `When`, `Fault`) and the `Plan`, which counts how often each fault has acted over all the
sessions of a server. How a fault is written on a command line is in fault_words.py; at what point of a session it acts,
in saboteur.py; what happens to sockets, in sabotage.py and door.py. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

# --- What is done ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Nobody listens at the address for `for_s`; with `drop`, the sessions are reset as well."""

    for_s: float
    drop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverAnswer:
    """The opening request of the websocket is not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerStatus:
    """The opening request is answered with an HTTP status in place of a websocket."""

    status: int
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """Of an `error` event, or of a response that failed."""

    type: str
    code: str
    message: str

    def wire(self) -> dict[str, Any]:
        return {"type": self.type, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLink:
    """The websocket is closed in good order, after an `error` event where one is given."""

    code: int
    reason: str = ""
    error: ErrorBody | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetLink:
    """TCP reset: the other side's next read fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLink:
    """TCP end without a close frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Nothing more is sent; what arrives is still read, and pings are answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfOpen:
    """Nothing more is sent or read, pings included, as after a pulled cable; after `for_s` the link is reset."""

    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSlowly:
    bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFrame:
    """`garbage` is text that is not JSON; `huge` is an unknown event of `size_bytes`."""

    kind: Literal["garbage", "binary", "huge"]
    size_bytes: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SendEvent:
    """An `error` event or, without `error`, one of a type that nobody knows."""

    error: ErrorBody | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Twist:
    """From now on something happens to what this session sends: to every event, or only to those of `type`.

    `reorder` sends an event after the one that follows it; `decorate` adds fields that nobody knows.
    """

    kind: Literal["duplicate", "reorder", "decorate", "lose"]
    type: str = "any"
    count: int | None = None
    """To so many events only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doom:
    """How the active response ends, or the next one where there is none.

    `never`: not even `response.created` comes, and nothing is generated. `stuck`: nothing comes after it.
    """

    kind: Literal["never", "stuck", "failed", "incomplete"]
    reason: Literal["", "max_output_tokens", "content_filter"] = ""
    """Of `incomplete`."""
    error: ErrorBody | None = None
    """Of `failed`."""
    reset_s: float | None = None
    """Where it failed for want of tokens: when there will be some again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreUpdate:
    """The next `session.update` is confirmed with the session as it was."""


HandshakeEffect = NeverAnswer | AnswerStatus | ResetLink | EndLink | Stall | HalfOpen
"""What can happen to an opening request; a stall and a half-open link are the same as no answer there."""
ServiceEffect = Doom | IgnoreUpdate
"""What only the session itself can do."""
Effect = (
    Refuse
    | NeverAnswer
    | AnswerStatus
    | CloseLink
    | ResetLink
    | EndLink
    | Stall
    | HalfOpen
    | ReadSlowly
    | SendFrame
    | SendEvent
    | Twist
    | Doom
    | IgnoreUpdate
)

# --- When, and how often ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """At a moment of a session (moments.py), or at a time of it where `moment` is empty.

    `plus_ms` after the moment; while speaking, of audio that was sent. `kth`: at the moment's k-th time in a session.
    `after_s` and `every_s` count from the session's begin; at the door, from the server's.
    """

    moment: str = ""
    plus_ms: int = 0
    kth: int = 0
    after_s: float = 0.0
    every_s: float | None = None
    times: int | None = 1
    """How often in all sessions together; None: without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    name: str
    """As it is written and told: `close=1011`."""
    effect: Effect
    when: When


@dataclass(slots=True, kw_only=True)
class Pending:
    """A fault, and how often it may still act."""

    fault: Fault
    left: int | None

    def take(self) -> bool:
        """Count that it acts now; False where it has acted often enough."""
        if self.left == 0:
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Plan:
    """The faults of a server: each may act so often in all its sessions together."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._pending: list[Pending] = []
        for fault in faults:
            self.add(fault)

    @property
    def pending(self) -> tuple[Pending, ...]:
        return tuple(pending for pending in self._pending if pending.left != 0)

    def add(self, fault: Fault) -> None:
        self._pending.append(Pending(fault=fault, left=fault.when.times))

    def on_opening(self, since_start_s: float) -> Fault | None:
        """What an opening request meets in place of a websocket."""
        for pending in self.pending:
            if meets_opening(pending.fault) and since_start_s >= pending.fault.when.after_s:
                pending.take()
                return pending.fault
        return None


def meets_opening(fault: Fault) -> bool:
    return isinstance(fault.effect, HandshakeEffect) and fault.when.moment == "handshake"
