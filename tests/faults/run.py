"""`make faults`: every fault at every moment of a conversation, as a table. `--quick`: what `make test` tries.

    python tests/faults/run.py [--quick] [--pace N] [WORD…]      only cells whose name contains one of the words

Exit status 1 where anything but what is expected came of a fault.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parent))

from faultrig.cells import CELLS, Cell
from faultrig.hurry import hurried
from faultrig.scene import Outcome, play

PACE = 5.0
HEAD = (
    "fault",
    "while",
    "back in",
    "answered in",
    "words lost",
    "twice",
    "ran twice",
    "the visitor hears",
    "status says",
)
FORM = "{:<58} {:<13} {:>8} {:>12} {:>11} {:>6} {:>9}  {:<22} {}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pace", type=float, default=PACE, help="times real time (default: %(default)s)")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    cells = [cell for cell in CELLS if cell.quick or not arguments.quick]
    if arguments.words:
        cells = [cell for cell in cells if any(word in cell.name for word in arguments.words)]
    print(FORM.format(*HEAD))
    outcomes = [show(cell, arguments.pace) for cell in cells]
    bad = [outcome for outcome in outcomes if outcome.problems]
    for outcome in bad:
        print(f"--- {outcome.cell.name}: {'; '.join(outcome.problems)}")
    total = f"{len(outcomes)} faults"
    print(
        f"{total}: {len(bad)} not as expected, {sum(outcome.words_lost for outcome in outcomes)} words lost, "
        f"{sum(outcome.duplicates for outcome in outcomes)} answers given twice"
    )
    return 1 if bad or not outcomes else 0


def show(cell: Cell, pace: float) -> Outcome:
    outcome = hurried(lambda: play(cell), pace=pace)
    back = "-" if outcome.lost_s is None else f"{outcome.lost_s:.1f} s"
    mark = " !" if outcome.problems else ""
    print(
        FORM.format(
            cell.fault,
            cell.state,
            back,
            f"{outcome.answer_s:.1f} s",
            outcome.words_lost,
            outcome.duplicates,
            outcome.ran_twice,
            ", ".join(outcome.hears) or "nothing of it",
            outcome.status[:110] + mark,
        ),
        flush=True,
    )
    return outcome


if __name__ == "__main__":
    sys.exit(main())
