"""A service under test, and the other end of its line: a real websocket server of a few lines, played by hand."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import count
from typing import Any, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from voicebotd.conversation.events import Event, LinkReady, SuccessorReady
from voicebotd.realtime.backoff import Pace
from voicebotd.realtime.endpoint import Endpoint, endpoint
from voicebotd.realtime.link import Timing
from voicebotd.realtime.service import OpenAIService
from voicebotd.realtime.session import SessionConfig

KEY = "sk-test-0123456789abcdef"
MODEL = "gpt-realtime-2.1"
DEADLINE_S = 8.0
FRAME = b"\x01\x00" * 240
SPEECH = {"type": "input_audio_buffer.speech_started", "item_id": "item_1", "audio_start_ms": 0}
E = TypeVar("E", bound=Event)


class Chance(random.Random):
    """The same every time: half of each back-off."""

    def random(self) -> float:
        return 0.5


class Log:
    """Keeps every line, of every level, as text."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _keep(self, event: str, **fields: object) -> None:
        self.lines.append(f"{event} {fields}")

    debug = info = warning = _keep

    def containing(self, part: str) -> list[str]:
        return [line for line in self.lines if part in line]


class Heard:
    """The events that the service delivered, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._more = asyncio.Event()
        self.then: Callable[[Event], None] = lambda _event: None

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._more.set()
        self.then(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(self, kind: type[E], number: int = 1) -> E:
        """Return the `number`-th event of this kind, as soon as there is one."""
        async with asyncio.timeout(DEADLINE_S):
            while len(found := self.of(kind)) < number:
                self._more.clear()
                await self._more.wait()
        return found[number - 1]


class Peer:
    """The service's end of one connection. Its session is called by its number."""

    def __init__(self, ws: ServerConnection, number: int) -> None:
        self.ws = ws
        self.session_id = f"sess_{number}"
        self.update: dict[str, Any] = {}

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            message: dict[str, Any] = json.loads(await self.ws.recv())
        return message

    async def send(self, message: dict[str, Any]) -> None:
        await self.ws.send(json.dumps({"event_id": "event_1", **message}))

    async def error(self, code: str, **fields: str) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": f"said {code}", **fields}
        await self.send({"type": "error", "error": error})

    async def greet(self, **session: Any) -> None:
        told = {"id": self.session_id, "type": "realtime", **session}
        await self.send({"type": "session.created", "session": told})

    async def confirm(self) -> None:
        message = await self.next()
        self.update = message["session"]
        await self.send({"type": "session.updated", "session": {"id": self.session_id, "model": MODEL, **self.update}})

    async def set_up(self, **session: Any) -> None:
        await self.greet(**session)
        await self.confirm()

    async def still_there(self) -> None:
        """Wait until the other side has taken what was sent."""
        async with asyncio.timeout(DEADLINE_S):
            await (await self.ws.ping())


Script = Callable[[Peer], Awaitable[None]]
Answer = Callable[[ServerConnection, Request], Response | None]


class Case:
    """A service under test and the other end of its line."""

    def __init__(self, at: Endpoint, key: Callable[[], str | None], timing: Timing, pace: Pace | None) -> None:
        self.heard, self.log = Heard(), Log()
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.service = OpenAIService(
            at,
            SessionConfig(model=MODEL, instructions="Be kind"),
            key=key,
            on_event=self.heard,
            rng=Chance(),
            log=self.log,
            timing=timing,
            pace=pace or Pace(first_s=0.002, most_s=0.01),
        )

    async def peer(self) -> Peer:
        """Return the other end of the next connection."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.peers.get()

    async def ready(self, **session: Any) -> Peer:
        """Return the other end of the next connection, set up."""
        before = len(self.heard.of(LinkReady))
        peer = await self.peer()
        await peer.set_up(**session)
        await self.heard.wait_for(LinkReady, before + 1)
        return peer

    async def beside(self) -> Peer:
        """Return the other end of a second connection, which waits."""
        before = len(self.heard.of(SuccessorReady))
        self.service.open_successor()
        peer = await self.peer()
        await peer.set_up()
        await self.heard.wait_for(SuccessorReady, before + 1)
        return peer


@asynccontextmanager
async def living(case: Case) -> AsyncIterator[Case]:
    """Run the service, wanted from the start; afterwards nothing of it may be left."""
    before = asyncio.all_tasks()
    running = asyncio.create_task(case.service.run())
    await case.service.connect()
    try:
        yield case
    finally:
        if not running.cancelled():
            await case.service.disconnect()
            running.cancel()
        await asyncio.wait([running], timeout=DEADLINE_S)
        assert running.cancelled()
    left = {task for task in asyncio.all_tasks() - before if "voicebotd" in repr(task)}
    assert left == set()


@asynccontextmanager
async def playing(
    *,
    answer: Answer | None = None,
    key: Callable[[], str | None] = lambda: KEY,
    timing: Timing = Timing(close_timeout_s=0.2),  # noqa: B008 (frozen)
    pace: Pace | None = None,
    tls: ssl.SSLContext | None = None,
    provider: str = "compatible",
    server: str = "auto",
) -> AsyncIterator[Case]:
    """A service that is wanted, and a server whose connections the test plays by hand."""
    over = asyncio.Event()
    numbers = count(1)

    async def play(ws: ServerConnection) -> None:
        case.peers.put_nowait(Peer(ws, next(numbers)))
        await over.wait()

    async with serve(
        play, "127.0.0.1", 0, process_request=answer, close_timeout=0.1, compression=None, ssl=tls
    ) as listening:
        scheme = "wss" if tls else "ws"
        at = endpoint(provider, f"{scheme}://127.0.0.1:{port_of(listening)}/v1/realtime", MODEL, server=server)
        case = Case(at, key, timing, pace)
        try:
            async with living(case):
                yield case
        finally:
            over.set()


def port_of(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


def case_at(url: str, provider: str = "compatible", **timing: float) -> Case:
    return Case(endpoint(provider, url, MODEL), lambda: KEY, Timing(**timing), None)


def answering(status: HTTPStatus, body: str = "", **headers: str) -> Answer:
    def answer(connection: ServerConnection, _request: Request) -> Response:
        response = connection.respond(status, body)
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    return answer
