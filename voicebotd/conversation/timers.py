"""Timers that follow a condition: running while something is awaited, and never firing for something else.

A timer that fired while its cancellation was on the way is recognised here, so that nobody acts on it.
"""

from __future__ import annotations

from voicebotd.conversation.effects import (
    CancelTimer,
    Effect,
    SetTimer,
)


class Timers:
    """Knows which timers run."""

    def __init__(self) -> None:
        self._running: set[str] = set()

    def keep(self, name: str, *, wanted: bool, delay_s: float) -> list[Effect]:
        """Start the timer when it begins to be wanted, cancel it when it ceases to be."""
        if wanted == (name in self._running):
            return []
        if not wanted:
            self._running.discard(name)
            return [CancelTimer(name=name)]
        self._running.add(name)
        return [SetTimer(name=name, delay_s=delay_s)]

    def fired(self, name: str) -> bool:
        """Take note that a timer fired; False for one that was cancelled meanwhile."""
        running = name in self._running
        self._running.discard(name)
        return running
