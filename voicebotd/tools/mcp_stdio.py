"""A server as a child process: its lines in and out, its stderr in the log, and its end, which is certain.

The official client has a transport for this too; it waits up to six seconds for an end, more than the daemon has, keeps
lines of any length, and lets its children outlive a daemon that is killed. Knows no protocol beyond lines of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import structlog
from mcp.client import Transport
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from voicebotd.errors import ToolError
from voicebotd.tools import mcp_words as words

LONGEST_LINE = 16_000_000
MOST_STRANGE = 1000
"""Lines that are no messages: some servers greet, one that does nothing else is none."""
_STDERR_LINE = 500
_ENDS_BY_ITSELF_S = 0.7
_ENDS_WHEN_TOLD_S = 0.3
_REAPED_S = 0.5
_INHERITED = ("HOME", "LANG", "LOGNAME", "PATH", "TZ", "USER")
"""All that a server learns of the daemon's environment: there are keys in it."""
log = structlog.get_logger("mcp")


def environment(given: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **given}


class Child:
    """One process. `over` is set when it says nothing any more; `why` is how it ended."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process
        self._last_line = ""
        self._strange = 0
        self._cut = ""
        self.over = asyncio.Event()
        self.ended_by_us = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def why(self) -> str:
        return self._cut or words.ended(self._process.returncode, self._last_line)

    async def read(self, into: anyio.abc.ObjectSendStream[SessionMessage | Exception]) -> None:
        assert self._process.stdout is not None
        async with into:
            try:
                while line := await self._process.stdout.readline():
                    if (message := self._message(line)) is not None:
                        await into.send(message)
                    elif self._strange == MOST_STRANGE:
                        self._cut = f"wrote {MOST_STRANGE} lines that are no messages"
                        break
            except ValueError:  # asyncio's word for a line beyond its limit
                self._cut = f"wrote a line of more than {LONGEST_LINE} bytes"
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # its session was closed, and nobody wants to know any more
            # Before its session ends of it: its exit code follows its last word by a moment, and is the better reason.
            await self._gone(_ENDS_WHEN_TOLD_S)
            self.over.set()

    def _message(self, line: bytes) -> SessionMessage | None:
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError:
            self._strange += 1
            if self._strange == 1:
                log.warning("a server writes what is no message, which is left out", server=self._name)
            return None

    async def write(self, source: anyio.abc.ObjectReceiveStream[SessionMessage]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it is gone; whoever reads learns it
            async with source:
                async for sent in source:
                    text = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                    self._process.stdin.write(text.encode() + b"\n")
                    await self._process.stdin.drain()

    async def listen(self) -> None:
        """What it writes to stderr, for whoever looks for its faults."""
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(4096):
            for line in chunk.decode(errors="replace").splitlines():
                if text := line.strip()[:_STDERR_LINE]:
                    self._last_line = text
                    log.debug("a server says", server=self._name, line=text)

    async def end(self) -> None:
        """Whatever it does, it is over within 1.5 s, and whatever it started in its group is too."""
        assert self._process.stdin is not None
        self.ended_by_us = not self.over.is_set() and self._process.returncode is None and not self._cut
        try:
            self._process.stdin.close()
            if not await self._gone(_ENDS_BY_ITSELF_S):
                self._signal(signal.SIGTERM)
                await self._gone(_ENDS_WHEN_TOLD_S)
        finally:
            self._signal(signal.SIGKILL)  # its children too, where it left some
            await self._gone(_REAPED_S)
            # Where a process that left the group holds the pipes, asyncio would wait for it.
            getattr(self._process, "_transport").close()  # noqa: B009 - not public, and there is no other way to it

    async def _gone(self, within_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._process.wait()
        return self._process.returncode is not None

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


async def start(name: str, command: str, arguments: Sequence[str], *, env: Mapping[str, str], cwd: str | None) -> Child:
    """Raises ToolError where the system has no process to give."""
    leash = Path(__file__).with_name("leash.py")
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(leash), str(os.getpid()), command, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(env),
            cwd=cwd,
            start_new_session=True,
            limit=LONGEST_LINE,
        )
    except OSError as error:
        raise ToolError(f"cannot be started: {error.strerror}") from error
    return Child(name, process)


def transport(child: Child) -> Transport:
    """The child as the official client takes it."""
    return _transport(child)


@asynccontextmanager
async def _transport(child: Child) -> AsyncIterator[Any]:
    incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(child.read(incoming), name="mcp stdout"),
        asyncio.create_task(child.write(outgoing), name="mcp stdin"),
        asyncio.create_task(child.listen(), name="mcp stderr"),
    ]
    try:
        yield read_stream, write_stream
    finally:
        try:
            write_stream.close()
            await child.end()
        finally:
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    log.error("a stream of a server broke by a mistake of ours", exc_info=ended)
            for stream in (incoming, read_stream, write_stream, outgoing):
                stream.close()
