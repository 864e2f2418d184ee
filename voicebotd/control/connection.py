"""One client: its lines read, its requests run side by side, its queue sent.

Owns the tasks, deadlines and open files of one connection. Decides nothing about methods (dispatcher.py), lines
(framing.py) or what a slow client loses (client_queue.py).
"""

from __future__ import annotations

import array
import asyncio
import os
import select
import socket
from collections import deque
from collections.abc import Callable

import structlog

from voicebotd.control.caller import Caller, Peer
from voicebotd.control.client_queue import ClientQueue
from voicebotd.control.contract import FDS_PER_LINE, IN_FLIGHT_LIMIT, LINE_LIMIT_BYTES, QUEUE_LIMIT, TOPICS
from voicebotd.control.dispatcher import Dispatcher
from voicebotd.control.events import EventHub
from voicebotd.control.framing import Line, LineBuffer
from voicebotd.control.jsonrpc import encode_error, refusal, refuse_all
from voicebotd.control.readiness import ready

BLOCKED_S = 5.0
"""A client that takes no byte for so long is dropped."""
GRACE_S = 1.0
"""Time for requests to finish when the daemon stops, and again for the last replies to be taken: with the daemon's
other work inside the 5 s that a stop may take."""
_READ_BYTES = 65_536
_FD_BYTES = array.array("i").itemsize

_log = structlog.get_logger(__name__)


class _Gone(Exception):  # noqa: N818 - not an error: how a task of the connection ends the others
    pass


