"""Bench 4: xruns beside four busy processes. Flags do not prove clean audio, so every reply is compared too."""

from __future__ import annotations

import subprocess
import sys
import threading

from clients import Box, Metronome, start
from rig.card import VirtualCard
from rig.sound import RATE_HZ, Recording, damaged, find
from server import reply_audio
from table import show

NAMES = ("floor pair", "voicebotd")
BUSY = 4
REPLY_MS = 3000


def damaged_replies(recording: Recording, replies: list[float]) -> int:
    """How many replies reached the loudspeaker with samples lost, inserted or changed."""
    clip = reply_audio(REPLY_MS)
    parts = [recording.since(sent_s).samples[: len(clip) + RATE_HZ] for sent_s in replies]
    return sum(bool(damaged(clip, part, find(clip[: RATE_HZ // 2], part).lag)) for part in parts)


def one_client(name: str, card: VirtualCard, seconds: float) -> tuple[object, ...]:
    """Return the row of one client: what it counted, and what the recording shows."""
    server = Metronome(period_s=5, reply_ms=REPLY_MS)
    client = start(name, card, server.url)
    busy: list[subprocess.Popen[bytes]] = []
    try:
        server.wait_for_replies(1)
        with card.listening() as ear:
            before = client.daemon.status()["audio"] if isinstance(client, Box) else {}
            busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
            threading.Event().wait(seconds)  # the load runs by itself; there is nothing to wait for but time
            after = client.daemon.status()["audio"] if isinstance(client, Box) else {}
            recording = ear.sound()
        ended_s = recording.time_of(len(recording.samples)) - REPLY_MS / 1000 - 1
        replies = [note["at_s"] for note in server.notes("reply") if recording.start_s < note["at_s"] < ended_s]
    finally:
        for process in busy:
            process.kill()
            process.wait()
        client.finish()
        server.close()
    counted = [after[key] - before[key] if after else "-" for key in ("xruns", "underruns", "respawns")]
    return (name, *counted, f"{damaged_replies(recording, replies)} of {len(replies)}")


def run(card: VirtualCard, *, seconds: float = 600) -> None:
    rows = [one_client(name, card, seconds) for name in NAMES]
    head = ("client", "xruns", "underruns", "respawns", "damaged replies")
    show(f"xruns: {seconds:.0f} s beside {BUSY} busy processes (aim: 0)", head, rows)
