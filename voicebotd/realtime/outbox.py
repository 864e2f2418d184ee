"""What is waiting to be sent to the service, in order: messages, and the microphone's audio between them.

Overflow: of audio at most `_MOST_AUDIO_BYTES` wait, and the oldest is dropped, because a visitor's newest words matter
and a service that lags cannot be helped by sending it the past. Of messages at most `_MOST_MESSAGES` wait, and the
newest is refused: a link that far behind is about to be given up. Both are counted by the caller. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from voicebotd.conversation.events import (
    BYTES_PER_MS,
    BYTES_PER_SAMPLE,
)

M = TypeVar("M")
"""A message, whatever it is to its owner; never `bytes`, which are audio."""

_MOST_AUDIO_BYTES = 1000 * BYTES_PER_MS
_LEAST_SENT_BYTES = 20 * BYTES_PER_MS
"""The service's guide recommends appends of 20 to 100 ms. One for every 10 ms frame cost the daemon twice the time, and
the half that waits for its other half waits 5 ms on average."""
_MOST_MERGED_BYTES = 200 * BYTES_PER_MS
_MOST_MESSAGES = 256


class Outbox(Generic[M]):
    """One ordered queue; a message put after audio leaves after it."""

    def __init__(self) -> None:
        self._waiting: deque[bytes | M] = deque()
        self._audio_bytes = 0
        self._messages = 0

    def put(self, message: M) -> bool:
        """Queue a message; return False if it was refused because too many wait."""
        if self._messages >= _MOST_MESSAGES:
            return False
        self._messages += 1
        self._waiting.append(message)
        return True

    def put_audio(self, pcm: bytes) -> int:
        """Queue audio; return how many bytes of older audio had to go for it. Raises ValueError for half a sample."""
        if len(pcm) % BYTES_PER_SAMPLE:
            raise ValueError("audio must be whole samples")
        self._waiting.append(pcm)
        self._audio_bytes += len(pcm)
        dropped_bytes = 0
        while self._audio_bytes > _MOST_AUDIO_BYTES:
            oldest = next(entry for entry in self._waiting if isinstance(entry, bytes))
            self._waiting.remove(oldest)
            self._audio_bytes -= len(oldest)
            dropped_bytes += len(oldest)
        return dropped_bytes

    @property
    def backlog_ms(self) -> int:
        """How much audio waits."""
        return self._audio_bytes // BYTES_PER_MS

    @property
    def due(self) -> bool:
        """Whether there is something to send now."""
        return self._messages > 0 or self._audio_bytes >= _LEAST_SENT_BYTES

    def take(self) -> bytes | M | None:
        """Return the next message, or audio that is to leave as one append, or None if nothing is due.

        Audio waits for 20 ms of it, or for a message behind it; what has piled up is merged, up to 200 ms, to catch
        up with fewer messages.
        """
        if not self.due:
            return None
        first = self._waiting.popleft()
        if not isinstance(first, bytes):
            self._messages -= 1
            return first
        frames, size = [first], len(first)
        while self._waiting and isinstance(more := self._waiting[0], bytes) and size + len(more) <= _MOST_MERGED_BYTES:
            frames.append(more)
            size += len(more)
            self._waiting.popleft()
        self._audio_bytes -= size
        return b"".join(frames)
