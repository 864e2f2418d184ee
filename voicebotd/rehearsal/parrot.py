"""The brain that says the visitor's own audio back: what a deployer uses to hear what the box hears.

Owns the numbers of the questions and the memory of their sound. What it says names the question that it answers, so
that answers can be matched with questions even over several sessions. A model would understand the words of a question
that a client gives it in writing; a parrot knows none, so it looks the sound up by the number. Pure.
"""

from __future__ import annotations

import re
from collections import deque
from itertools import takewhile

from voicebotd.rehearsal.brain import Answer, Line, Past, Question
from voicebotd.rehearsal.items import duration_ms
from voicebotd.rehearsal.murmur import murmur
from voicebotd.rehearsal.rest import rest_of

LONGEST_MEMORY = 16
"""Questions; a few seconds of speech each."""

_NAMED = re.compile(r"\(question (\d+),")
_HEARD, _SAID = "speech", "your own voice"


class Memory:
    """The answers to the last questions, the latest first, for all sessions of one server."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LONGEST_MEMORY)

    def keep(self, line: Line) -> None:
        if line not in self._lines:
            self._lines.appendleft(line)

    def find(self, text: str) -> Line | None:
        return next((line for line in self._lines if line.text == text), None)

    def begun_with(self, words: list[str]) -> Line | None:
        """The latest answer of which these are the first words, but not all."""
        for line in self._lines:
            written = line.text.split()
            if len(words) < len(written) and written[: len(words)] == words:
                return line
        return None


class ParrotBrain:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def hear(self, pcm: bytes, past: tuple[Past, ...]) -> str:
        number = number_of(past)
        self._memory.keep(_answer_to(number, pcm))
        return _describe(number, pcm, _HEARD)

    def answer(self, question: Question) -> Answer:
        return Answer(parts=(self._line(question),))

    def _line(self, question: Question) -> Line:
        if question.pcm is not None:
            line = _answer_to(number_of(question.past), question.pcm)
        elif question.text is not None:
            wanted = question.text.replace(f"of {_HEARD})", f"of {_SAID})")
            line = self._memory.find(wanted) or Line(text=question.text, pcm=murmur(question.text))
        else:
            return self._rest(question.past)
        self._memory.keep(line)
        return line

    def _rest(self, past: tuple[Past, ...]) -> Line:
        """Nobody has asked anything since the assistant spoke: go on where it stopped, if it stopped in the middle."""
        # It may have been cut off more than once: what was said since the question is one answer.
        said = takewhile(lambda item: item.kind == "assistant", reversed(past))
        words = " ".join(reversed([item.text for item in said])).split()
        if words and (line := self._memory.begun_with(words)) is not None:
            return rest_of(line, len(words))
        text = "Say something, and I will say it back to you."
        return Line(text=text, pcm=murmur(text))


def number_of(past: tuple[Past, ...]) -> int:
    """Which question of the conversation the latest one is.

    The texts that name a number count, so that a session that was seeded with only the last turns goes on counting.
    """
    number = 0
    for item in past:
        named = _NAMED.match(item.text)
        if item.kind == "user":
            number = int(named[1]) if named else number + 1
        elif named:
            number = max(number, int(named[1]))
    return max(1, number)


def _answer_to(number: int, pcm: bytes) -> Line:
    return Line(text=_describe(number, pcm, _SAID), pcm=pcm)


def _describe(number: int, pcm: bytes, what: str) -> str:
    return f"(question {number}, {duration_ms(pcm) / 1000:.1f} s of {what})"
