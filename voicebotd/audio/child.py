"""The audio process as the daemon holds it: spawn, send, receive, drain its stderr, end it.

Performs and decides nothing: when it must die is `watch.py`'s, what is said to it is the manager's. Nothing here
waits for the child without a bound, whatever state it is in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping

from voicebotd.audio.devices import DeviceInfo, decode_list
from voicebotd.audio.protocol import MAX_MESSAGE_BYTES, Message, decode, encode
from voicebotd.errors import AudioError

_STDERR_KEEP_BYTES = 4096
_STDERR_DRAIN_BYTES = 16_384
_LIST_DEADLINE_S = 5.0
_REAP_DEADLINE_S = 1.0


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a child may know: everything but our keys. numpy's threads for large matrices are not worth their start."""
    known = {name: value for name, value in environment.items() if not name.startswith("OPENAI_")}
    return {**known, "OPENBLAS_NUM_THREADS": "1"}


def child_command(module: str, *arguments: str) -> list[str]:
    """`-P`: a directory that the daemon happens to be started in must not provide modules."""
    return [sys.executable, "-P", "-m", module, *arguments]


class AudioProcess:
    """One child. Use `spawn`."""

    def __init__(self, process: asyncio.subprocess.Process, end: socket.socket, stderr_fd: int) -> None:
        self._process = process
        # Not `Process.kill`, which may reap the child behind the back of asyncio's own watcher.
        self._handle = _process_handle(process.pid)
        self._end = end
        self._stderr_fd = stderr_fd
        self._stderr = b""

    @classmethod
    async def spawn(cls, *, pass_fds: tuple[int, ...] = ()) -> AudioProcess:
        """Start a child that waits for `Open`. Raises `AudioError` when the system has no process to give."""
        with contextlib.ExitStack() as on_failure:
            try:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                on_failure.callback(ours.close)
                with theirs:
                    stderr_read, stderr_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                    on_failure.callback(os.close, stderr_read)
                    os.set_blocking(stderr_write, True)
                    try:
                        process = await asyncio.create_subprocess_exec(
                            *child_command("voicebotd.audio.engine", "--fd", str(theirs.fileno())),
                            stdin=asyncio.subprocess.DEVNULL,
                            stdout=asyncio.subprocess.DEVNULL,
                            stderr=stderr_write,
                            pass_fds=(theirs.fileno(), *pass_fds),
                            env=child_environment(os.environ),
                        )
                    finally:
                        os.close(stderr_write)
            except OSError as error:
                raise AudioError(f"cannot start the audio process: {error.strerror}") from None
            ours.setblocking(False)
            on_failure.pop_all()
            return cls(process, ours, stderr_read)

    def send(self, message: Message) -> bool:
        """Hand over one message now. False when the child does not read or is gone."""
        try:
            self._end.send(encode(message))
        except OSError:
            return False
        return True

    def listen(self, on_message: Callable[[Message], None]) -> asyncio.Future[None]:
        """Call `on_message` for every message; the future is done when the child has ended.

        It raises `AudioError` for what is no message, and whatever `on_message` raised.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def read() -> None:
            try:
                data = self._receive()
                if data:
                    on_message(decode(data))
                    return
            except BlockingIOError:
                return
            except Exception as error:  # noqa: BLE001 - a reader callback's boundary: the waiter raises it
                if not ended.done():
                    ended.set_exception(error)
            loop.remove_reader(self._end)
            if not ended.done():
                ended.set_result(None)

        # One reader for the child's life, one datagram a call: a future per message doubled the daemon's cost.
        loop.add_reader(self._end, read)
        return ended

    def _receive(self) -> bytes:
        try:
            return self._end.recv(MAX_MESSAGE_BYTES)
        except (ConnectionResetError, BrokenPipeError):
            return b""

    def drain_stderr(self) -> None:
        """Keep the last lines. Reading little and rarely is a brake: a child that floods its stderr blocks on it."""
        with contextlib.suppress(BlockingIOError):
            self._stderr = (self._stderr + os.read(self._stderr_fd, _STDERR_DRAIN_BYTES))[-_STDERR_KEEP_BYTES:]

    @property
    def last_words(self) -> str:
        """The last line that the child wrote to stderr."""
        lines = self._stderr.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """Ask it to finish its files and end; it does within a second, or must be killed."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_WR)

    def kill(self) -> None:
        """End it now. It may be spinning or hanging in a library, so nothing gentler is sure."""
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    async def reap(self) -> int | None:
        """Let go of it after its end: the exit status, or minus the signal; None if the kernel still holds it."""
        status: int | None = None
        try:
            async with asyncio.timeout(_REAP_DEADLINE_S):
                status = await self._process.wait()
        except TimeoutError:
            pass  # in uninterruptible sleep in a driver: nobody can wait for that
        finally:
            self.drain_stderr()
            asyncio.get_running_loop().remove_reader(self._end)
            os.close(self._stderr_fd)
            self._end.close()
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
        return status

    @property
    def pid(self) -> int:
        return self._process.pid


def _process_handle(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


async def list_devices() -> list[DeviceInfo]:
    """Ask a one-shot process, because PortAudio may hang. Raises `AudioError`, at the latest after five seconds."""
    process = await asyncio.create_subprocess_exec(
        *child_command("voicebotd.audio.devices"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=child_environment(os.environ),
    )
    try:
        async with asyncio.timeout(_LIST_DEADLINE_S):
            output, _ = await process.communicate()
    except TimeoutError:
        hint = "the sound server does not answer; restart it"
        raise AudioError("listing the sound devices took too long", hint=hint) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return decode_list(output)
