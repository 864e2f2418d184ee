"""One cell of the table played out: a conversation of three questions with one fault in it, and what came of it.

Owns the course of the conversation and the judgement. What is judged are the turn records, the recording of the
loudspeaker, what was booked and what status said; not what the code believes to have done.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from faultrig.box import Box, talking_box
from faultrig.cells import Cell
from faultrig.course import Course, parrot, scripted
from faultrig.questions import QUESTION_MS, answered
from faultrig.room import FRAME_S
from voicebotd.conversation.events import LinkLost, LinkReady
from voicebotd.rehearsal.server import RehearsalServer

QUESTIONS = 3
SPEED = 2.0
"""Slow enough that a reply that is cut off was not yet received as a whole."""
ANSWER_S = 60.0
HEAL_S = 200.0
WORD_MS = 420
"""Where a reply was cut off it goes on at a word, of which one part may be missing, or said twice: the longest of its
eight words, and how far from its share a cut may be."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """`lost_s`: from the loss of the session to the next, where it was lost. `answer_s`: the longest time from the end
    of a question to the begin of its answer."""

    cell: Cell
    lost_s: float | None = None
    answer_s: float = 0.0
    words_lost: int = 0
    duplicates: int = 0
    ran_twice: int = 0
    hears: list[str] = field(default_factory=list)
    status: str = ""
    problems: list[str] = field(default_factory=list)


async def play(cell: Cell) -> Outcome:
    outcome = Outcome(cell=cell)
    course = scripted(QUESTIONS, bookings=[2]) if cell.state in ("calling", "tool") else parrot()
    async with (
        RehearsalServer(brain=course.brain, speed=SPEED, faults=cell.faults) as server,
        talking_box(server, toolbox=course.toolbox) as box,
    ):
        if cell.expected == "told":
            await _come_again(box, course, outcome)
        else:
            await _converse(box, cell, course, outcome)
            _judge_words(box, course, outcome)
            _judge_sound(box, course, range(1, QUESTIONS + 1), outcome)
        _judge_link(box, outcome)
    return outcome


async def _converse(box: Box, cell: Cell, course: Course, outcome: Outcome) -> None:
    for number in range(1, QUESTIONS + 1):
        box.ask(number)
        if number == 2 and cell.state == "reconnecting":
            await asyncio.sleep(0.9)
            await _inject(box, cell)
        try:
            await box.until_answered(course, number, timeout_s=ANSWER_S)
        except TimeoutError:
            outcome.problems.append(f"question {number} was not answered; the box is {box.state}")
        if number == 1 and cell.state == "idle":
            await _inject(box, cell)
            with suppress(TimeoutError):  # many a fault loses no session
                await box.until(lambda: bool(_times(box, LinkLost)), timeout_s=1.0)


async def _come_again(box: Box, course: Course, outcome: Outcome) -> None:
    """Nobody can help the first visitor; the next one comes when there is a session."""
    box.ask(1)
    try:
        await box.until(lambda: bool(_times(box, LinkReady)), timeout_s=HEAL_S)
        await box.until(lambda: box.at_rest)
        box.ask(2)
        await box.until(lambda: course.ends in box.spoken and box.at_rest, timeout_s=ANSWER_S)
    except TimeoutError:
        outcome.problems.append(f"nobody was answered; the box is {box.state}")
    _judge_sound(box, course, range(2, 3), outcome)


async def _inject(box: Box, cell: Cell) -> None:
    for fault in cell.injected:
        await box.server.inject(fault)


def _times(box: Box, kind: type) -> list[float]:
    return [at_s for event, at_s in box.events if isinstance(event, kind)]


def _judge_words(box: Box, course: Course, outcome: Outcome) -> None:
    for number in range(1, QUESTIONS + 1):
        outcome.words_lost += course.words_lost(number, box.spoken)
        outcome.duplicates += max(0, box.spoken.count(course.begins(number)) - 1)
    outcome.ran_twice = len(course.booked) - len(set(course.booked))
    if outcome.words_lost:
        outcome.problems.append(f"{outcome.words_lost} words are missing in: {box.spoken}")
    if outcome.duplicates:
        outcome.problems.append(f"{outcome.duplicates} answers were given twice: {box.spoken}")
    if course.wrongly_booked(QUESTIONS):
        outcome.problems.append(f"booked were {course.booked}")


def _judge_sound(box: Box, course: Course, numbers: range, outcome: Outcome) -> None:
    said = course.ear(QUESTIONS).find(bytes(box.room.played))
    cut = bool(_times(box, LinkLost)) or outcome.cell.fault.startswith(("incomplete", "failed"))
    allowed_ms = WORD_MS if cut else 0
    for number in numbers:
        sound = course.first_sound + number
        heard = answered(sound, said, ms=course.answer_ms)
        if heard.missing_ms > allowed_ms:
            outcome.problems.append(f"{heard.missing_ms} ms of answer {number} are missing")
        if heard.repeated_ms > allowed_ms:
            outcome.problems.append(f"{heard.repeated_ms} ms of answer {number} were said twice")
        first_ms = min((run.at_ms for run in said if run.number == sound), default=None)
        if first_ms is not None:
            ended_ms = box.room.said_at[number - 1] * FRAME_S * 1000 + QUESTION_MS
            outcome.answer_s = max(outcome.answer_s, (first_ms - ended_ms) / 1000)


def _judge_link(box: Box, outcome: Outcome) -> None:
    lost = _times(box, LinkLost)
    if lost:
        back = [at_s for at_s in _times(box, LinkReady) if at_s > lost[0]]
        outcome.lost_s = back[0] - lost[0] if back else None
        if not back:
            outcome.problems.append("no session came after the one that was lost")
    outcome.hears = box.heard_cues
    outcome.status = box.said_by_status
    if not box.server.journal.faults:
        outcome.problems.append("the fault did not act")
    if outcome.cell.expected == "told" and not (outcome.status and "link_lost" in outcome.hears):
        outcome.problems.append("nobody was told")
