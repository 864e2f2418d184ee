"""The control server: takes clients in, tells who they are, and lets them go together when the daemon stops.

Owns the accept loop and the set of connections. Knows neither methods nor lines; a connection lives in connection.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable

import structlog

from voicebotd.control.caller import Peer
from voicebotd.control.connection import BLOCKED_S, Connection
from voicebotd.control.contract import PROTOCOL_VERSION
from voicebotd.control.dispatcher import Dispatcher
from voicebotd.control.events import EventHub
from voicebotd.control.jsonrpc import encode_error, encode_notification, refusal
from voicebotd.control.listener import ControlSocket
from voicebotd.control.readiness import ready

_PEER_CREDENTIALS = struct.Struct("3i")
"""unix(7), SO_PEERCRED: struct ucred, pid, uid, gid."""
_OUT_OF_FILES_PAUSE_S = 0.5
"""Rest after accept() failed for want of a file descriptor or memory: the kernel would report it again at once."""

_log = structlog.get_logger(__name__)


def _may_administrate(uid: int) -> bool:
    return uid in (0, os.geteuid())


class ControlServer:
    """Serves an open control socket.

    `run()` is one task of the daemon; `close()` ends it. `state` gives the word that `hello` tells each new client.
    `is_admin` decides about the admin scope by user id.
    """

    def __init__(
        self,
        listening: ControlSocket,
        *,
        dispatcher: Dispatcher,
        hub: EventHub,
        version: str,
        state: Callable[[], str],
        max_clients: int = 32,
        is_admin: Callable[[int], bool] = _may_administrate,
        blocked_s: float = BLOCKED_S,
    ) -> None:
        self._listening = listening
        self._dispatcher = dispatcher
        self._hub = hub
        self._version = version
        self._state = state
        self._max_clients = max_clients
        self._is_admin = is_admin
        self._blocked_s = blocked_s
        self._connections: set[Connection] = set()
        self._stop = asyncio.Event()
        self._stopped = asyncio.Event()
        self._stopped.set()

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._connections)

    async def run(self) -> None:
        """Serve until `close()` or cancellation; then no client, task or socket file is left. Only once."""
        self._stopped.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                accepting = tasks.create_task(self._accept(tasks))
                await self._stop.wait()
                accepting.cancel()
                self._listening.close()
                for connection in self._connections:
                    connection.stop()
        finally:
            self._listening.close()
            self._stopped.set()

    async def close(self) -> None:
        """Stop: no new clients, -32000 for new requests, a moment for the running ones (connection.py), then hang up.

        Idempotent; done in about 2 s at most.
        """
        self._stop.set()
        await self._stopped.wait()
        self._listening.close()

    async def _accept(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        complained = False
        while True:
            try:
                sock, _ = self._listening.sock.accept()
            except BlockingIOError:
                await ready(self._listening.sock, loop.add_reader, loop.remove_reader)
            except ConnectionError:
                continue  # it left before we came
            except OSError as error:
                if not complained:
                    _log.warning("control socket cannot take clients", reason=error.strerror)
                complained = True
                await asyncio.sleep(_OUT_OF_FILES_PAUSE_S)
            else:
                complained = False
                self._admit(sock, tasks)

    def _admit(self, sock: socket.socket, tasks: asyncio.TaskGroup) -> None:
        if len(self._connections) >= self._max_clients:
            self._turn_away(sock)
            return
        sock.setblocking(False)
        connection = self._connection(sock)
        self._connections.add(connection)

        def forget(_task: asyncio.Task[None]) -> None:
            self._connections.discard(connection)
            sock.close()

        # Not in `_serve`: a task that is cancelled before its first step never runs its `finally`.
        tasks.create_task(self._serve(connection)).add_done_callback(forget)

    def _connection(self, sock: socket.socket) -> Connection:
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        pid, uid, gid = _PEER_CREDENTIALS.unpack(credentials)
        hello = {"protocol": PROTOCOL_VERSION, "version": self._version, "state": self._state()}
        return Connection(
            sock,
            peer=Peer(pid=pid, uid=uid, gid=gid, admin=self._is_admin(uid)),
            dispatcher=self._dispatcher,
            hub=self._hub,
            hello=encode_notification("hello", hello),
            blocked_s=self._blocked_s,
        )

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.run()
        except Exception:  # noqa: BLE001 - the connection boundary: a bug in one must not end the others
            _log.exception("control connection failed")

    def _turn_away(self, sock: socket.socket) -> None:
        hint = f"control.max_clients is {self._max_clients}"
        refused = encode_error(None, refusal("rpc.overloaded", "too many clients", hint=hint))
        with sock, contextlib.suppress(OSError):
            sock.send(refused + b"\n")
