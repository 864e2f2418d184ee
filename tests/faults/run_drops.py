"""`make drops`: two hundred drops at random moments of two conversations, one with a parrot, one in which is booked.

    python tests/faults/run_drops.py [--drops N] [--seed N] [--pace N]

Exit status 1 where a question was not answered, or something not booked, exactly once, or where memory, descriptors or
tasks grew.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parent))

from faultrig.course import Course, parrot
from faultrig.drops import converse_with_drops, course_with_bookings
from faultrig.hurry import hurried

MOST_GROWTH_KB = 8 * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drops", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--pace", type=float, default=4.0, help="times real time (default: %(default)s)")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"seed {arguments.seed}", flush=True)
    half = arguments.drops // 2
    good = [
        show("a parrot", parrot(), arguments.drops - half, arguments.seed, arguments.pace),
        show("bookings", course_with_bookings(half), half, arguments.seed, arguments.pace),
    ]
    return 0 if all(good) else 1


def show(name: str, course: Course, drops: int, seed: int, pace: float) -> bool:
    report = hurried(lambda: converse_with_drops(course, drops=drops, seed=seed), pace=pace)
    early, late = report.early, report.late
    assert early is not None
    assert late is not None
    if late.memory_kb - early.memory_kb > MOST_GROWTH_KB:
        report.problems.append("memory grew")
    if late.descriptors > early.descriptors + 2 or late.tasks > early.tasks + 4:
        report.problems.append("descriptors or tasks grew")
    print(
        f"{name}: {report.drops} drops, {report.questions} questions, {len(course.booked)} things booked, "
        f"{len(report.problems)} problems; memory {early.memory_kb} -> {late.memory_kb} kB, "
        f"descriptors {early.descriptors} -> {late.descriptors}, tasks {early.tasks} -> {late.tasks}",
        flush=True,
    )
    for problem in report.problems:
        print(f"--- {problem}")
    return not report.problems


if __name__ == "__main__":
    sys.exit(main())
