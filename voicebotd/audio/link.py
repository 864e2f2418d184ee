"""The audio process's end of the socket: an inbox that also wakes the engine thread, and a link that never blocks it.

Moves messages; knows nothing of what they mean, but which of them may be lost.
"""

from __future__ import annotations

import os
import queue
import select
import socket
import threading
import traceback
from collections import deque

from voicebotd.audio.protocol import (
    MAX_MESSAGE_BYTES,
    BothSides,
    Captured,
    Heartbeat,
    Measured,
    Message,
    decode,
    encode,
)
from voicebotd.errors import AudioError

_END_DEADLINE_S = 1.0
_PENDING_LIMIT = 64


class Inbox:
    """What wakes the engine thread: messages in their order, and a token when a callback left something.

    Unbounded by itself; the daemon's credit bounds the messages, and there is one token at most.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._awake = False
        self.closed = False

    def put(self, message: Message) -> None:
        self._queue.put(message)

    def close(self) -> None:
        self.closed = True
        self._queue.put(None)

    def wake(self) -> None:
        """From a callback: cheap, and free when the engine is already on its way."""
        if not self._awake:
            self._awake = True
            self._queue.put(None)

    def wait(self, timeout_s: float) -> list[Message]:
        """Sleep until there is work or `timeout_s` passed; return the messages that came."""
        try:
            items = [self._queue.get(timeout=max(0.0, timeout_s))]
        except queue.Empty:
            items = []
        # Before the rings are read: a block that comes from now on wakes the engine again.
        self._awake = False
        while not self._queue.empty():
            items.append(self._queue.get_nowait())
        return [item for item in items if item is not None]


class Link:
    """The sending end. Never waits for the daemon, except for a file, whose clock waits with it."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._pending: deque[bytes] = deque()
        self.patient = False
        self.dropped_frames = 0

    def send(self, message: Message) -> None:
        """Microphone frames that do not fit are dropped and counted, heartbeats are dropped, the rest is kept."""
        data = encode(message)
        if self._drain() and self._try(data):
            return
        if isinstance(message, Captured | Measured | BothSides):
            self._wait_or_drop(data)
        elif not isinstance(message, Heartbeat):
            if len(self._pending) >= _PENDING_LIMIT:
                raise AudioError("the daemon does not read")
            self._pending.append(data)

    def _drain(self) -> bool:
        while self._pending:
            if not self._try(self._pending[0]):
                return False
            self._pending.popleft()
        return True

    def _wait_or_drop(self, data: bytes) -> None:
        if self.patient:
            select.select([], [self._end], [], _END_DEADLINE_S)
            if self._drain() and self._try(data):
                return
        self.dropped_frames += 1

    def _try(self, data: bytes) -> bool:
        try:
            self._end.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        return True


def read_messages(end: socket.socket, inbox: Inbox, finished: threading.Event) -> None:
    """The reading thread: messages to the inbox; at the end of the socket, the end of the process.

    The engine thread gets one second to close its files: it may be stuck in PortAudio for ever.
    """
    try:
        while data := end.recv(MAX_MESSAGE_BYTES):
            inbox.put(decode(data))
    except OSError:
        pass  # a socket that breaks has ended
    except AudioError:
        traceback.print_exc()
        os._exit(1)
    inbox.close()
    finished.wait(_END_DEADLINE_S)
    os._exit(0)
