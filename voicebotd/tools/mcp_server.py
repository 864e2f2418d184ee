"""One server of the Model Context Protocol: connected, listed, asked, and connected again when it dies.

Owns the life of a server and what is said of its calls. A call that may have had its effect is never made twice. The
official client speaks the protocol. Knows neither the configuration nor what else there is to call.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import httpx2
import structlog
from mcp import Client, MCPError
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp_types import CONNECTION_CLOSED, Implementation, ToolListChangedNotification

from voicebotd.errors import ToolError
from voicebotd.tools import mcp_stdio
from voicebotd.tools import mcp_words as words
from voicebotd.tools.mcp_offer import MOST_FUNCTIONS, Listed
from voicebotd.tools.mcp_spec import Spec, Timing
from voicebotd.tools.registry import JsonObject

State = Literal["connecting", "ready", "waiting"]
log = structlog.get_logger("mcp")


@dataclass(slots=True, kw_only=True)
class Status:
    """What people are told of it."""

    state: State = "connecting"
    reason: str = ""
    restarts: int = 0
    since_s: float = field(default_factory=time.monotonic)


@dataclass(slots=True, kw_only=True, eq=False)
class _Session:
    """One connection. `lost` is set when it is found to be of no use, `changed` when the functions are others."""

    client: Client
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    calls: int = 0

    def lose(self, why: str) -> None:
        self.why = self.why or why
        self.lost.set()


class McpServer:
    """`on_listed` is told what the server has, `on_state` that its status is another. Run `run()` as a task."""

    MOST_PAGES = 50

    def __init__(
        self,
        spec: Spec,
        *,
        reveal: Callable[[str], str],
        chance: Callable[[], float],
        on_listed: Callable[[list[Listed]], None],
        on_state: Callable[[], None],
        timing: Timing | None = None,
    ) -> None:
        self.spec = spec
        self.status = Status()
        self._reveal = reveal
        self._chance = chance
        self._on_listed = on_listed
        self._on_state = on_state
        self._timing = timing or Timing()
        self._session: _Session | None = None
        self._child: mcp_stdio.Child | None = None
        self._http_status = 0

    async def run(self) -> None:
        """Live until cancelled, however often the server dies."""
        deaths = 0
        while True:
            began_s = time.monotonic()
            try:
                why = await self._live()
            except Exception as error:  # the boundary of a server: whatever breaks here costs its functions only
                if not _expected(error):
                    log.exception("a server was lost by a mistake of ours", server=self.spec.name)
                why = words.reason(error)
            why = self._cause(why)
            deaths = 1 if time.monotonic() - began_s >= self._timing.lived_s else deaths + 1
            pause_s = words.pause_s(deaths, self._chance())
            tell = log.debug if why == self.status.reason else log.warning  # once, not once a minute for months
            tell("a server is not there", server=self.spec.name, reason=why, again_in_s=round(pause_s, 1))
            self._enter("waiting", why)
            await asyncio.sleep(pause_s)
            self.status.restarts += 1
            self._enter("connecting", why)

    async def ask(self, function: str, arguments: JsonObject) -> str:
        """Call a function. Raises ToolError, in words for the model; it is called once, whatever happens."""
        session, name = self._session, self.spec.name
        if session is None:
            raise ToolError(words.away(name, self.status.reason or "it is being connected"))
        session.calls += 1
        try:
            result = await session.client.session.call_tool(function, arguments)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED or session.lost.is_set():
                session.lose(words.reason(error))
                raise ToolError(words.died(name, function)) from error
            # It may be that it knows this session no more: whether it does shows when it is asked what it has.
            session.changed.set()
            raise ToolError(words.refused(name, error.code, error.message)) from error
        except (OSError, httpx2.HTTPError) as error:
            session.lose(words.reason(error))
            raise ToolError(words.died(name, function)) from error
        except (RuntimeError, ValueError) as error:
            log.warning(
                "a server answers against its own word", server=name, function=function, reason=str(error)[:300]
            )
            raise ToolError(words.unfit(name, function)) from error
        finally:
            session.calls -= 1
        text = words.told(result)
        if result.is_error:
            raise ToolError(text)
        return text

    async def _live(self) -> str:
        """One life; return what it died of."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._timing.connect_s) as deadline:
                    session = await self._connect(stack)
                    listed = await self._list(session)
            except TimeoutError:
                if deadline.expired():
                    raise ToolError(f"did not answer within {self._timing.connect_s:g} s") from None
                raise
            stack.callback(self._leave)
            self._session = session
            self._on_listed(listed)
            self._enter("ready", "")
            log.info("a server is there", server=self.spec.name, functions=len(listed))
            async with _watching(session):
                return await self._attend(session)

    def _leave(self) -> None:
        self._session = None

    def _enter(self, state: State, reason: str) -> None:
        self.status.state, self.status.reason, self.status.since_s = state, reason, time.monotonic()
        self._on_state()

    async def _connect(self, stack: AsyncExitStack) -> _Session:
        session: _Session

        async def heard(message: object) -> None:
            if isinstance(message, ToolListChangedNotification):
                session.changed.set()

        transport, child = await self._transport(stack)
        info = Implementation(name="voicebotd", version="1")
        client = Client(transport, message_handler=heard, client_info=info, cache=None)
        session = _Session(client=client)
        if child is not None:
            watch = asyncio.create_task(self._lose_with(child, session), name=f"mcp {self.spec.name} end")
            stack.callback(watch.cancel)
        await stack.enter_async_context(client)
        return session

    async def _lose_with(self, child: mcp_stdio.Child, session: _Session) -> None:
        await child.over.wait()
        session.lose(child.why)

    async def _transport(self, stack: AsyncExitStack) -> tuple[Transport, mcp_stdio.Child | None]:
        spec = self.spec
        if spec.command is not None:
            child = self._child = await mcp_stdio.start(
                spec.name, spec.command, spec.args, env=self._revealed(spec.env), cwd=spec.cwd
            )
            return mcp_stdio.transport(child), child
        assert spec.url is not None, "a server has a command or an address"
        # A stream may be silent for as long as nothing happens; what is asked has deadlines of its own.
        timeout = httpx2.Timeout(self._timing.connect_s, read=None)
        http = httpx2.AsyncClient(
            headers=self._revealed(spec.headers),
            timeout=timeout,
            trust_env=False,
            event_hooks={"response": [self._note_status]},
        )
        return streamable_http_client(spec.url, http_client=await stack.enter_async_context(http)), None

    async def _note_status(self, response: httpx2.Response) -> None:
        self._http_status = response.status_code

    def _cause(self, why: str) -> str:
        """What a process said at its end, or an HTTP server in its refusal, is a better reason than that its session
        was closed."""
        child, status, self._child, self._http_status = self._child, self._http_status, None, 0
        if child is not None and child.over.is_set() and not child.ended_by_us:
            return child.why
        return f"{why} (HTTP {status})" if status >= 400 else why

    def _revealed(self, references: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
        return {name: self._reveal(reference) for name, reference in references}

    async def _attend(self, session: _Session) -> str:
        """See to it that what is offered is what it has, until it is lost."""
        while not session.lost.is_set():
            await self._news(session)
            if session.lost.is_set() or (session.calls and not session.changed.is_set()):
                continue  # a server that works may be deaf meanwhile: the deadline of the call is enough
            session.changed.clear()
            try:
                async with asyncio.timeout(self._timing.list_s):
                    listed = await self._list(session)
            except TimeoutError:
                if session.calls:
                    session.changed.set()  # later, when it has time
                    continue
                return f"did not answer within {self._timing.list_s:g} s"
            self._on_listed(listed)
        return session.why

    async def _news(self, session: _Session) -> None:
        waiting = [asyncio.ensure_future(each.wait()) for each in (session.lost, session.changed)]
        try:
            await asyncio.wait(waiting, timeout=self._timing.look_again_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _list(self, session: _Session) -> list[Listed]:
        found: list[Listed] = []
        cursor: str | None = None
        for _ in range(self.MOST_PAGES):
            page = await session.client.list_tools(cursor=cursor)
            found += [
                Listed(name=one.name, description=one.description or one.title or "", schema=one.input_schema)
                for one in page.tools
            ]
            cursor = page.next_cursor
            if cursor is None or len(found) > MOST_FUNCTIONS * 16:
                return found
        raise ToolError(f"lists its functions without an end: {self.MOST_PAGES} pages are read")


def _expected(error: BaseException) -> bool:
    """Whether it is the other side's doing, rather than a mistake of ours."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_expected, error.exceptions))
    return isinstance(error, (ToolError, MCPError, OSError, httpx2.HTTPError, TimeoutError, ValueError))


@asynccontextmanager
async def _watching(session: _Session) -> AsyncIterator[None]:
    """Servers of the newer protocol tell of changes only to who asks for it."""
    watch = asyncio.create_task(_subscribe(session), name="mcp changes")
    try:
        yield
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _subscribe(session: _Session) -> None:
    try:
        async with session.client.listen(tools_list_changed=True) as news:
            session.changed.set()  # what changed before it was listened to is told to nobody
            async for _ in news:
                session.changed.set()
    except ListenNotSupportedError:
        return  # the older one tells of itself
    except (MCPError, SubscriptionLost, TimeoutError, OSError) as error:
        log.debug("a server does not tell of its changes", reason=words.reason(error))
