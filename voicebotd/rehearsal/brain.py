"""What answers: the interface of a brain.

Owns `Brain`, what it is asked (`Question`) and what it answers (`Answer`). A brain serves one session, does no I/O and
knows nothing of events. Like a model it remembers only what the conversation holds (`Past`): a session that a client
seeds with the items of another goes on where that one was. The brains: script.py, parrot.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from voicebotd.rehearsal.items import duration_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something to say: its words and its sound (24 kHz s16le mono), of which text output uses the words only."""

    text: str
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function to call; `arguments` is a JSON object as text.

    `server`: this service makes the call itself, on the server of that label, and `output` is what comes of it.
    """

    name: str
    arguments: str
    server: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a response consists of, in order: one output item each."""

    parts: tuple[Line | Call, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the conversation holds of one message, call or output; system messages are left out.

    `text`: what was written or said, as far as that is known; of a call its arguments, and `name` is the function.
    """

    kind: Literal["user", "assistant", "call", "output"]
    text: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Why a response is wanted.

    `text` and `pcm` are the latest user message since the assistant last spoke: one of them is set, or neither.
    `past` is all that the conversation holds, that message included.
    """

    text: str | None = None
    pcm: bytes | None = None
    past: tuple[Past, ...] = ()
    opening: bool = False
    """Nobody has said anything yet: the assistant is to open the conversation."""
    idle: bool = False
    """The visitor has been silent for `idle_timeout_ms`."""
    waiting: bool = False
    """A function that was called is not answered yet, and this response is to call none: all there is to say is that
    it takes a while."""
    out_of_band: bool = False
    """The answer will not be part of the conversation."""


class Brain(Protocol):
    def hear(self, pcm: bytes, past: tuple[Past, ...]) -> str:
        """Return the transcript of what the visitor has just said; in `past` it is the last, without its words."""

    def answer(self, question: Question) -> Answer:
        """Return the answer; called once for each response."""


def spoken_length(pcm: bytes) -> str:
    """What an honest transcript says where nobody knows the words."""
    return f"({duration_ms(pcm) / 1000:.1f} s of speech)"
