"""What the book of appointments holds, and how it says no. Plain data, stdlib only.

Times are whole seconds since the Unix epoch, UTC. The book's interface is here too, so that those who book and those
who store know each other by it alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from voicebotd.errors import VoicebotError

Status = Literal["booked", "cancelled"]
Action = Literal["booked", "moved", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """One visitor's time. Cancelled ones stay on record and take no time."""

    appointment_id: str
    code: str
    """Six digits that only the visitor is told: with the name they open this appointment and no other."""
    service: str
    name: str
    starts_at: int
    ends_at: int
    zone: str
    """IANA name of the zone in which the time was agreed."""
    status: Status = "booked"
    created_at: int = 0
    changed_at: int = 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallKey:
    """Which function call asks: two calls of one key are the same wish, made twice."""

    conversation_id: str
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one call did to one appointment, as it was right after it."""

    action: Action
    appointment: Appointment
    was_at: int
    """When it was to begin before; of one just made, the same as after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Time that somebody has: from `starts_at` to before `ends_at`."""

    starts_at: int
    ends_at: int


class ImpossibleError(VoicebotError):
    """A wish that cannot be granted: `reason` is stable and fit for programs, the message is fit to be spoken."""

    def __init__(self, reason: str, message: str, *, near: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.near = near
        """The moment around which another time may be offered; None where another time is no help."""


class OverlapError(VoicebotError):
    """Somebody has that time."""


class GoneError(VoicebotError):
    """The appointment is not booked any more."""


class Book(Protocol):
    """Where appointments are kept. Every method raises `StorageError` where the database cannot do it.

    What a change has returned from is on the disk. A change with a key that was used before changes nothing and
    returns what was done then.
    """

    async def book(self, appointment: Appointment, call: CallKey) -> Change:
        """Raises `OverlapError` where somebody has a part of that time."""

    async def move(self, appointment: Appointment, call: CallKey) -> Change:
        """Give a booked appointment the times of this version. Raises `OverlapError`, or `GoneError` if not booked."""

    async def cancel(self, appointment: Appointment, call: CallKey) -> Change:
        """Give its time free. Raises `GoneError` if it is not booked (any more)."""

    async def change_by(self, call: CallKey) -> Change | None:
        """What this call did before; None where it did nothing yet."""

    async def starting_at(self, starts_at: int) -> Appointment | None:
        """The booked appointment that begins at this very moment."""

    async def taken(self, from_s: int, to_s: int) -> list[Taken]:
        """All booked time that lies in this stretch in part or whole, in order."""

    async def with_code(self, code: str) -> list[Appointment]:
        """All appointments that were given this code, the latest first."""
