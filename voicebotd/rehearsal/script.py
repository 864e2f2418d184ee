"""The brain that follows a script, so that the same conversation happens every time.

Owns the turns and which of them answers what. Pure; it reads no file (script_file.py does, and documents how a script
is written).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voicebotd.rehearsal.brain import Answer, Call, Line, Past, Question, spoken_length
from voicebotd.rehearsal.filling import filled, has_gaps, outputs_of
from voicebotd.rehearsal.place import Parts, Place, place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """`hears`: the words to report of the visitor's speech; empty reports how long it was."""

    says: tuple[Line, ...] = ()
    calls: tuple[Call, ...] = ()
    hears: str = ""

    @property
    def answer(self) -> Answer:
        return Answer(parts=(*self.says, *self.calls))


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Answers any written message that contains `when_text_contains`, whatever turn is next."""

    when_text_contains: str
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """`turns` has one turn at least."""

    turns: tuple[Turn, ...]
    idle: Line
    out_of_band: Line
    waiting: Line
    greeting: Line | None = None
    asides: tuple[Aside, ...] = ()
    after_last: Literal["repeat", "last"] = "repeat"


class ScriptBrain:
    """Takes one turn for each response of the conversation; a greeting, an aside, an idle prompt and a word of patience
    take none.

    Whose turn it is stands in the conversation itself (place.py). Where nobody has spoken since the assistant was cut
    off, the rest of what it was saying is the answer.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._turns = tuple(turn.answer.parts for turn in script.turns)
        lines = (script.greeting, script.idle, script.out_of_band, script.waiting)
        self._others = (
            *((line,) for line in lines if line is not None),
            *(aside.answer.parts for aside in script.asides),
        )
        self._has_gaps = any(has_gaps(part) for parts in (*self._turns, *self._others) for part in parts)

    def hear(self, pcm: bytes, past: tuple[Past, ...]) -> str:
        return self._turn(self._place(past)).hears or spoken_length(pcm)

    def answer(self, question: Question) -> Answer:
        if question.text is not None:
            for aside in self._script.asides:
                if aside.when_text_contains.casefold() in question.text.casefold():
                    return Answer(parts=self._filled(aside.answer.parts, question.past))
        for asked, line in (
            (question.out_of_band, self._script.out_of_band),
            (question.idle, self._script.idle),
            (question.waiting, self._script.waiting),
        ):
            if asked:
                return Answer(parts=(line,))
        place = self._place(question.past)
        if place.rest:
            return Answer(parts=place.rest)
        if question.opening and self._script.greeting is not None:
            return Answer(parts=(self._script.greeting,))
        return Answer(parts=self._filled(self._turn(place).answer.parts, question.past))

    def _place(self, past: tuple[Past, ...]) -> Place:
        turns, others = (
            tuple(self._filled(parts, past) for parts in answers) for answers in (self._turns, self._others)
        )
        return place_of(turns, others, past)

    def _filled(self, parts: Parts, past: tuple[Past, ...]) -> Parts:
        if not self._has_gaps:
            return parts
        outputs = outputs_of(past)
        return tuple(filled(part, outputs) for part in parts)

    def _turn(self, place: Place) -> Turn:
        turns = self._script.turns
        if self._script.after_last == "last":
            return turns[min(place.next_turn, len(turns) - 1)]
        return turns[place.next_turn % len(turns)]
