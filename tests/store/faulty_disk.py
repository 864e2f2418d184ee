"""A recorder whose disk fails at the N-th write, by strace; a disk that is full, by tmpfs. And what must hold after it.

Owns the two ways to break a disk and the judgement. Linux, and the right to trace or to mount; `reason_without` says
what is missing.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

RECORDER = Path(__file__).with_name("recorder.py")
CALLS = "fsync,fdatasync,pwrite64,ftruncate"
DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a recorder with a failing disk came to."""

    acknowledged: tuple[int, ...]
    injected: int
    """How many system calls were made to fail."""
    stored: frozenset[int]


@cache
def no_strace() -> str:
    """Why calls cannot be made to fail here; empty: they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[:80]}"


@cache
def no_tmpfs() -> str:
    """Why no small disk can be made here; empty: it can."""
    if os.geteuid() != 0:
        return "only root may mount a tmpfs"
    tried = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no mounting here: {tried.stderr.strip()[:80]}"


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """A file system of that size, mounted on `directory`, which is made."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def grow(directory: Path, size: str) -> None:
    """Give a small disk more room."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(directory)], check=True)


def record_with_errors(path: Path, *, count: int, nth: int) -> Outcome:
    """Record turns while the N-th of the calls that write fails with EIO, in every thread and so after every reopening,
    which is as strace counts; then record one more on a sound disk, and judge the file.

    Raises AssertionError where a recorder fell over, the file is damaged, or something acknowledged is missing.
    """
    trace = path.with_name("trace")
    inject = f"inject={CALLS}:error=EIO:when={nth}"
    strace = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={CALLS}", "-e", inject]
    acknowledged = recorded(path, first=1, count=count, through=strace)
    after = recorded(path, first=count + 1, count=1)
    assert after == (count + 1,), "it works again when the disk does"
    stored = judged(path, (*acknowledged, *after))
    return Outcome(acknowledged=acknowledged, injected=trace.read_text().count("(INJECTED)"), stored=stored)


def recorded(path: Path, *, first: int, count: int, through: Sequence[str] = ()) -> tuple[int, ...]:
    """Run a recorder to its end; return what it was told is safe."""
    command = [*through, sys.executable, str(RECORDER), str(path), str(first), str(count)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return tuple(int(line) for line in ended.stdout.split())


def judged(path: Path, acknowledged: tuple[int, ...]) -> frozenset[int]:
    """Return the numbers that are stored. Nothing acknowledged is missing, and the file and its index are whole."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.execute("INSERT INTO turn_words (turn_words, rank) VALUES ('integrity-check', 1)")
        database.rollback()
        stored = frozenset(number for (number,) in database.execute("SELECT number FROM turns"))
    assert set(acknowledged) <= stored
    assert not list(path.parent.glob("*.damaged-*")), "nothing was damaged, so nothing may be set aside"
    return stored
