"""Where functions run that are not ours: apart from the daemon's own loop, which they must not be able to stop.

An async function runs in one loop that all of them share, in a thread of its own, so that what one keeps (a client, a
lock) serves its next call too. A plain function gets a thread. A function that never yields stops only its own thread:
no thread can be killed, so that one is left behind, counted, and replaced. Too many of those, and no more are run.

What a function can still do is hold the interpreter's lock in C for long (a regular expression that explodes does). The
sound is in another process and survives that.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import Any

import structlog

from voicebotd.errors import ToolError

Thunk = Callable[[], Any]
Then = Callable[[Any], Any]
LOST = "Another function held up everything, and this one was lost with it; whether it had its effect is not known."
log = structlog.get_logger("tools")


class Job:
    """One run of one function. `claim` and `settle` are for any thread, the rest for the loop that waits for it."""

    def __init__(self) -> None:
        self._home = asyncio.get_running_loop()
        self._claimed = threading.Lock()
        self.result: asyncio.Future[Any] = self._home.create_future()
        self.begun = asyncio.Event()

    def claim(self) -> bool:
        """Whether it is for the caller to run it, or to see that nobody does: only the first is told so."""
        return self._claimed.acquire(blocking=False)

    def settle(self, result: Any, error: BaseException | None) -> None:
        """It is over, one way or the other."""
        tell(self._home, self.finish, result, error)

    def tell_begun(self) -> None:
        tell(self._home, self.begun.set)

    def finish(self, result: Any, error: BaseException | None) -> None:
        if self.result.done():
            return  # it was given up
        if error is None:
            self.result.set_result(result)
        elif isinstance(error, Exception):
            self.result.set_exception(error)
        else:  # sys.exit(), or a cancellation of its own making: neither may end more than this call
            self.result.set_exception(RuntimeError(f"the function ended with {type(error).__name__}"))


def tell(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: Any) -> None:
    """From another thread. A loop that is closed has nobody who waits."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)


