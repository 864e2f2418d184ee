"""Many processes want the same times, and whoever books is killed in the middle of it: each time is booked once."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rig.waiting import queued_s

BOOKER = Path(__file__).with_name("booker.py")
PROCESSES = 4
CALLS = 50
SLOTS = 20
KILLS = 15
START_S = 2.0
"""The database is to be open and a visitor served within this time, however the last life ended."""


def day(ahead: int) -> str:
    return (datetime.now(UTC) + timedelta(days=ahead)).date().isoformat()


@contextmanager
def booker(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(BOOKER), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def intact(path: Path) -> None:
    """The file is whole, no two appointments overlap, and no call did two things."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        overlaps = database.execute(
            "SELECT a.name, b.name FROM appointments AS a JOIN appointments AS b ON a.appointment_id < b.appointment_id"
            " WHERE a.status = 'booked' AND b.status = 'booked'"
            " AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at"
        ).fetchall()
        assert overlaps == []


def test_200_calls_at_once_from_4_processes_for_20_times_book_exactly_20_and_the_others_are_told(
    tmp_path: Path,
) -> None:
    path, wanted = tmp_path / "voicebotd.db", day(30)
    answers: list[dict[str, Any]] = []
    with (
        booker("race", str(path), "A", wanted, str(CALLS)) as first,
        booker("race", str(path), "B", wanted, str(CALLS)) as second,
        booker("race", str(path), "C", wanted, str(CALLS)) as third,
        booker("race", str(path), "D", wanted, str(CALLS)) as fourth,
    ):
        racing = [first, second, third, fourth]
        for process in racing:
            assert read(process) == {"ready": True}
        for process in racing:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in racing:
            assert process.stdout is not None
            answers += [json.loads(line) for line in process.stdout]
            assert process.wait() == 0

    assert len(answers) == PROCESSES * CALLS
    outcomes = Counter((answer["status"], answer["reason"]) for answer in answers)
    assert outcomes == {("booked", None): SLOTS, ("refused", "taken"): PROCESSES * CALLS - SLOTS}
    told = {answer["name"]: answer["time"] for answer in answers if answer["status"] == "booked"}
    assert sorted(told.values()) == sorted({answer["time"] for answer in answers})
    for answer in answers:
        if answer["status"] == "refused":
            assert "is taken" in answer["answer"]["message"]
            assert answer["answer"]["nearest_free"]
    with closing(sqlite3.connect(path)) as database:
        assert {name for (name,) in database.execute("SELECT name FROM appointments")} == set(told)
    intact(path)


class Diary:
    """What the visitors were told, life after life, and what the last life was cut off in."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        """By name: the status and the time that the visitor was told last."""
        self.unsure: dict[str, Any] | None = None
        self.starts_s: list[float] = []

    def live(self, path: Path, life: int, *, blow_s: float) -> None:
        began_s = time.monotonic()
        days = json.dumps([day(ahead) for ahead in range(30, 60)])
        with booker("talk", str(path), days, f"{life}", json.dumps(self.unsure)) as process:
            assert read(process) == {"ready": True}
            self.starts_s.append(time.monotonic() - began_s - queued_s(process.pid))
            if self.unsure is not None:
                self.hear(read(process))
                self.hear(read(process))
            try:
                process.wait(blow_s)
            except subprocess.TimeoutExpired:
                process.kill()
            assert process.stdout is not None
            whole = [line for line in process.stdout if line.endswith("\n")]
            assert process.wait() == -9
        for line in whole:
            self.hear(json.loads(line))

    def hear(self, line: dict[str, Any]) -> None:
        if "asks" in line:
            self.unsure = line["asks"]
            return
        self.unsure = None
        assert line["status"] in ("booked", "rescheduled", "cancelled", "refused"), line
        if line["status"] != "refused":
            self.known[line["name"]] = {"status": line["status"], **line["appointment"]}


def test_whoever_is_killed_while_booking_loses_nothing_that_was_said_and_books_nothing_twice(tmp_path: Path) -> None:
    path, dice, diary = tmp_path / "voicebotd.db", random.Random(5), Diary()
    for life in range(KILLS):
        diary.live(path, life, blow_s=dice.uniform(0.0, 0.4))
        check(path, diary)
    assert len(diary.known) > KILLS / 2
    assert max(diary.starts_s) < START_S, diary.starts_s


def check(path: Path, diary: Diary) -> None:
    intact(path)
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("SELECT * FROM appointments").fetchall()
    stored = {row["name"]: row for row in rows}
    assert len(stored) == len(rows), "somebody is booked twice"
    in_doubt = {diary.unsure["name"]} if diary.unsure else set()
    assert set(diary.known) <= set(stored)
    assert set(stored) <= set(diary.known) | in_doubt
    for name, told in diary.known.items():
        if name not in in_doubt:
            assert (stored[name]["status"] == "cancelled") == (told["status"] == "cancelled"), (name, told)
            assert stored[name]["code"] == told["code"]
