"""The self-test at work: plays the test signal through the running sound, records both sides, looks elsewhere.

Owns when a test may run, its deadlines, and that the devices in use come back. What the recording says is
`selftest.py`'s, what it means `diagnosis.py`'s. The service hears silence meanwhile; see `AudioManager.measure`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voicebotd.audio import sweep
from voicebotd.audio.devices import DeviceInfo, Direction, resolve
from voicebotd.audio.diagnosis import Search, Situation, is_monitor, missing
from voicebotd.audio.ladder import aec_installed
from voicebotd.audio.manager import AudioManager
from voicebotd.audio.options import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ, AudioOptions
from voicebotd.audio.selftest import Measurement, measure
from voicebotd.audio.sweep import Stimulus
from voicebotd.errors import AudioError, CommandRefusedError

DEADLINE_S = 10.0
"""For one recording, which takes 4 s, and 1.5 s until two streams are paired. Sound that is so slow is no sound."""
SEARCH_S = 40.0
"""For all trials of other devices, some 4 s each."""
TRIALS = 4
"""Devices of each kind that are tried."""
MARGIN_S = 0.3
"""Recorded beyond the signal: it does not begin at once."""
GLANCE_S = 0.1
"""How often the audio process is looked at, where no frame comes."""
_TOKEN = -1
"""Of a flush that no conversation asked for."""
_GENERIC = ("default", "pulse", "pipewire", "sysdefault", "dmix", "null")
"""ALSA names that stand for other devices: tried last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    measured: Measurement
    situation: Situation
    search: Search | None
    """None: the test signal was heard where it should be."""


class SelfTest:
    """One test at a time."""

    def __init__(self, audio: AudioManager) -> None:
        self._audio = audio
        self._running = False
        self._played = 0

    async def run(self) -> Examination:
        """Take 4 to 6 s, and up to 40 s more when the loudspeaker is not heard and other devices are tried.

        Raises CommandRefusedError (`audio.busy`) while the assistant is audible or another test runs, `AudioError`
        where there is no sound, where it ends in the middle, and where the recording is of no use.
        """
        if self._running or self._audio.playing:
            who = "another self-test" if self._running else "the assistant"
            raise CommandRefusedError(
                "audio.busy", f"{who} is using the loudspeaker", hint="try again when it is silent", retryable=True
            )
        self._running = True
        try:
            situation = self._situation()
            measured = await self._measure(sweep.full())
            wanted = missing(measured) and not situation.muted
            search = await self._look_elsewhere(measured) if wanted else None
        finally:
            self._running = False
        return Examination(measured=measured, situation=situation, search=search)

    def _situation(self) -> Situation:
        status = self._audio.status
        if self._audio.options.backend == "file":
            raise AudioError("a file is the sound device", hint="restart with audio.backend portaudio")
        if status.state != "running":
            reason = f": {status.reason}" if status.reason else ""
            raise AudioError(f"the sound is not running{reason}", hint=status.hint or "try again in a moment")
        return Situation(
            input=status.input,
            output=status.output,
            volume_percent=status.volume_percent,
            muted=status.muted,
            aec_installed=aec_installed(),
        )

    # One recording.

    async def _measure(self, stimulus: Stimulus) -> Measurement:
        near, far = await self._record(stimulus)
        # Some 60 ms of arithmetic: too long for the event loop.
        return await asyncio.to_thread(
            measure, np.frombuffer(near, dtype=np.int16), np.frombuffer(far, dtype=np.int16), stimulus
        )

    async def _record(self, stimulus: Stimulus) -> tuple[bytes, bytes]:
        wanted = len(stimulus.pcm) + round(MARGIN_S * SAMPLE_RATE_HZ)
        recording = _Recording()
        process_id = self._audio.process_id
        self._audio.measure(recording.hear)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await recording.until(1, lambda: self._audio.process_id == process_id)
                self._played += 1
                self._audio.play(f"selftest-{self._played}", 0, stimulus.pcm.tobytes())
                await recording.until(wanted, lambda: self._audio.process_id == process_id)
        except TimeoutError:
            raise _broken_off("the microphone gives nothing") from None
        except ConnectionError:
            raise _broken_off(self._audio.status.reason or "the audio process ended") from None
        finally:
            self._audio.measure(None)
            if recording.samples < wanted or self._audio.playing:
                self._audio.flush(_TOKEN)  # what was not played yet must not be heard by the service later
        return bytes(recording.near), bytes(recording.far)

    # Other devices.

    async def _look_elsewhere(self, measured: Measurement) -> Search:
        before = self._audio.options
        try:
            async with asyncio.timeout(SEARCH_S):
                heard = await self._try_others("input", before)
                if heard is not None or measured.dead:
                    return Search(hearing_input=heard)
                return Search(sounding_output=await self._try_others("output", before))
        except TimeoutError:
            return Search()
        finally:
            await self._back_to(before)

    async def _try_others(self, direction: Direction, before: AudioOptions) -> str | None:
        """The first other device of this kind with which the test signal is heard."""
        devices = await self._audio.devices()
        for name in candidates(devices, direction, before):
            try:
                await self._audio.select(
                    input_device=name if direction == "input" else before.input_device,
                    output_device=name if direction == "output" else before.output_device,
                )
                measured = await self._measure(sweep.probe())
            except AudioError:
                continue
            if measured.echo is not None and not is_monitor(measured):
                return name
        return None

    async def _back_to(self, before: AudioOptions) -> None:
        now = self._audio.options
        if (now.input_device, now.output_device) == (before.input_device, before.output_device):
            return
        try:
            await self._audio.select(input_device=before.input_device, output_device=before.output_device)
        except AudioError as error:
            raise AudioError(
                f"the devices in use before do not come back: {error.message}",
                hint="`voicebotctl devices select` chooses them again",
            ) from error


def candidates(devices: list[DeviceInfo], direction: Direction, options: AudioOptions) -> list[str]:
    """Names of the devices to try in place of the one in use, the most promising first."""
    in_use = resolve(devices, options.input_device if direction == "input" else options.output_device, direction).name
    names = dict.fromkeys(device.name for device in devices if device.can(direction) and device.name != in_use)
    return sorted(names, key=lambda name: name.startswith(_GENERIC))[:TRIALS]


class _Recording:
    """Both sides as they come."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self.near, self.far = bytearray(), bytearray()

    @property
    def samples(self) -> int:
        return len(self.near) // BYTES_PER_SAMPLE

    def hear(self, near: bytes, far: bytes) -> None:
        self.near += near
        self.far += far
        self._news.set()

    async def until(self, samples: int, alive: Callable[[], bool]) -> None:
        """Return when there are so many. Raises ConnectionError as soon as `alive` is false."""
        while self.samples < samples:
            if not alive():
                raise ConnectionError
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GLANCE_S):
                    await self._news.wait()


def _broken_off(reason: str) -> AudioError:
    return AudioError(f"the self-test broke off: {reason}", hint="the sound comes back by itself; then try again")
