"""One session with the service, from the first byte to its loss.

Owns one websocket: the handshake (`session.created`, our `session.update`, `session.updated`), the reader, the
writer, the deadlines. Does not reconnect, judges no failure and knows nothing of the conversation: what it hears it
decodes and hands on, in order; how it ends is a `LinkDown`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Literal, NoReturn

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from voicebotd.conversation.effects import (
    ToService,
    UpdateSession,
)
from voicebotd.conversation.events import (
    BYTES_PER_MS,
    Event,
    ServerError,
)
from voicebotd.realtime.backoff import Failure, ends_session, refuses_session
from voicebotd.realtime.encode import Shown, to_json
from voicebotd.realtime.endpoint import Endpoint
from voicebotd.realtime.failures import (
    CONNECT_ERRORS,
    from_close,
    from_connecting,
    from_ending_error,
    from_setup_error,
)
from voicebotd.realtime.fields import JsonObject, without
from voicebotd.realtime.outbox import Outbox
from voicebotd.realtime.protocol import Decoded, Nonsense, SessionTold, parse
from voicebotd.realtime.repeats import Repeats
from voicebotd.realtime.session import SessionConfig
from voicebotd.realtime.wire import Unsent, Wire

_MOST_FRAME_BYTES = 32 * 2**20
"""The service may send messages of many MiB, but not without end."""

_MOST_UNSENT_BYTES = 16 * 2**10
"""A quarter of a second of audio. More may not hide in the kernel's buffer, where nobody can drop the oldest."""

_MOST_KINDS = 64
"""Different kinds of nonsense that are logged. A server that invents more is counted only."""

# The websocket library logs request headers, the key among them, at debug level.
_quiet = logging.getLogger("voicebotd.realtime.websocket")
_quiet.setLevel(logging.WARNING)


class _Straight(connect):
    """Connects to where it was told: a redirect would take what visitors say to a host that nobody configured."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Every deadline of a link, in seconds."""

    connect_timeout_s: float = 10.0
    """For the connection, and again for each of the two answers of the handshake."""
    ping_interval_s: float = 5.0
    ping_timeout_s: float = 5.0
    send_timeout_s: float = 10.0
    """A service that takes nothing for that long is lost."""
    close_timeout_s: float = 1.0
    patience_s: float = 3.0
    """For the confirmation of a server that perhaps gives none; then the session begins without."""
    rollover_after_s: float = 3000.0
    """A session is followed by another after so long, in a silence, unless it ends earlier by itself."""

    @property
    def noticed_s(self) -> float:
        """How long a link may be dead before a ping tells."""
        return self.ping_interval_s + self.ping_timeout_s


@dataclass(slots=True, kw_only=True)
class Counters:
    """What went over all links of one service."""

    events_received: int = 0
    unknown_events: int = 0
    dropped_audio_bytes: int = 0
    dropped_messages: int = 0
    unsent_messages: int = 0
    """What the server has no ear for."""
    sent_audio_bytes: int = 0

    @property
    def dropped_audio_ms(self) -> int:
        return self.dropped_audio_bytes // BYTES_PER_MS

    @property
    def sent_audio_ms(self) -> int:
        return self.sent_audio_bytes // BYTES_PER_MS


