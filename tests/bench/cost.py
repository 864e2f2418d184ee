"""Bench 1: CPU seconds per minute of full-duplex conversation and memory, the daemon against the floor."""

from __future__ import annotations

import threading
from statistics import median

from clients import Metronome, start
from proc import Cost, cost
from rig.card import VirtualCard
from table import show

NAMES = ("floor pair", "floor duplex", "voicebotd")


def one_round(name: str, card: VirtualCard, seconds: float) -> tuple[float, Cost]:
    """Return CPU seconds per minute over `seconds` of steady conversation, and the cost at its end."""
    server = Metronome(period_s=10, reply_ms=7000)
    try:
        client = start(name, card, server.url)
        try:
            server.wait_for_replies(1)
            before = cost(client.pid)
            threading.Event().wait(seconds)  # the load runs by itself; there is nothing to wait for but time
            after = cost(client.pid)
        finally:
            client.finish()
    finally:
        server.close()
    return (after.cpu_s - before.cpu_s) * 60 / seconds, after


def run(card: VirtualCard, *, seconds: float = 30, rounds: int = 3) -> None:
    """Alternate the clients, so that a noisy neighbour disturbs all of them alike."""
    found: dict[str, list[tuple[float, Cost]]] = {name: [] for name in NAMES}
    for number in range(rounds):
        for name in NAMES:
            found[name].append(one_round(name, card, seconds))
            print(f"  round {number + 1} {name}: {found[name][-1][0]:.2f} CPU s/min", flush=True)
    floor = median(cpu for cpu, _ in found["floor pair"])
    rows = []
    for name, results in found.items():
        cpu = median(cpu for cpu, _ in results)
        last = results[-1][1]
        spread = f"{min(cpu for cpu, _ in results):.2f}-{max(cpu for cpu, _ in results):.2f}"
        rows.append((name, cpu, spread, cpu / floor, last.rss_mb, last.pss_mb, last.threads))
    head = ("client", "CPU s/min", "min-max", "x floor pair", "RSS MB", "PSS MB", "threads")
    show(f"cost: {rounds} alternating rounds of {seconds:.0f} s (aim: <= 1.5 x floor, <= 120 MB)", head, rows)
