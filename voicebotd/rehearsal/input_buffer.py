"""The audio that a client has sent and that is in no item yet.

Owns positions: every millisecond is counted from the first audio ever appended in the session, as in `audio_start_ms`.
Pure; it knows nothing of speech.
"""

from __future__ import annotations

from voicebotd.rehearsal.items import PCM_BYTES_PER_MS, duration_ms

LONGEST_MS = 5 * 60_000
"""Beyond this the oldest audio is dropped: it bounds what a client that never commits can make the server hold."""


class InputBuffer:
    def __init__(self) -> None:
        self._pcm = bytearray()
        self._start_bytes = 0

    @property
    def start_ms(self) -> int:
        """Where the uncommitted audio begins."""
        return -(-self._start_bytes // PCM_BYTES_PER_MS)

    @property
    def end_ms(self) -> int:
        """How much audio was ever appended."""
        return (self._start_bytes + len(self._pcm)) // PCM_BYTES_PER_MS

    @property
    def held_ms(self) -> int:
        return duration_ms(self._pcm)

    def append(self, pcm: bytes) -> None:
        self._pcm += pcm
        self._drop(len(self._pcm) - LONGEST_MS * PCM_BYTES_PER_MS)

    def take(self, from_ms: int, to_ms: int) -> bytes:
        """Remove everything before `to_ms` and return what of it is from `from_ms` on."""
        end = max(0, to_ms * PCM_BYTES_PER_MS - self._start_bytes)
        start = max(0, from_ms * PCM_BYTES_PER_MS - self._start_bytes)
        taken = bytes(self._pcm[start:end])
        self._drop(min(end, len(self._pcm)))
        return taken

    def take_all(self) -> bytes:
        taken = bytes(self._pcm)
        self._drop(len(self._pcm))
        return taken

    def _drop(self, count: int) -> None:
        if count > 0:
            del self._pcm[:count]
            self._start_bytes += count
