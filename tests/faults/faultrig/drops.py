"""A long conversation in which the session is dropped again and again, at moments that a seed decides.

Owns the dropping, the asking and what is counted: answers, memory, descriptors, tasks.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from faultrig.box import Box, talking_box
from faultrig.course import Course, scripted
from faultrig.questions import answered, question
from faultrig.scene import SPEED, WORD_MS
from voicebotd.conversation.events import LinkReady
from voicebotd.rehearsal.server import RehearsalServer

WAYS = ("rst", "fin", "close=1011:oops", "close=1001", "expire", "half-open")
LONGEST_WAIT_S = 9.0
"""A question and its answer take about six seconds, so that most are dropped once, and some twice or not at all. Were
hardly one ever completed, the link would rightly wait longer and longer between its attempts."""
LONGEST_LOSS_S = 40.0
"""A half-open link is found after about fifteen seconds; some attempts may follow."""
QUESTION_KB = len(question(0)) // 1024
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a process holds. `memory_kb` is without what the rig itself keeps: the recording, and the questions."""

    memory_kb: int
    descriptors: int
    tasks: int


@dataclass(slots=True, kw_only=True)
class Report:
    drops: int = 0
    questions: int = 0
    early: Holdings | None = None
    late: Holdings | None = None
    problems: list[str] = field(default_factory=list)


def course_with_bookings(drops: int) -> Course:
    """A scripted course that is long enough for so many drops; something is booked for every third question."""
    questions = 2 * drops + 20
    return scripted(questions, bookings=range(2, questions + 1, 3))


async def converse_with_drops(course: Course, *, drops: int, seed: int) -> Report:
    """Hold a conversation until there were so many drops; judge every answer."""
    rng = random.Random(seed)
    report = Report()
    async with (
        RehearsalServer(brain=course.brain, speed=SPEED) as server,
        talking_box(server, toolbox=course.toolbox) as box,
    ):
        dropping = asyncio.create_task(_drop(box, rng, drops, report))
        while not dropping.done():
            await _ask(box, course, report)
        await dropping
        await _ask(box, course, report)
        report.late = holdings(box)
        _judge(box, course, report)
    return report


async def _drop(box: Box, rng: random.Random, drops: int, report: Report) -> None:
    while report.drops < drops:
        sessions = _sessions(box)
        await asyncio.sleep(rng.uniform(0.0, LONGEST_WAIT_S))
        # A half-open link is found only after seconds: once in a while is enough.
        way = rng.choices(WAYS, weights=(5, 5, 5, 5, 5, 1))[0]
        if await box.server.inject(way):
            report.drops += 1
            began_s = box.now_s
            await box.until(partial(_has_more_sessions, box, sessions))
            if box.now_s - began_s > LONGEST_LOSS_S:
                report.problems.append(f"after {way} it took {box.now_s - began_s:.0f} s to the next session")
        else:
            await box.until(lambda: box.server.sessions > 0)
        if report.drops == max(1, drops // 2) and report.early is None:
            report.early = holdings(box)


def _sessions(box: Box) -> int:
    return sum(isinstance(event, LinkReady) for event, _ in box.events)


def _has_more_sessions(box: Box, than: int) -> bool:
    return _sessions(box) > than


async def _ask(box: Box, course: Course, report: Report) -> None:
    report.questions += 1
    box.ask(report.questions)
    try:
        await box.until_answered(course, report.questions, timeout_s=90.0)
    except TimeoutError:
        report.problems.append(f"question {report.questions} was not answered; the box is {box.state}")


def holdings(box: Box) -> Holdings:
    gc.collect()
    resident_kb = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KB
    return Holdings(
        memory_kb=resident_kb - len(box.room.played) * 9 // 8192 - question.cache_info().currsize * QUESTION_KB,
        descriptors=len(os.listdir("/proc/self/fd")),
        tasks=len(asyncio.all_tasks()),
    )


def _judge(box: Box, course: Course, report: Report) -> None:
    said = course.ear(report.questions).find(bytes(box.room.played))
    for number in range(1, report.questions + 1):
        answer = answered(course.first_sound + number, said, ms=course.answer_ms)
        parts = box.parts_of(course, number)
        allowed_ms = WORD_MS * (parts - 1)
        if answer.missing_ms > allowed_ms:
            report.problems.append(f"{answer.missing_ms} ms of answer {number} are missing, in {parts} parts")
        if answer.repeated_ms > allowed_ms:
            report.problems.append(f"{answer.repeated_ms} ms of answer {number} were said twice")
        if (times := box.spoken.count(course.begins(number))) != 1:
            report.problems.append(f"the history has {times} answers to question {number}")
    if wrong := course.wrongly_booked(report.questions):
        report.problems.append(f"booked more than once, or not at all: {wrong}")
    if (times := len(course.asked_in_vain)) > report.drops:
        report.problems.append(f"the model was asked to go on with a whole answer {times} times")
