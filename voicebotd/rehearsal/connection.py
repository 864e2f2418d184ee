"""One client's websocket: moves messages between it and its `Session`, which decides everything.

Owns the order of sending, the clock, the worker thread that judges the audio, and what becomes of all that when a fault
acts (saboteur.py says when). What a client sends is taken one event at a time, and audio is judged before the next
event is taken, so that nothing is queued here: a client that sends faster than its speech can be judged, or reads
slower than it is spoken to, is slowed down by its own socket.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from voicebotd.rehearsal import sabotage
from voicebotd.rehearsal.faults import (
    CloseLink,
    Effect,
    EndLink,
    Fault,
    HalfOpen,
    ReadSlowly,
    ResetLink,
    SendEvent,
    SendFrame,
    ServiceEffect,
    Stall,
    Twist,
)
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.journal import Journal
from voicebotd.rehearsal.saboteur import Saboteur
from voicebotd.rehearsal.schema import parse_message
from voicebotd.rehearsal.session import Session, Step
from voicebotd.rehearsal.silero import SpeechDetector
from voicebotd.rehearsal.twists import Twists
from voicebotd.rehearsal.wire import Refusal, ServerEvent

JUDGED_AT_ONCE_BYTES = 250 * PCM_BYTES_PER_MS
"""Judging takes the thread up to 80 ms per second of audio, and is not interrupted when the client leaves."""


class Connection:
    def __init__(
        self, websocket: ServerConnection, session: Session, session_id: str, journal: Journal, saboteur: Saboteur
    ) -> None:
        self.websocket = websocket
        self._session = session
        self._session_id = session_id
        self._journal = journal
        self._saboteur = saboteur
        self._twists = Twists()
        self._in_order = asyncio.Lock()
        self._changed = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._silent = False
        self._dark_until_s: float | None = None
        self._bytes_per_s: float | None = None

    async def run(self) -> None:
        """Serve the client until it leaves or the session ends."""
        judge = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rehearsal-vad")
        try:
            async with self._tasks:
                clock = self._tasks.create_task(self._run_clock())
                await self._read(judge)
                clock.cancel()
        finally:
            judge.shutdown(wait=False, cancel_futures=True)

    async def inject(self, fault: Fault) -> None:
        """Have a fault act now."""
        try:
            if isinstance(fault.effect, ResetLink | EndLink | Stall | HalfOpen | ReadSlowly):
                await self._suffer([fault], deque())  # nothing to send: not even a client that does not read delays it
                return
            async with self._in_order:
                await self._send_all([], [fault])
        except ConnectionClosed:
            return  # it was over already

    async def leave(self) -> None:
        """Close from this side, at once where the other side cannot be told."""
        if self._dark_until_s is not None or self._bytes_per_s is not None:
            self.websocket.transport.abort()
        await self.websocket.close(1001)

    # --- What moves it -----------------------------------------------------------------------------------------------

    async def _read(self, judge: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._begin()
            detector = await loop.run_in_executor(judge, SpeechDetector)
            async for message in self.websocket:
                await self._linger(message)
                step = await self._receive(message)
                for at in range(0, len(step.heard), JUDGED_AT_ONCE_BYTES):
                    pcm = step.heard[at : at + JUDGED_AT_ONCE_BYTES]
                    probabilities = await loop.run_in_executor(judge, detector.feed, pcm)
                    await self._perform(partial(self._session.hear, probabilities, time.monotonic()))
        except ConnectionClosed:
            return  # the client left; whoever wants to know asks the journal

    async def _linger(self, message: str | bytes) -> None:
        """Take as long for a message as a rehearsed fault wants, for ever where the link is dark."""
        if self._bytes_per_s is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(len(message) / self._bytes_per_s):
                    await self.websocket.wait_closed()
        if self._dark_until_s is not None:
            # To take messages would have the library read again.
            await self.websocket.wait_closed()

    async def _begin(self) -> None:
        async with self._in_order:
            await self._send_all([], self._saboteur.begin(time.monotonic()))
            if not self._silent:
                await self._send_all(self._session.begin().events)

    async def _receive(self, message: str | bytes) -> Step:
        try:
            event = parse_message(message)
        except Refusal as refusal:
            return await self._perform(partial(self._session.refuse, refusal))
        self._journal.record_received(self._session_id, event)
        faults = self._saboteur.received(event, time.monotonic())
        return await self._perform(partial(self._session.receive, event, time.monotonic()), faults)

    async def _run_clock(self) -> None:
        try:
            while True:
                self._changed.clear()
                try:
                    async with asyncio.timeout(self._due_s - time.monotonic()):
                        await self._changed.wait()
                except TimeoutError:
                    await self._pass_time(time.monotonic())
        except ConnectionClosed:
            return  # _read sees it too, and ends the session

    @property
    def _due_s(self) -> float:
        if self._dark_until_s is not None:
            return self._dark_until_s
        dues = (self._session.due_s, self._saboteur.due_s, self._twists.due_s)
        return min(due for due in dues if due is not None)

    async def _pass_time(self, now_s: float) -> None:
        if self._dark_until_s is not None:
            sabotage.reset(self.websocket)
            await self.websocket.wait_closed()
        elif self._session.due_s <= now_s:
            step = await self._perform(partial(self._session.tick, now_s))
            if step.close is not None:
                await self.websocket.close(step.close.code, step.close.reason)
        else:
            async with self._in_order:
                for event in self._twists.release(now_s):
                    await self._send(event)
                await self._send_all([], self._saboteur.tick(now_s))

    # --- What it does ------------------------------------------------------------------------------------------------

    async def _perform(self, act: Callable[[], Step], faults: Iterable[Fault] = ()) -> Step:
        """Have the session do something, after those faults, and send what comes of it."""
        async with self._in_order:
            await self._send_all([], faults)
            step = act()
            self._changed.set()
            await self._send_all(step.events)
        return step

    async def _send_all(self, events: Iterable[ServerEvent], faults: Iterable[Fault] = ()) -> None:
        waiting = deque(events)
        await self._suffer(faults, waiting)
        while waiting:
            for event in self._twists.apply(waiting.popleft(), time.monotonic()):
                await self._send(event)
                await self._suffer(self._saboteur.sent(event, time.monotonic()), waiting)

    async def _suffer(self, faults: Iterable[Fault], waiting: deque[ServerEvent]) -> None:
        for fault in faults:
            self._journal.record_link(self._session_id, {"type": "fault", "fault": fault.name})
            if isinstance(fault.effect, ServiceEffect):
                waiting.extend(self._session.suffer(fault.effect, time.monotonic()).events)
            else:
                await self._do(fault.effect)
        self._changed.set()

    async def _do(self, effect: Effect) -> None:
        match effect:
            case CloseLink():
                if effect.error is not None:
                    await self._send(sabotage.event_of(SendEvent(error=effect.error)))
                self._silent = True
                self._tasks.create_task(self.websocket.close(effect.code, effect.reason))
            case ResetLink() | EndLink():
                self._silent = True
                sabotage.cut(self.websocket, effect)
            case Stall():
                self._silent = True
            case HalfOpen():
                self._silent, self._dark_until_s = True, time.monotonic() + effect.for_s
                sabotage.go_dark(self.websocket)
            case ReadSlowly():
                self._bytes_per_s = effect.bytes_per_s
                sabotage.narrow(self.websocket)
            case SendFrame():
                await self._send_frame(sabotage.frame_of(effect))
            case SendEvent():
                await self._send(sabotage.event_of(effect))
            case Twist():
                self._twists.add(effect)
            case _:
                raise ValueError(f"{effect} does not act on a session")

    async def _send(self, event: ServerEvent) -> None:
        """The one place where a session's events leave."""
        if not self._silent:
            self._journal.record_sent(self._session_id, event)
            await self._send_frame(json.dumps(event))

    async def _send_frame(self, frame: str | bytes) -> None:
        if not self._silent:
            await self.websocket.send(frame)
