"""All servers of the Model Context Protocol: those that are wanted are kept alive, and what they have is offered.

Owns which servers run, and what people are told of them. Without the extra `mcp` each is named together with the
remedy, and nothing else suffers. A server's own life is `mcp_server.py`'s, the names of its functions `mcp_offer.py`'s.
Nothing here blocks anybody: what is slow is a server's own task.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from voicebotd.tools.catalogue import Source
from voicebotd.tools.mcp_spec import REMEDY, Spec, Timing
from voicebotd.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from voicebotd.tools.mcp_offer import Listed
    from voicebotd.tools.registry import Tool

log = structlog.get_logger("mcp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """What people are told of a server."""

    name: str
    transport: str
    """`stdio` or `http`."""
    state: str
    """`connecting`, `ready`, `waiting` (it died, and is left alone for a moment), or `unavailable`."""
    reason: str = ""
    functions: int = 0
    restarts: int = 0


def installed() -> bool:
    return importlib.util.find_spec("mcp") is not None


class _Kept:
    """A server that is wanted, and what was heard of it."""

    def __init__(
        self,
        spec: Spec,
        toolbox: Toolbox,
        *,
        reveal: Callable[[str], str],
        timing: Timing,
        moved: Callable[[], None],
    ) -> None:
        from voicebotd.tools.mcp_server import McpServer  # noqa: PLC0415 - the extra may be missing

        self.spec = spec
        self.server = McpServer(
            spec, reveal=reveal, chance=random.random, on_listed=self.listed, on_state=self.show, timing=timing
        )
        self._toolbox = toolbox
        self._moved = moved
        self._tools: tuple[Tool, ...] = ()
        self._problems: tuple[str, ...] = ()
        self.task: asyncio.Task[None] | None = None
        self.dropped = False

    @property
    def functions(self) -> int:
        return len(self._tools)

    def listed(self, listed: list[Listed]) -> None:
        from voicebotd.tools.mcp_offer import offer  # noqa: PLC0415 - the extra may be missing

        self._tools, self._problems = offer(
            self.spec.name, listed, allow=self.spec.allow, timeout_s=self.spec.timeout_s, ask=self.server.ask
        )
        for problem in self._problems:
            log.warning("a function of a server is not offered", server=self.spec.name, reason=problem)
        self.show()

    def show(self) -> None:
        """Offer what it has. What it had stays offered while it is away: that it is, is an answer, and a session that
        is told other functions again and again is paid for anew each time."""
        if self.dropped:
            return
        self._moved()
        status = self.server.status
        problem = "; ".join(self._problems)
        if status.state != "ready" and status.reason:
            problem = f"is not there: {status.reason}"
        if self._tools or problem:
            source = Source(name=f"mcp {self.spec.name}", tools=self._tools, problem=problem, always=True)
            self._toolbox.serve(self.spec.name, source)


class McpServers:
    """`reveal` reads a reference to a secret, and raises ToolError. Run `run()` as a task."""

    def __init__(
        self,
        toolbox: Toolbox,
        *,
        reveal: Callable[[str], str],
        is_installed: Callable[[], bool] = installed,
        timing: Timing | None = None,
    ) -> None:
        self._toolbox = toolbox
        self._reveal = reveal
        self._is_installed = is_installed
        self._timing = timing or Timing()
        self._wanted: dict[str, Spec] = {}
        self._kept: dict[str, _Kept] = {}
        self._named: set[str] = set()
        """Those of which it is said that the extra is missing."""
        self._loaded = False
        self._loading: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._closing = False

    @property
    def reports(self) -> tuple[ServerReport, ...]:
        return tuple(self._report(spec) for spec in self._wanted.values())

    def want(self, specs: Sequence[Spec]) -> None:
        """Have these from now on and no others. One that is wanted as before goes on undisturbed."""
        self._wanted = {spec.name: spec for spec in specs}
        self._arrange()

    async def run(self) -> None:
        """Live until cancelled; then no server is left."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._arrange()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    async def settled(self, within_s: float) -> None:
        """Return when every server is there or has been found not to be, or after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while any(report.state == "connecting" for report in self.reports):
                    self._moved.clear()
                    await self._moved.wait()

    async def disconnect(self) -> None:
        """End every server. Bounded: a server that does not want to end is killed."""
        self._closing = True
        ending = [kept.task for kept in self._kept.values() if kept.task is not None]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    def _arrange(self) -> None:
        if self._group is None or self._closing:
            return
        for name, kept in list(self._kept.items()):
            if self._wanted.get(name) != kept.spec:
                self._drop(name)
        if not self._is_installed():
            self._name_missing()
            return
        if self._wanted and not self._loaded:
            self._loading = self._loading or self._group.create_task(self._load(), name="mcp load")
            return
        for name, spec in self._wanted.items():
            if name not in self._kept:
                self._keep(spec, self._group)

    async def _load(self) -> None:
        """The official client takes seconds to load on a small machine: apart, for the daemon's loop serves others."""
        for module in ("mcp_server", "mcp_offer"):
            await asyncio.to_thread(importlib.import_module, f"voicebotd.tools.{module}")
        self._loaded = True
        self._arrange()

    def _name_missing(self) -> None:
        for name in self._named - self._wanted.keys():
            self._toolbox.serve(name, None)
        for name in self._wanted:
            problem = f"its functions are not there: {REMEDY}, then restart the daemon"
            self._toolbox.serve(name, Source(name=f"mcp {name}", problem=problem))
        self._named = set(self._wanted)

    def _keep(self, spec: Spec, group: asyncio.TaskGroup) -> None:
        kept = self._kept[spec.name] = _Kept(
            spec, self._toolbox, reveal=self._reveal, timing=self._timing, moved=self._moved.set
        )
        kept.task = group.create_task(kept.server.run(), name=f"mcp {spec.name}")

    def _drop(self, name: str) -> None:
        kept = self._kept.pop(name)
        kept.dropped = True
        if kept.task is not None:
            kept.task.cancel()
        self._toolbox.serve(name, None)

    def _report(self, spec: Spec) -> ServerReport:
        transport = "stdio" if spec.command is not None else "http"
        kept = self._kept.get(spec.name)
        if kept is None:
            reason = "" if self._is_installed() else REMEDY
            return ServerReport(
                name=spec.name, transport=transport, state="unavailable" if reason else "connecting", reason=reason
            )
        status = kept.server.status
        return ServerReport(
            name=spec.name,
            transport=transport,
            state=status.state,
            reason=status.reason,
            functions=kept.functions,
            restarts=status.restarts,
        )
