"""Waiting for something to become true, never for time to pass.

Owns the one factor that stretches every deadline, and how long a process waited for a processor.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

SCALE = float(os.environ.get("VOICEBOTD_TEST_TIMEOUT_SCALE", "1"))
"""Stretches every deadline of the rig on slow machines, but no limit that a test asserts about the product."""

T = TypeVar("T")


def wait_for(
    probe: Callable[[], T | None], deadline_s: float, what: str | Callable[[], str], *, every_s: float = 0.01
) -> T:
    """Return the first truthy result of `probe`. Raise AssertionError naming `what` after `deadline_s` (scaled)."""
    end = time.monotonic() + deadline_s * SCALE
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            missed = what if isinstance(what, str) else what()
            raise AssertionError(f"within {deadline_s * SCALE:.1f} s there was no {missed}")
        time.sleep(every_s)


def queued_s(pid: int) -> float:
    """How long a process's main thread was ready to run and did not, because others used the processors.

    (The kernel's Documentation/scheduler/sched-stats; 0 where it keeps none.)
    """
    file = Path(f"/proc/{pid}/schedstat")
    return int(file.read_text().split()[1]) / 1e9 if file.exists() else 0.0
