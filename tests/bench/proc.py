"""What the kernel knows about a process and its children: CPU time and memory, read from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """`rss_mb` counts a page once per process that maps it, `pss_mb` shares it out between them."""

    cpu_s: float
    rss_mb: float
    pss_mb: float
    threads: int


def family(pid: int) -> list[int]:
    """The process and all its living descendants."""
    found = [pid]
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            found += family(int(child))
    return found


def cost(pid: int) -> Cost:
    """Return what the process and its descendants have used so far (CPU) and hold now (memory), all together."""
    cpu_ticks = rss_kb = pss_kb = threads = 0
    for member in family(pid):
        # proc(5): 14 utime … 17 cstime, 20 threads; the name (2) may hold spaces, so count from behind it.
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        cpu_ticks += sum(int(field) for field in fields[11:15])
        threads += int(fields[17])
        rollup = dict(line.split()[:2] for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:])
        rss_kb += int(rollup["Rss:"])
        pss_kb += int(rollup["Pss:"])
    return Cost(cpu_s=cpu_ticks / _TICKS_PER_S, rss_mb=rss_kb / 1024, pss_mb=pss_kb / 1024, threads=threads)
