"""The store under every fault, the long way: an error at each of the calls that write, and two hundred kills.

Not part of the suite: by its name pytest does not find it, `make store-faults` names it. Takes about a quarter of an
hour and prints what it saw.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty_disk import RECORDER, judged, no_strace, record_with_errors

COUNT = 8
KILLS = 200
RESTART_S = 2.0


@pytest.mark.skipif(bool(no_strace()), reason=no_strace())
def test_an_error_at_each_of_the_calls_that_write(tmp_path: Path) -> None:
    """N = 1, 2, 3 … until no call is left that could fail, as SQLite's own tests do."""
    nth = acknowledged = 0
    while True:
        nth += 1
        directory = tmp_path / str(nth)
        directory.mkdir()
        outcome = record_with_errors(directory / "history.db", count=COUNT, nth=nth)
        if not outcome.injected:
            break
        acknowledged += len(outcome.acknowledged)
    assert outcome.acknowledged == tuple(range(1, COUNT + 1))
    print(f"\n{nth - 1} calls made to fail, one in each run; {acknowledged} turns acknowledged, all of them kept")


def test_two_hundred_kills_lose_nothing_and_delay_no_start(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    seeded = random.Random(26)
    acknowledged: list[int] = []
    slowest_s = 0.0
    for _ in range(KILLS):
        first = acknowledged[-1] + 2 if acknowledged else 1  # the one in flight may or may not have been stored
        began_s = time.monotonic()
        with subprocess.Popen(
            [sys.executable, str(RECORDER), str(path), str(first)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            numbers = [int(process.stdout.readline())]
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            time.sleep(seeded.random() * 0.2)  # a random moment is what is wanted here
            process.kill()
            numbers += [int(line) for line in process.stdout.read().split()]
        acknowledged += numbers
        judged(path, tuple(acknowledged))
    print(f"\n{KILLS} kills, {len(acknowledged)} turns acknowledged, all kept; slowest start {slowest_s:.2f} s")
    assert slowest_s < RESTART_S
