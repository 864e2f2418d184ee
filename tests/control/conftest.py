"""What the tests of this room share: toy methods, a real server on a real socket, and a client for it."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from voicebotd.control.contract import Method
from voicebotd.control.contract_types import doc
from voicebotd.control.dispatcher import Dispatcher, Handler
from voicebotd.control.events import EventHub
from voicebotd.control.listener import ControlSocket, open_control_socket
from voicebotd.control.meta import meta_handlers
from voicebotd.control.server import ControlServer

DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyMethod(Method):
    """A method whose types are given, not named."""

    takes: type[Any]
    gives: type[Any]

    @property
    def params_type(self) -> type[Any]:
        return self.takes

    @property
    def result_type(self) -> type[Any]:
        return self.gives


def toy_methods(
    types: Mapping[str, tuple[type[Any], type[Any]]], scopes: Mapping[str, Any] | None = None
) -> dict[str, Method]:
    scopes = scopes or {}
    return {
        name: ToyMethod(name=name, summary=name, result="", takes=takes, gives=gives, scope=scopes.get(name, "control"))
        for name, (takes, gives) in types.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    persist: bool = field(default=False, metadata=doc("keep it", admin=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    topics: list[str] | None = field(default=None, metadata=doc("topics"))


class Client:
    """A client that can do everything a hostile one can: raw bytes, open files, half-closing, not reading."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.path = path
        self._received = b""

    async def connect(self) -> dict[str, Any]:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(self.sock, str(self.path)), DEADLINE_S)
        return await self.read()

    async def send(self, data: bytes) -> None:
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self.sock, data), DEADLINE_S)

    def send_fds(self, data: bytes, fds: list[int]) -> None:
        socket.send_fds(self.sock, [data], fds)

    async def line(self) -> bytes:
        """One line without its newline; b"" at the end of the connection."""
        loop = asyncio.get_running_loop()
        while b"\n" not in self._received:
            try:
                data = await asyncio.wait_for(loop.sock_recv(self.sock, 65536), DEADLINE_S)
            except ConnectionResetError:
                data = b""
            if not data:
                rest, self._received = self._received, b""
                return rest
            self._received += data
        line, self._received = self._received.split(b"\n", 1)
        return line

    async def read(self) -> Any:
        return json.loads(await self.line())

    async def call(self, method: str, params: Any = None, call_id: Any = 1) -> Any:
        request = {"jsonrpc": "2.0", "method": method, "id": call_id}
        if params is not None:
            request["params"] = params
        await self.send(json.dumps(request).encode() + b"\n")
        return await self.read()

    def close(self) -> None:
        self.sock.close()


class Rig:
    """A running server with toy methods: `echo`, `wait` (until released or cancelled), `read_fd`, `admin`, `keep`."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.interest: list[tuple[str, bool]] = []
        self.hub = EventHub(
            wall_clock_s=lambda: 1_700_000_000.0,
            on_interest=lambda topic, wanted: self.interest.append((topic, wanted)),
        )
        self.release = asyncio.Event()
        self.waiting = 0
        self.cancelled = 0
        self.changed = asyncio.Condition()
        self.clients: list[Client] = []
        self.running: asyncio.Task[None] | None = None
        self.listening: ControlSocket = open_control_socket(path, environ={})
        self.server = ControlServer(
            self.listening,
            dispatcher=Dispatcher(self._handlers(), methods=self._methods()),
            hub=self.hub,
            version="9.9",
            state=lambda: "idle",
            **options,
        )

    def _handlers(self) -> dict[str, Handler]:
        meta = meta_handlers(self.hub)
        return {
            "echo": self._echo,
            "wait": self._wait,
            "read_fd": self._read_fd,
            "count_fds": self._count_fds,
            "admin": self._echo,
            "keep": self._echo,
            "events.subscribe": meta["events.subscribe"],
            "events.unsubscribe": meta["events.unsubscribe"],
        }

    @staticmethod
    def _methods() -> dict[str, Method]:
        types: dict[str, tuple[type[Any], type[Any]]] = dict.fromkeys(
            ("echo", "wait", "read_fd", "count_fds", "admin"), (Nothing, object)
        )
        types |= {"keep": (Keep, object)}
        types |= dict.fromkeys(("events.subscribe", "events.unsubscribe"), (Topics, object))
        return toy_methods(types, {"admin": "admin"})

    async def _echo(self, _params: Any, _caller: Any) -> str:
        return "echo"

    async def _wait(self, _params: Any, _caller: Any) -> str:
        self.waiting += 1
        await self._tell()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            await self._tell()
            raise
        finally:
            self.waiting -= 1
        return "waited"

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S), self.changed:
            await self.changed.wait_for(condition)

    async def _read_fd(self, _params: Any, caller: Any) -> str:
        with os.fdopen(caller.take_fd(), "rb") as file:
            return file.read().decode()

    async def _count_fds(self, _params: Any, caller: Any) -> int:
        return len(caller.fds)

    async def connect(self) -> Client:
        client = Client(self.path)
        self.clients.append(client)
        await client.connect()
        return client


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def start_server(**options: Any) -> AsyncIterator[Rig]:
        rig = Rig(tmp_path / "control.sock", **options)
        running = rig.running = asyncio.create_task(rig.server.run())
        try:
            yield rig
        finally:
            rig.release.set()
            for client in rig.clients:
                client.close()
            await asyncio.wait_for(rig.server.close(), DEADLINE_S)
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.wait({running})
            if not running.cancelled():
                running.result()

    return start_server


@pytest.fixture(scope="session")
def make_methods() -> Callable[..., dict[str, Method]]:
    return toy_methods


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something that announces itself to nobody is so (a descriptor closed, a client gone)."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
def settle() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    return eventually
