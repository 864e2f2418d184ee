"""The brain that follows a script, so that the same conversation happens every time.

Owns the turns and whose is next. Pure; it reads no file (script_file.py does, and documents how a script is written).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voicebotd.rehearsal.brain import Answer, Call, Line, Question, spoken_length


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
    greeting: Line | None = None
    asides: tuple[Aside, ...] = ()
    after_last: Literal["repeat", "last"] = "repeat"


class ScriptBrain:
    """Takes one turn for each response of the conversation; a greeting, an aside and an idle prompt take none."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._next = 0

    def hear(self, pcm: bytes) -> str:
        return self._script.turns[self._next].hears or spoken_length(pcm)

    def answer(self, question: Question) -> Answer:
        if question.text is not None:
            for aside in self._script.asides:
                if aside.when_text_contains.casefold() in question.text.casefold():
                    return aside.answer
        if question.out_of_band:
            return Answer(parts=(self._script.out_of_band,))
        if question.idle:
            return Answer(parts=(self._script.idle,))
        if question.opening and self._script.greeting is not None:
            return Answer(parts=(self._script.greeting,))
        return self._take_turn().answer

    def _take_turn(self) -> Turn:
        turn = self._script.turns[self._next]
        if self._next + 1 < len(self._script.turns):
            self._next += 1
        elif self._script.after_last == "repeat":
            self._next = 0
        return turn
