"""The daemon's side of playing: the present playout, and those that were flushed and await their answer. PURE.

Every flush begins a new epoch with an empty playout, so audio for the next reply can be queued while the old one's
last position is still on its way. Whoever calls passes the time and sends what `next_chunk` gives.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebotd.audio.playout import Playout
from voicebotd.conversation.events import (
    BYTES_PER_SAMPLE,
    SAMPLES_PER_MS,
    Event,
    PlayoutFlushed,
    PlayoutIdle,
)

FLUSH_DEADLINE_S = 0.5
"""A live audio process answers within two blocks; after this the last reported position is the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flush:
    token: int
    playout: Playout
    answer_by_s: float


class Playback:
    """All assistant audio from its arrival to its last word about what was heard."""

    def __init__(self) -> None:
        self.epoch = 0
        self._playout = Playout()
        self._flushes: dict[int, _Flush] = {}
        self._past_samples = 0
        self._past_gaps = 0
        self._dropped_samples = 0

    @property
    def played_ms(self) -> int:
        return (self._past_samples + self._playout.handed_samples) // SAMPLES_PER_MS

    @property
    def playing(self) -> bool:
        """Whether the present playout is not over yet."""
        return not self._playout.quiet

    @property
    def gaps(self) -> int:
        """Times that a piece paused in its middle because more of it came too late."""
        return self._past_gaps + self._playout.gaps

    @property
    def dropped_ms(self) -> int:
        return self._dropped_samples // SAMPLES_PER_MS

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        """Queue audio. Half a sample at the end, which no service should send, is cut off."""
        whole = len(pcm) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        self._dropped_samples += self._playout.append(item_id, content_index, pcm[:whole])

    def next_chunk(self) -> bytes:
        return self._playout.next_chunk()

    def fed(self, chunk: bytes) -> None:
        self._playout.fed(chunk)

    def flush(self, token: int, *, now_s: float) -> int:
        """End the present playout; its answer comes from `flushed`, `expired` or `lost`. Returns the new epoch."""
        old = self._playout
        self.epoch += 1
        self._playout = Playout()
        self._flushes[self.epoch] = _Flush(token=token, playout=old, answer_by_s=now_s + FLUSH_DEADLINE_S)
        return self.epoch

    def position(self, epoch: int, handed_samples: int, *, now_s: float, latency_s: float) -> list[Event]:
        """The audio process told how far it is in `epoch`."""
        if epoch == self.epoch:
            return self._playout.handed(handed_samples, now_s=now_s, latency_s=latency_s)
        pending = self._flushes.get(epoch + 1)
        if pending is None:
            return []
        events = pending.playout.handed(handed_samples, now_s=now_s, latency_s=latency_s)
        # Told to be silent, it is not idle: what becomes of it is said by the answer to the flush.
        return [event for event in events if not isinstance(event, PlayoutIdle)]

    def flushed(self, epoch: int, handed_samples: int, *, now_s: float) -> list[Event]:
        """The playout before `epoch` is silent. An answer that comes after its deadline says nothing new."""
        if epoch not in self._flushes:
            return []
        events = self.position(epoch - 1, handed_samples, now_s=now_s, latency_s=FLUSH_DEADLINE_S)
        return [*events, self._answer(epoch)]

    def expired(self, now_s: float) -> list[Event]:
        """Answers to flushes whose deadline has passed, from the last known positions."""
        late = [epoch for epoch, flush in self._flushes.items() if now_s >= flush.answer_by_s]
        return [self._answer(epoch) for epoch in late]

    def lost(self) -> list[Event]:
        """The audio process is gone: answer every flush, and be ready to feed its successor."""
        events: list[Event] = [self._answer(epoch) for epoch in list(self._flushes)]
        self._playout.rewind()
        return events

    def _answer(self, epoch: int) -> Event:
        flush = self._flushes.pop(epoch)
        heard = flush.playout.unfinished()
        self._past_samples += flush.playout.handed_samples
        self._past_gaps += flush.playout.gaps
        return PlayoutFlushed(token=flush.token, heard=heard)
