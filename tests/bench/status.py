"""Bench 3: `voicebotctl status` as a whole process, against the emptiest Python."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from clients import Box, Metronome
from rig.card import VirtualCard
from rig.daemon import program
from table import show


def timed_ms(command: list[str], env: dict[str, str]) -> float:
    began_s = time.perf_counter()
    subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return (time.perf_counter() - began_s) * 1000


def run(card: VirtualCard, *, number: int = 30) -> None:
    server = Metronome(period_s=10, reply_ms=3000)
    box = Box(card, server.url)
    try:
        server.wait_for_replies(1)
        daemon = box.daemon
        commands = {
            "python3 -c pass": [sys.executable, "-c", "pass"],
            "voicebotctl status": [program("voicebotctl"), "--socket", str(daemon.home.socket), "status"],
        }
        found: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(number):
            for name, command in commands.items():
                found[name].append(timed_ms(command, daemon.env))
    finally:
        box.finish()
        server.close()
    empty = median(found["python3 -c pass"])
    rows = [(name, median(times), min(times), max(times), median(times) / empty) for name, times in found.items()]
    head = ("command", "median ms", "min", "max", "x empty python")
    show(f"status: {number} alternating runs (aim: <= 3 x)", head, rows)
