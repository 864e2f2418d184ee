"""Where in its script a conversation is, read from what the conversation holds.

Owns the recognition of scripted answers in items that this session streamed, or that a client seeded it with after
another session was lost: whole, cut off where the visitor stopped hearing it, several lines in one message, or without
the turns before. Greetings, asides, idle prompts and words of patience are recognised and count for nothing. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from voicebotd.rehearsal.brain import Call, Line, Past
from voicebotd.rehearsal.rest import rest_of

Parts = tuple[Line | Call, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An answer as far as it has been given: `said_words` of the first of its `parts`, and nothing of the others."""

    parts: Parts = ()
    said_words: int = 0

    @property
    def rest(self) -> Parts:
        first = self.parts[0] if self.parts else None
        if isinstance(first, Line) and self.said_words:
            return (rest_of(first, self.said_words), *self.parts[1:])
        return self.parts

    def after(self, item: Past) -> Begun | None:
        """Return what is left once that was said or called, or None where this is not how the answer goes on."""
        return self._after_call(item) if item.kind == "call" else self._after_words(item.text.split())

    def _after_call(self, item: Past) -> Begun | None:
        # Lines before the call may be missing: a client deletes what nobody heard.
        for index, part in enumerate(self.parts):
            if isinstance(part, Call) and part.name == item.name and _same_json(part.arguments, item.text):
                return Begun(parts=self.parts[index + 1 :])
        return None

    def _after_words(self, words: list[str]) -> Begun | None:
        parts, said = self.parts, self.said_words
        if not words:
            return None
        while words:
            first = parts[0] if parts else None
            if not isinstance(first, Line):
                return None
            unsaid = first.text.split()[said:]
            shared = min(len(unsaid), len(words))
            if unsaid[:shared] != words[:shared]:
                return None
            words = words[shared:]
            parts, said = (parts[1:], 0) if shared == len(unsaid) else (parts, said + shared)
        return Begun(parts=parts, said_words=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`next_turn`: how many turns were begun, without going round. `rest`: what remains of the answer begun last,
    nothing where somebody spoke since."""

    next_turn: int
    rest: Parts


def place_of(turns: tuple[Parts, ...], others: tuple[Parts, ...], past: tuple[Past, ...]) -> Place:
    """Follow a conversation through the turns; `others` are the answers that are not in the sequence."""
    next_turn, begun = 0, Begun()
    for item in past:
        if item.kind in ("user", "output"):
            begun = Begun()
            continue
        goes_on = begun.after(item)
        if goes_on is not None:
            begun = goes_on
            continue
        begun = Begun()
        for index, parts in _candidates(turns, others, next_turn):
            begins = Begun(parts=parts).after(item)
            if begins is not None:
                next_turn, begun = next_turn if index is None else index + 1, begins
                break
    return Place(next_turn=next_turn, rest=begun.rest)


def _candidates(
    turns: tuple[Parts, ...], others: tuple[Parts, ...], expected: int
) -> Iterator[tuple[int | None, Parts]]:
    """What an item may be the beginning of, the likeliest first, with the turn's number."""
    yield expected, turns[expected % len(turns)]
    for parts in others:
        yield None, parts
    for index in range(expected + 1, expected + len(turns)):
        yield index, turns[index % len(turns)]


def _same_json(one: str, other: str) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return one == other
