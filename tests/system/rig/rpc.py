"""A second, independent client of the control socket, so that a bug in voicebotctl cannot hide one in the daemon.

Owns: newline-delimited JSON-RPC 2.0 over a Unix socket, and the events that arrive meanwhile.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rig.waiting import SCALE, wait_for

Message = dict[str, Any]


class RpcAnswerError(AssertionError):
    """The daemon answered an error."""

    def __init__(self, method: str, error: Message) -> None:
        super().__init__(f"{method}: {error}")
        self.code: int = error["code"]
        self.data: Message = error.get("data") or {}


class RpcClient:
    """One connection. `events` grows while it is open; every message is kept with the time at which it was read."""

    def __init__(self, path: Path, timeout_s: float = 5.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s * SCALE)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(None)
        self._answered = threading.Condition()
        self._answers: dict[int, Message] = {}
        self._last_id = 0
        self._closed = False
        self.notifications: list[tuple[float, Message]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.hello = self._first("hello", timeout_s)

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            try:
                for line in lines:
                    message = json.loads(line)
                    with self._answered:
                        if "method" in message:
                            self.notifications.append((time.monotonic(), message))
                        else:
                            self._answers[message["id"]] = message
                        self._answered.notify_all()
            except (OSError, ValueError):
                pass  # the daemon went away in the middle of a line
        with self._answered:
            self._closed = True
            self._answered.notify_all()

    def _first(self, method: str, deadline_s: float) -> Message:
        def probe() -> Message | None:
            return next((message["params"] for _, message in self.notifications if message["method"] == method), None)

        return wait_for(probe, deadline_s, f"{method} from the daemon", every_s=0.005)

    def call(self, method: str, deadline_s: float = 10.0, **params: Any) -> Any:
        """Return the result; raise RpcAnswerError where the daemon answers an error."""
        with self._answered:
            self._last_id += 1
            request_id = self._last_id
        request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        with self._answered:
            self._answered.wait_for(lambda: request_id in self._answers or self._closed, deadline_s * SCALE)
            assert request_id in self._answers, f"{method} was not answered within {deadline_s * SCALE:.1f} s"
            answer = self._answers.pop(request_id)
        if "error" in answer:
            raise RpcAnswerError(method, answer["error"])
        return answer["result"]

    def events(self, topic: str | None = None, *, since_s: float = 0.0) -> list[Message]:
        """The subscribed events so far, oldest first: {topic, seq, time, data}."""
        with self._answered:
            seen = list(self.notifications)
        return [
            message["params"]
            for time_s, message in seen
            if message["method"] == "event" and time_s >= since_s and topic in (None, message["params"]["topic"])
        ]

    def wait_for_event(
        self, topic: str, fits: Callable[[Message], Any], deadline_s: float, *, since_s: float = 0.0
    ) -> Message:
        """Return the data of the first event of `topic` that `fits`."""

        def probe() -> Message | None:
            return next((event["data"] for event in self.events(topic, since_s=since_s) if fits(event["data"])), None)

        return wait_for(
            probe, deadline_s, f"fitting event of topic {topic} (seen: {self.events(since_s=since_s)[-5:]})"
        )

    def close(self) -> None:
        with suppress(OSError):  # it may be gone already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._socket.close()
