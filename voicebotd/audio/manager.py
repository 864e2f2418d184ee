"""The audio as the rest of the daemon sees it: play, flush, mute, and microphone frames that come.

Holds the audio process: spawns, feeds, watches, kills and respawns it. The reply that is being spoken lives on this
side, so it goes on after the process died. Never touches PortAudio, never blocks the event loop; what is dead and
when to try again is decided in `watch.py`, what was heard in `playback.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from voicebotd.audio.child import AudioProcess, list_devices
from voicebotd.audio.devices import DeviceInfo, resolve
from voicebotd.audio.options import AudioOptions, AudioStatus, EchoControl
from voicebotd.audio.playback import Playback
from voicebotd.audio.protocol import (
    EXIT_STREAM_ENDED,
    Adjust,
    Captured,
    Flush,
    Flushed,
    Heartbeat,
    InputEnded,
    Message,
    Open,
    Opened,
    OpenFailed,
    Play,
)
from voicebotd.audio.vitals import Vitals
from voicebotd.audio.watch import Retry, Watch
from voicebotd.conversation.events import AudioInputEnded, AudioLost, AudioReady, Event
from voicebotd.errors import AudioError
from voicebotd.service import BaseService, Health

TICK_S = 0.05
"""How often the watch looks. A tick that came this much late again says that we slept, not the audio process."""
CLOSE_DEADLINE_S = 1.5
SELECT_DEADLINE_S = 5.0
RETRY_HINT = "it is reopened by itself; if this stays, check the device and the sound server"

KEEP: Final = "\0keep"
"""For `select`: leave this device as it is. No device can be named so."""


class AudioManager(BaseService):
    """Sound for one conversation at a time.

    `on_event` and `on_capture` are called on the event loop and must return at once. `on_capture` gets 10 ms frames,
    24 kHz mono s16le, as long as the sound runs, muted or not (then zeros).
    """

    def __init__(
        self,
        options: AudioOptions,
        *,
        on_event: Callable[[Event], None],
        on_capture: Callable[[bytes], None],
        rng: random.Random | None = None,
    ) -> None:
        self._options = options
        self._on_event = on_event
        self._on_capture = on_capture
        self._retry = Retry(rng or random.Random())  # noqa: S311 - jitter, no secret
        self._playback = Playback()
        self._vitals = Vitals()
        self._watch = Watch()
        self._process: AudioProcess | None = None
        self._verdict = ""
        self._hold_input = False
        self._has_run = False
        self._spawned = False
        self._wanted = False
        self._intended = asyncio.Event()
        self._nudged = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self._selecting = asyncio.Lock()
        self._outcome: asyncio.Future[None] | None = None

    # Life.

    async def connect(self) -> None:
        self._wanted = True
        self._intended.set()

    async def disconnect(self) -> None:
        self._wanted = False
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

    async def run(self) -> None:
        self._ended.clear()
        try:
            await self._intended.wait()
            while self._wanted:
                await self._live()
        finally:
            self._vitals.state = "off"
            self._ended.set()

    async def _live(self) -> None:
        """One audio process from its spawn to its end, and the pause after it."""
        loop = asyncio.get_running_loop()
        if self._vitals.state == "off":
            self._vitals.state = "starting"
        self._nudged.clear()
        self._verdict = ""
        self._watch = Watch()
        try:
            process = await AudioProcess.spawn(pass_fds=self._inherited_fds())
        except AudioError as error:
            self._fail(error.message, error.hint)
        else:
            self._vitals.respawns += self._spawned
            self._spawned = True
            born_s = loop.time()
            status = await self._serve(process)
            self._retry.ended(lived_s=loop.time() - born_s if self._vitals.opened else 0.0)
            self._bury(process, status)
        if self._wanted and not self._nudged.is_set():
            await self._pause(self._retry.failed(loop.time()))

    async def _pause(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._nudged.wait()
        except TimeoutError:
            return

    def _inherited_fds(self) -> tuple[int, ...]:
        file = self._options.file
        return (file.input,) if file and isinstance(file.input, int) else ()

    async def _serve(self, process: AudioProcess) -> int | None:
        """Talk to a live process until it ends; return its exit status."""
        self._process = process
        status: int | None = None
        try:
            self._open(process)
            async with asyncio.TaskGroup() as group:
                guard = group.create_task(self._guard(process))
                await self._listen(process)
                guard.cancel()
        finally:
            self._process = None
            process.kill()
            status = await process.reap()
        return status

    async def _listen(self, process: AudioProcess) -> None:
        try:
            while (message := await process.receive()) is not None:
                self._handle(message)
        except AudioError as error:
            self._verdict = error.message

    async def _guard(self, process: AudioProcess) -> None:
        """Look at the watch, the deadlines of flushes and the child's stderr."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            process.drain_stderr()
            self._emit(self._playback.expired(loop.time()))
            if loop.time() - due_s < TICK_S:
                self._judge(process, loop.time())

    def _judge(self, process: AudioProcess, now_s: float) -> None:
        verdict = self._watch.verdict(now_s)
        if verdict == "reopen":
            self._open(process)
        elif verdict == "opening_hangs":
            self._condemn(process, "opening the sound device hangs: the sound server is not answering")
        elif verdict == "silent":
            self._condemn(process, "no audio callback for 300 ms: sound server not answering, or device suspended")

    def _condemn(self, process: AudioProcess, reason: str) -> None:
        self._verdict = self._verdict or reason
        process.kill()

    def _bury(self, process: AudioProcess, status: int | None) -> None:
        """Say what its end means, unless it was we who wanted it."""
        self._vitals.ended()
        self._emit(self._playback.lost())
        if not self._wanted or self._nudged.is_set():
            return
        if self._verdict:
            reason = self._verdict
        elif status == EXIT_STREAM_ENDED:
            reason = "the sound stream ended: the device or the sound server is gone"
        elif status is not None and status < 0:
            reason = f"the audio process was killed by signal {-status}"
        else:
            reason = f"the audio process failed: {process.last_words or f'exit status {status}'}"
        self._fail(reason, RETRY_HINT)

    def _fail(self, reason: str, hint: str) -> None:
        """No sound for now. Said once per reason."""
        vitals = self._vitals
        news = (vitals.state, vitals.reason) != ("degraded", reason)
        vitals.state, vitals.reason, vitals.hint = "degraded", reason, hint
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_exception(AudioError(reason, hint=hint))
        if news:
            self._on_event(AudioLost(reason=reason, hint=hint))

    # What the audio process says.

    def _handle(self, message: Message) -> None:
        now_s = asyncio.get_running_loop().time()
        if isinstance(message, Captured):
            self._vitals.capture_delay_ms = round((now_s - message.captured_at_s) * 1000, 2)
            self._position(message.epoch, message.handed_samples, now_s)
            self._on_capture(message.pcm)
        elif isinstance(message, Heartbeat):
            self._beats(message, now_s)
        elif isinstance(message, Flushed):
            self._emit(self._playback.flushed(message.epoch, message.handed_samples, now_s=now_s))
        elif isinstance(message, Opened):
            self._vitals.opened = message
            self._feed()
        elif isinstance(message, OpenFailed):
            self._watch.open_failed(now_s, retry_in_s=self._retry.failed(now_s))
            self._fail(message.reason, message.hint)
        elif isinstance(message, InputEnded):
            self._on_event(AudioInputEnded())

    def _beats(self, beat: Heartbeat, now_s: float) -> None:
        vitals = self._vitals
        self._watch.heartbeat(input_blocks=beat.input_blocks, output_blocks=beat.output_blocks, now_s=now_s)
        vitals.beats(beat)
        self._position(beat.epoch, beat.handed_samples, now_s)
        if vitals.state != "running" and vitals.opened is not None:
            vitals.state, vitals.reason, vitals.hint = "running", "", ""
            self._has_run = True
            if self._outcome is not None and not self._outcome.done():
                self._outcome.set_result(None)
            self._on_event(AudioReady(input_name=vitals.opened.input_name, output_name=vitals.opened.output_name))

    def _position(self, epoch: int, handed_samples: int, now_s: float) -> None:
        latency_s = self._vitals.output_latency_s
        self._emit(self._playback.position(epoch, handed_samples, now_s=now_s, latency_s=latency_s))
        self._feed()

    def _emit(self, events: list[Event]) -> None:
        for event in events:
            self._on_event(event)

    # What is said to it.

    def _open(self, process: AudioProcess) -> None:
        self._watch.opening(asyncio.get_running_loop().time())
        message = Open(
            options=self._options,
            settings=self._settings(),
            epoch=self._playback.epoch,
            resume=self._has_run,
            resume_frame=self._vitals.input_frames,
        )
        self._tell(process, message)

    def _settings(self) -> Adjust:
        return Adjust(
            muted=self._options.muted,
            volume_percent=self._options.volume_percent,
            input_gain_db=self._options.input_gain_db,
            echo_control=self._options.echo_control,
            hold_input=self._hold_input,
        )

    def _tell(self, process: AudioProcess, message: Message) -> None:
        """Control messages must arrive: a child whose socket is full stopped reading long ago."""
        if not process.send(message):
            self._condemn(process, "the audio process does not read")

    def _feed(self) -> None:
        """Give the audio process what its credit allows. What does not fit waits for the next position."""
        if self._process is None or self._vitals.opened is None:
            return
        while (chunk := self._playback.next_chunk()) and self._process.send(Play(pcm=chunk)):
            self._playback.fed(chunk)

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        """Queue 24 kHz mono s16le audio of one piece behind everything queued before. Also while there is no sound."""
        self._playback.play(item_id, content_index, pcm)
        self._feed()

    def flush(self, token: int) -> None:
        """Silence within one block; `PlayoutFlushed(token)` follows within 500 ms, at once where there is no sound."""
        epoch = self._playback.flush(token, now_s=asyncio.get_running_loop().time())
        if self._process is None or self._vitals.opened is None:
            self._emit(self._playback.lost())
        else:
            self._tell(self._process, Flush(epoch=epoch))

    def set_muted(self, on: bool) -> None:
        """A muted microphone hears zeros."""
        self._change(replace(self._options, muted=on))

    def set_volume(self, percent: int) -> None:
        """0…200 percent of full amplitude. Raises `AudioError` out of range."""
        self._change(replace(self._options, volume_percent=percent))

    def set_input_gain(self, db: float) -> None:
        """-60…60 dB. Raises `AudioError` out of range."""
        self._change(replace(self._options, input_gain_db=db))

    def set_echo_control(self, mode: EchoControl) -> None:
        self._change(replace(self._options, echo_control=mode))

    def hold_input(self, on: bool) -> None:
        """For a fast-paced file: let its clock stand still."""
        self._hold_input = on
        self._change(self._options)

    def _change(self, options: AudioOptions) -> None:
        self._options = options
        if self._process is not None:
            self._tell(self._process, self._settings())

    # Devices.

    async def devices(self) -> list[DeviceInfo]:
        """All sound devices. Takes 0.2 s; raises `AudioError` after 5 s or when PortAudio cannot say."""
        return await list_devices()

    async def select(self, *, input_device: int | str | None = KEEP, output_device: int | str | None = KEEP) -> None:
        """Change to other devices (None: the default) and return when they run.

        Raises `AudioError`, and the old devices come back, when one does not exist or does not open within 5 s.
        """
        if self._options.backend == "file":
            raise AudioError("a file is the sound device", hint="restart with audio.backend portaudio")
        async with self._selecting:
            before = self._options
            chosen = before
            devices = await self.devices()
            if input_device != KEEP:
                resolve(devices, input_device, "input")
                chosen = replace(chosen, input_device=input_device)
            if output_device != KEEP:
                resolve(devices, output_device, "output")
                chosen = replace(chosen, output_device=output_device)
            try:
                await self._reopen(chosen)
            except (AudioError, TimeoutError) as error:
                self._options = replace(
                    self._options, input_device=before.input_device, output_device=before.output_device
                )
                self._restart()
                raise error if isinstance(error, AudioError) else AudioError("the device does not open") from None

    async def _reopen(self, chosen: AudioOptions) -> None:
        self._options = chosen
        if not self._wanted:
            return
        self._outcome = asyncio.get_running_loop().create_future()
        self._restart()
        try:
            async with asyncio.timeout(SELECT_DEADLINE_S):
                await self._outcome
        finally:
            self._outcome = None

    def _restart(self) -> None:
        """End the present process; its successor opens what the options now say."""
        self._vitals.state = "starting"
        self._nudged.set()
        if self._process is not None:
            self._process.kill()

    # Truth.

    @property
    def options(self) -> AudioOptions:
        """The settings in force."""
        return self._options

    @property
    def process_id(self) -> int | None:
        """The audio process's, None while there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def status(self) -> AudioStatus:
        return self._vitals.status(self._options, self._playback)

    def health_check(self) -> Health:
        vitals = self._vitals
        ok = vitals.state == "running"
        return Health(ok=ok, state=vitals.state, reason=vitals.reason, hint=vitals.hint)
