"""How well turns are taken: the real engine, conversation and rehearsal server, in virtual rooms with echo and noise.

Prints each aim with what was reached, and always ends well: whether a missed aim matters is for people to say.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each process has one core
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `turns` and `table`

import structlog
from table import show

from turns.aims import aims
from turns.chart import draw
from turns.plan import FULL_HOURS, PROFILES, QUICK_HOURS, jobs
from turns.report import TABLES, Results
from turns.scenarios import Job, Record, perform

OUTPUT = Path(__file__).resolve().parents[3] / "bench-output"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the main cells only, under a minute on two cores")
    parser.add_argument("--hours", type=float, help=f"of audio in all; default {FULL_HOURS}, quick {QUICK_HOURS}")
    parser.add_argument("--seed", type=int, help="default: a new one, which is printed")
    parser.add_argument("--rung", choices=["aec", "gate", "half_duplex", "none"], default="")
    parser.add_argument("--profile", choices=PROFILES, default="")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every record, one per line")
    arguments = parser.parse_args()
    seed = random.randrange(1000) if arguments.seed is None else arguments.seed
    hours = arguments.hours or (QUICK_HOURS if arguments.quick else FULL_HOURS)
    todo = jobs(hours=hours, seed=seed, quick=arguments.quick, rung=arguments.rung, profile=arguments.profile)
    began_s = time.monotonic()
    records = _performed(todo)
    results = Results(records)
    for table in TABLES:
        title, head, rows = table(results)
        if rows:
            show(title, head, rows)
    show("aims", ("aim", "measured", ""), aims(results))
    wall_s = time.monotonic() - began_s
    print(f"\nseed {seed}, {results.hours:.2f} h of audio in {len(todo)} rooms, {_speed(results, wall_s)}")
    picture = OUTPUT / "turns.png"
    print(f"picture: {picture}" if draw(results, picture) else "no picture: matplotlib is not installed")
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(record, default=_plain) + "\n" for record in records))


def _speed(results: Results, wall_s: float) -> str:
    return f"{wall_s:.0f} s, {results.hours * 3600 / wall_s:.0f} times real time on {os.cpu_count()} cores"


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, Job) else float(value)


def _performed(todo: list[Job]) -> list[Record]:
    """All jobs, on all cores; the order of the records is that of the jobs."""
    context = multiprocessing.get_context("spawn")  # the echo canceller's threads do not survive a fork
    told = sys.stderr.isatty()
    records: list[Record] = []
    with context.Pool(min(os.cpu_count() or 1, len(todo)), initializer=_begin) as pool:
        for number, found in enumerate(pool.imap(perform, todo)):
            records += found
            if told:
                print(f"\r{number + 1} of {len(todo)} rooms", end="", file=sys.stderr, flush=True)
    if told:
        print(file=sys.stderr)
    return records


def _begin() -> None:
    os.nice(10)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


if __name__ == "__main__":
    main()
