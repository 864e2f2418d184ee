"""One client's websocket: moves messages between it and its `Session`, which decides everything.

Owns the order of sending, the clock, and the worker thread that judges the audio. What a client sends is taken one
event at a time, and audio is judged before the next event is taken, so that nothing is queued here: a client that sends
faster than its speech can be judged, or reads slower than it is spoken to, is slowed down by its own socket.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.journal import Journal
from voicebotd.rehearsal.schema import parse_message
from voicebotd.rehearsal.session import Session, Step
from voicebotd.rehearsal.silero import SpeechDetector
from voicebotd.rehearsal.wire import Refusal, ServerEvent

JUDGED_AT_ONCE_BYTES = 250 * PCM_BYTES_PER_MS
"""Judging takes the thread up to 80 ms per second of audio, and is not interrupted when the client leaves."""


class Connection:
    def __init__(self, websocket: ServerConnection, session: Session, session_id: str, journal: Journal) -> None:
        self._websocket = websocket
        self._session = session
        self._session_id = session_id
        self._journal = journal
        self._in_order = asyncio.Lock()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Serve the client until it leaves or the session ends."""
        judge = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rehearsal-vad")
        try:
            async with asyncio.TaskGroup() as tasks:
                clock = tasks.create_task(self._run_clock())
                await self._read(judge)
                clock.cancel()
        finally:
            judge.shutdown(wait=False, cancel_futures=True)

    async def _read(self, judge: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._perform(self._session.begin)
            detector = await loop.run_in_executor(judge, SpeechDetector)
            async for message in self._websocket:
                step = await self._receive(message)
                for at in range(0, len(step.heard), JUDGED_AT_ONCE_BYTES):
                    pcm = step.heard[at : at + JUDGED_AT_ONCE_BYTES]
                    probabilities = await loop.run_in_executor(judge, detector.feed, pcm)
                    await self._perform(partial(self._session.hear, probabilities, time.monotonic()))
        except ConnectionClosed:
            return  # the client left; whoever wants to know asks the journal

    async def _receive(self, message: str | bytes) -> Step:
        try:
            event = parse_message(message)
        except Refusal as refusal:
            return await self._perform(partial(self._session.refuse, refusal))
        self._journal.record_received(self._session_id, event)
        return await self._perform(partial(self._session.receive, event, time.monotonic()))

    async def _run_clock(self) -> None:
        try:
            while True:
                self._changed.clear()
                try:
                    async with asyncio.timeout(self._session.due_s - time.monotonic()):
                        await self._changed.wait()
                except TimeoutError:
                    step = await self._perform(partial(self._session.tick, time.monotonic()))
                    if step.close is not None:
                        await self._websocket.close(step.close.code, step.close.reason)
                        return
        except ConnectionClosed:
            return  # _read sees it too, and ends the session

    async def _perform(self, act: Callable[[], Step]) -> Step:
        async with self._in_order:
            step = act()
            self._changed.set()
            for event in step.events:
                await self._send(event)
        return step

    async def _send(self, event: ServerEvent) -> None:
        """The one place where a session's events leave."""
        self._journal.record_sent(self._session_id, event)
        await self._websocket.send(json.dumps(event))
