"""`make drops`: two hundred drops at random moments of one conversation.

    python tests/faults/run_drops.py [--drops N] [--seed N] [--pace N]

Exit status 1 where a question was not answered exactly once, or memory, descriptors or tasks grew.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parent))

from faultrig.drops import converse_with_drops
from faultrig.hurry import hurried

MOST_GROWTH_KB = 8 * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drops", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--pace", type=float, default=5.0, help="times real time (default: %(default)s)")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"seed {arguments.seed}", flush=True)
    report = hurried(lambda: converse_with_drops(drops=arguments.drops, seed=arguments.seed), pace=arguments.pace)
    early, late = report.early, report.late
    assert early is not None
    assert late is not None
    if late.memory_kb - early.memory_kb > MOST_GROWTH_KB:
        report.problems.append("memory grew")
    if late.descriptors > early.descriptors + 2 or late.tasks > early.tasks + 4:
        report.problems.append("descriptors or tasks grew")
    print(f"{report.drops} drops, {report.questions} questions, {len(report.problems)} problems")
    print(
        f"memory {early.memory_kb} -> {late.memory_kb} kB, descriptors {early.descriptors} -> {late.descriptors}, "
        f"tasks {early.tasks} -> {late.tasks}"
    )
    for problem in report.problems:
        print(f"--- {problem}")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
