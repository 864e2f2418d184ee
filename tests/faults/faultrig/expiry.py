"""The same conversation twice: with sessions that last, and with sessions that expire without a warning.

Owns the comparison: the transcripts word by word, and how long each answer made the visitor wait, from its question
and inside of itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from faultrig.box import Box, talking_box
from faultrig.course import ANSWER_MS, FIRST_ANSWER, scripted
from faultrig.questions import QUESTION_MS, Said
from faultrig.room import FRAME_S
from voicebotd.conversation.events import LinkReady
from voicebotd.rehearsal.server import RehearsalServer

SPEED = 4.0
PAUSE_S = 0.8
TURN_S = (QUESTION_MS + ANSWER_MS) / 1000 + 2.5
"""About how long a question, its answer and a pause take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """`waits_ms`: for each answer the longest silence, before it or in it. `sessions`: how many it took.
    `asked_in_vain`: how often the model was asked to go on with an answer that was whole."""

    transcript: tuple[tuple[str, str], ...]
    waits_ms: tuple[int, ...]
    seconds: float
    sessions: int
    asked_in_vain: int


async def talk(seconds: float, *faults: str) -> Talk:
    """Hold a conversation of about so many seconds. Raises TimeoutError where a question is not answered."""
    turns = max(2, round(seconds / TURN_S))
    course = scripted(turns)
    async with (
        RehearsalServer(brain=course.brain, speed=SPEED, faults=faults) as server,
        talking_box(server) as box,
    ):
        began_s = box.now_s
        for number in range(1, turns + 1):
            box.ask(number)
            await box.until_answered(course, number, timeout_s=60.0)
            await asyncio.sleep(PAUSE_S)
        said = course.ear(turns).find(bytes(box.room.played))
        return Talk(
            transcript=_transcript(box),
            waits_ms=tuple(_wait_ms(box, said, number) for number in range(1, turns + 1)),
            seconds=box.now_s - began_s,
            sessions=sum(isinstance(event, LinkReady) for event, _ in box.events),
            asked_in_vain=len(course.asked_in_vain),
        )


def _transcript(box: Box) -> tuple[tuple[str, str], ...]:
    """Who said what; an answer that was continued in another session is one."""
    lines: list[tuple[str, str]] = []
    for turn in box.turns:
        if lines and lines[-1][0] == turn.role:
            lines[-1] = (turn.role, f"{lines[-1][1]} {turn.heard_text}")
        else:
            lines.append((turn.role, turn.heard_text))
    return tuple(lines)


def _wait_ms(box: Box, said: list[Said], number: int) -> int:
    runs = sorted((run for run in said if run.number == FIRST_ANSWER + number), key=lambda run: run.at_ms)
    if not runs:
        return 60_000
    ended_ms = round(box.room.said_at[number - 1] * FRAME_S * 1000) + QUESTION_MS
    ends_ms = [ended_ms, *(run.at_ms + run.length_ms for run in runs)]
    return max(run.at_ms - end_ms for run, end_ms in zip(runs, ends_ms, strict=False))
