"""What was acknowledged is there after `kill -9`, however often and whenever."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

RECORDER = Path(__file__).with_name("recorder.py")
KILLS = 10


def record_and_kill(path: Path, first: int, acknowledged: int) -> list[int]:
    """Let it record from `first` until so many are acknowledged, kill it in the middle of the next, return them."""
    with subprocess.Popen([sys.executable, str(RECORDER), str(path), str(first)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            numbers = [int(process.stdout.readline()) for _ in range(acknowledged)]
        finally:
            process.kill()
        numbers += [int(line) for line in process.stdout.read().split()]  # acknowledged before the blow fell
    assert process.returncode == -9
    return numbers


def test_nothing_that_was_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    seeded = random.Random(11)
    acknowledged: list[int] = []
    for _ in range(KILLS):
        first = acknowledged[-1] + 2 if acknowledged else 1  # the one in flight may or may not have been stored
        acknowledged += record_and_kill(path, first, seeded.randrange(1, 25))
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            stored = {number for (number,) in database.execute("SELECT number FROM turns")}
        assert set(acknowledged) <= stored
        assert len(stored - set(acknowledged)) <= KILLS