class Bench:
    """One thread with one loop. `run`, `cancel` and `leave` are for the daemon's thread."""

    def __init__(self) -> None:
        self._home = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[Job, asyncio.Task[Any]] = {}
        self.gone = asyncio.Event()
        threading.Thread(target=self._live, name="tools", daemon=True).start()

    def run(self, job: Job, thunk: Thunk, then: Then) -> None:
        tell(self._loop, self._begin, job, thunk, then)

    def cancel(self, job: Job, heard: Callable[[], None]) -> None:
        """`heard` is called, in the daemon's thread, when this loop has come to it."""
        tell(self._loop, self._cancel, job, heard)

    def leave(self) -> None:
        """Cancel everything, and end when that is done; if a function holds the thread, never."""
        tell(self._loop, self._end)

    # In its own thread.

    def _live(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        tell(self._home, self.gone.set)

    def _begin(self, job: Job, thunk: Thunk, then: Then) -> None:
        if not job.claim():
            return  # it waited for so long that it was taken elsewhere
        job.tell_begun()
        task = self._tasks[job] = self._loop.create_task(_guarded(thunk, then))
        task.add_done_callback(partial(self._over, job))

    def _over(self, job: Job, task: asyncio.Task[Any]) -> None:
        del self._tasks[job]
        if task.cancelled():
            job.settle(None, asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            job.settle(None, error)
        else:
            job.settle(task.result(), None)

    def _cancel(self, job: Job, heard: Callable[[], None]) -> None:
        tell(self._home, heard)
        if (task := self._tasks.get(job)) is not None:
            task.cancel()

    def _end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._ending = self._loop.create_task(self._stop_soon())

    async def _stop_soon(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=1.0)
        self._loop.stop()


async def _guarded(thunk: Thunk, then: Then) -> Any:
    """`sys.exit()` in a task ends the loop, unless it is caught inside the task."""
    try:
        result = thunk()
        return then(await result if isawaitable(result) else result)
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"the function ended with {type(error).__name__}") from error


def _in_thread(job: Job, thunk: Thunk, then: Then) -> None:
    try:
        result = thunk()
        if isawaitable(result):  # it only looks plain: a decorator hides that it is not
            result = asyncio.run(_result_of(result))
        result = then(result)
    except BaseException as error:  # noqa: BLE001 - the boundary of a thread: what it raises ends its own call only
        job.settle(None, error)
    else:
        job.settle(result, None)


async def _result_of(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class Workshop:
    """Runs strangers' functions. All methods belong to the daemon's loop."""

    HEARS_WITHIN_S = 1.0
    """A loop that has not come to a new function or to a cancellation by then is held by one that does not yield."""
    MOST_STUCK = 16
    """Functions that were stopped and have not ended. They hold a thread each, or a place in a loop."""
    ENDS_WITHIN_S = 0.5

    def __init__(self) -> None:
        self._bench: Bench | None = None
        self._left: list[Bench] = []
        self._jobs: dict[Job, Bench] = {}
        self._stuck: dict[Job, Bench | None] = {}

    @property
    def stuck(self) -> int:
        """How many functions were stopped and have not ended. What is in a thread that was left behind is one."""
        self._left = [bench for bench in self._left if not bench.gone.is_set()]
        return len(self._left) + sum(bench not in self._left for bench in self._stuck.values())

    async def run(self, thunk: Thunk, then: Then, *, blocking: bool) -> Any:
        """Run a function to its end, and `then` make of its result what is returned, where it ran: that may take long.

        To cancel this stops the function, or leaves it behind.

        Raises what it raises, and ToolError where too many do not end.
        """
        if self.stuck >= self.MOST_STUCK:
            raise ToolError(f"{self.stuck} functions that were stopped have not ended, so no other is run.")
        if not blocking:
            return await self._at_bench(thunk, then)
        job = Job()
        threading.Thread(target=_in_thread, args=(job, thunk, then), name="tool", daemon=True).start()
        return await self._result(job, None)

    async def close(self) -> None:
        """Stop what runs. What is stuck ends with the process: its threads are daemons."""
        if self._bench is None:
            return
        bench, self._bench = self._bench, None
        bench.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.ENDS_WITHIN_S):
                await bench.gone.wait()

    async def _at_bench(self, thunk: Thunk, then: Then) -> Any:
        job, bench = await self._begun(thunk, then)
        self._jobs[job] = bench
        try:
            return await self._result(job, bench)
        finally:
            del self._jobs[job]

    async def _begun(self, thunk: Thunk, then: Then) -> tuple[Job, Bench]:
        """Begin it, in another loop if this one does not come to it."""
        while True:
            job = Job()
            bench = self._bench = self._bench or Bench()
            bench.run(job, thunk, then)
            try:
                async with asyncio.timeout(self.HEARS_WITHIN_S):
                    await job.begun.wait()
            except TimeoutError:
                if job.claim():  # nobody will run it any more
                    self._replace(bench)
                    continue
            except asyncio.CancelledError:
                if not job.claim():  # it has just begun
                    self._stop(job, bench)
                raise
            return job, bench

    async def _result(self, job: Job, bench: Bench | None) -> Any:
        try:
            return await asyncio.shield(job.result)
        except asyncio.CancelledError:
            self._stop(job, bench)
            raise

    def _stop(self, job: Job, bench: Bench | None) -> None:
        """Nobody waits for it any more: it is cancelled where that can be, and counted until it has ended."""
        if job.result.done():
            return
        self._stuck[job] = bench
        job.result.add_done_callback(lambda _: self._ended(job))
        if bench is not None:
            late = asyncio.get_running_loop().call_later(self.HEARS_WITHIN_S, self._replace, bench)
            bench.cancel(job, late.cancel)

    def _ended(self, job: Job) -> None:
        del self._stuck[job]
        job.result.exception()  # nobody else asks for it, and asyncio complains of one that nobody asked for

    def _replace(self, bench: Bench) -> None:
        """Leave a bench behind that is held up, and whatever else was at it."""
        if self._bench is not bench:
            return
        self._bench = None
        self._left.append(bench)
        bench.leave()
        log.warning("a function does not yield; its thread is left behind", stuck=self.stuck)
        for job, where in self._jobs.items():
            if where is bench:
                job.finish(None, ToolError(LOST))
