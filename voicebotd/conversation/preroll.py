"""What the microphone heard lately, for a service that did not: because it did not listen yet, or because it is gone.

A turn that the box detects by itself is known only after it began, and a session can end in the middle of a sentence;
so the newest minute is always kept, with what of it was sent to the present session and where. Pure: frames in, frames
out; the clock is the caller's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from voicebotd.conversation.effects import Since
from voicebotd.conversation.events import BYTES_PER_MS

LONGEST_MS = 60_000
"""Half a minute of speech and half a minute without a session (2.9 MB); longer than any pre-roll that is asked for."""


@dataclass(slots=True)
class Frame:
    """`place_bytes`: where its end lies in what the session was sent; None: it was not."""

    pcm: bytes
    at_s: float
    place_bytes: int | None


class PreRoll:
    """Beyond a minute the oldest frame goes."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._sent_bytes = 0
        self._unsent = 0
        """How many of the newest frames the session was not sent."""

    def keep(self, pcm: bytes, at_s: float, *, sent: bool) -> None:
        """Add a frame that was heard at `at_s`, and perhaps sent."""
        frame = Frame(pcm, at_s, None)
        self._frames.append(frame)
        self._bytes += len(pcm)
        self._unsent += 1
        if sent:
            self._count_as_sent(frame)
            self._unsent = 0
        while self._bytes > LONGEST_MS * BYTES_PER_MS:
            self._bytes -= len(self._frames.popleft().pcm)

    def take(self, preroll_ms: int) -> bytes:
        """Return, as sent, the newest `preroll_ms`, in whole frames, of what the session was not sent."""
        count = min(self._newest(preroll_ms), self._unsent)
        return self._send(len(self._frames) - count)

    def take_again(self, preroll_ms: int, since: Since | None) -> bytes:
        """Return for a new session, whatever the one before was sent, the newest `preroll_ms` and all since `since`."""
        first = len(self._frames) - self._newest(preroll_ms)
        if since is not None:
            first = min(first, self._first(since))
        self._sent_bytes = 0
        for frame in self._frames:
            frame.place_bytes = None
        return self._send(first)

    def forget(self) -> None:
        self._frames.clear()
        self._bytes = self._sent_bytes = self._unsent = 0

    def _send(self, first: int) -> bytes:
        frames = [frame for number, frame in enumerate(self._frames) if number >= first]
        for frame in frames:
            self._count_as_sent(frame)
        self._unsent = 0
        return b"".join(frame.pcm for frame in frames)

    def _count_as_sent(self, frame: Frame) -> None:
        self._sent_bytes += len(frame.pcm)
        frame.place_bytes = self._sent_bytes

    def _newest(self, preroll_ms: int) -> int:
        missing, count = preroll_ms * BYTES_PER_MS, 0
        for frame in reversed(self._frames):
            if missing <= 0:
                break
            missing -= len(frame.pcm)
            count += 1
        return count

    def _first(self, since: Since) -> int:
        """The first frame that is wanted. What came before the session heard anything has no place in what it heard;
        what came after all that it was sent is beyond any place."""
        place_bytes = None if since.place_ms is None else since.place_ms * BYTES_PER_MS
        unsent = len(self._frames) - self._unsent
        for number, frame in enumerate(self._frames):
            if since.at_s is not None and frame.at_s >= since.at_s:
                return number
            if place_bytes is not None and (number >= unsent or (frame.place_bytes or 0) > place_bytes):
                return number
        return len(self._frames)
