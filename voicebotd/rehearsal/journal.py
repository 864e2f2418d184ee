"""What clients sent and what they were sent, for whoever wants to check it.

Owns the bounded record of received events and the journal file: one JSON object per line,

    {"t": SECONDS, "session": ID, "direction": "received" | "sent" | "link", "event": {…}}

`t` is `time.monotonic()`, which every process of a machine shares. Base64 audio (`audio`, and the `delta` of
`response.output_audio.delta`) is replaced by its length in PCM bytes. `link` marks a session's begin and end:
`{"type": "opened", "model": …}`, `{"type": "closed", "code": …}`; and between them each fault that acted,
`{"type": "fault", "fault": "rst"}` (with an empty session where it met an opening request, or the door). Decides
nothing about the conversation.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, TextIO

LONGEST_RECORD = 10_000

Event = dict[str, Any]


class Journal:
    """`received` holds the clients' events in order, without `input_audio_buffer.append`, which is only counted.

    `links` holds the begins, the ends and the faults, each with its session.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self.received: deque[Event] = deque(maxlen=LONGEST_RECORD)
        self.links: deque[tuple[str, Event]] = deque(maxlen=LONGEST_RECORD)
        self.forgotten = 0
        """How many of the oldest events `received` has let go of."""
        self.appends = 0
        self.appended_bytes = 0
        """PCM bytes that clients appended."""
        self._file = file
        self._changed = asyncio.Event()

    def record_received(self, session_id: str, event: Event) -> None:
        if event.get("type") == "input_audio_buffer.append":
            self.appends += 1
            self.appended_bytes += _pcm_bytes(event.get("audio"))
        else:
            self.forgotten += len(self.received) == LONGEST_RECORD
            self.received.append(event)
        self._write(session_id, "received", event)
        self._tell()

    def record_sent(self, session_id: str, event: Event) -> None:
        self._write(session_id, "sent", event)

    def record_link(self, session_id: str, event: Event) -> None:
        self.links.append((session_id, event))
        self._write(session_id, "link", event)
        self._tell()

    @property
    def faults(self) -> list[str]:
        """What has acted so far, in order, as it was written."""
        return [event["fault"] for _, event in self.links if event["type"] == "fault"]

    async def until_received(self, wanted: Callable[[Event], bool], *, timeout_s: float) -> Event:
        """Return the first event in `received` that is wanted, when it is there. Raises TimeoutError."""
        await self.until(lambda: any(map(wanted, self.received)), timeout_s=timeout_s)
        return next(filter(wanted, self.received))

    async def until_fault(self, name: str, *, times: int = 1, timeout_s: float) -> None:
        """Return when that fault has acted so often. Raises TimeoutError."""
        await self.until(lambda: self.faults.count(name) >= times, timeout_s=timeout_s)

    async def until(self, met: Callable[[], bool], *, timeout_s: float) -> None:
        """Return when that is so; it is asked after every entry. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not met():
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _write(self, session_id: str, direction: Literal["received", "sent", "link"], event: Event) -> None:
        if self._file is None:
            return
        entry = {"t": time.monotonic(), "session": session_id, "direction": direction, "event": _without_audio(event)}
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()


def _without_audio(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_audio(element) for element in value]
    if not isinstance(value, dict):
        return value
    audio_keys = {"audio", "delta"} if value.get("type") == "response.output_audio.delta" else {"audio"}
    return {
        key: _pcm_bytes(held) if key in audio_keys and isinstance(held, str) else _without_audio(held)
        for key, held in value.items()
    }


def _pcm_bytes(encoded: Any) -> int:
    """How many bytes this base64 text stands for; 0 where it is not text, which the session refuses by itself."""
    return len(encoded) * 3 // 4 - encoded[-2:].count("=") if isinstance(encoded, str) else 0
