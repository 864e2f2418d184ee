"""The link to the Realtime service as the rest of the daemon sees it: wanted or not, and if wanted, kept up.

Owns the life of links one after another: open, serve, and when lost, wait as `backoff.py` decides and open again. It
performs and does not decide: who retries when, what an event means and what a session looks like is in the pure
files beside it. Knows no audio device and no conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

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
from voicebotd.errors import VoicebotError
from voicebotd.realtime.backoff import Backoff, Failure, Pace, Retry
from voicebotd.realtime.endpoint import Endpoint
from voicebotd.realtime.failures import from_key
from voicebotd.realtime.fields import JsonObject, optional_text, without
from voicebotd.realtime.link import Counters, Link, LinkDown, Timing
from voicebotd.realtime.protocol import SessionTold
from voicebotd.realtime.session import SessionConfig, WantedSession
from voicebotd.realtime.transport import SessionLink
from voicebotd.realtime.wire import Wire
from voicebotd.service import BaseService, Health

LinkState = Literal["off", "connecting", "ready", "waiting", "refused"]
"""`waiting`: lost, and tried again soon; `refused`: a person must act, and it is tried again slowly."""

_LET_GO_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """The link at one moment. `last_error` stays after a recovery, the hint does not."""

    state: LinkState
    provider: str
    server: str
    """The family of servers, by its name in the table of dialects."""
    shape: str
    """ga or beta; "" until a server has shown it."""
    lacks: frozenset[str]
    missing: tuple[str, ...]
    """What this server lacks, in words."""
    model: str
    session_id: str
    session_age_s: float | None
    last_error: str
    last_error_code: str
    hint: str
    retry_in_s: float | None
    reconnects: int
    events_received: int
    unknown_events: int
    dropped_messages: int
    unsent_messages: int
    dropped_audio_ms: int
    sent_audio_ms: int
    backlog_ms: int


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
        self._key = key
        self._on_event = on_event
        self._rng = rng
        self._log = log
        self._timing = timing or Timing()
        self._backoff = Backoff(pace)
        self._counters = Counters()
        self._nonsense: set[str] = set()
        self._state: LinkState = "off"
        self._link: SessionLink | None = None  # only while it is ready
        self._secret = ""
        self._session_id = ""
        self._ready_at = 0.0
        self._retry_at = 0.0
        self._last: Retry | None = None
        self._sessions = 0
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
                    holding = group.create_task(self._hold())
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

    def health_check(self) -> Health:
        status = self.status
        if status.state in {"ready", "off"}:
            return Health(ok=True, state=status.state)
        return Health(ok=False, state=status.state, reason=status.last_error, hint=status.hint)

    @property
    def status(self) -> LinkStatus:
        wire = self._link.wire if self._link else Wire(self._endpoint.dialect)
        now_s, last, ready = time.monotonic(), self._last, self._state == "ready"
        waits = self._state in {"waiting", "refused"}
        return LinkStatus(
            state=self._state,
            provider=self._endpoint.dialect.provider,
            server=self._endpoint.dialect.name,
            shape=wire.shape if self._link else self._endpoint.dialect.shape or "",
            lacks=wire.lacks,
            missing=wire.missing(self._session.config),
            model=self._endpoint.model,
            session_id=self._session_id if ready else "",
            session_age_s=now_s - self._ready_at if ready else None,
            last_error=last.message if last else "",
            last_error_code=last.code if last else "",
            hint=last.hint if last and not ready else "",
            retry_in_s=max(0.0, self._retry_at - now_s) if waits else None,
            reconnects=max(0, self._sessions - 1),
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
        return self._link.backlog_ms if self._link else 0

    @property
    def session(self) -> SessionConfig:
        """The wanted session, live changes included. Each new session is opened with it."""
        return self._session.config

    def send(self, effect: ToService | UpdateSession) -> None:
        """Send without blocking. Without a ready link, a change of the session is kept and anything else dropped."""
        if isinstance(effect, UpdateSession):
            self._session.change(effect)
        if self._link is not None:
            self._link.send(effect)
        elif isinstance(effect, ToService):
            self._counters.dropped_messages += 1

    def reconfigure(self, endpoint: Endpoint, session: SessionConfig) -> None:
        """Use these from the next session on. Instructions, turn detection and functions stay as wanted."""
        self._next = (endpoint, session)

    def send_audio(self, pcm: bytes) -> None:
        """Send microphone audio (24 kHz, 16 bit, mono) without blocking. Without a ready link it is dropped."""
        if self._link is not None:
            self._link.send_audio(pcm)
        else:
            self._counters.dropped_audio_bytes += len(pcm)

    # --- One link after another -------------------------------------------------------------------------------------

    async def _hold(self) -> NoReturn:
        while True:
            failure = await self._one_link()
            retry = self._backoff.decide(failure, self._rng.random())
            self._wake.clear()
            self._lost(retry)
            with contextlib.suppress(TimeoutError):  # the usual case: nobody cut the waiting short
                async with asyncio.timeout(retry.delay_s):
                    await self._wake.wait()

    async def _one_link(self) -> Failure:
        """Hold one link from its opening to its loss; return why it was lost."""
        self._state = "connecting"
        self._take_over_configuration()
        try:
            # A server that is never shown the key must not depend on there being a usable one.
            self._secret = "" if self._endpoint.dialect.key == "never" else self._key() or ""
            headers = self._endpoint.headers(self._secret)
        except (VoicebotError, OSError) as exc:
            return from_key(exc, self._endpoint.address)
        link = self._new_link()
        ready_at = None
        try:
            created, updated = await link.open(headers, self._session.begin())
            ready_at = time.monotonic()
            self._ready(link, ready_at, created, updated)
            failure = await link.serve()
        except LinkDown as down:
            failure = down.failure
        finally:
            self._link, self._state = None, "waiting"
            await link.close()
        return replace(failure, session_age_s=time.monotonic() - ready_at if ready_at is not None else 0.0)

    def _take_over_configuration(self) -> None:
        if self._next is None:
            return
        (self._endpoint, session), self._next = self._next, None
        wanted = self._session.config
        session = replace(
            session,
            instructions=wanted.instructions,
            turn_detection=wanted.turn_detection,
            tools=wanted.tools,
        )
        self._session = WantedSession(session)

    def _new_link(self) -> SessionLink:
        self._log.info("connecting", server=self._endpoint.dialect.name, address=self._endpoint.address)
        return Link(
            self._endpoint,
            timing=self._timing,
            counters=self._counters,
            nonsense=self._nonsense,
            secret=self._secret,
            on_decoded=self._decoded,
            log=self._log,
        )

    def _ready(self, link: SessionLink, ready_at: float, created: JsonObject, updated: JsonObject) -> None:
        self._link, self._state, self._ready_at = link, "ready", ready_at
        self._sessions += 1
        self._session_id = optional_text(updated, "id") or optional_text(created, "id")
        model = optional_text(updated, "model") or self._endpoint.model
        self._log.info("link ready", session_id=self._session_id, model=model)
        for effect in self._session.unanswered:
            link.send(effect)
        self._on_event(LinkReady(session_id=self._session_id, model=model, session=self._view(updated)))

    def _lost(self, retry: Retry) -> None:
        retry = replace(retry, message=without(self._secret, retry.message))
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
            )
        )

    def _decoded(self, decoded: Event | SessionTold) -> None:
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

    def _view(self, told: JsonObject) -> SessionView:
        assert self._link is not None, "a session is told by a link"
        view, differences = self._link.wire.confirm(self._session.granted, told)
        for difference in differences:
            self._log.warning("the service did not apply a setting", difference=difference)
        return view
