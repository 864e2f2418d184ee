"""The rehearsal server: a Realtime service on this machine, for anyone who wants to talk without a key or a network.

Owns the listening socket and the sessions on it; what a session does is in session.py, who may begin one in
admission.py. It shares nothing with the client side of this project, so that both cannot agree on the same mistake.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from voicebotd.rehearsal.admission import Rejected, admit
from voicebotd.rehearsal.brain import Brain
from voicebotd.rehearsal.connection import Connection
from voicebotd.rehearsal.journal import Journal
from voicebotd.rehearsal.parrot import Memory, ParrotBrain
from voicebotd.rehearsal.script import ScriptBrain
from voicebotd.rehearsal.script_file import DEFAULT_SCRIPT, load_script
from voicebotd.rehearsal.session import Session
from voicebotd.rehearsal.settings import default_session
from voicebotd.rehearsal.wire import Outbox, Refusal

PATH = "/v1/realtime"
SPEED = 10.0
"""How many times faster than real time audio is streamed, about as the service does."""
SESSION_S = 3600.0
"""The service's longest session."""
LARGEST_MESSAGE_BYTES = 21 * 2**20
"""One append may hold 15 MiB of audio, which is 20 MiB of base64."""

BrainFactory = Callable[[], Brain]


def script_brain(path: Path = DEFAULT_SCRIPT) -> BrainFactory:
    """Every conversation follows the script from its start, over as many sessions as it takes.

    Raises ConfigError where the script cannot be used.
    """
    return partial(ScriptBrain, load_script(path))


def parrot_brain() -> BrainFactory:
    """Every session says back what it hears; what one session was asked, another can go on with."""
    return partial(ParrotBrain, Memory())


class RehearsalServer:
    """`async with RehearsalServer(brain=script_brain()) as server:` serves at `server.url` until the end of the block.

    `port` 0 takes a free one. `speed`: times real time. `session_s`: when sessions expire. `journal`: a file to append
    to (see journal.py). Entering raises OSError where the address or the journal cannot be had.
    """

    def __init__(
        self,
        *,
        brain: BrainFactory,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = SPEED,
        session_s: float = SESSION_S,
        journal: Path | None = None,
    ) -> None:
        self._brain = brain
        self._host = host
        self._port = port
        self._speed = speed
        self._session_s = session_s
        self._journal_path = journal
        self._life = AsyncExitStack()
        self.journal = Journal()

    @property
    def url(self) -> str:
        """Where clients connect, without the `model` parameter."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}{PATH}"

    @property
    def received(self) -> list[dict[str, Any]]:
        """Every client event so far, in order, without audio; the oldest go when they are more than 10 000."""
        return list(self.journal.received)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as life:
            if self._journal_path is not None:
                self.journal = Journal(life.enter_context(self._journal_path.open("a", encoding="utf-8")))
            server = await life.enter_async_context(
                serve(
                    self._serve,
                    self._host,
                    self._port,
                    process_request=_only_our_path,
                    compression=None,
                    max_size=LARGEST_MESSAGE_BYTES,
                )
            )
            self._port = next(iter(server.sockets)).getsockname()[1]
            self._life = life.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._life.aclose()

    async def _serve(self, websocket: ServerConnection) -> None:
        session_id = f"sess_{uuid.uuid4().hex[:12]}"
        outbox = Outbox(session_id)
        request = websocket.request
        assert request is not None  # the handshake is over
        judged = admit(request.headers, urlsplit(request.path).query)
        if isinstance(judged, Rejected):
            outbox.refuse(Refusal(judged.code, judged.message))
            for event in outbox.drain():
                await websocket.send(json.dumps(event))
            await websocket.close(judged.close_code, judged.close_reason)
            return
        session = Session(
            outbox=outbox,
            brain=self._brain(),
            settings=default_session(
                session_id=session_id, model=judged.model, expires_at=int(time.time() + self._session_s)
            ),
            speed=self._speed,
            expires_s=time.monotonic() + self._session_s,
        )
        self.journal.record_link(session_id, {"type": "opened", "model": judged.model})
        try:
            await Connection(websocket, session, session_id, self.journal).run()
        finally:
            self.journal.record_link(session_id, {"type": "closed", "code": websocket.close_code})


def _only_our_path(connection: ServerConnection, request: Request) -> Response | None:
    if urlsplit(request.path).path == PATH:
        return None
    return connection.respond(HTTPStatus.NOT_FOUND, f"This server serves {PATH}.\n")
