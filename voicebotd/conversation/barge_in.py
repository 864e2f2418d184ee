"""When may the box be interrupted, and what does an interruption do? All of it, and nothing else.

`immediate`: the first sign of speech stops the reply. `off`: only a person's hard stop does; the microphone is gated
by the audio engine while the box speaks, so what arrives here is the end of somebody's earlier sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from voicebotd.conversation.events import (
    BargeInMode,
)
from voicebotd.conversation.ledger import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`silence`: flush the loudspeaker and drop what still comes. `cancel`: tell the service to stop generating."""

    silence: bool = False
    cancel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """What the service must be told so that it remembers only what was heard.

    `truncate`: (piece) whose audio ends at its `heard_ms`; at most one. `delete`: items that nobody heard.
    """

    truncate: Piece | None
    delete: tuple[str, ...]


def speech_began(mode: BargeInMode, *, generating: bool, service_interrupts: bool) -> Plan:
    """Decide at `speech_started`. The service cancels by itself where `interrupt_response` is set."""
    if mode == "off":
        return Plan()
    return Plan(silence=True, cancel=generating and not service_interrupts)


def hard_stop(*, generating: bool) -> Plan:
    """Decide for a person's `voicebotctl interrupt` or push to talk: it works in every mode."""
    return Plan(silence=True, cancel=generating)


def mend(pieces: Iterable[Piece]) -> Mending:
    """Decide what to tell the service about the pieces that were cut, given in playing order.

    A truncate at 0 ms is refused by the service ("Only model output audio messages can be truncated"), and one of a
    fully played piece is needless, so the first is a delete and the second is nothing. Playout is sequential: of the
    pieces in playing order at most one is partly heard.
    """
    truncate: Piece | None = None
    delete: list[str] = []
    for piece in pieces:
        if piece.fully_heard:
            continue
        if piece.heard_ms > 0:
            truncate = piece
        elif truncate is None or piece.item_id != truncate.item_id:
            delete.append(piece.item_id)
    return Mending(truncate=truncate, delete=tuple(dict.fromkeys(delete)))
