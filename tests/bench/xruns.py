"""Bench 4: xruns beside four busy processes. Flags do not prove clean audio, so every reply is compared too."""

from __future__ import annotations

import subprocess
import sys
import threading

from clients import Box, Metronome
from rig.card import VirtualCard
from rig.sound import RATE_HZ, Recording, find, windows
from server import reply_audio
from table import show

BUSY = 4
REPLY_MS = 3000


def damaged(recording: Recording, replies: list[float]) -> int:
    """How many replies reached the loudspeaker with samples lost, repeated or changed."""
    clip = reply_audio(REPLY_MS)
    count = 0
    for sent_s in replies:
        part = recording.since(sent_s).samples[: len(clip) + RATE_HZ]
        pieces = windows(clip, part, find(clip, part).lag)
        count += any(abs(piece.slip) > 1 or piece.coherence < 0.9 for piece in pieces)
    return count


def run(card: VirtualCard, *, seconds: float = 600) -> None:
    server = Metronome(period_s=5, reply_ms=REPLY_MS)
    box = Box(card, server.url)
    busy = []
    try:
        server.wait_for_replies(1)
        with card.listening() as ear:
            before = box.daemon.status()["audio"]
            listening_since_s = ear.sound().start_s
            busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
            threading.Event().wait(seconds)  # the load runs by itself; there is nothing to wait for but time
            after = box.daemon.status()["audio"]
            recording = ear.sound()
        ended_s = recording.time_of(len(recording.samples)) - REPLY_MS / 1000 - 1
        replies = [note["at_s"] for note in server.notes("reply") if listening_since_s < note["at_s"] < ended_s]
    finally:
        for process in busy:
            process.kill()
            process.wait()
        box.finish()
        server.close()
    broken = f"{damaged(recording, replies)} of {len(replies)}"
    respawns = after["respawns"] - before["respawns"]
    rows = [(f"{seconds:.0f} s, {BUSY} busy processes", before["xruns"], after["xruns"], respawns, broken)]
    show("xruns (aim: 0)", ("load", "xruns before", "after", "respawns", "damaged replies"), rows)
