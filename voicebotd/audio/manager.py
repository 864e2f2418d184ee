"""The audio as the rest of the daemon sees it: play, flush, mute, and microphone frames that come.

Feeds the audio process and tells its story; `life.py` spawns, kills and respawns it, `playback.py` decides what was
heard. The reply that is being spoken lives on this side, so it goes on after the process died. Never touches PortAudio,
never blocks the event loop.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from voicebotd.audio.devices import DeviceInfo
from voicebotd.audio.hearing import Hearing
from voicebotd.audio.life import Life
from voicebotd.audio.options import AudioOptions, AudioStatus, EchoControl, Level
from voicebotd.audio.playback import Playback
from voicebotd.audio.protocol import (
    Adjust,
    BothSides,
    Captured,
    Flush,
    Flushed,
    Heartbeat,
    InputEnded,
    Measured,
    Message,
    Open,
    Opened,
    OpenFailed,
    Play,
)
from voicebotd.audio.selection import KEEP, DeviceListing, choose
from voicebotd.audio.trust import Trust
from voicebotd.audio.vitals import Vitals
from voicebotd.conversation.effects import TurnRule
from voicebotd.conversation.events import (
    AudioInputEnded,
    AudioLost,
    AudioReady,
    Event,
)
from voicebotd.errors import AudioError
from voicebotd.service import BaseService, Health

SELECT_DEADLINE_S = 5.0
DUCK_RANGE_DB = (-60.0, 0.0)
RETRY_HINT = "it is reopened by itself; if this stays, check the device and the sound server"


class AudioManager(BaseService):
    """Sound for one conversation at a time.

    `on_event`, `on_capture` and `on_level` are called on the event loop and must return at once. `on_capture` gets
    10 ms frames, 24 kHz mono s16le, as long as the sound runs, muted or not (then zeros). An event that a frame caused
    comes before that frame: whoever then sends what was heard until now has all that led to it, and the frame follows.
    """

    on_level: Callable[[Level], None] | None = None
    """Gets at most 20 levels a second, while `want_levels(True)` is in force."""

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
        self._playback = Playback()
        self._vitals = Vitals()
        self._trust = Trust()
        self._life = Life(self, rng or random.Random())  # noqa: S311 - jitter, no secret
        self._hold_input = self._stand_still = False
        self._duck_db, self._paused = 0.0, False
        self._hearing = Hearing()
        self._on_measured: Callable[[bytes, bytes], None] | None = None
        self._on_both_sides: Callable[[bytes, bytes], None] | None = None
        self._has_run = False
        self._selecting = asyncio.Lock()
        self._listing = DeviceListing()
        self._outcome: asyncio.Future[None] | None = None

    # Life.

    async def connect(self) -> None:
        self._life.connect()

    async def disconnect(self) -> None:
        await self._life.disconnect()

    async def run(self) -> None:
        try:
            await self._life.run()
        finally:
            self._vitals.state = "off"

    def health_check(self) -> Health:
        vitals = self._vitals
        return Health(ok=vitals.state == "running", state=vitals.state, reason=vitals.reason, hint=vitals.hint)

    @property
    def status(self) -> AudioStatus:
        status = self._vitals.status(self._options, self._playback, respawns=self._life.respawns)
        return replace(status, echo_why=self._trust.why) if status.echo_rung and self._trust.why else status

    @property
    def options(self) -> AudioOptions:
        """The settings in force."""
        return self._options

    @property
    def process_id(self) -> int | None:
        """The audio process's, None while there is none."""
        return self._life.process_id

    # What the audio process's life asks and tells (`life.Client`).

    def inherited_fds(self) -> tuple[int, ...]:
        file = self._options.file
        return (file.input,) if file and isinstance(file.input, int) else ()

    def opening(self) -> Open:
        if self._vitals.state == "off":
            self._vitals.state = "starting"
        return Open(
            options=self._options,
            settings=self._settings(),
            epoch=self._playback.epoch,
            resume=self._has_run,
            resume_frame=self._vitals.input_frames,
        )

    def received(self, message: Message) -> None:
        now_s = asyncio.get_running_loop().time()
        if isinstance(message, Captured):
            self._captured(message, now_s)
        elif isinstance(message, Heartbeat):
            self._vitals.beats(message)
            self._position(message.epoch, message.handed_samples, now_s)
            self._runs()
        elif isinstance(message, Flushed):
            self._emit(self._playback.flushed(message.epoch, message.handed_samples, now_s=now_s))
        elif isinstance(message, Opened):
            self._vitals.opened = message
            self._feed()
        elif isinstance(message, OpenFailed):
            self._fails(message.reason, message.hint)
        elif isinstance(message, InputEnded):
            self._on_event(AudioInputEnded())
        elif isinstance(message, Measured) and self._on_measured is not None:
            self._on_measured(message.near, message.far)
        elif isinstance(message, BothSides) and self._on_both_sides is not None:
            self._on_both_sides(message.near, message.far)

    def _captured(self, frame: Captured, now_s: float) -> None:
        self._vitals.capture_delay_ms = round((now_s - frame.captured_at_s) * 1000, 2)
        self._position(frame.epoch, frame.handed_samples, now_s)
        self._emit(self._hearing.voice.hear(frame.voice))
        if self.on_level is not None and (level := self._hearing.level(frame, now_s=now_s)) is not None:
            self.on_level(level)
        self._on_capture(frame.pcm)

    def ticked(self, now_s: float) -> None:
        self._emit(self._playback.expired(now_s))

    def gone(self, reason: str, *, crashed: bool = False) -> None:
        if crashed:
            self._trust.died(self._options.echo_control, asyncio.get_running_loop().time())
        self._vitals.ended()
        self._emit(self._playback.lost())
        self._emit(self._hearing.lost())
        if reason:
            self._fails(reason, RETRY_HINT)

    def _runs(self) -> None:
        vitals = self._vitals
        if vitals.state == "running" or vitals.opened is None:
            return
        vitals.state, vitals.reason, vitals.hint = "running", "", ""
        self._has_run = True
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(None)
        self._on_event(AudioReady(input_name=vitals.opened.input_name, output_name=vitals.opened.output_name))

    def _fails(self, reason: str, hint: str) -> None:
        """No sound for now. Said once per reason."""
        vitals = self._vitals
        news = (vitals.state, vitals.reason) != ("degraded", reason)
        vitals.state, vitals.reason, vitals.hint = "degraded", reason, hint
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_exception(AudioError(reason, hint=hint))
        if news:
            self._on_event(AudioLost(reason=reason, hint=hint))

    def _position(self, epoch: int, handed_samples: int, now_s: float) -> None:
        latency_s = self._vitals.output_latency_s
        self._emit(self._playback.position(epoch, handed_samples, now_s=now_s, latency_s=latency_s))
        self._feed()

    def _emit(self, events: list[Event]) -> None:
        for event in events:
            self._on_event(event)

    # What is said to it.

    def _settings(self) -> Adjust:
        return Adjust(
            muted=self._options.muted,
            volume_percent=self._options.volume_percent,
            input_gain_db=self._options.input_gain_db,
            echo_control=self._trust.rung(self._options.echo_control),
            hold_input=self._hold_input,
            stand_still=self._stand_still,
            duck_db=self._duck_db,
            paused=self._paused,
            detect_voice=self._hearing.needs_voice,
            measure=self._on_measured is not None,
            both_sides=self._on_both_sides is not None,
        )

    def _feed(self) -> None:
        """Give the audio process what its credit allows. What does not fit waits for the next position."""
        if self._vitals.opened is None:
            return
        while (chunk := self._playback.next_chunk()) and self._life.send(Play(pcm=chunk)):
            self._playback.fed(chunk)

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        """Queue 24 kHz mono s16le audio of one piece behind everything queued before. Also while there is no sound."""
        self._playback.play(item_id, content_index, pcm)
        self._feed()

    def flush(self, token: int) -> None:
        """Silence within one block; `PlayoutFlushed(token)` follows within 500 ms, at once where there is no sound."""
        epoch = self._playback.flush(token, now_s=asyncio.get_running_loop().time())
        # Also to a process that is still opening: it was told the epoch before this one.
        self._life.tell(Flush(epoch=epoch))
        if self._vitals.opened is None:
            self._emit(self._playback.lost())

    def shape(self, *, gain_db: float, paused: bool) -> None:
        """How the playout sounds from now on, also the one after a flush: softer by `gain_db` (-60…0, reached within
        40 ms without a click), and waiting at the sample where it is, or not. Raises `AudioError` out of range."""
        if not DUCK_RANGE_DB[0] <= gain_db <= DUCK_RANGE_DB[1]:
            raise AudioError(f"gain_db {gain_db} is out of range {DUCK_RANGE_DB[0]:g}…{DUCK_RANGE_DB[1]:g}")
        self._duck_db, self._paused = gain_db, paused
        self._tell()

    def detect(self, *, voice: bool, turns: TurnRule | None) -> None:
        """Post `VoiceStarted`/`VoiceStopped` (`voice`) and `LocalTurnStarted`/`LocalTurnStopped` (by the rule `turns`)
        from now on, or no more. What began before the audio process died ends with it."""
        self._hearing.voice.want(voice=voice, turns=turns)
        self._tell()

    def want_levels(self, on: bool) -> None:
        """Call `on_level` from now on, or no more. Costs the measuring of the probability of speech."""
        self._hearing.levels_wanted = on
        self._tell()

    def measure(self, on_frame: Callable[[bytes, bytes], None] | None) -> None:
        """Call `on_frame(near, far)` for every 10 ms from now on, or no more (None): the microphone after gain and mute
        and before echo control, and what the device was given in the same time, equally long. `on_capture` gets zeros
        meanwhile. Goes on after a respawn."""
        self._on_measured = on_frame
        self._tell()

    def tell_both_sides(self, on_frame: Callable[[bytes, bytes], None] | None) -> None:
        """Call `on_frame(near, far)` for every 10 ms from now on, or no more (None): what the service can hear, and
        what the device was given in the same time, equally long. Goes on after a respawn."""
        self._on_both_sides = on_frame
        self._tell()

    @property
    def playing(self) -> bool:
        """Whether assistant audio is queued or still audible."""
        return self._playback.playing

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
        self._trust.forgive()
        self._change(replace(self._options, echo_control=mode))

    def stand_still(self, on: bool) -> None:
        """For a file: stop its clock, so that nothing of it comes, not even silence, and nothing is played."""
        self._stand_still = on
        self._tell()

    def hold_input(self, on: bool) -> None:
        """For a file: let it stand still, and silence be heard instead."""
        self._hold_input = on
        self._tell()

    def _change(self, options: AudioOptions) -> None:
        self._options = options
        self._tell()

    def _tell(self) -> None:
        self._life.tell(self._settings())

    # Devices.

    async def devices(self) -> list[DeviceInfo]:
        """All sound devices. Takes 0.2 s; raises `AudioError` after 5 s or when PortAudio cannot say."""
        return await self._listing.devices()

    async def select(self, *, input_device: int | str | None = KEEP, output_device: int | str | None = KEEP) -> None:
        """Change to other devices (None: the default) and return when they run.

        Raises `AudioError`, and the old devices come back, when one does not exist or does not open within 5 s.
        """
        if self._options.backend == "file":
            raise AudioError("a file is the sound device", hint="restart with audio.backend portaudio")
        async with self._selecting:
            before = self._options
            chosen = choose(before, await self.devices(), input_device=input_device, output_device=output_device)
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
        if not self._life.wanted:
            return
        self._outcome = asyncio.get_running_loop().create_future()
        self._restart()
        try:
            async with asyncio.timeout(SELECT_DEADLINE_S):
                await self._outcome
        finally:
            self._outcome = None

    def _restart(self) -> None:
        self._vitals.state, self._vitals.opened = "starting", None  # what the old process still says is no success
        self._life.restart()
