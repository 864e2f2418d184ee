"""What answers: the interface of a brain, and the brain that says back what it heard.

Owns `Brain`, what it is asked (`Question`) and what it answers (`Answer`). A brain serves one session and does no I/O;
it knows nothing of events. The brain that follows a script is in script.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voicebotd.rehearsal.items import duration_ms
from voicebotd.rehearsal.murmur import murmur


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something to say: its words and its sound (24 kHz s16le mono), of which text output uses the words only."""

    text: str
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function to call; `arguments` is a JSON object as text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a response consists of, in order: one output item each."""

    parts: tuple[Line | Call, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Why a response is wanted.

    `text` and `pcm` are the latest user message since the assistant last spoke: one of them is set, or neither.
    """

    text: str | None = None
    pcm: bytes | None = None
    opening: bool = False
    """Nobody has said anything yet: the assistant is to open the conversation."""
    idle: bool = False
    """The visitor has been silent for `idle_timeout_ms`."""
    out_of_band: bool = False
    """The answer will not be part of the conversation."""


class Brain(Protocol):
    def hear(self, pcm: bytes) -> str:
        """Return the transcript of what the visitor has just said."""

    def answer(self, question: Question) -> Answer:
        """Return the answer; called once for each response."""


def spoken_length(pcm: bytes) -> str:
    """What an honest transcript says where nobody knows the words."""
    return f"({duration_ms(pcm) / 1000:.1f} s of speech)"


class ParrotBrain:
    """Says the visitor's own audio back, as it was committed: what a deployer uses to hear what the box hears."""

    def hear(self, pcm: bytes) -> str:
        return spoken_length(pcm)

    def answer(self, question: Question) -> Answer:
        if question.pcm is not None:
            text = f"({duration_ms(question.pcm) / 1000:.1f} s of your own voice)"
            return Answer(parts=(Line(text=text, pcm=question.pcm),))
        text = question.text if question.text is not None else "Say something, and I will say it back to you."
        return Answer(parts=(Line(text=text, pcm=murmur(text)),))
