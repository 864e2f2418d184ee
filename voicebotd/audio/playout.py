"""The playout ledger: which samples of which piece of assistant audio were handed to the device. PURE.

A piece is what one (item_id, content_index) has to say. The ledger lives in the daemon and keeps all audio that was
not handed over yet, so that a reply goes on after the audio process died; the audio process knows positions only, no
items. Positions are 24 kHz samples on one line that runs through all pieces. Knows no socket and no clock.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from voicebotd.conversation.events import (
    BYTES_PER_SAMPLE,
    SAMPLE_RATE_HZ,
    Event,
    Heard,
    PlayoutIdle,
    PlayoutProgressed,
    PlayoutStarted,
)

BACKLOG_SAMPLES = 600 * SAMPLE_RATE_HZ
"""Ten minutes: longer than any reply; what comes beyond is dropped and counted."""
AHEAD_SAMPLES = 2 * SAMPLE_RATE_HZ
"""What the audio process may hold: enough to survive a busy daemon, little enough to throw away at a flush."""
CHUNK_SAMPLES = SAMPLE_RATE_HZ // 10
PROGRESS_EVERY_S = 0.1


@dataclass(slots=True, kw_only=True)
class _Piece:
    item_id: str
    content_index: int
    start: int
    length: int = 0
    started: bool = False

    def heard(self, handed: int) -> Heard:
        heard = min(max(handed - self.start, 0), self.length)
        return Heard(item_id=self.item_id, content_index=self.content_index, heard_samples=heard)


class Playout:
    """One playout, from its beginning to the flush that ends it."""

    def __init__(self) -> None:
        self._pieces: deque[_Piece] = deque()
        self._audio = bytearray()  # from _handed to _end
        self._base = 0  # where the audio process counts from
        self._handed = 0
        self._fed = 0
        self._end = 0
        self._quiet = True  # all was audible to its end and said so
        self._idle_at_s = math.inf
        self._progress_at_s = -math.inf
        self._told = 0
        self.gaps = 0
        """Times that a piece went on after all that was known of it had been played."""

    @property
    def handed_samples(self) -> int:
        """How far the device is, in samples since this playout began."""
        return self._handed

    @property
    def quiet(self) -> bool:
        """Whether all of it was audible to its end, or nothing was queued yet."""
        return self._quiet

    def append(self, item_id: str, content_index: int, pcm: bytes) -> int:
        """Queue more of a piece. Returns how many samples did not fit (the newest are dropped)."""
        samples = len(pcm) // BYTES_PER_SAMPLE
        taken = min(samples, BACKLOG_SAMPLES - (self._end - self._handed))
        if taken:
            piece = self._piece_for(item_id, content_index)
            piece.length += taken
            self._audio += pcm[: taken * BYTES_PER_SAMPLE]
            self._end += taken
            self._quiet = False
            self._idle_at_s = math.inf
        return samples - taken

    def _piece_for(self, item_id: str, content_index: int) -> _Piece:
        if self._pieces:
            last = self._pieces[-1]
            if (last.item_id, last.content_index) == (item_id, content_index):
                self.gaps += last.started and self._handed == self._end
                return last
        if self._quiet:
            self._pieces.clear()
        self._pieces.append(_Piece(item_id=item_id, content_index=content_index, start=self._end))
        return self._pieces[-1]

    def next_chunk(self) -> bytes:
        """What to feed next, at most 100 ms; empty when the audio process has enough or there is no more."""
        count = min(CHUNK_SAMPLES, self._end - self._fed, self._handed + AHEAD_SAMPLES - self._fed)
        start = self._fed - self._handed
        return bytes(self._audio[start * BYTES_PER_SAMPLE : (start + count) * BYTES_PER_SAMPLE])

    def fed(self, chunk: bytes) -> None:
        """The audio process took `chunk`, which `next_chunk` had named."""
        self._fed += len(chunk) // BYTES_PER_SAMPLE

    def rewind(self) -> None:
        """The audio process died: its successor counts from zero and gets all that was not handed over."""
        self._base = self._fed = self._handed

    def handed(self, position: int, *, now_s: float, latency_s: float) -> list[Event]:
        """The audio process has handed over `position` samples since it began or since the flush.

        `latency_s` is how much later the device makes them audible. Call it regularly, also when nothing moved: time
        passing is what makes the playout idle.
        """
        reached = min(self._base + position, self._fed)
        if reached > self._handed:
            del self._audio[: (reached - self._handed) * BYTES_PER_SAMPLE]
            self._handed = reached
        return [*self._starts(), *self._progress(now_s), *self._idle(now_s, latency_s)]

    def _starts(self) -> list[Event]:
        """Pieces that were reached. With the next one begun, the one before is told to its end and forgotten."""
        events: list[Event] = []
        for piece in list(self._pieces):
            if piece.started or self._handed <= piece.start:
                continue
            if piece is not self._pieces[0]:
                events.append(PlayoutProgressed(heard=self._pieces.popleft().heard(self._handed)))
            piece.started = True
            events.append(PlayoutStarted(item_id=piece.item_id, content_index=piece.content_index))
        return events

    def _progress(self, now_s: float) -> list[Event]:
        """Also of one that has stopped since: where a paused reply stands is told within 100 ms."""
        if self._told == self._handed or now_s < self._progress_at_s + PROGRESS_EVERY_S:
            return []
        self._progress_at_s, self._told = now_s, self._handed
        return [PlayoutProgressed(heard=self._pieces[0].heard(self._handed))]

    def _idle(self, now_s: float, latency_s: float) -> list[Event]:
        if self._quiet or self._handed < self._end:
            return []
        self._idle_at_s = min(self._idle_at_s, now_s + latency_s)
        if now_s < self._idle_at_s:
            return []
        self._quiet = True
        return [PlayoutProgressed(heard=self._pieces[0].heard(self._handed)), PlayoutIdle()]

    def unfinished(self) -> tuple[Heard, ...]:
        """How much was handed over of every piece that was not told to its end, those never begun included."""
        if self._quiet:
            return ()
        return tuple(piece.heard(self._handed) for piece in self._pieces)
