"""The shell around the core: one task, one bounded inbox, performs effects. It decides nothing.

Everything that happens is posted here from the event loop's thread and handled in order, so there are no locks. What
takes time (opening and closing the link) is done by a second task that always works towards the latest wish.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import structlog

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.core import Conversation, IllegalEventError
from voicebotd.conversation.events import BYTES_PER_MS
from voicebotd.conversation.preroll import PreRoll
from voicebotd.conversation.records import AnyRecord, ConversationRecord, ToolCallRecord, TurnRecord, UsageRecord
from voicebotd.conversation.snapshot import Snapshot
from voicebotd.conversation.states import State
from voicebotd.errors import CommandRefusedError

PREROLL_BYTES = 500 * BYTES_PER_MS
"""Of what is sent at once of the time before: servers refuse messages of a megabyte, and the link keeps 256 of them."""

log = structlog.get_logger(__name__)


class Link(Protocol):
    """What the manager needs of the link."""

    async def connect(self) -> None: ...
    async def disconnect(self) -> None: ...
    def drop(self, reason: str, unheard_s: float) -> None: ...
    def open_successor(self) -> None: ...
    def succeed(self) -> None: ...
    def send(self, effect: fx.ToService | fx.UpdateSession) -> None: ...
    def send_audio(self, pcm: bytes) -> None: ...


class Audio(Protocol):
    """What the manager needs of the audio."""

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None: ...
    def flush(self, token: int) -> None: ...
    def hold_input(self, hold: bool) -> None: ...
    def shape(self, *, gain_db: float, paused: bool) -> None: ...
    def detect(self, *, voice: bool, turns: fx.TurnRule | None) -> None: ...


class Tools(Protocol):
    """What the manager needs of the functions."""

    def start(self, wish: fx.RunTool) -> None: ...
    def cancel(self, call_id: str) -> None: ...


Published = Callable[[str, dict[str, Any]], None]
Recorded = Callable[[AnyRecord], None]


class ConversationManager:
    """Runs one `Conversation` against a link, an audio manager and the functions.

    `publish(topic, data)` and `record(record)` must not block; `cue` gives the sound (24 kHz s16le mono) of a cue.
    Run `run()` as a task; the rest is for the event loop's thread only.
    """

    INBOX_LIMIT = 10_000
    """Events. A reply of ten minutes in 100 ms deltas is 6,000; a fuller inbox means that the core has stopped, so new
    events are dropped and counted, and commands are refused."""

    def __init__(
        self,
        core: Conversation,
        *,
        link: Link,
        audio: Audio,
        tools: Tools,
        publish: Published,
        record: Recorded,
        cue: Callable[[fx.Cue], bytes] = lambda _: b"",
    ) -> None:
        self._core = core
        self._link = link
        self._audio = audio
        self._tools = tools
        self._publish = publish
        self._record = record
        self._cue = cue
        self._inbox: asyncio.Queue[ev.Event] = asyncio.Queue(self.INBOX_LIMIT)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._request_id = 0
        self._microphone_open = False
        self._preroll = PreRoll()
        self._link_wanted = self._close_first = False
        self._link_wish_changed = asyncio.Event()
        self._stamps = Stamps()
        self._ended = False
        self.dropped_events = 0

    def snapshot(self) -> Snapshot:
        return self._core.snapshot()

    def post(self, event: ev.Event) -> None:
        """Something happened."""
        if self._inbox.full():
            self.dropped_events += 1
            log.error("event dropped: the inbox is full", kind=type(event).__name__, dropped=self.dropped_events)
            return
        self._inbox.put_nowait(event)

    def hear(self, pcm: bytes) -> None:
        """The microphone delivered this (24 kHz, s16le, mono)."""
        if self._core.state is State.OFF:
            self._preroll.forget()
            return
        if self._microphone_open:
            self._link.send_audio(pcm)
        self._preroll.keep(pcm, time.monotonic(), sent=self._microphone_open)

    async def command(self, make: Callable[[int], cmd.Command]) -> dict[str, Any]:
        """Hand a command to the core and await its answer; `make` gets the request id.

        Raises CommandRefusedError where the core refuses it.
        """
        if self._ended:
            raise CommandRefusedError("rpc.shutting_down", "the daemon is shutting down")
        if self._inbox.full():
            raise CommandRefusedError("rpc.overloaded", "the conversation is overloaded", retryable=True)
        self._request_id += 1
        request_id = self._request_id
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        self.post(make(request_id))
        try:
            return await answer
        finally:
            del self._waiting[request_id]

    async def run(self) -> None:
        """Handle events until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tend_link(), name="link wish")
                await self._handle_events()
        finally:
            self._ended = True
            for timer in self._timers.values():
                timer.cancel()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(CommandRefusedError("rpc.shutting_down", "the daemon is shutting down"))

    async def _handle_events(self) -> None:
        while True:
            event = await self._inbox.get()
            try:
                effects = self._core.handle(event, time.monotonic())
            except IllegalEventError:
                log.exception("an event that the state table does not know", kind=type(event).__name__)
                continue
            for effect in effects:
                self._perform(effect)

    async def _tend_link(self) -> None:
        while True:
            await self._link_wish_changed.wait()
            self._link_wish_changed.clear()
            if self._close_first:
                # Also where the next wish came at once: a new conversation must not go on in the old one's session.
                self._close_first = False
                await self._link.disconnect()
            if self._link_wanted:
                await self._link.connect()

    def _perform(self, effect: fx.Effect) -> None:  # noqa: C901, PLR0912 (one flat case for each effect)
        match effect:
            case fx.Play():
                self._audio.play(effect.item_id, effect.content_index, effect.pcm)
            case fx.Flush():
                self._audio.flush(effect.token)
            case fx.ShapePlayout():
                self._audio.shape(gain_db=effect.gain_db, paused=effect.paused)
            case fx.Detect():
                self._audio.detect(voice=effect.voice, turns=effect.turns)
            case fx.HoldInput():
                self._audio.hold_input(effect.hold)
            case fx.OpenMicrophone():
                self._open_microphone(effect)
            case fx.ToService() | fx.UpdateSession():
                self._link.send(effect)
            case fx.RunTool():
                self._tools.start(effect)
            case fx.CancelTool():
                self._tools.cancel(effect.call_id)
            case fx.DropLink():
                self._link.drop(effect.reason, effect.unheard_s)
            case fx.OpenSuccessor():
                self._link.open_successor()
            case fx.Succeed():
                self._microphone_open = False  # until the core has told the new session what goes before
                self._link.succeed()
            case fx.PlayCue():
                self._audio.play(f"cue:{effect.cue}", 0, self._cue(effect.cue))
            case fx.OpenLink() | fx.CloseLink():
                self._link_wanted = isinstance(effect, fx.OpenLink)
                self._close_first = self._close_first or not self._link_wanted
                self._link_wish_changed.set()
            case fx.SetTimer():
                self._set_timer(effect)
            case fx.CancelTimer():
                if (timer := self._timers.pop(effect.name, None)) is not None:
                    timer.cancel()
            case fx.Publish():
                self._publish(effect.topic, effect.data)
            case fx.Record():
                self._record(self._stamps.stamp(effect.record, time.time()))
            case fx.Reply():
                self._answer(effect.request_id, effect.result)
            case fx.Refuse():
                refusal = CommandRefusedError(effect.kind, effect.message, hint=effect.hint, retryable=effect.retryable)
                self._answer(effect.request_id, refusal)
            case _:
                raise AssertionError(f"no way to perform {type(effect).__name__}")

    def _open_microphone(self, effect: fx.OpenMicrophone) -> None:
        """What was heard while it was closed, and is wanted, goes before what is heard from now on."""
        self._microphone_open = effect.open
        ring = self._preroll
        kept = ring.take_again(effect.preroll_ms, effect.since) if effect.again else ring.take(effect.preroll_ms)
        for start in range(0, len(kept), PREROLL_BYTES):
            self._link.send(fx.AppendAudio(event_id="", pcm=kept[start : start + PREROLL_BYTES]))

    def _set_timer(self, effect: fx.SetTimer) -> None:
        if (timer := self._timers.pop(effect.name, None)) is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._timers[effect.name] = loop.call_later(effect.delay_s, self._fire, effect.name)

    def _fire(self, name: str) -> None:
        del self._timers[name]
        self.post(ev.TimerFired(name=name))

    def _answer(self, request_id: int, answer: dict[str, Any] | CommandRefusedError) -> None:
        waiting = self._waiting.get(request_id)
        if waiting is None or waiting.done():
            return  # who asked has gone; the deed is done all the same
        if isinstance(answer, CommandRefusedError):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)


class Stamps:
    """Puts wall-clock times on records: the core has no clock. The first record of an item stamps its beginning."""

    MAX_REMEMBERED = 1024

    def __init__(self) -> None:
        self._began: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def stamp(self, record: AnyRecord, now: float) -> AnyRecord:
        """Return the record with `started_at` and, where it is over, `ended_at` (Unix seconds, UTC)."""
        key: tuple[str, ...]
        match record:
            case UsageRecord():
                return replace(record, started_at=now)
            case ConversationRecord():
                key, over = ("conversation", record.conversation_id), bool(record.end_reason)
            case TurnRecord():
                key, over = ("turn", record.conversation_id, record.item_id), record.status != "in_progress"
            case ToolCallRecord():
                key, over = ("call", record.conversation_id, record.call_id), record.status != "running"
        began = self._began.setdefault(key, now)
        while len(self._began) > self.MAX_REMEMBERED:
            self._began.popitem(last=False)
        return replace(record, started_at=began, ended_at=now if over else None)
