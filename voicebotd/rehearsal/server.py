"""The rehearsal server: a Realtime service on this machine, for anyone who wants to talk without a key or a network.

Owns the sessions, and the faults that meet who opens one; what a session does is in session.py, who may begin one in
admission.py, where it listens in door.py. It shares nothing with the client side of this project, so that both cannot
agree on the same mistake.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from voicebotd.rehearsal import sabotage
from voicebotd.rehearsal.admission import Rejected, admit
from voicebotd.rehearsal.brain import Brain
from voicebotd.rehearsal.connection import Connection
from voicebotd.rehearsal.door import Door
from voicebotd.rehearsal.fault_words import parse_fault
from voicebotd.rehearsal.faults import (
    AnswerStatus,
    EndLink,
    Fault,
    Pending,
    Plan,
    Refuse,
    ResetLink,
    meets_opening,
)
from voicebotd.rehearsal.journal import Journal
from voicebotd.rehearsal.parrot import Memory, ParrotBrain
from voicebotd.rehearsal.saboteur import Saboteur
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
    to (see journal.py). `faults`: what goes wrong, as it is written (fault_words.py); `rng` draws for those that act at
    random. Entering raises OSError where the address or the journal cannot be had.
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
        faults: Iterable[Fault | str] = (),
        rng: random.Random | None = None,
    ) -> None:
        self._brain = brain
        self._door = Door(host, port, serve_one=self._serve, process_request=self._answer_opening)
        self._speed = speed
        self._session_s = session_s
        self._journal_path = journal
        self._plan = Plan(map(_fault, faults))
        self._rng = rng or random.Random()  # noqa: S311 - chooses when a rehearsal goes wrong, guards nothing
        self._life = AsyncExitStack()
        self._connections: set[Connection] = set()
        self._unanswered: set[ServerConnection] = set()
        self._timers: set[asyncio.Task[None]] = set()
        self._start_s = 0.0
        self._leaving = False
        self.journal = Journal()

    @property
    def url(self) -> str:
        """Where clients connect, without the `model` parameter."""
        host = f"[{self._door.host}]" if ":" in self._door.host else self._door.host
        return f"ws://{host}:{self._door.port}{PATH}"

    @property
    def received(self) -> list[dict[str, Any]]:
        """Every client event so far, in order, without audio; the oldest go when they are more than 10 000."""
        return list(self.journal.received)

    @property
    def sessions(self) -> int:
        """How many are open now."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as life:
            if self._journal_path is not None:
                self.journal = Journal(life.enter_context(self._journal_path.open("a", encoding="utf-8")))
            await life.enter_async_context(self._door)
            life.push_async_callback(self._hang_up)
            self._start_s = time.monotonic()
            for pending in self._plan.pending:
                if isinstance(pending.fault.effect, Refuse):
                    self._schedule(pending, pending.fault.effect)
            self._life = life.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._life.aclose()

    async def inject(self, fault: Fault | str) -> int:
        """Have a fault act now; return in how many sessions it did.

        One that meets opening requests meets the next ones, whatever its moment and time. Raises FaultWordsError.
        """
        fault = _fault(fault)
        if isinstance(fault.effect, Refuse):
            self._refuse(fault, fault.effect)
            return len(self._connections) if fault.effect.drop else 0
        if meets_opening(fault):
            self._plan.add(fault)
            return 0
        connections = list(self._connections)
        for connection in connections:
            await connection.inject(fault)
        return len(connections)

    # --- The door ----------------------------------------------------------------------------------------------------

    def _schedule(self, pending: Pending, effect: Refuse) -> None:
        """Refuse connections when it is time; from the very start where no time is given."""
        when = pending.fault.when
        if not when.after_s and when.every_s is None and pending.take():
            self._refuse(pending.fault, effect)
            return

        async def refuse_in_time() -> None:
            await asyncio.sleep(when.after_s)
            while pending.take():
                await asyncio.sleep(when.every_s or 0.0)
                self._refuse(pending.fault, effect)

        self._run(refuse_in_time())

    def _refuse(self, fault: Fault, effect: Refuse) -> None:
        self._door.shut()
        self.journal.record_link("", {"type": "fault", "fault": fault.name})
        if effect.drop:
            for connection in self._connections:
                sabotage.reset(connection.websocket)

        async def open_again() -> None:
            await asyncio.sleep(effect.for_s)
            await self._door.open()

        self._run(open_again())

    def _run(self, timer: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(timer)
        self._timers.add(task)
        task.add_done_callback(lambda ended: None if _failed(ended) else self._timers.discard(ended))

    async def _hang_up(self) -> None:
        """End what the door does not, because the other side will not or was accepted before the door was shut."""
        self._door.shut()
        self._leaving = True
        for timer in self._timers:
            timer.cancel()
        if self._timers:
            await asyncio.wait(self._timers)
        for websocket in self._unanswered:
            websocket.transport.abort()
        await asyncio.gather(*[connection.leave() for connection in self._connections])
        for timer in filter(_failed, self._timers):
            timer.result()

    async def _answer_opening(self, websocket: ServerConnection, request: Request) -> Response | None:
        if urlsplit(request.path).path != PATH:
            return websocket.respond(HTTPStatus.NOT_FOUND, f"This server serves {PATH}.\n")
        fault = self._plan.on_opening(time.monotonic() - self._start_s)
        if fault is None or self._leaving:
            return None
        self.journal.record_link("", {"type": "fault", "fault": fault.name})
        match fault.effect:
            case AnswerStatus(status=status, retry_after_s=retry_after_s):
                response = websocket.respond(HTTPStatus(status), f"Rehearsed: {status}.\n")
                if retry_after_s is not None:
                    response.headers["Retry-After"] = str(retry_after_s)
                return response
            case ResetLink() | EndLink() as effect:
                sabotage.cut(websocket, effect)
        self._unanswered.add(websocket)
        await websocket.wait_closed()
        self._unanswered.discard(websocket)
        return None

    # --- The sessions ------------------------------------------------------------------------------------------------

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
        saboteur = Saboteur(self._plan, now_s=time.monotonic(), rng=self._rng)
        connection = Connection(websocket, session, session_id, self.journal, saboteur)
        self.journal.record_link(session_id, {"type": "opened", "model": judged.model})
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self.journal.record_link(session_id, {"type": "closed", "code": websocket.close_code})


def _fault(given: Fault | str) -> Fault:
    return parse_fault(given) if isinstance(given, str) else given


def _failed(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is not None
