"""Virtual time: while it is in force, nothing sleeps and every clock of the code under test is this one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

_T = TypeVar("_T")

real_cpu_s = time.process_time


class Clock:
    """`now_s` moves only when somebody moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@contextmanager
def virtual_time(clock: Clock) -> Iterator[None]:
    """`time.monotonic` is `clock`: asyncio's loops and the code under test look it up there at every call."""
    with patch("time.monotonic", clock):
        yield


def run(clock: Clock, main: Coroutine[Any, Any, _T]) -> _T:
    """Run `main`, which moves the clock, on an event loop of virtual time. It must never wait for anything else."""
    with virtual_time(clock):
        return asyncio.run(main)


async def settle(rounds: int = 3) -> None:
    """Let every task do what it can do now, timers that are due included."""
    for _ in range(rounds):
        await asyncio.sleep(0)
