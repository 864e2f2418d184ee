"""The manager over the real audio process with the file back-end: no sound card, everything else real."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import voicebotd.rehearsal
from voicebotd.audio import selection as selection_module
from voicebotd.audio.devices import DeviceInfo
from voicebotd.audio.manager import AudioManager
from voicebotd.audio.options import AudioOptions, FileOptions, Level, Pace
from voicebotd.audio.protocol import Heartbeat
from voicebotd.conversation.effects import TurnRule
from voicebotd.conversation.events import (
    AudioInputEnded,
    AudioLost,
    AudioReady,
    Event,
    LocalTurnStarted,
    LocalTurnStopped,
    PlayoutFlushed,
    PlayoutIdle,
    PlayoutProgressed,
    PlayoutStarted,
    VoiceStarted,
    VoiceStopped,
)
from voicebotd.errors import AudioError

DEADLINE_S = 20.0
BEAT = Heartbeat(
    silent_ms=0,
    input_blocks=1,
    output_blocks=1,
    input_frames=0,
    epoch=0,
    handed_samples=0,
    xruns=0,
    starved_blocks=0,
    dropped_capture_frames=0,
    drift_corrections=0,
    input_level_dbfs=-60.0,
)


class Box:
    """A manager and all it said."""

    def __init__(self, options: AudioOptions) -> None:
        self.events: list[Event] = []
        self.captured: list[bytes] = []
        self._when: list[tuple[int, Event]] = []
        self._changed = asyncio.Event()
        self.manager = AudioManager(options, on_event=self._event, on_capture=self._capture)

    def _event(self, event: Event) -> None:
        self.events.append(event)
        self._when.append((len(self.captured), event))
        self._changed.set()

    def _capture(self, pcm: bytes) -> None:
        self.captured.append(pcm)
        self._changed.set()

    def captured_at(self, kind: type[Event]) -> int:
        """How many frames had come when this was said first."""
        return next(frames for frames, event in self._when if isinstance(event, kind))

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    async def until_said(self, kind: type[Event], times: int = 1) -> None:
        await self.until(lambda: self.count(kind) >= times)

    def kill(self, number: int = signal.SIGKILL) -> None:
        assert self.manager.process_id is not None
        os.kill(self.manager.process_id, number)


@asynccontextmanager
async def box(options: AudioOptions) -> AsyncIterator[Box]:
    subject = Box(options)
    async with asyncio.TaskGroup() as group:
        group.create_task(subject.manager.run())
        await subject.manager.connect()
        yield subject
        await subject.manager.disconnect()


@pytest.fixture
def tone(tmp_path: Path) -> str:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.full(24_000 * 30, 1000, dtype=np.int16), 24_000)
    return str(path)


def file_options(path: str | int, *, pace: Pace = "fast", **more: Any) -> AudioOptions:
    return AudioOptions(backend="file", file=FileOptions(input=path, pace=pace), **more)


def pcm(seconds: float) -> bytes:
    return np.full(round(24_000 * seconds), 500, dtype="<i2").tobytes()


def heard_at_last(subject: Box) -> int:
    progress = [event for event in subject.events if isinstance(event, PlayoutProgressed)]
    return progress[-1].heard.heard_samples if progress else 0


@pytest.mark.asyncio
async def test_it_hears_in_10_ms_frames_and_plays_to_the_last_sample(tone: str) -> None:
    async with box(file_options(tone)) as subject:
        await subject.until_said(AudioReady)
        subject.manager.play("a", 0, pcm(0.5))
        await subject.until_said(PlayoutIdle)
        await subject.until(lambda: np.frombuffer(subject.captured[-1], "<i2").any())
        status = subject.manager.status
    assert {len(frame) for frame in subject.captured} == {480}
    assert heard_at_last(subject) == 12_000
    order = [type(event) for event in subject.events if not isinstance(event, PlayoutProgressed)]
    assert order == [AudioReady, PlayoutStarted, PlayoutIdle]
    assert (status.state, status.streams, status.input, status.played_ms) == ("running", "file", tone, 500)
    assert not subject.manager.health_check().ok
    assert subject.manager.status.state == "off"


@pytest.mark.asyncio
async def test_a_flush_is_answered_and_the_next_reply_plays(tone: str) -> None:
    async with box(file_options(tone, pace="real_time")) as subject:
        subject.manager.play("a", 0, pcm(20))
        await subject.until_said(PlayoutStarted)
        subject.manager.play("b", 0, pcm(1))
        subject.manager.flush(41)
        subject.manager.play("c", 0, pcm(0.1))
        await subject.until_said(PlayoutIdle)
    (flushed,) = [event for event in subject.events if isinstance(event, PlayoutFlushed)]
    assert flushed.token == 41
    first, second = flushed.heard
    assert first.item_id == "a"
    assert 0 < first.heard_samples < 24_000
    assert (second.item_id, second.heard_samples) == ("b", 0)
    started = [event.item_id for event in subject.events if isinstance(event, PlayoutStarted)]
    assert started == ["a", "c"]


@pytest.mark.asyncio
async def test_a_reply_goes_on_after_the_audio_process_was_killed(tone: str, tmp_path: Path) -> None:
    recording = tmp_path / "both.wav"
    async with box(file_options(tone, pace="real_time", record_both_sides_path=str(recording))) as subject:
        subject.manager.play("a", 0, pcm(1))
        await subject.until(lambda: heard_at_last(subject) > 6_000)
        subject.kill()
        await subject.until_said(AudioReady, 2)
        await subject.until_said(PlayoutIdle)
        status = subject.manager.status
    assert subject.count(PlayoutStarted) == 1
    assert heard_at_last(subject) == 24_000
    assert (status.respawns, status.state, status.reason) == (1, "running", "")
    (lost,) = [event for event in subject.events if isinstance(event, AudioLost)]
    assert lost.reason == "the audio process was killed by signal 9"
    assert lost.hint
    samples, _ = soundfile.read(recording, dtype="int16")
    # What the dead process had not yet put under a header, at most a second, is lost to the file; the rest is there.
    assert np.count_nonzero(samples[:, 1] == 500) >= 12_000


@pytest.mark.asyncio
async def test_a_flush_is_answered_at_once_where_there_is_no_sound(tone: str) -> None:
    subject = Box(file_options(tone))
    subject.manager.play("a", 0, pcm(1))
    subject.manager.flush(1)
    (flushed,) = subject.events
    assert isinstance(flushed, PlayoutFlushed)
    assert [piece.heard_samples for piece in flushed.heard] == [0]


@pytest.mark.asyncio
async def test_a_flush_that_a_frozen_process_does_not_answer_is_answered_all_the_same(tone: str) -> None:
    async with box(file_options(tone, pace="real_time")) as subject:
        subject.manager.play("a", 0, pcm(20))
        await subject.until(lambda: heard_at_last(subject) > 2_400)
        subject.kill(signal.SIGSTOP)
        subject.manager.flush(5)
        await subject.until_said(PlayoutFlushed)
        await subject.until_said(AudioReady, 2)
    (flushed,) = [event for event in subject.events if isinstance(event, PlayoutFlushed)]
    assert flushed.heard[0].heard_samples > 2_400
    (lost,) = [event for event in subject.events if isinstance(event, AudioLost)]
    assert lost.reason == "the audio process is frozen"


@pytest.mark.asyncio
async def test_a_frozen_process_cannot_hold_up_the_end(tone: str) -> None:
    async with box(file_options(tone)) as subject:
        await subject.until_said(AudioReady)
        subject.kill(signal.SIGSTOP)
        async with asyncio.timeout(3):
            await subject.manager.disconnect()
    assert subject.manager.status.state == "off"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("signal_number", "by_itself"), [(signal.SIGABRT, True), (signal.SIGSTOP, True), (signal.SIGKILL, False)]
)
async def test_a_process_that_dies_or_freezes_by_itself_is_told_from_one_that_is_killed(
    tone: str, signal_number: int, by_itself: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebotd.audio.watch.PATIENCE", 2)  # a file is waited for longer than a sound card
    ends: list[bool] = []
    async with box(file_options(tone, pace="real_time")) as subject:
        await subject.until_said(AudioReady)
        gone = subject.manager.gone

        def note(reason: str, *, crashed: bool = False) -> None:
            ends.append(crashed)
            gone(reason, crashed=crashed)

        monkeypatch.setattr(subject.manager, "gone", note)
        subject.kill(signal_number)
        await subject.until_said(AudioLost)
    assert ends[0] is by_itself


@pytest.mark.asyncio
async def test_an_echo_canceller_with_which_one_process_after_another_dies_is_left_out(tone: str) -> None:
    manager = Box(file_options(tone, echo_control="aec")).manager
    for _ in range(3):
        assert manager.opening().settings.echo_control == "aec"
        manager.gone("it died", crashed=True)
    assert manager.opening().settings.echo_control == "gate"
    manager.received(replace(BEAT, echo_rung="gate", echo_why="as configured"))
    assert manager.status.echo_control == "aec"
    assert manager.status.echo_why.startswith("instead of aec: with it the audio process died")
    manager.set_echo_control("aec")
    assert manager.opening().settings.echo_control == "aec"
    assert manager.status.echo_why == "as configured"


@pytest.mark.asyncio
async def test_a_process_that_is_killed_or_loses_its_device_says_nothing_about_the_echo_canceller(tone: str) -> None:
    manager = Box(file_options(tone, echo_control="aec")).manager
    for _ in range(5):
        manager.gone("the device is gone")
    assert manager.opening().settings.echo_control == "aec"


@pytest.mark.asyncio
async def test_the_settings_change_while_it_runs_and_survive_a_respawn(tone: str) -> None:
    async with box(file_options(tone, pace="real_time")) as subject:
        await subject.until(lambda: subject.captured and np.frombuffer(subject.captured[-1], "<i2").any())
        subject.manager.set_input_gain(6.0206)
        await subject.until(lambda: np.frombuffer(subject.captured[-1], "<i2").min() == 2000)
        subject.manager.set_muted(True)
        await subject.until(lambda: not any(subject.captured[-1]))
        subject.manager.set_volume(50)
        subject.manager.set_echo_control("half_duplex")
        subject.kill()
        subject.captured.clear()
        await subject.until_said(AudioReady, 2)
        await subject.until(lambda: subject.captured)
        status = subject.manager.status
    assert not any(any(frame) for frame in subject.captured)
    assert (status.muted, status.volume_percent, status.echo_control) == (True, 50, "half_duplex")
    assert subject.manager.options.input_gain_db == 6.0206


@pytest.mark.asyncio
async def test_a_paused_reply_waits_with_its_position_and_goes_on_to_its_last_sample(tone: str, tmp_path: Path) -> None:
    reply = np.random.default_rng(1).integers(2000, 3000, 24_000).astype("<i2")
    recording = tmp_path / "both.wav"
    async with box(file_options(tone, pace="real_time", record_both_sides_path=str(recording))) as subject:
        subject.manager.play("a", 0, reply.tobytes())
        await subject.until(lambda: heard_at_last(subject) > 6_000)
        subject.manager.shape(gain_db=0.0, paused=True)
        captured = len(subject.captured)
        await subject.until(lambda: len(subject.captured) > captured + 20)
        paused_at = heard_at_last(subject)
        await subject.until(lambda: len(subject.captured) > captured + 50)
        assert heard_at_last(subject) == paused_at < 24_000
        assert not subject.count(PlayoutIdle)
        assert subject.manager.playing
        subject.manager.shape(gain_db=0.0, paused=False)
        await subject.until_said(PlayoutIdle)
        assert not subject.manager.playing
        assert subject.manager.status.underruns == 0
    assert heard_at_last(subject) == 24_000
    samples, _ = soundfile.read(recording, dtype="int16")
    far = samples[:, 1]
    begin, end = np.flatnonzero(far)[[0, -1]]
    gap = end + 1 - begin - 24_000
    assert gap % 240 == 0
    assert gap >= 2400
    fade = 240
    assert np.array_equal(far[begin : begin + paused_at - fade], reply[: paused_at - fade])
    assert np.array_equal(far[begin + paused_at + gap + fade : end + 1], reply[paused_at + fade :])
    assert not far[begin + paused_at : begin + paused_at + gap].any()


@pytest.mark.asyncio
async def test_a_pause_and_a_duck_outlive_the_audio_process(tone: str) -> None:
    async with box(file_options(tone, pace="real_time")) as subject:
        subject.manager.shape(gain_db=-6.0, paused=True)
        subject.manager.play("a", 0, pcm(0.2))
        await subject.until_said(AudioReady)
        subject.kill()
        await subject.until_said(AudioReady, 2)
        captured = len(subject.captured)
        await subject.until(lambda: len(subject.captured) > captured + 30)
        assert not subject.count(PlayoutStarted)
        subject.manager.shape(gain_db=-6.0, paused=False)
        await subject.until_said(PlayoutIdle)
    assert heard_at_last(subject) == 4800


@pytest.mark.asyncio
@pytest.mark.parametrize("db", [0.1, -61.0])
async def test_a_duck_out_of_range_is_refused(tone: str, db: float) -> None:
    with pytest.raises(AudioError, match="out of range"):
        Box(file_options(tone)).manager.shape(gain_db=db, paused=False)


@pytest.fixture
def spoken(tmp_path: Path) -> str:
    """A second of a quiet room, a sentence, and five seconds of the room."""
    clip = sorted((Path(voicebotd.rehearsal.__file__).parent / "speech").glob("*.ogg"))[0]
    said, rate_hz = soundfile.read(clip, dtype="int16")
    room = np.random.default_rng(1).normal(0, 3, 6 * rate_hz).astype(np.int16)
    path = tmp_path / "spoken.wav"
    soundfile.write(path, np.concatenate((room[:rate_hz], said, room[rate_hz:])), rate_hz)
    return str(path)


@pytest.mark.asyncio
async def test_a_voice_and_a_turn_are_told_before_the_frame_that_brought_them(spoken: str) -> None:
    async with box(file_options(spoken)) as subject:
        subject.manager.detect(voice=True, turns=TurnRule(threshold=0.5, silence_duration_ms=500))
        await subject.until_said(LocalTurnStopped)
    order = [type(event) for event in subject.events if isinstance(event, VoiceStarted | LocalTurnStarted)]
    assert order[:2] == [VoiceStarted, LocalTurnStarted]
    (stopped, *_) = [event for event in subject.events if isinstance(event, LocalTurnStopped)]
    said_ms = (soundfile.info(spoken).frames - 6 * 24_000) / 24
    assert 0.4 * said_ms < stopped.speech_ms < said_ms + 100
    told_at = subject.captured_at(LocalTurnStarted)
    begun = np.frombuffer(b"".join(subject.captured[:told_at]), "<i2")
    assert 100 <= told_at <= 130
    assert np.abs(begun[24_000:]).max() > 300, "what led to it was heard before"


@pytest.mark.asyncio
async def test_a_turn_ends_with_the_audio_process(spoken: str) -> None:
    async with box(file_options(spoken, pace="real_time")) as subject:
        subject.manager.detect(voice=True, turns=TurnRule(threshold=0.5, silence_duration_ms=3000))
        await subject.until_said(LocalTurnStarted)
        subject.kill()
        await subject.until_said(LocalTurnStopped)
        assert [type(event) for event in subject.events][-3:-1] == [VoiceStopped, LocalTurnStopped]
        assert isinstance(subject.events[-1], AudioLost)


@pytest.mark.asyncio
async def test_levels_come_while_they_are_wanted_and_at_most_20_a_second(spoken: str) -> None:
    levels: list[tuple[float, Level]] = []
    async with box(file_options(spoken)) as subject:
        subject.manager.on_level = lambda level: levels.append((time.monotonic(), level))
        await subject.until_said(AudioReady)
        await subject.until(lambda: len(subject.captured) > 20)
        assert not levels
        subject.manager.want_levels(True)
        await subject.until(lambda: any(level.voice is not None and level.voice > 0.5 for _, level in levels))
        subject.manager.want_levels(False)
        told, captured = len(levels), len(subject.captured)
        await subject.until(lambda: len(subject.captured) > captured + 20)
    assert len(levels) == told
    assert max(level.input_dbfs for _, level in levels) > -40
    assert {level.gate for _, level in levels} == {"open"}
    assert len(levels) <= (levels[-1][0] - levels[0][0]) * 20 + 2


@pytest.mark.asyncio
async def test_a_measurement_hears_both_sides_and_the_service_hears_nothing(tone: str) -> None:
    measured: list[tuple[bytes, bytes]] = []
    async with box(file_options(tone, pace="real_time")) as subject:
        await subject.until(lambda: subject.captured and any(subject.captured[-1]))
        subject.manager.measure(lambda near, far: measured.append((near, far)))
        subject.manager.play("selftest", 0, pcm(0.1))
        await subject.until_said(PlayoutIdle)
        assert not any(subject.captured[-1])
        subject.manager.measure(None)
        await subject.until(lambda: any(subject.captured[-1]))
        told = len(measured)
        captured = len(subject.captured)
        await subject.until(lambda: len(subject.captured) > captured + 5)
    assert len(measured) == told
    near, far = (np.frombuffer(b"".join(side), "<i2") for side in zip(*measured, strict=True))
    assert set(near.tolist()) == {1000}
    assert np.count_nonzero(far == 500) == 2400


@pytest.mark.asyncio
async def test_both_sides_are_told_while_the_service_hears_as_always(tone: str) -> None:
    told: list[tuple[bytes, bytes]] = []
    async with box(file_options(tone, pace="real_time")) as subject:
        subject.manager.tell_both_sides(lambda near, far: told.append((near, far)))
        await subject.until(lambda: any(any(near) for near, _ in told))
        subject.manager.play("a", 0, pcm(0.1))
        await subject.until(lambda: sum(far.count(pcm(0.01)[:2]) for _, far in told) >= 2400)
        assert any(subject.captured[-1])
        subject.manager.tell_both_sides(None)
        so_far = len(subject.captured)
        await subject.until(lambda: len(subject.captured) > so_far + 5)
        ended = len(told)
        await subject.until(lambda: len(subject.captured) > so_far + 10)
    assert len(told) == ended
    near, far = (np.frombuffer(b"".join(side), "<i2") for side in zip(*told, strict=True))
    assert 1000 in near.tolist()
    assert np.count_nonzero(far == 500) == 2400


@pytest.mark.asyncio
async def test_the_state_of_echo_control_is_told(tone: str) -> None:
    async with box(file_options(tone, echo_control="half_duplex")) as subject:
        await subject.until_said(AudioReady)
        status = subject.manager.status
    assert (status.echo_control, status.echo_rung) == ("half_duplex", "half_duplex")
    assert status.echo_why


@pytest.mark.asyncio
async def test_a_value_out_of_range_is_refused_and_changes_nothing(tone: str) -> None:
    subject = Box(file_options(tone))
    with pytest.raises(AudioError, match="volume_percent 300"):
        subject.manager.set_volume(300)
    assert subject.manager.options.volume_percent == 100


@pytest.mark.asyncio
async def test_the_end_of_the_file_is_told_after_every_frame_of_it(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.full(24_000, 1000, dtype=np.int16), 24_000)
    async with box(file_options(str(path))) as subject:
        await subject.until_said(AudioInputEnded)
        heard = np.frombuffer(b"".join(subject.captured), "<i2")
    assert np.count_nonzero(heard == 1000) == 24_000


@pytest.mark.asyncio
async def test_a_held_file_waits(tone: str) -> None:
    async with box(file_options(tone)) as subject:
        await subject.until_said(AudioReady)
        subject.manager.hold_input(True)
        await subject.until(lambda: subject.captured and not any(subject.captured[-1]))
        subject.manager.hold_input(False)
        await subject.until(lambda: any(subject.captured[-1]))


@pytest.mark.asyncio
async def test_an_open_descriptor_is_enough(tone: str) -> None:
    with Path(tone).open("rb") as file:
        async with box(file_options(file.fileno())) as subject:
            await subject.until(lambda: subject.captured and any(subject.captured[-1]))


@pytest.mark.asyncio
async def test_with_nothing_to_open_it_stays_up_says_why_once_and_heals_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "later.wav"
    async with box(file_options(str(path))) as subject:
        await subject.until_said(AudioLost)
        health = subject.manager.health_check()
        assert (health.ok, health.state, health.reason) == (False, "degraded", f"{path}: no such file")
        assert subject.manager.status.reason == health.reason
        soundfile.write(path, np.full(24_000, 1000, dtype=np.int16), 24_000)
        await subject.until_said(AudioReady)
        assert subject.manager.health_check().ok
    assert subject.count(AudioLost) == 1
    assert subject.manager.status.respawns == 0


@pytest.mark.asyncio
async def test_connect_and_disconnect_may_be_said_twice_and_without_a_life(tone: str) -> None:
    subject = Box(file_options(tone))
    await subject.manager.disconnect()
    await subject.manager.disconnect()
    await subject.manager.run()
    async with box(file_options(tone)) as other:
        await other.manager.connect()
        await other.until_said(AudioReady)
    assert other.count(AudioReady) == 1


CARD = DeviceInfo(index=0, name="USB", host_api="ALSA", input_channels=1, output_channels=1, default_rate_hz=48_000)


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    async def listing() -> list[DeviceInfo]:
        return [CARD, replace(CARD, index=1, name="HDMI", input_channels=0)]

    monkeypatch.setattr(selection_module, "list_devices", listing)


@pytest.mark.asyncio
@pytest.mark.usefixtures("two_devices")
async def test_a_selection_is_checked_before_anything_changes() -> None:
    subject = Box(AudioOptions(input_device="before"))
    with pytest.raises(AudioError, match="'tuba' is no output device"):
        await subject.manager.select(input_device=0, output_device="tuba")
    assert subject.manager.options.input_device == "before"
    await subject.manager.select(output_device="hdmi")
    assert (subject.manager.options.input_device, subject.manager.options.output_device) == ("before", "hdmi")
    await subject.manager.select(input_device=None)
    assert subject.manager.options.input_device is None


@pytest.mark.asyncio
async def test_a_file_has_no_devices_to_select(tone: str) -> None:
    with pytest.raises(AudioError, match="file"):
        await Box(file_options(tone)).manager.select(input_device=1)