class Connection:
    """Serves `sock` (non-blocking) until the client goes, misbehaves or `stop()` is called."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        peer: Peer,
        dispatcher: Dispatcher,
        hub: EventHub,
        hello: bytes,
        blocked_s: float = BLOCKED_S,
    ) -> None:
        self._sock = sock
        self._peer = peer
        self._dispatcher = dispatcher
        self._hub = hub
        self._blocked_s = blocked_s
        self._lines = LineBuffer()
        self._changed = asyncio.Event()
        self._queue = ClientQueue(on_push=self._changed.set)
        self._queue.push_reply(hello)
        self._arrived: deque[Line] = deque()
        self._requests: set[asyncio.Task[None]] = set()
        self._sending = False
        self._stopping = False
        self._hung_up = False

    async def run(self) -> None:
        """Serve the client to its end. Requests that are not finished then are cancelled; no open file is left."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write())
                tasks.create_task(self._read(tasks))
                await self._until(lambda: self._stopping)
                await self._retire()
        except* _Gone:
            pass
        finally:
            self._hub.unsubscribe(self._queue, TOPICS)
            self._lines.drop()
            _close_all([*self._lines.surplus_fds, *(fd for line in self._arrived for fd in line.fds)])
            self._sock.close()

    def stop(self) -> None:
        """Answer no new request but with -32000, let the running ones finish for `GRACE_S`, and hang up."""
        self._stopping = True
        self._changed.set()

    # Reading.

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        while not self._lines.too_long:
            data, fds = await self._receive()
            if not data:
                if self._lines.unfinished:
                    why = "the last line has no end"
                    self._queue.push_reply(encode_error(None, refusal("rpc.parse_error", "Parse error", hint=why)))
                await self._finish_half_closed()
            self._arrived.extend(self._lines.feed(data, fds))
            _close_all(self._lines.surplus_fds)
            while self._arrived:
                # A client that sends and never reads waits here, and its unread replies run into the deadline.
                await self._until(lambda: self._queue.replies < QUEUE_LIMIT)
                self._begin(self._arrived.popleft(), tasks)
                # Lets a quick request finish before the next one counts as one more in flight.
                await asyncio.sleep(0)
        hint = f"a line has at most {LINE_LIMIT_BYTES} bytes"
        self._queue.push_reply(encode_error(None, refusal("rpc.invalid_request", "Invalid Request", hint=hint)))
        self._cancel_requests()
        await self._until(self._is_flushed)
        raise _Gone

    async def _receive(self) -> tuple[bytes, tuple[int, ...]]:
        """Return what the client sent and the files that came with it; no bytes when it sends no more."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                data, ancillary, _, _ = self._sock.recvmsg(
                    _READ_BYTES, socket.CMSG_SPACE(FDS_PER_LINE * _FD_BYTES), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                await ready(self._sock, loop.add_reader, loop.remove_reader)
            except ConnectionError as error:
                raise _Gone from error
            else:
                return data, _files(ancillary)

    async def _finish_half_closed(self) -> None:
        """The client asks no more but may still listen (`echo … | socat - UNIX:…`): answer, tell, and then go."""
        hangup = select.epoll()
        try:
            # No event asked for: EPOLLHUP is always told, and means that both directions are closed.
            hangup.register(self._sock, 0)
            loop = asyncio.get_running_loop()
            loop.add_reader(hangup, self._note_hangup)
            try:
                await self._until(
                    lambda: self._hung_up or (not self._requests and not self._queue.topics and self._is_flushed())
                )
            finally:
                loop.remove_reader(hangup)
        finally:
            hangup.close()
        raise _Gone

    def _note_hangup(self) -> None:
        self._hung_up = True
        self._changed.set()

    # Requests.

    def _begin(self, line: Line, tasks: asyncio.TaskGroup) -> None:
        caller = Caller(peer=self._peer, queue=self._queue, fds=list(line.fds))
        if self._stopping:
            self._refuse(line, caller, "rpc.shutting_down", "the daemon is stopping")
        elif len(self._requests) >= IN_FLIGHT_LIMIT:
            self._refuse(line, caller, "rpc.overloaded", f"{IN_FLIGHT_LIMIT} requests are being worked on")
        else:
            task = tasks.create_task(self._serve(line, caller))
            self._requests.add(task)
            # Not in `_serve`: a task that is cancelled before its first step never runs its `finally`.
            task.add_done_callback(lambda done: self._end(done, caller))

    def _end(self, task: asyncio.Task[None], caller: Caller) -> None:
        caller.close_fds()
        self._requests.discard(task)
        self._changed.set()

    def _refuse(self, line: Line, caller: Caller, kind: str, message: str) -> None:
        caller.close_fds()
        self._reply(refuse_all(line.data, refusal(kind, message)))

    async def _serve(self, line: Line, caller: Caller) -> None:
        try:
            self._reply(await self._dispatcher.answer(line.data, caller))
        except asyncio.CancelledError:
            if self._stopping:
                self._refuse(line, caller, "rpc.shutting_down", "the daemon is stopping")
            raise

    def _reply(self, reply: bytes | None) -> None:
        if reply is not None:
            self._queue.push_reply(reply)

    def _cancel_requests(self) -> None:
        for task in self._requests:
            task.cancel()

    # Writing.

    async def _write(self) -> None:
        while True:
            await self._until(lambda: len(self._queue) > 0)
            line = self._queue.pop()
            assert line is not None
            self._sending = True
            await self._send(line + b"\n")
            self._sending = False
            self._changed.set()

    async def _send(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                try:
                    async with asyncio.timeout(self._blocked_s):
                        await ready(self._sock, loop.add_writer, loop.remove_writer)
                except TimeoutError:
                    _log.warning("control client dropped: it does not read", pid=self._peer.pid, uid=self._peer.uid)
                    raise _Gone from None
            except ConnectionError as error:
                raise _Gone from error

    # The end.

    async def _retire(self) -> None:
        try:
            async with asyncio.timeout(GRACE_S):
                await self._until(lambda: not self._requests)
        except TimeoutError:
            self._cancel_requests()
        self._hub.unsubscribe(self._queue, TOPICS)
        try:
            async with asyncio.timeout(GRACE_S):
                await self._until(lambda: not self._requests and self._is_flushed())
        except TimeoutError:
            _log.warning("control client did not take its last replies", pid=self._peer.pid)
        raise _Gone

    def _is_flushed(self) -> bool:
        return not self._sending and len(self._queue) == 0

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition on our own state; whoever changes that sets `_changed`."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()


def _files(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, ...]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % _FD_BYTES])
    return tuple(fds)


def _close_all(fds: list[int]) -> None:
    while fds:
        os.close(fds.pop())
