"""The rehearsal server as a process, and its journal: what it received and sent, and when.

Owns starting it with a script and reading what it wrote. Knows no daemon.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import yaml
from rig.sound import RATE_HZ
from rig.waiting import wait_for

Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message on the wire. `at_s`: when it was read from, or given to, the socket (monotonic clock)."""

    at_s: float
    direction: str
    event: Event


def free_port() -> int:
    """A port on which nothing listens (now)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Rehearsal:
    """One server with one script. Use it as a context manager."""

    def __init__(self, script: dict[str, Any], *, port: int = 0, options: tuple[str, ...] = ()) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="rehearsal-")
        folder = Path(self._directory.name)
        self._journal = folder / "journal.jsonl"
        self._log = folder / "stderr.log"
        (folder / "script.yaml").write_text(yaml.safe_dump(script), encoding="utf-8")
        self._command = [sys.executable, "-m", "voicebotd.rehearsal", "--port", str(port)]
        self._command += ["--script", str(folder / "script.yaml"), "--journal", str(self._journal), *options]
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self._reading = threading.Lock()
        self._entries: list[Entry] = []
        self._read_bytes = 0

    def __enter__(self) -> Rehearsal:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._directory.name,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout
        ready = self._process.stdout.readline()
        assert ready.startswith("listening on "), self._log.read_text()
        self.url = ready.split()[-1]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        self._process.terminate()
        try:
            self._process.wait(5)
        finally:
            self._process.kill()
            self._process.wait(5)
            assert self._process.stdout
            self._process.stdout.close()
            log = self._log.read_text()
            self._directory.cleanup()
        assert "Traceback" not in log, log

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    # The journal.

    def entries(self, *, since_s: float = 0.0) -> list[Entry]:
        """Everything that passed since `since_s`, oldest first."""
        with self._reading:
            for line in self._new_lines():
                self._entries.append(_entry(json.loads(line)))
            first = bisect_left(self._entries, since_s, key=attrgetter("at_s"))
            return self._entries[first:]

    def _new_lines(self) -> list[bytes]:
        if not self._journal.exists():
            return []
        with self._journal.open("rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        complete = data[: data.rfind(b"\n") + 1]  # the last line may be half written
        self._read_bytes += len(complete)
        return complete.splitlines()

    def sessions(self, *, since_s: float = 0.0) -> list[Entry]:
        """The sessions that were opened: one for each connection."""
        return [
            entry
            for entry in self.entries(since_s=since_s)
            if entry.direction == "link" and entry.event["type"] == "opened"
        ]

    def appended_s(self, *, since_s: float = 0.0, until_s: float = float("inf")) -> float:
        """How many seconds of microphone audio arrived between two moments."""
        appends = self.received("input_audio_buffer.append", since_s=since_s)
        return sum(entry.event["audio"] for entry in appends if entry.at_s < until_s) / 2 / RATE_HZ

    def received(self, kind: str = "", *, since_s: float = 0.0) -> list[Entry]:
        """What the server received, microphone audio left out unless it is asked for by name."""
        return [
            entry
            for entry in self.entries(since_s=since_s)
            if entry.direction == "received"
            and (entry.event["type"] == kind or (not kind and entry.event["type"] != "input_audio_buffer.append"))
        ]

    def sent(self, kind: str = "", *, since_s: float = 0.0) -> list[Entry]:
        """What the server sent."""
        return [
            entry
            for entry in self.entries(since_s=since_s)
            if entry.direction == "sent" and kind in ("", entry.event["type"])
        ]

    def wait_for_received(
        self, kind: str, fits: Callable[[Event], Any] = lambda _: True, *, deadline_s: float = 5, since_s: float = 0.0
    ) -> Entry:
        """Return the first fitting message of `kind` that the server received since `since_s`."""

        def probe() -> Entry | None:
            return next((entry for entry in self.received(kind, since_s=since_s) if fits(entry.event)), None)

        return wait_for(probe, deadline_s, f"fitting {kind} at the server", every_s=0.02)

    def wait_for_sent(
        self, kind: str, fits: Callable[[Event], Any] = lambda _: True, *, deadline_s: float = 10, since_s: float = 0.0
    ) -> Entry:
        """Return the first fitting message of `kind` that the server sent since `since_s`."""

        def probe() -> Entry | None:
            return next((entry for entry in self.sent(kind, since_s=since_s) if fits(entry.event)), None)

        return wait_for(probe, deadline_s, f"fitting {kind} from the server", every_s=0.02)


StartRehearsal = Callable[..., Rehearsal]


def _entry(line: dict[str, Any]) -> Entry:
    return Entry(at_s=line["t"], direction=line["direction"], event=line["event"])


# Scripts.


def reply(clip: str, *, heard: str = "") -> dict[str, Any]:
    """One turn of a script: what the server understands, and the clip with which it answers."""
    return {"hears": heard or "(speech)", "says": {"audio": clip}}


def script(*turns: dict[str, Any]) -> dict[str, Any]:
    """A script that answers turn by turn, and stays at the last."""
    return {"turns": list(turns), "after_last": "last"}
