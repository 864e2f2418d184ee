"""What is talked about in a scene: who answers, what every answer must be, and how it is found again.

Owns the two courses: a parrot, whose answers prove what was heard of each question; and a script that books something
for the second question, which proves that a function ran once.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from faultrig.questions import QUESTION_MS, Ear, question
from voicebotd.rehearsal.brain import Answer, Call, Line, Question
from voicebotd.rehearsal.script import Script, ScriptBrain, Turn
from voicebotd.rehearsal.server import BrainFactory, parrot_brain
from voicebotd.tools.sources import from_functions
from voicebotd.tools.toolbox import Toolbox, Wish

FIRST_ANSWER = 1000
"""Scripted answers sound like the questions from here on."""
ANSWER_MS = 2400
ENDS = "it."
BOOKING_S = 0.2
"""Real seconds, since functions run on a loop of their own, which nobody hurries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """`words(number)`: the words of an answer, of which an empty one may be any word."""

    brain: BrainFactory
    words: Callable[[int], list[str]]
    first_sound: int = 0
    answer_ms: int = QUESTION_MS
    toolbox: Toolbox = field(default_factory=Toolbox)
    bookings: frozenset[int] = frozenset()
    """The numbers of the questions for which something is booked before they are answered."""
    booked: list[int] = field(default_factory=list)
    """What was booked."""
    asked_in_vain: list[str] = field(default_factory=list)
    """The answers that were whole when the model was asked for more. Each session that is lost excuses one."""

    def wrongly_booked(self, questions: int) -> list[int]:
        """What was booked more than once, or not at all, after so many questions."""
        return [number for number in range(1, questions + 1) if self.booked.count(number) != (number in self.bookings)]

    def ear(self, questions: int) -> Ear:
        return Ear(range(self.first_sound + 1, self.first_sound + questions + 1), ms=self.answer_ms)

    def begins(self, number: int) -> str:
        """What no other answer has in it."""
        return " ".join(self.words(number)[:2])

    @property
    def ends(self) -> str:
        return self.words(1)[-1]

    def is_answered(self, number: int, spoken: str) -> bool:
        _, begun, rest = spoken.partition(self.begins(number))
        return bool(begun) and self.ends in rest

    def words_lost(self, number: int, spoken: str) -> int:
        """How many words of that answer are missing between its begin and the next one's."""
        _, begun, rest = spoken.partition(self.begins(number))
        said = Counter(f"{begun} {rest.partition(self.begins(number + 1))[0]}".split())
        return (Counter(filter(None, self.words(number))) - said).total()


def parrot() -> Course:
    return Course(
        brain=parrot_brain(),
        words=lambda number: ["(question", f"{number},", "", "s", "of", "your", "own", "voice)"],
    )


def answer_text(number: int) -> str:
    return f"Answer {number}, and it has ten words in {ENDS}"


def scripted(questions: int, *, bookings: Collection[int] = ()) -> Course:
    turns: list[Turn] = []
    for number in range(1, questions + 1):
        hears = f"And what about {number}?"
        if number in bookings:
            call = Call(name="book", arguments=json.dumps({"number": number}))
            turns.append(Turn(hears=hears, calls=(call,)))
        sound = question(FIRST_ANSWER + number, ms=ANSWER_MS)
        turns.append(Turn(hears=hears, says=(Line(text=answer_text(number), pcm=sound),)))
    nothing = Line(text="Nothing.", pcm=b"")
    script = Script(turns=tuple(turns), idle=nothing, out_of_band=nothing, waiting=nothing)
    booked: list[int] = []
    asked_in_vain: list[str] = []
    return Course(
        brain=lambda: _Attentive(script, asked_in_vain),
        words=lambda number: answer_text(number).split(),
        first_sound=FIRST_ANSWER,
        answer_ms=ANSWER_MS,
        toolbox=_booking(booked),
        bookings=frozenset(bookings),
        booked=booked,
        asked_in_vain=asked_in_vain,
    )


class _Attentive(ScriptBrain):
    """Asked to go on with an answer of which every word was said, it has nothing to add: a session may end between
    the last word and the end of its sound, and its client cannot know that no word was to follow."""

    def __init__(self, script: Script, asked_in_vain: list[str]) -> None:
        super().__init__(script)
        self._asked_in_vain = asked_in_vain

    def answer(self, question: Question) -> Answer:
        last = question.past[-1] if question.past else None
        if last is not None and last.kind == "assistant" and last.text.endswith(ENDS):
            self._asked_in_vain.append(last.text)
            return Answer(parts=())
        return super().answer(question)


def _booking(booked: list[int]) -> Toolbox:
    async def book(number: int) -> str:
        """Book something.

        Args:
            number: what.
        """
        booked.append(number)
        await asyncio.sleep(BOOKING_S)
        return f"{number} is booked"

    toolbox = Toolbox([from_functions("rehearsed", "rehearsed", [book])])
    toolbox.take(toolbox.look(Wish(offered=["book"])))
    return toolbox
