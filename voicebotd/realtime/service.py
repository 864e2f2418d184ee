"""The link to the Realtime service as the rest of the daemon sees it: wanted or not, and if wanted, kept up.

Owns the life of sessions one after another: open, serve, and when lost, wait as `backoff.py` decides and open again;
before the end of one, a second is opened beside it and gone over to. It performs and does not decide: who retries when,
when a session is to be followed, what an event means and what a session looks like is in the pure files beside it.
Knows no audio device and no conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from voicebotd.conversation.effects import (
    ToService,
    UpdateSession,
)
from voicebotd.conversation.events import (
    Event,
    LinkLost,
    LinkReady,
    ResponseDone,
    ServerError,
    SessionUpdated,
    SessionView,
)
from voicebotd.realtime.backoff import Backoff, Failure, Pace, Retry
from voicebotd.realtime.endpoint import Endpoint
from voicebotd.realtime.fields import JsonObject, without
from voicebotd.realtime.link import Counters, LinkDown, Timing
from voicebotd.realtime.link_status import LinkState, LinkStatus
from voicebotd.realtime.opened import Decoded, Opened
from voicebotd.realtime.opener import Opener
from voicebotd.realtime.protocol import SessionTold
from voicebotd.realtime.session import SessionConfig, WantedSession, keeping_live_changes
from voicebotd.realtime.succession import Succession
from voicebotd.realtime.wire import Wire
from voicebotd.service import BaseService, Health

_LET_GO_S = 2.0


class OpenAIService(BaseService):
    """Keeps a session with the service while one is wanted. All methods belong to the event loop's thread.

    `key` is asked before each attempt, so that a key put in place later is used. `on_event` gets every event in
    order, synchronously, and must not block. `log` is a structlog logger.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        session: SessionConfig,
        *,
        key: Callable[[], str | None],
        on_event: Callable[[Event], None],
        rng: random.Random,
        log: Any,
        timing: Timing | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._session = WantedSession(session)
        self._next: tuple[Endpoint, SessionConfig] | None = None
        self._on_event = on_event
        self._rng = rng
        self._log = log
        self._timing = timing or Timing()
        self._backoff = Backoff(pace)
        self._counters = Counters()
        self._opener = Opener(key=key, timing=self._timing, counters=self._counters, log=log)
        self._state: LinkState = "off"
        self._present: Opened | None = None
        self._succession = Succession(
            self._open_second, backoff=Backoff(pace), rng=rng, on_event=on_event, shown=self._shown, log=log
        )
        self._dropped: asyncio.Future[Failure] | None = None
        self._retry_at = 0.0
        self._last: Retry | None = None
        self._sessions = self._rollovers = 0
        self._unheard_s = 0.0
        """Of a session that died while another waited."""
        self._wanted, self._unwanted, self._let_go = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._let_go.set()
        self._wake = asyncio.Event()

    # --- Its life ---------------------------------------------------------------------------------------------------

    async def run(self) -> NoReturn:
        """Live until cancelled. `disconnect()` lets go of the link, and a later `connect()` takes it up again."""
        while True:
            await self._wanted.wait()
            self._let_go.clear()
            try:
                async with asyncio.TaskGroup() as group:
                    holding = group.create_task(self._hold(group))
                    await self._unwanted.wait()
                    holding.cancel()
            finally:
                self._state = "off"
                self._let_go.set()

    async def connect(self) -> None:
        """Want the link. Idempotent; `LinkReady` or `LinkLost` tells what became of it."""
        self._unwanted.clear()
        self._wanted.set()

    async def disconnect(self) -> None:
        """Want it no more, and return when it is gone, after 2 s at most. Idempotent, never raises."""
        self._wanted.clear()
        self._unwanted.set()
        try:
            async with asyncio.timeout(_LET_GO_S):
                await self._let_go.wait()
        except TimeoutError:
            self._log.warning("the link is not closed yet", after_s=_LET_GO_S)

    def retry_now(self) -> None:
        """Do not wait any longer for the next attempt: a person mended something."""
        self._wake.set()

    def drop(self, reason: str, unheard_s: float) -> None:
        """The present session is of no use any more: `LinkLost` follows, and another session.

        `unheard_s`: for how long it has heard nothing already.
        """
        if self._dropped is not None and not self._dropped.done():
            address = self._endpoint.address
            self._dropped.set_result(Failure(kind="stalled", address=address, detail=reason, unheard_s=unheard_s))

    def open_successor(self) -> None:
        """Open a second session beside the present one now; `SuccessorReady` or `SuccessorFailed` follows."""
        self._succession.ask()

    def succeed(self) -> None:
        """Go over to the second session: `LinkReady` follows."""
        self._succession.go_over()

    def health_check(self) -> Health:
        status = self.status
        if status.state in {"ready", "off"}:
            return Health(ok=True, state=status.state)
        return Health(ok=False, state=status.state, reason=status.last_error, hint=status.hint)

    @property
    def status(self) -> LinkStatus:
        now_s, last, present = time.monotonic(), self._last, self._present
        wire = present.link.wire if present else Wire(self._endpoint.dialect)
        waits = self._state in {"waiting", "refused"}
        return LinkStatus(
            state=self._state,
            provider=self._endpoint.dialect.provider,
            server=self._endpoint.dialect.name,
            shape=wire.shape if present else self._endpoint.dialect.shape or "",
            lacks=wire.lacks,
            missing=wire.missing(self._session.config),
            model=self._endpoint.model,
            session_id=present.session_id if present else "",
            session_age_s=now_s - present.ready_at_s if present else None,
            last_error=last.message if last else "",
            last_error_code=last.code if last else "",
            hint=last.hint if last and present is None else "",
            retry_in_s=max(0.0, self._retry_at - now_s) if waits else None,
            rollovers=self._rollovers,
            reconnects=max(0, self._sessions - 1 - self._rollovers),
            events_received=self._counters.events_received,
            unknown_events=self._counters.unknown_events,
            dropped_messages=self._counters.dropped_messages,
            unsent_messages=self._counters.unsent_messages,
            dropped_audio_ms=self._counters.dropped_audio_ms,
            sent_audio_ms=self._counters.sent_audio_ms,
            backlog_ms=self.backlog_ms,
        )

    # --- What is sent -----------------------------------------------------------------------------------------------

    @property
    def backlog_ms(self) -> int:
        """Microphone audio that waits to be sent."""
        return self._present.link.backlog_ms if self._present else 0

    @property
    def session(self) -> SessionConfig:
        """The wanted session, live changes included. Each new session is opened with it."""
        return self._session.config

    def send(self, effect: ToService | UpdateSession) -> None:
        """Send without blocking. Without a ready link, a change of the session is kept and anything else dropped."""
        if isinstance(effect, UpdateSession):
            self._session.change(effect)
            if (waiting := self._succession.waiting) is not None:
                waiting.link.send(effect)
        if self._present is not None:
            self._present.link.send(effect)
        elif isinstance(effect, ToService):
            self._counters.dropped_messages += 1

    def reconfigure(self, endpoint: Endpoint, session: SessionConfig) -> None:
        """Use these from the next session on. Instructions, turn detection and functions stay as wanted."""
        self._next = (endpoint, session)

    def send_audio(self, pcm: bytes) -> None:
        """Send microphone audio (24 kHz, 16 bit, mono) without blocking. Without a ready link it is dropped."""
        if self._present is not None:
            self._present.link.send_audio(pcm)
        else:
            self._counters.dropped_audio_bytes += len(pcm)

    # --- One session after another ----------------------------------------------------------------------------------

    async def _hold(self, group: asyncio.TaskGroup) -> NoReturn:
        following: Opened | None = None
        while True:
            try:
                opened = following or await self._open_first(group)
                outcome = await self._one_session(group, opened, follows=following is not None)
            except LinkDown as down:
                outcome = down.failure
            following = outcome if isinstance(outcome, Opened) else None
            if isinstance(outcome, Failure):
                await self._pause(self._backoff.decide(outcome, self._rng.random()))

    async def _pause(self, retry: Retry) -> None:
        self._wake.clear()
        self._lost(retry)
        with contextlib.suppress(TimeoutError):  # the usual case: nobody cut the waiting short
            async with asyncio.timeout(retry.delay_s):
                await self._wake.wait()

    async def _open_first(self, group: asyncio.TaskGroup) -> Opened:
        """Open a session where there is none. Raises LinkDown."""
        self._state = "connecting"
        self._session.begin()  # what changes from now on is told to it when it is there
        return await self._open_another(group)

    async def _open_another(self, group: asyncio.TaskGroup) -> Opened:
        """Open a session as it is wanted now, perhaps beside another. Raises LinkDown."""
        endpoint, config = self._next or (self._endpoint, self._session.config)
        config = keeping_live_changes(config, self._session.config)
        return await self._opener.open(endpoint, config, listener=self._decoded, group=group)

    async def _open_second(self, group: asyncio.TaskGroup) -> Opened:
        """Open a session beside the present one, and tell it what was changed meanwhile. Raises LinkDown."""
        opened = await self._open_another(group)
        wanted = self._session.config
        if keeping_live_changes(opened.config, wanted) != opened.config:
            changes = UpdateSession(
                event_id="meanwhile",
                instructions=wanted.instructions,
                turn_detection=wanted.turn_detection,
                tools=wanted.tools,
            )
            opened.link.send(changes)
        return opened

    async def _one_session(self, group: asyncio.TaskGroup, opened: Opened, *, follows: bool) -> Failure | Opened:
        """Hold a session until it is lost, or followed by the one that is returned."""
        self._dropped = asyncio.get_running_loop().create_future()
        following = group.create_task(self._succession.follow(opened, group), name="succession")
        try:
            self._take(opened, follows=follows)
            ends: set[asyncio.Future[Any]] = {opened.serving, following, self._dropped}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                return following.result()
            ended = self._dropped if self._dropped.done() else opened.serving
            if (waiting := self._succession.take_waiting()) is not None:
                self._unheard_s = ended.result().unheard_s
                return waiting
            return replace(ended.result(), session_age_s=time.monotonic() - opened.ready_at_s)
        finally:
            opened.voice.on, self._present, self._state = False, None, "waiting"
            following.cancel()
            opened.serving.cancel()  # it closes in its own time

    def _take(self, opened: Opened, *, follows: bool) -> None:
        """This session is the present one from now on.

        `follows`: it waited beside another and was told every change; else it is told now what changed meanwhile.
        """
        missed = () if follows else self._session.unanswered
        config = keeping_live_changes(opened.config, self._session.config) if follows else opened.config
        self._session = WantedSession(config)
        if self._next is not None and self._next[0] is opened.endpoint:
            self._next = None
        self._sessions += 1
        self._rollovers += follows
        self._endpoint, self._state, self._present = opened.endpoint, "ready", opened
        opened.voice.on = True
        for effect in missed:
            self.send(effect)
        self._log.info("link ready", session_id=opened.session_id, model=opened.model)
        session = self._view(opened.voice.told)
        unheard_s, self._unheard_s = self._unheard_s, 0.0
        ready = LinkReady(session_id=opened.session_id, model=opened.model, session=session, unheard_s=unheard_s)
        self._on_event(ready)

    def _lost(self, retry: Retry) -> None:
        retry = replace(retry, message=self._shown(retry.message))
        # The same words again and again, at every attempt, would fill the log of a box that is offline.
        note = self._log.info if self._last and self._last.message == retry.message else self._log.warning
        note("no link", reason=retry.message, code=retry.code, hint=retry.hint, retry_in_s=round(retry.delay_s, 1))
        self._state = "refused" if retry.fatal else "waiting"
        self._last, self._retry_at = retry, time.monotonic() + retry.delay_s
        self._on_event(
            LinkLost(
                reason=retry.message,
                code=retry.code,
                hint=retry.hint,
                fatal=retry.fatal,
                retry_in_s=retry.delay_s,
                unheard_s=retry.unheard_s,
            )
        )

    def _decoded(self, decoded: Decoded) -> None:
        match decoded:
            case SessionTold(name="updated", session=told):
                self._session.answered()
                self._on_event(SessionUpdated(session=self._view(told)))
            case Event():
                if isinstance(decoded, ServerError):
                    self._session.refused(decoded.event_id)
                elif isinstance(decoded, ResponseDone) and decoded.status == "completed":
                    self._backoff.completed()
                self._on_event(decoded)

    def _shown(self, message: str) -> str:
        return without(self._opener.secret, message)

    def _view(self, told: JsonObject) -> SessionView:
        assert self._present is not None, "a session is told by a link"
        view, differences = self._present.link.wire.confirm(self._session.granted, told)
        for difference in differences:
            self._log.warning("the service did not apply a setting", difference=difference)
        return view
