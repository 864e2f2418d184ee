"""Runs the functions that the model calls: within a deadline, so many at once, and always to an answer.

A call ends with a text that the model can speak about, whatever the function does: an exception, a hang, megabytes, an
unknown name or arguments that are wrong are outputs too. Ours run in the daemon's loop, all others in the workshop.
Decides nothing about conversations.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from voicebotd.conversation.effects import RunTool
from voicebotd.conversation.events import ToolFinished, ToolStatus
from voicebotd.errors import ToolError
from voicebotd.service import Health
from voicebotd.tools import outputs
from voicebotd.tools.registry import Call, Tool
from voicebotd.tools.toolbox import Toolbox
from voicebotd.tools.workshop import Workshop

log = structlog.get_logger("tools")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended. `output`: what the model is told."""

    output: str
    status: ToolStatus
    duration_ms: int


class ToolRunner:
    """The toolbox is asked at each call, so that a change holds from the next one on.

    `finished` is called once for each `start`, unless it is cancelled before. Run `run()` as a task.
    """

    AT_ONCE = 8
    MOST = 40
    """Running and waiting together; one more is answered that it was not run."""

    def __init__(self, toolbox: Toolbox, *, finished: Callable[[ToolFinished], None]) -> None:
        self._toolbox = toolbox
        self._finished = finished
        self._places = asyncio.Semaphore(self.AT_ONCE)
        self._under_way = 0
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._workshop = Workshop()
        self.refused = 0
        """Calls that were too many."""

    async def run(self) -> None:
        """Live until cancelled; then nothing of it runs, except what cannot be stopped."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    self._group = None
        finally:
            await self._workshop.close()

    def start(self, wish: RunTool) -> None:
        """Run a function for the model. Never blocks."""
        if self._group is None:
            gone = outputs.failure("The functions have been stopped.")
            self._finished(ToolFinished(call_id=wish.call_id, output=gone, status="cancelled"))
            return
        task = self._group.create_task(self._answer(wish), name=f"tool {wish.name[:64]}")
        self._tasks[wish.call_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(wish.call_id, None))

    def cancel(self, call_id: str) -> None:
        """Stop it; nobody is told of its end any more."""
        if (task := self._tasks.get(call_id)) is not None:
            task.cancel()

    async def call(self, name: str, arguments: str, call: Call) -> Outcome:
        """Run a function for a person: any that there is, seen by the model or not."""
        tools = self._toolbox.catalogue.tools
        return await self._outcome(tools.get(name), name, list(tools), arguments, call)

    def health_check(self) -> Health:
        stuck, faults = self._workshop.stuck, self._toolbox.catalogue.faults
        if stuck:
            reason = f"{stuck} functions were stopped and have not ended"
            return Health(ok=False, state="stuck", reason=reason, hint="mend the function that does not yield")
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            return Health(ok=False, state="faulty", reason=f"{faults[0]}{more}", hint="voicebotctl tools lists them")
        return Health(ok=True, state="ready")

    async def _answer(self, wish: RunTool) -> None:
        offered = {tool.name: tool for tool in self._toolbox.catalogue.offered}
        call = Call(call_id=wish.call_id, conversation_id=wish.conversation_id)
        outcome = await self._outcome(offered.get(wish.name), wish.name, list(offered), wish.arguments, call)
        self._finished(
            ToolFinished(
                call_id=wish.call_id,
                output=outcome.output,
                status=outcome.status,
                duration_ms=outcome.duration_ms,
            )
        )

    async def _outcome(self, tool: Tool | None, name: str, known: list[str], arguments: str, call: Call) -> Outcome:
        began_s = time.monotonic()
        status: ToolStatus
        if tool is None:
            output, status = outputs.unknown(name, known), "failed"
        elif self._under_way >= self.MOST:
            self.refused += 1
            output, status = outputs.busy(self._under_way), "failed"
        else:
            self._under_way += 1
            try:
                output, status = await self._attempt(tool, arguments, call)
            finally:
                self._under_way -= 1
        duration_ms = round((time.monotonic() - began_s) * 1000)
        log.info("function called", name=name[:64], call_id=call.call_id, status=status, duration_ms=duration_ms)
        return Outcome(output=output, status=status, duration_ms=duration_ms)

    async def _attempt(self, tool: Tool, arguments: str, call: Call) -> tuple[str, ToolStatus]:
        timeout_s = tool.timeout_s or self._toolbox.stock.wish.timeout_s
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                # The visitor waits from the call on, so the time in the queue counts.
                async with self._places:
                    return await self._perform(tool, arguments, call), "completed"
        except ToolError as error:
            return outputs.failure(error.message), "failed"
        except (Exception, asyncio.CancelledError, BaseExceptionGroup) as error:
            # The boundary of a function: whatever it raises is its answer, a cancellation of its own making too.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            if isinstance(error, TimeoutError) and deadline.expired():
                log.warning("a function did not answer in time", name=tool.name, source=tool.source, after_s=timeout_s)
                return outputs.timed_out(tool.name, timeout_s), "timed_out"
            _tell_failure(tool, error)
            return outputs.raised(tool.name), "failed"

    async def _perform(self, tool: Tool, arguments: str, call: Call) -> str:
        thunk = tool.bind(arguments, call)
        if tool.ours and not tool.blocking:
            return outputs.tell(await thunk())
        told: str = await self._workshop.run(thunk, outputs.tell, blocking=tool.blocking)
        return told


def _tell_failure(tool: Tool, error: BaseException) -> None:
    """What was raised and where. Its words may be a visitor's, and those are for the debug level only."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    at = f"{last.filename}:{last.lineno}"
    log.error("a function failed", name=tool.name, source=tool.source, error=type(error).__name__, at=at)
    log.debug("a function failed in these words", name=tool.name, exc_info=error)
