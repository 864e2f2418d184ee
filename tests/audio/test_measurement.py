"""The self-test at work, over a simulated manager: sound at the speed of the machine, devices (not) in one room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from voicebotd.audio import measurement
from voicebotd.audio.devices import DeviceInfo
from voicebotd.audio.manager import AudioManager
from voicebotd.audio.measurement import SelfTest, candidates
from voicebotd.audio.options import AudioOptions, AudioStatus, FileOptions
from voicebotd.errors import AudioError, CommandRefusedError

pytestmark = pytest.mark.asyncio
FRAME = 240
DELAY_FRAMES = 3


def device(index: int, name: str, *, inputs: int = 0, outputs: int = 0) -> DeviceInfo:
    return DeviceInfo(
        index=index,
        name=name,
        host_api="ALSA",
        input_channels=inputs,
        output_channels=outputs,
        default_rate_hz=48_000,
        default_input=index == 0,
        default_output=index == 3,
    )


DEVICES = [
    device(0, "Mic A", inputs=1),
    device(1, "default", inputs=1, outputs=1),
    device(2, "Mic B", inputs=1),
    device(3, "Speaker A", outputs=2),
    device(4, "Speaker B", outputs=2),
]


class SimulatedSound:
    """`heard`: which (input, output) are in one room. `dead`: inputs that give zeros. `breaks`: devices that do not
    open. `dies_after`: frames of one measurement after which the audio process has another id."""

    def __init__(self) -> None:
        self.options = AudioOptions()
        self.status = AudioStatus(state="running", input="Mic A", output="Speaker A")
        self.process_id: int | None = 100
        self.playing = False
        self.heard = {("Mic A", "Speaker A")}
        self.dead: set[str] = set()
        self.breaks: set[str] = set()
        self.dies_after: float = float("inf")
        self.silent = False
        self.selected: list[tuple[Any, Any]] = []
        self.played: list[str] = []
        self.flushed: list[int] = []
        self._queue = bytearray()
        self._on_frame: Callable[[bytes, bytes], None] | None = None
        self._rng = np.random.default_rng(1)
        self._past = [bytes(2 * FRAME)] * DELAY_FRAMES
        self._frames = 0

    def measure(self, on_frame: Callable[[bytes, bytes], None] | None) -> None:
        self._on_frame = on_frame
        self._frames = 0

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        assert content_index == 0
        self.played.append(item_id)
        self._queue += pcm

    def flush(self, token: int) -> None:
        self.flushed.append(token)
        self._queue.clear()

    async def devices(self) -> list[DeviceInfo]:
        return DEVICES

    async def select(self, *, input_device: Any, output_device: Any) -> None:
        self.selected.append((input_device, output_device))
        if self.breaks & {input_device, output_device}:
            raise AudioError("the device does not open")
        self.options = replace(self.options, input_device=input_device, output_device=output_device)
        self.status = replace(self.status, input=input_device or "Mic A", output=output_device or "Speaker A")
        self.process_id = (self.process_id or 0) + 1

    async def sound(self) -> None:
        while True:
            await asyncio.sleep(0)
            if self._on_frame is not None and not self.silent:
                self._frame(self._on_frame)

    def _frame(self, on_frame: Callable[[bytes, bytes], None]) -> None:
        self._frames += 1
        if self._frames > self.dies_after:
            self.process_id = None
            return
        far = bytes(self._queue[: 2 * FRAME]).ljust(2 * FRAME, b"\0")
        del self._queue[: 2 * FRAME]
        self._past.append(far)
        near = self._rng.normal(size=FRAME) * 20
        echo = np.frombuffer(self._past.pop(0), dtype="<i2")
        if (self.status.input, self.status.output) in self.heard:
            near += 0.3 * echo
        if self.status.input in self.dead:
            near *= 0
        on_frame(np.rint(near).astype("<i2").tobytes(), far)


@asynccontextmanager
async def simulated() -> AsyncIterator[tuple[SimulatedSound, SelfTest]]:
    sound = SimulatedSound()
    life = asyncio.create_task(sound.sound())
    try:
        async with asyncio.timeout(30):
            yield sound, SelfTest(cast(AudioManager, sound))
    finally:
        life.cancel()


def left_as_it_was(sound: SimulatedSound) -> bool:
    return (sound.options.input_device, sound.options.output_device, sound._on_frame) == (None, None, None)


async def test_the_echo_is_measured_and_nothing_is_left_behind() -> None:
    async with simulated() as (sound, test):
        found = await test.run()
        assert left_as_it_was(sound)
    assert found.search is None
    assert found.measured.echo is not None
    assert found.measured.echo.delay_ms == pytest.approx(30, abs=1)
    assert found.measured.echo.loss_db == pytest.approx(10.5, abs=1)
    assert (found.situation.input, found.situation.output) == ("Mic A", "Speaker A")
    assert (sound.selected, sound.flushed, sound._queue) == ([], [], b"")


async def test_every_test_is_a_piece_of_its_own_to_the_playout() -> None:
    async with simulated() as (sound, test):
        await test.run()
        await test.run()
    assert len(set(sound.played)) == 2


async def test_it_does_not_talk_over_the_assistant_nor_over_another_test() -> None:
    async with simulated() as (sound, test):
        sound.playing = True
        with pytest.raises(CommandRefusedError, match="the assistant") as refused:
            await test.run()
        sound.playing = False
        first = asyncio.create_task(test.run())
        await asyncio.sleep(0)
        with pytest.raises(CommandRefusedError, match="another self-test"):
            await test.run()
        assert (await first).measured.echo is not None
    assert (refused.value.kind, refused.value.retryable) == ("audio.busy", True)


async def test_without_sound_it_says_why_and_the_next_one_may_run() -> None:
    async with simulated() as (sound, test):
        sound.status = replace(sound.status, state="degraded", reason="no such device", hint="plug it in")
        with pytest.raises(AudioError, match="not running: no such device") as refused:
            await test.run()
        assert refused.value.hint == "plug it in"
        sound.status = replace(sound.status, state="starting", reason="", hint="")
        with pytest.raises(AudioError, match=r"not running$"):
            await test.run()
        sound.status = replace(sound.status, state="running")
        assert (await test.run()).measured.echo is not None


async def test_a_file_is_no_room() -> None:
    async with simulated() as (sound, test):
        sound.options = AudioOptions(backend="file", file=FileOptions(input="x.wav"))
        with pytest.raises(AudioError, match="file"):
            await test.run()


@pytest.mark.parametrize("frames", [0, 100])
async def test_an_audio_process_that_dies_in_the_middle_ends_the_test_and_its_signal(frames: int) -> None:
    async with simulated() as (sound, test):
        sound.dies_after = frames
        with pytest.raises(AudioError, match="broke off: the audio process ended"):
            await test.run()
        assert left_as_it_was(sound)
    assert sound.flushed == [-1]


async def test_a_microphone_that_gives_nothing_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "DEADLINE_S", 0.2)
    async with simulated() as (sound, test):
        sound.silent = True
        with pytest.raises(AudioError, match="broke off: the microphone gives nothing"):
            await test.run()
        assert left_as_it_was(sound)


async def test_a_test_that_nobody_waits_for_any_more_leaves_nothing_behind() -> None:
    async with simulated() as (sound, test):
        running = asyncio.create_task(test.run())
        while len(sound.played) < 1:
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert left_as_it_was(sound)
        assert sound.flushed == [-1]
        assert (await test.run()).measured.echo is not None


async def test_another_microphone_that_hears_the_loudspeaker_is_found_and_the_old_one_is_in_use_again() -> None:
    async with simulated() as (sound, test):
        sound.heard = {("Mic B", "Speaker A")}
        sound.dead = {"Mic A"}
        found = await test.run()
        assert left_as_it_was(sound)
    assert found.measured.dead
    assert found.search is not None
    assert (found.search.hearing_input, found.search.sounding_output) == ("Mic B", None)
    assert sound.selected == [("Mic B", None), (None, None)]


async def test_another_loudspeaker_that_is_heard_is_found() -> None:
    async with simulated() as (sound, test):
        sound.heard = {("Mic A", "Speaker B")}
        sound.breaks = {"Mic B"}
        found = await test.run()
        assert left_as_it_was(sound)
    assert found.search is not None
    assert (found.search.hearing_input, found.search.sounding_output) == (None, "Speaker B")


async def test_of_a_dead_microphone_no_other_loudspeaker_is_asked() -> None:
    async with simulated() as (sound, test):
        sound.dead = {"Mic A"}
        sound.heard = set()
        found = await test.run()
    assert found.search is not None
    assert (found.search.hearing_input, found.search.sounding_output) == (None, None)
    assert all(output is None for _, output in sound.selected)


async def test_a_search_that_takes_too_long_ends_with_the_old_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "SEARCH_S", 0.0)
    async with simulated() as (sound, test):
        sound.heard = {("Mic B", "Speaker A")}
        found = await test.run()
        assert left_as_it_was(sound)
    assert found.search is not None
    assert (found.search.hearing_input, found.search.sounding_output) == (None, None)


async def test_a_microphone_muted_by_us_is_not_looked_for_elsewhere() -> None:
    async with simulated() as (sound, test):
        sound.dead = {"Mic A"}
        sound.status = replace(sound.status, muted=True)
        found = await test.run()
    assert found.search is None
    assert sound.selected == []


async def test_old_devices_that_do_not_come_back_are_an_error_that_says_so() -> None:
    async with simulated() as (sound, test):
        sound.options = replace(sound.options, input_device="Mic A")
        sound.heard = {("Mic B", "Speaker A")}
        sound.breaks = {"Mic A"}
        with pytest.raises(AudioError, match="do not come back: the device does not open"):
            await test.run()


async def test_devices_that_stand_for_others_are_tried_last_and_no_more_than_four() -> None:
    many = [device(number, name, inputs=1) for number, name in enumerate(["pulse", "a", "b", "c", "default", "d", "e"])]
    options = AudioOptions(input_device="a")
    assert candidates(many, "input", options) == ["b", "c", "d", "e"]
    assert candidates(DEVICES, "input", AudioOptions()) == ["Mic B", "default"]
    assert candidates(DEVICES, "output", AudioOptions()) == ["Speaker B", "default"]
