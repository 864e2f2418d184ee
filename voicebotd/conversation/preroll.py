"""What the microphone heard just before the service began to listen. Pure: frames in, frames out.

A turn that the box detects by itself is known only after it began, and a box that dozed must first open a session; the
visitor's first syllables are kept here meanwhile.
"""

from __future__ import annotations

from collections import deque

from voicebotd.conversation.events import BYTES_PER_MS

LONGEST_MS = 30_000
"""Longer than any pre-roll that is asked for, and what a new session is told at most: 1.4 MB."""


class PreRoll:
    """Holds the newest frames of the time in which the microphone was closed."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0

    def keep(self, pcm: bytes) -> None:
        """Add a frame; beyond 30 s the oldest goes."""
        self._frames.append(pcm)
        self._bytes += len(pcm)
        while self._bytes > LONGEST_MS * BYTES_PER_MS:
            self._bytes -= len(self._frames.popleft())

    def take(self, preroll_ms: int) -> bytes:
        """Return the newest `preroll_ms`, rounded up to whole frames, and forget everything."""
        taken: deque[bytes] = deque()
        missing = preroll_ms * BYTES_PER_MS
        while missing > 0 and self._frames:
            taken.appendleft(self._frames.pop())
            missing -= len(taken[0])
        self.forget()
        return b"".join(taken)

    def forget(self) -> None:
        self._frames.clear()
        self._bytes = 0
