"""When may the box be interrupted, and what does an interruption do? All of it, and nothing else.

`immediate`: the first sign of speech stops the reply. `confirm`: the reply is made quieter, then paused, and only
speech that lasts stops it; what was shorter was a noise. `off`: only a person's hard stop does; the microphone is gated
by the audio engine while the box speaks, so what arrives here is the end of somebody's earlier sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from voicebotd.conversation.events import BargeIn, BargeInMode, Eagerness, TurnDetection
from voicebotd.conversation.ledger import Piece

SILENCE_SLACK_MS = 250
"""How much earlier than its silence a speech may be told to be over, counted from when its start was told: the start is
told late, by up to 100 ms for the detector and as much again for an uneven network."""
STAMP_SLACK_MS = 100
"""How much a service's stamps may fall short of its own padding and silence: it detects by chunks of 10 to 64 ms."""
LONGEST_WAIT_MS: dict[Eagerness, int] = {"low": 8000, "medium": 4000, "auto": 4000, "high": 2000}
"""How long `semantic_vad` waits at most after the last word (OpenAI, guide "Voice activity detection")."""


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
    """Decide at the first sign of speech. The service cancels by itself where `interrupt_response` is set."""
    if mode != "immediate":
        return Plan()
    return Plan(silence=True, cancel=generating and not service_interrupts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of a speech when the service says that it is over.

    `start_ms`, `end_ms`: on the service's clock, with its padding before and its silence after. `wall_ms`: between the
    two messages. `crowded`: it began where the audio before it ended, so that nobody knows how much padding it has.
    `voiced_ms`: from the first to the last voice by local evidence, if there was any.
    """

    start_ms: int
    end_ms: int
    wall_ms: int
    crowded: bool
    voiced_ms: int | None


def speech_ms(told: Told, detection: TurnDetection) -> int:
    """How long the visitor really spoke: without the service's padding and without the silence that ended it.

    What a session hears again comes all at once: then only the service's own clock counts.
    """
    told_ms = told.end_ms - told.start_ms - detection.prefix_padding_ms
    hurried = told_ms > told.wall_ms + 2 * SILENCE_SLACK_MS
    if detection.type == "semantic_vad":
        # It ends a turn when it seems complete, so nobody knows how much silence there was.
        return max(0, told_ms) if told.voiced_ms is None or hurried else told.voiced_ms
    if told.wall_ms < detection.silence_duration_ms - SILENCE_SLACK_MS and not hurried:
        return told.wall_ms  # it plainly did not wait for that silence
    if told.crowded and not hurried:
        return max(0, told.wall_ms - detection.silence_duration_ms)
    unknown_ms = detection.prefix_padding_ms if told.crowded else 0  # of padding that it may not have
    speech_only_ms = told_ms + unknown_ms - detection.silence_duration_ms
    if speech_only_ms < -STAMP_SLACK_MS:
        # Its stamps plainly hold neither padding nor silence. A noise taken for a turn interrupts; a turn taken for a
        # noise is never answered, which is worse.
        return told.end_ms - told.start_ms if told.voiced_ms is None else told.voiced_ms
    return max(0, speech_only_ms)


def is_turn(length_ms: int, rule: BargeIn) -> bool:
    """Whether speech over a reply was meant for the box."""
    return length_ms >= rule.min_speech_ms


def latest_ms(rule: BargeIn, detection: TurnDetection) -> int:
    """After how long without an end it must be a turn: the end of anything shorter would have been told by then."""
    if detection.type == "semantic_vad":
        return rule.min_speech_ms + LONGEST_WAIT_MS[detection.eagerness]
    return rule.min_speech_ms + detection.silence_duration_ms


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