class LinkDown(Exception):  # noqa: N818 (it is not always an error: a session also ends because its hour is over)
    """There is no session, or no longer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class Link:
    """One websocket. The owner calls `open()`, then `serve()`, and `close()` in any case."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timing: Timing,
        counters: Counters,
        nonsense: set[str],
        secret: str,
        on_decoded: Callable[[Event | SessionTold], None],
        log: Any,
    ) -> None:
        self._endpoint = endpoint
        self._timing = timing
        self._counters = counters
        self._nonsense = nonsense
        self._secret = secret
        self._on_decoded = on_decoded
        self._log = log
        self._wire = Wire(endpoint.dialect)
        self._repeats = Repeats()
        self._outbox = Outbox[ToService | UpdateSession]()
        self._filled = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._last_error: ServerError | None = None
        self._heard_at_s = 0.0

    async def open(self, headers: dict[str, str], config: SessionConfig) -> tuple[JsonObject, JsonObject]:
        """Connect and have `config` confirmed; return the sessions of `session.created` and `session.updated`.

        Raises LinkDown.
        """
        try:
            self._socket = await _Straight(
                self._endpoint.url,
                additional_headers=headers,
                user_agent_header=f"voicebotd/{version('voicebotd')}",
                compression=None,  # base64 PCM does not compress
                max_size=_MOST_FRAME_BYTES,
                open_timeout=self._timing.connect_timeout_s,
                ping_interval=None,  # the library's deadline does not run while its ping waits in a full buffer
                close_timeout=self._timing.close_timeout_s,
                write_limit=_MOST_UNSENT_BYTES,
                logger=_quiet,
            )
            tcp = self._socket.transport.get_extra_info("socket")
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT_BYTES)
        except CONNECT_ERRORS as exc:
            raise LinkDown(from_connecting(exc, self._endpoint.address)) from exc
        created = await self._told(self._socket, "created")
        await self._transmit(self._socket, self._wire.opening(config))
        return created, await self._confirmed(self._socket)

    async def serve(self) -> Failure:
        """Receive and send until the session is lost; return why it was."""
        assert self._socket is not None, "serve() comes after open()"
        failure: Failure | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(self._socket))
                group.create_task(self._keep_alive(self._socket))
                await self._read(self._socket)
        except* LinkDown as lost:
            failure = next(down.failure for down in lost.exceptions if isinstance(down, LinkDown))
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # A TaskGroup (before Python 3.13) forgets a cancellation that comes together with a failure. The count
            # is only right because the reader is not a task of the group but its body.
            raise asyncio.CancelledError
        assert failure is not None, "reader and writer end only by raising"
        if failure.kind not in ("reset", "stalled"):
            return failure
        # The line broke, nobody knows when: after something came, and after the last ping was answered.
        return replace(failure, unheard_s=min(self._timing.noticed_s, time.monotonic() - self._heard_at_s))

    async def close(self) -> None:
        """Close in good order if the other side lets us, and in any case be closed, soon after `close_timeout_s`."""
        ws = self._socket
        if ws is None:
            return
        try:
            # The library's own deadline does not cover a write buffer that the other side never empties.
            async with asyncio.timeout(1.5 * self._timing.close_timeout_s):
                await ws.close()
        except TimeoutError:
            ws.transport.abort()
            await ws.wait_closed()
        finally:
            ws.transport.abort()

    def send(self, effect: ToService | UpdateSession) -> None:
        """Queue a message. One too many is dropped and counted."""
        if not self._outbox.put(effect):
            self._counters.dropped_messages += 1
            self._log.warning("message to the service dropped, too many wait", type=type(effect).__name__)
        self._filled.set()

    def send_audio(self, pcm: bytes) -> None:
        """Queue microphone audio. What waits longer than a second is dropped, oldest first, and counted."""
        self._counters.dropped_audio_bytes += self._outbox.put_audio(pcm)
        if self._outbox.due:
            self._filled.set()

    @property
    def backlog_ms(self) -> int:
        """How much audio waits to be sent."""
        return self._outbox.backlog_ms

    @property
    def wire(self) -> Wire:
        """How this server is spoken to."""
        return self._wire

    async def _confirmed(self, ws: ClientConnection) -> JsonObject:
        """Wait for `session.updated`, not for ever on a server that may never say it."""
        if self._endpoint.dialect.confirms == "always":
            return await self._told(ws, "updated")
        try:
            async with asyncio.timeout(min(self._timing.patience_s, self._timing.connect_timeout_s / 2)):
                return await self._told(ws, "updated")
        except TimeoutError:
            self._wire.unconfirmed()
            self._log.warning("the service does not confirm the session; going on without")
            return {}

    async def _told(self, ws: ClientConnection, name: Literal["created", "updated"]) -> JsonObject:
        """Wait for `session.created` or `.updated`. An error meanwhile means that there will be no such session."""
        try:
            async with asyncio.timeout(self._timing.connect_timeout_s):
                while True:
                    for decoded in await self._receive(ws):
                        match decoded:
                            case SessionTold(name=told, session=session) if told == name:
                                return session
                            case ServerError() as error if refuses_session(error.code):
                                raise LinkDown(from_setup_error(error, self._endpoint.address))
        except TimeoutError as exc:
            missing = Failure(kind="timeout", address=self._endpoint.address, detail=f"no session.{name}")
            raise LinkDown(missing) from exc

    async def _read(self, ws: ClientConnection) -> NoReturn:
        while True:
            for decoded in await self._receive(ws):
                if isinstance(decoded, ServerError) and ends_session(decoded.code):
                    raise LinkDown(from_ending_error(decoded, self._endpoint.address))
                if isinstance(decoded, Event | SessionTold):
                    self._on_decoded(decoded)

    async def _write(self, ws: ClientConnection) -> NoReturn:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while (waiting := self._outbox.take()) is not None:
                if isinstance(waiting, bytes):
                    await self._transmit(ws, self._wire.append_audio(waiting))
                    self._counters.sent_audio_bytes += len(waiting)
                elif isinstance(message := self._wire.encode(waiting), Unsent):
                    self._leave_unsaid(waiting, message)
                else:
                    await self._transmit(ws, message)
                    if isinstance(waiting, UpdateSession) and "confirmation" in self._wire.lacks:
                        self._on_decoded(SessionTold(name="updated", session={}))

    async def _keep_alive(self, ws: ClientConnection) -> NoReturn:
        """Find a link that has died without a word. Without one, nothing ever comes of it."""
        while True:
            await asyncio.sleep(self._timing.ping_interval_s)
            try:
                async with asyncio.timeout(self._timing.ping_timeout_s):
                    await (await ws.ping())
            except ConnectionClosed as exc:
                raise LinkDown(from_close(exc, self._endpoint.address, self._last_error)) from exc
            except TimeoutError as exc:
                dead = Failure(kind="stalled", address=self._endpoint.address, detail="it does not answer a ping")
                raise LinkDown(dead) from exc
            self._heard_at_s = time.monotonic()

    async def _receive(self, ws: ClientConnection) -> tuple[Decoded, ...]:
        try:
            frame = await ws.recv()
        except ConnectionClosed as exc:
            raise LinkDown(from_close(exc, self._endpoint.address, self._last_error)) from exc
        self._counters.events_received += 1
        self._heard_at_s = time.monotonic()
        message = parse(without(self._secret, frame) if isinstance(frame, str) else frame)
        if not isinstance(message, Nonsense):
            self._log.debug("received", message=Shown(message))
            if self._repeats.is_repeat(message, frame):
                message = Nonsense(kind="the same event twice")
        heard = (message,) if isinstance(message, Nonsense) else self._wire.decode(message)
        # Only the event right before a close explains it; an older error was survived.
        self._last_error = None
        for decoded in heard:
            if isinstance(decoded, Nonsense):
                self._count_nonsense(decoded.kind)
            elif isinstance(decoded, ServerError):
                self._last_error = decoded
        return heard

    async def _transmit(self, ws: ClientConnection, message: JsonObject) -> None:
        self._log.debug("sent", message=Shown(message))
        try:
            async with asyncio.timeout(self._timing.send_timeout_s):
                await ws.send(to_json(message))
        except ConnectionClosed as exc:
            raise LinkDown(from_close(exc, self._endpoint.address, self._last_error)) from exc
        except TimeoutError as exc:
            stalled = Failure(kind="stalled", address=self._endpoint.address, detail="it takes no more data")
            raise LinkDown(stalled) from exc

    def _leave_unsaid(self, effect: ToService | UpdateSession, unsent: Unsent) -> None:
        self._counters.unsent_messages += 1
        self._log.debug("not sent, this service lacks it", effect=type(effect).__name__, feature=unsent.feature)
        if unsent.answer is not None:
            self._on_decoded(unsent.answer)

    def _count_nonsense(self, kind: str) -> None:
        self._counters.unknown_events += 1
        if kind not in self._nonsense and len(self._nonsense) < _MOST_KINDS:
            self._nonsense.add(kind)
            self._log.warning("the service sent what cannot be understood", what=kind)
