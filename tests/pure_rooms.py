"""Hold each pure module to 100 % branch coverage by its own test file alone: `python tests/pure_rooms.py [WORD…]`.

A module of a room named in `[tool.voicebotd.pure-rooms]` of pyproject.toml is pure, and `voicebotd/ROOM/MODULE.py` is
covered by `tests/ROOM/test_MODULE.py`, unless the table excuses it. So a new module is held to the rule from its first
day. With words, only the modules whose path contains one of them are measured.

Each module is measured in a process of its own, forked from one that has loaded the libraries already: starting pytest
and hypothesis seventy times would take longer than all the tests.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ["aiosqlite", "coverage", "hypothesis", "numpy", "openai.types.realtime", "pydantic", "pytest", "structlog"]
"""Loaded once; none of them loads a module of ours."""
AT_A_TIME = 2
LINE = "{:<44} {:>8}  {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    module: str
    percent: float
    passed: bool
    output: str
    """What pytest printed, and which lines and branches were missing."""

    @property
    def fine(self) -> bool:
        return self.passed and self.percent == 100.0


def main() -> int:
    words = sys.argv[1:]
    modules = [module for module in pure_modules() if not words or any(word in str(module) for word in words)]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    with context.Pool(AT_A_TIME, maxtasksperchild=1) as pool:
        results = list(pool.imap(measure, modules, chunksize=1))
    for result in results:
        if not result.fine:
            print(f"--- {result.module}\n{result.output}")
    print(LINE.format("pure module", "branches", "by its own tests"))
    for result in results:
        verdict = "" if result.fine else "BELOW 100 %" if result.passed else "TESTS FAILED OR MISSING"
        print(LINE.format(result.module, f"{result.percent:.1f} %", verdict).rstrip())
    bad = sum(not result.fine for result in results)
    print(f"{len(results)} pure modules, {bad} not fully covered by their own tests")
    return 1 if bad or not results else 0


def pure_modules() -> Iterator[Path]:
    rooms = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["voicebotd"]["pure-rooms"]
    for room, excused in rooms.items():
        names = {path.stem for path in (ROOT / "voicebotd" / room).glob("*.py")} - {"__init__", "__main__"}
        allowed = {*excused.get("shells", ()), *excused.get("declarations", ())}
        if unknown := allowed - names:
            raise SystemExit(f"pyproject.toml excuses modules that {room} does not have: {', '.join(sorted(unknown))}")
        for name in sorted(names - allowed):
            yield Path("voicebotd", room, f"{name}.py")


def measure(module: Path) -> Result:
    """Run one test file in this process, which ends with it, and see what of one module it reaches."""
    os.chdir(ROOT)
    test = Path("tests", module.parent.name, f"test_{module.name}")
    meter = coverage.Coverage(data_file=None, branch=True, include=[str(ROOT / module)], config_file=False)
    with tempfile.TemporaryFile() as output:
        redirect_to(output)
        with meter.collect():
            # The libraries are loaded already, so it is too late to rewrite their assertions.
            code = pytest.main(["-q", "--assert=plain", "-p", "no:cacheprovider", str(test)])
        percent = covered(meter)
        sys.stdout.flush()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return Result(module=str(module), percent=percent, passed=code == 0, output=text)


def redirect_to(file: BinaryIO) -> None:
    """Have all that this process and its children say collected, not mixed with what others say."""
    for descriptor in (1, 2):
        os.dup2(file.fileno(), descriptor)


def covered(meter: coverage.Coverage) -> float:
    """Return the percentage, after printing which lines and branches are missing."""
    try:
        return meter.report(show_missing=True, precision=1)
    except coverage.exceptions.NoDataError:
        print("not one line of it was run")
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
