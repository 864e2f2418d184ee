"""What every service of the daemon has in common: a life, a health, and an end that is bounded in time.

Owns the `BaseService` interface and the `Health` that it reports. Knows no service.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One service's answer to "are you well?": `reason` says why not, `hint` says what to do."""

    ok: bool
    state: str
    reason: str = ""
    hint: str = ""


class BaseService(ABC):
    """A part of the daemon with the outside world behind it.

    The owner runs `run()` as one task of its TaskGroup; it returns only after `disconnect()` or cancellation and
    survives every fault of the outside world by itself. `connect()` and `disconnect()` state an intention.
    """

    @abstractmethod
    async def run(self) -> None:
        """Live: hold the connection while it is wanted, recover it when it is lost."""

    @abstractmethod
    async def connect(self) -> None:
        """Want the connection. Idempotent; returns at once, readiness is told by events."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Want it no more and let go of it. Idempotent, never raises, bounded in time."""

    @abstractmethod
    def health_check(self) -> Health:
        """Return the present health without waiting for anything."""
