"""The two that are compared, behind one face: the floor and the daemon, each connected to a metronome server.

Owns starting and stopping them and the server; measures nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.card import VirtualCard
from rig.daemon import Daemon, Home
from rig.waiting import wait_for

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The latency that the streams themselves report."""

    input_ms: float
    output_ms: float


class Metronome:
    """The server process and what it noted."""

    def __init__(self, *, period_s: float, reply_ms: int) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="bench-")
        self._path = Path(self._directory.name) / "notes.jsonl"
        command = [sys.executable, str(HERE / "server.py"), str(self._path), str(period_s), str(reply_ms)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = f"ws://127.0.0.1:{int(self._process.stdout.readline())}/v1/realtime"

    def notes(self, kind: str) -> list[dict[str, Any]]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [note for note in map(json.loads, lines) if note["kind"] == kind]

    def wait_for_replies(self, number: int) -> None:
        """Return when `number` replies were sent: the client is connected and configured."""
        wait_for(lambda: len(self.notes("reply")) >= number, 30, f"{number} replies", every_s=0.05)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(5)
        assert self._process.stdout
        self._process.stdout.close()
        self._directory.cleanup()


class Floor:
    """The least client (`floor.py`) with a duplex stream or a pair."""

    def __init__(self, card: VirtualCard, url: str, kind: str) -> None:
        command = [sys.executable, str(HERE / "floor.py"), url, kind]
        self._process = subprocess.Popen(
            command, env=card.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.pid = self._process.pid

    def finish(self) -> Own:
        """Stop it and return what its streams reported."""
        self._process.terminate()
        output, _ = self._process.communicate(timeout=10)
        return Own(**json.loads(output))


class Box:
    """The daemon with echo control off, so that microphone and loudspeaker both run all the time."""

    def __init__(self, card: VirtualCard, url: str) -> None:
        settings = {
            "service": {"provider": "openai", "base_url": url},
            "audio": {"echo_control": "none"},
            "barge_in": {"mode": "immediate"},
        }
        self._home = Home()
        self.daemon = Daemon(settings, env=card.env, home=self._home)
        self.daemon.start()
        self.pid = self.daemon.pid

    def finish(self) -> Own:
        """Stop it and return what its streams reported."""
        audio = self.daemon.status()["audio"]
        try:
            self.daemon.stop()
        finally:
            self.daemon.close()
            self._home.remove()
        return Own(input_ms=audio["input_latency_ms"], output_ms=audio["latency_ms"])


def start(name: str, card: VirtualCard, url: str) -> Floor | Box:
    """Start `floor duplex`, `floor pair` or `voicebotd`."""
    return Box(card, url) if name == "voicebotd" else Floor(card, url, name.removeprefix("floor "))
