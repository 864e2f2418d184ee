"""The playout ledger: of each piece of assistant audio, how much was received and how much was heard.

A piece is one (item_id, content_index). The ledger also keeps the order: a response may hold several spoken items
(2.x models speak a preamble first) whose deltas may interleave; they are played by `output_index`. It knows no device:
what was heard is told to it, in samples at 24 kHz.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from voicebotd.conversation.effects import (
    Play,
)
from voicebotd.conversation.events import (
    BYTES_PER_SAMPLE,
    SAMPLES_PER_MS,
    AudioDelta,
    Heard,
)


@dataclass(slots=True, kw_only=True)
class Piece:
    """One (item_id, content_index) of spoken audio."""

    item_id: str
    content_index: int
    response_id: str
    output_index: int
    received_samples: int = 0
    heard_samples: int = 0
    complete: bool = False
    """The service has sent all of it."""
    waiting: list[bytes] = field(default_factory=list)
    """Audio that may not be played before an earlier item is complete."""

    @property
    def received_ms(self) -> int:
        return self.received_samples // SAMPLES_PER_MS

    @property
    def heard_ms(self) -> int:
        """Whole milliseconds, rounded down: the service refuses an end beyond the item's audio."""
        return self.heard_samples // SAMPLES_PER_MS

    @property
    def heard_share(self) -> float:
        return self.heard_samples / self.received_samples if self.received_samples else 0.0

    @property
    def fully_heard(self) -> bool:
        return self.complete and self.heard_samples >= self.received_samples


class Ledger:
    """The pieces that are not yet over, oldest first, and whether anything sounds now."""

    def __init__(self, *, whole_pieces: bool = False) -> None:
        """`whole_pieces`: play a piece only when all of it is there, for who plays faster than it comes."""
        self._whole_pieces = whole_pieces
        self._pieces: dict[tuple[str, int], Piece] = {}
        self._cut: dict[int, list[Piece]] = {}
        self.sounding = False

    @property
    def unfinished(self) -> bool:
        """Whether audio is queued, sounding, or still to come for a piece that began."""
        return bool(self._pieces)

    @property
    def pieces(self) -> list[Piece]:
        return list(self._pieces.values())

    def holds(self, item_id: str) -> bool:
        """Whether the item's audio is not over: queued, sounding, or cut with the answer on its way."""
        pieces = [*self._pieces.values(), *(piece for cut in self._cut.values() for piece in cut)]
        return any(piece.item_id == item_id for piece in pieces)

    def receive(self, delta: AudioDelta) -> list[Play]:
        """Account for a delta; return what may be played now."""
        key = (delta.item_id, delta.content_index)
        piece = self._pieces.get(key)
        if piece is None:
            piece = self._pieces[key] = Piece(
                item_id=delta.item_id,
                content_index=delta.content_index,
                response_id=delta.response_id,
                output_index=delta.output_index,
            )
        piece.received_samples += len(delta.pcm) // BYTES_PER_SAMPLE
        piece.waiting.append(delta.pcm)
        return self._release(piece.response_id)

    def complete(self, item_id: str, content_index: int) -> list[Play]:
        """The service has sent all of this piece; a later item may follow it now."""
        piece = self._pieces.get((item_id, content_index))
        if piece is None:
            return []
        piece.complete = True
        return self._release(piece.response_id)

    def complete_response(self, response_id: str) -> list[Play]:
        """No more audio comes for any piece of this response."""
        for piece in self._pieces.values():
            if piece.response_id == response_id:
                piece.complete = True
        return self._release(response_id)

    def progressed(self, heard: Heard) -> None:
        """Take the playout clock's word, clamped to what was received and never backwards.

        News of a piece that was cut meanwhile were under way when it was: that piece does not sound any more.
        """
        piece = self._pieces.get((heard.item_id, heard.content_index))
        if piece is not None:
            self.sounding = True
            piece.heard_samples = max(piece.heard_samples, min(heard.heard_samples, piece.received_samples))

    def idle(self) -> None:
        """Nothing sounds now. It credits nothing: audio that is on its way to the device may have been overtaken."""
        self.sounding = False

    def take_over(self) -> list[Piece]:
        """Return, and forget, what was heard to the end. A slow service may complete a piece after its sound."""
        over = [] if self.sounding else [piece for piece in self._pieces.values() if piece.fully_heard]
        for piece in over:
            del self._pieces[piece.item_id, piece.content_index]
        return over

    def cut(self, token: int) -> bool:
        """Set all unfinished pieces aside for the flush `token`; say whether there were any."""
        self.sounding = False
        pieces, self._pieces = list(self._pieces.values()), {}
        if pieces:
            self._cut[token] = pieces
        return bool(pieces)

    def flushed(self, token: int, heard: Iterable[Heard]) -> list[Piece]:
        """Return the pieces that flush `token` cut, with what was heard of each, in playing order."""
        pieces = self._cut.pop(token, [])
        told = {(one.item_id, one.content_index): one for one in heard}
        for piece in pieces:
            if (one := told.get((piece.item_id, piece.content_index))) is not None:
                piece.heard_samples = min(one.heard_samples, piece.received_samples)
        return sorted(pieces, key=lambda piece: piece.output_index)

    def _release(self, response_id: str) -> list[Play]:
        released: list[Play] = []
        mine = [piece for piece in self._pieces.values() if piece.response_id == response_id]
        for piece in sorted(mine, key=lambda piece: (piece.output_index, piece.content_index)):
            if self._whole_pieces and not piece.complete:
                break
            released += [
                Play(item_id=piece.item_id, content_index=piece.content_index, pcm=pcm) for pcm in piece.waiting
            ]
            piece.waiting.clear()
            if not piece.complete:
                break
        return released
