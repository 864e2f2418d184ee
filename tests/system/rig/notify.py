"""A service manager that only listens: the datagram socket that $NOTIFY_SOCKET names."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rig.waiting import wait_for


class NotifySocket:
    """Receives what the daemon tells its service manager; `on_message` sees each message the moment it arrives."""

    def __init__(self, on_message: Callable[[str], None] = lambda _: None) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="sd-", dir="/tmp")
        self.path = Path(self._directory.name) / "notify"
        self.messages: list[tuple[float, str]] = []
        self._on_message = on_message
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self) -> None:
        while self._open:
            try:
                message = self._socket.recv(4096).decode()
            except TimeoutError:
                continue
            self._on_message(message)
            self.messages.append((time.monotonic(), message))

    def fields(self) -> list[tuple[float, str, str]]:
        """Every `NAME=value` so far, in order, with its time."""
        found = []
        for at_s, message in list(self.messages):
            for line in message.splitlines():
                name, _, value = line.partition("=")
                found.append((at_s, name, value))
        return found

    def wait_for(self, assignment: str, deadline_s: float) -> float:
        """Return when `assignment` ("READY=1") arrived."""

        def probe() -> float | None:
            return next((at for at, name, value in self.fields() if f"{name}={value}" == assignment), None)

        return wait_for(probe, deadline_s, f"{assignment} on the notify socket (seen: {self.messages})")

    def close(self) -> None:
        self._open = False
        self._thread.join(2)
        self._socket.close()
        self._directory.cleanup()
