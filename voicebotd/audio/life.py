"""The lives of the audio process, one after another for as long as sound is wanted.

Spawns, watches, kills, waits, spawns again; performs what `watch.py` decides. What is said to the process and what its
words mean is its client's, the manager's.
"""

from __future__ import annotations

import asyncio
import random
import signal
from typing import Protocol

from voicebotd.audio.child import AudioProcess
from voicebotd.audio.protocol import EXIT_STREAM_ENDED, Heartbeat, Message, Open, OpenFailed
from voicebotd.audio.watch import Retry, Watch
from voicebotd.errors import AudioError

TICK_S = 0.05
"""How often the watch looks. A tick that is late by as much again says that we slept, not the audio process."""
CLOSE_DEADLINE_S = 1.5
CRASHES = frozenset({1, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE})
"""Exit statuses that tell of a fault in the process itself; 1 is an exception of ours."""
_VERDICTS = {
    "opening_hangs": "opening the sound device hangs: the sound server is not answering",
    "silent": "no audio callback for 300 ms: the sound server is not answering or the device is suspended",
    "frozen": "the audio process is frozen",
}


class Client(Protocol):
    """Who lives by the audio process. All calls come on the event loop and must return at once."""

    def inherited_fds(self) -> tuple[int, ...]:
        """Descriptors that the next process needs."""

    def opening(self) -> Open:
        """What to open; asked anew at every attempt."""

    def received(self, message: Message) -> None:
        """The process said something."""

    def ticked(self, now_s: float) -> None:
        """Some time passed while a process lives."""

    def gone(self, reason: str, *, crashed: bool = False) -> None:
        """The process is gone, or there is none to be had; `reason` is empty where we wanted its end. `crashed`: by a
        fault of what runs in it, not by the device's or for want of a device."""


class Life:
    """`run` holds a process while it is wanted; see `BaseService` for the meaning of its verbs."""

    def __init__(self, client: Client, rng: random.Random) -> None:
        self._client = client
        self._retry = Retry(rng)
        self._watch = Watch()
        self._process: AudioProcess | None = None
        self._verdict = ""
        self._born_s = 0.0
        self._proven = False
        self._spawns = 0
        self._intended = asyncio.Event()
        self._nudged = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self.wanted = False

    @property
    def respawns(self) -> int:
        return max(0, self._spawns - 1)

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None else None

    # What is wanted.

    def connect(self) -> None:
        self.wanted = True
        self._intended.set()

    async def disconnect(self) -> None:
        self.wanted = False
        self._intended.set()
        self._nudged.set()
        if self._process is not None:
            self._process.close()
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await self._ended.wait()
        except TimeoutError:
            if self._process is not None:
                self._process.kill()

    def restart(self) -> None:
        """End the present process; its successor follows at once."""
        self._nudged.set()
        if self._process is not None:
            self._process.kill()

    def send(self, message: Message) -> bool:
        """Hand over what can be said again later. False when it cannot be taken now."""
        return self._process is not None and self._process.send(message)

    def tell(self, message: Message) -> None:
        """Hand over what must arrive: a process whose socket is full stopped reading long ago."""
        if self._process is not None and not self._process.send(message):
            self._condemn(self._process, "the audio process does not read")

    # What is.

    async def run(self) -> None:
        self._ended.clear()
        try:
            await self._intended.wait()
            while self.wanted:
                await self._live()
                if self.wanted and not self._nudged.is_set():
                    await self._pause(self._retry.failed(asyncio.get_running_loop().time()))
        finally:
            self._ended.set()

    async def _pause(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._nudged.wait()
        except TimeoutError:
            return

    async def _live(self) -> None:
        """One process from its spawn to its end."""
        loop = asyncio.get_running_loop()
        self._nudged.clear()
        self._verdict = ""
        self._proven = False
        self._watch = Watch()
        try:
            process = await AudioProcess.spawn(pass_fds=self._client.inherited_fds())
        except AudioError as error:
            self._client.gone(error.message)
            return
        self._nudged.clear()  # a wish for other options that came meanwhile is fulfilled by this process
        self._spawns += 1
        self._born_s = loop.time()
        status = await self._serve(process)
        self._retry.ended(lived_s=loop.time() - self._born_s if self._proven else 0.0)
        wanted_so = self._nudged.is_set() or not self.wanted
        if wanted_so:
            self._client.gone("")
            return
        crashed = self._verdict == _VERDICTS["frozen"] if self._verdict else status in CRASHES
        self._client.gone(self._verdict or _meaning(status, process.last_words), crashed=crashed)

    async def _serve(self, process: AudioProcess) -> int | None:
        """Talk to a process until it ends; return its exit status."""
        self._process = process
        try:
            ended = process.listen(self._received)
            self._open(process)
            async with asyncio.TaskGroup() as group:
                guard = group.create_task(self._guard(process))
                await ended
                guard.cancel()
        finally:
            self._process = None
            process.kill()
            status = await process.reap()
        return status

    def _open(self, process: AudioProcess) -> None:
        message = self._client.opening()
        self._watch.opening(asyncio.get_running_loop().time(), patient=message.options.backend == "file")
        if not process.send(message):
            self._condemn(process, "the audio process does not read")

    def _received(self, message: Message) -> None:
        now_s = asyncio.get_running_loop().time()
        if isinstance(message, Heartbeat):
            self._proven = True
            self._watch.heartbeat(silent_ms=message.silent_ms, now_s=now_s)
        elif isinstance(message, OpenFailed):
            self._watch.open_failed(now_s, retry_in_s=self._retry.failed(now_s))
        self._client.received(message)

    async def _guard(self, process: AudioProcess) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            process.drain_stderr()
            self._client.ticked(loop.time())
            if loop.time() - due_s < TICK_S:
                self._judge(process, loop.time())

    def _judge(self, process: AudioProcess, now_s: float) -> None:
        verdict = self._watch.verdict(now_s)
        if verdict == "reopen":
            self._open(process)
        elif verdict == "worn_out":
            self.restart()
        elif verdict != "well":
            self._condemn(process, _VERDICTS[verdict])

    def _condemn(self, process: AudioProcess, reason: str) -> None:
        self._verdict = self._verdict or reason
        process.kill()


def _meaning(status: int | None, last_words: str) -> str:
    if status == EXIT_STREAM_ENDED:
        return "the sound stream ended: the device or the sound server is gone"
    if status is not None and status < 0:
        killed = f"the audio process was killed by signal {-status}"
        return f"{killed}: {last_words}" if last_words else killed
    return f"the audio process failed: {last_words or f'exit status {status}'}"
