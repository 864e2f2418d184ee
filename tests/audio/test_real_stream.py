"""The real audio process on a real PortAudio stream, over a private PulseAudio that plays sound card.

What the loudspeaker played is recorded at the sink's monitor and compared sample by sample: status flags do not prove
clean audio. A machine that had no time for the sound server proves nothing either way, so a failure counts only when
the machine kept up; `undisturbed` measures that itself and tries again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

import voicebotd.rehearsal
from voicebotd.audio.manager import AudioManager
from voicebotd.audio.options import AudioOptions
from voicebotd.conversation.events import (
    AudioLost,
    AudioReady,
    Event,
    PlayoutFlushed,
    PlayoutIdle,
    PlayoutProgressed,
    PlayoutStarted,
)

SCRIPT = Path(__file__).resolve().parent.parent / "system" / "virtual-audio.sh"
RATE_HZ = 24_000
DEADLINE_S = 10
PREFILL_S = 0.02
"""A thread that is held up for longer than the device's buffer lasts makes a gap that no program can prevent."""

Signal = npt.NDArray[np.float64]


class Card:
    """One private sound server."""

    def __init__(self) -> None:
        # Not below pytest's own directory: a Unix socket's path holds 107 bytes.
        self.directory = tempfile.mkdtemp(prefix="va-", dir="/tmp")
        self.environment = {
            "PULSE_SERVER": f"unix:{self.directory}/native.sock",
            "ALSA_CONFIG_PATH": f"{self.directory}/asound.conf",
            "PULSE_RUNTIME_PATH": f"{self.directory}/pulse",
        }

    def do(self, verb: str, *arguments: str) -> None:
        environment = {**os.environ, "VA_DIR": self.directory}
        done = subprocess.run(
            [SCRIPT, verb, *arguments], env=environment, capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode == 0, f"{verb}: {done.stdout}{done.stderr}"

    @property
    def server_pid(self) -> int:
        return int(Path(self.directory, "pulse", "pid").read_text())


class Recording:
    """What the loudspeaker plays from now on, as 24 kHz mono."""

    def __init__(self, card: Card) -> None:
        command = ["parec", "--device=vspk.monitor", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1"]
        self._process = subprocess.Popen(
            [*command, "--latency-msec=10"], env={**os.environ, **card.environment}, stdout=subprocess.PIPE
        )
        self._data = bytearray()
        self._flowing = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        assert self._flowing.wait(DEADLINE_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 65536):
            self._data += chunk
            self._flowing.set()

    def samples(self) -> Signal:
        return np.frombuffer(bytes(self._data[: len(self._data) // 2 * 2]), "<i2").astype(np.float64)

    def forget(self) -> None:
        self._data.clear()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        self._thread.join(DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="module")
def card() -> Iterator[Card]:
    subject = Card()
    subject.do("start")
    yield subject
    subject.do("stop")


@contextmanager
def recorded_on(card: Card) -> Iterator[Recording]:
    subject = Recording(card)
    try:
        yield subject
    finally:
        subject.stop()


class Machine:
    """Whether this machine ran what was due: the longest that a 5 ms sleep overslept."""

    def __init__(self) -> None:
        self.overslept_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure)
        self._thread.start()

    def _measure(self) -> None:
        before_s = time.monotonic()
        while not self._stop.wait(0.005):
            now_s = time.monotonic()
            self.overslept_s = max(self.overslept_s, now_s - before_s - 0.005)
            before_s = now_s

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


async def undisturbed(attempt: Callable[[], Awaitable[None]]) -> None:
    """Run `attempt` until it passes, or fails on a machine that kept up; at most five times."""
    for chance in range(5):
        machine = Machine()
        try:
            await attempt()
        except* (AssertionError, TimeoutError):
            machine.stop()
            if machine.overslept_s < PREFILL_S or chance == 4:
                raise
        else:
            return
        finally:
            machine.stop()


class Box:
    """A manager on the card, all it said and when, and the microphone's frames."""

    def __init__(self, options: AudioOptions) -> None:
        self.events: list[tuple[float, Event]] = []
        self.captured: list[bytes] = []
        self._changed = asyncio.Event()
        self.manager = AudioManager(options, on_event=self._event, on_capture=self._capture)

    def _event(self, event: Event) -> None:
        self.events.append((time.monotonic(), event))
        self._changed.set()

    def _capture(self, pcm: bytes) -> None:
        self.captured.append(pcm)
        self._changed.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def times(self, kind: type[Event]) -> list[float]:
        return [at_s for at_s, event in self.events if isinstance(event, kind)]

    def heard_samples(self) -> int:
        """Of the piece that was told last."""
        return [event for _, event in self.events if isinstance(event, PlayoutProgressed)][-1].heard.heard_samples

    async def until_recorded(self, recording: Recording, seconds: float) -> None:
        """Until so much more was recorded: what was handed to the device takes a while to the monitor."""
        enough = len(recording.samples()) + seconds * RATE_HZ
        await self.until(lambda: len(recording.samples()) >= enough)

    async def until_said(self, kind: type[Event], times: int = 1) -> None:
        await self.until(lambda: len(self.times(kind)) >= times)


@asynccontextmanager
async def box(card: Card, **options: Any) -> AsyncIterator[Box]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in card.environment.items():
            patch.setenv(name, value)
        subject = Box(AudioOptions(**options))
        async with asyncio.TaskGroup() as group:
            group.create_task(subject.manager.run())
            await subject.manager.connect()
            await subject.until_said(AudioReady)
            yield subject
            await subject.manager.disconnect()


def chirpy(seconds: float, seed: int = 1) -> Signal:
    """Noise of speech's band: no two places of it look alike, and no resampler bends it."""
    noise = np.random.default_rng(seed).standard_normal(round(RATE_HZ * seconds))
    smooth = np.convolve(noise, np.hanning(13), mode="same")
    return np.asarray(np.rint(smooth / np.abs(smooth).max() * 16_000))


def pcm(signal_: Signal) -> bytes:
    return signal_.astype("<i2").tobytes()


def find(recorded: Signal, wanted: Signal) -> tuple[int, float]:
    """Where in `recorded` `wanted` lies best, and how alike the two are there (1 = the same)."""
    size = 1 << (len(recorded) + len(wanted)).bit_length()
    product = np.fft.irfft(np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(wanted, size)), size)
    at = int(np.argmax(product[: max(1, len(recorded) - len(wanted) + 1)]))
    there = recorded[at : at + len(wanted)]
    return at, float(np.dot(there, wanted) / np.sqrt(np.dot(there, there) * np.dot(wanted, wanted)))


def length_of_sound(recorded: Signal) -> int:
    loud = np.flatnonzero(np.abs(recorded) > 40)
    return int(loud[-1] - loud[0] + 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("rate_hz", [None, 48_000])
async def test_the_loudspeaker_plays_every_sample_in_its_place(card: Card, rate_hz: int | None) -> None:
    played = chirpy(2)

    async def attempt() -> None:
        with recorded_on(card) as recording:
            async with box(card, sample_rate_hz=rate_hz) as subject:
                assert subject.manager.status.streams == "pair"
                subject.manager.play("a", 0, pcm(played))
                await subject.until_said(PlayoutIdle)
                await subject.until_recorded(recording, 0.3)
            recorded = recording.samples()
        places = [find(recorded, played[at : at + 4800]) for at in range(0, len(played), 4800)]
        shifts = [place - number * 4800 for number, (place, _) in enumerate(places)]
        assert max(shifts) - min(shifts) <= 2, f"the pieces lie at different shifts: {shifts}"
        assert min(likeness for _, likeness in places) > 0.98

    await undisturbed(attempt)


@pytest.mark.asyncio
@pytest.mark.parametrize("after_s", [0.2, 0.337, 0.451, 0.523, 0.704])
async def test_what_was_heard_at_a_flush_is_what_the_recording_shows(card: Card, after_s: float) -> None:
    played = chirpy(3)

    async def attempt() -> None:
        with recorded_on(card) as recording:
            async with box(card) as subject:
                subject.manager.play("a", 0, pcm(played))
                await subject.until_said(PlayoutStarted)
                await subject.until(lambda: time.monotonic() > subject.times(PlayoutStarted)[0] + after_s)
                subject.manager.flush(1)
                await subject.until_said(PlayoutFlushed)
                await subject.until_recorded(recording, 0.3)
                (piece,) = next(event for _, event in subject.events if isinstance(event, PlayoutFlushed)).heard
            recorded_ms = length_of_sound(recording.samples()) / 24
        heard_ms = piece.heard_samples / 24
        assert abs(heard_ms - recorded_ms) <= 20, f"said {heard_ms:.0f} ms, recorded {recorded_ms:.0f} ms"

    await undisturbed(attempt)


def speech() -> Signal:
    """Four seconds of a recorded voice."""
    clip = sorted((Path(voicebotd.rehearsal.__file__).parent / "speech").glob("*.ogg"))[0]
    samples = np.asarray(soundfile.read(clip, dtype="int16")[0], dtype=np.float64)
    loud = np.flatnonzero(np.abs(samples) > 1000)
    return samples[loud[0] : loud[-1]][: 4 * RATE_HZ]


def likeness(recorded: Signal, piece: Signal, place: int) -> float:
    """How alike `piece` and what lies at `place` are, give or take two samples (resamplers round) and whatever gain."""
    there = [recorded[place + off : place + off + len(piece)] for off in range(-2, 3)]
    return max(float(np.dot(one, piece) / np.sqrt(np.dot(one, one) * np.dot(piece, piece) + 1)) for one in there)


@pytest.mark.asyncio
@pytest.mark.parametrize(("voice", "duck_db"), [(chirpy(3), 0.0), (speech(), -12.0)], ids=["noise", "ducked speech"])
async def test_a_pause_is_a_silence_in_the_reply_and_nothing_else(card: Card, voice: Signal, duck_db: float) -> None:
    async def attempt() -> None:
        with recorded_on(card) as recording:
            async with box(card) as subject:
                subject.manager.play("a", 0, pcm(voice))
                await subject.until_said(PlayoutStarted)
                started_s = subject.times(PlayoutStarted)[0]
                await subject.until(lambda: time.monotonic() > started_s + 0.6)
                subject.manager.shape(gain_db=duck_db, paused=False)
                await subject.until(lambda: time.monotonic() > started_s + 1.0)
                subject.manager.shape(gain_db=duck_db, paused=True)
                paused_s = time.monotonic()
                await subject.until(lambda: time.monotonic() > paused_s + 0.7)
                heard = subject.heard_samples()
                assert not subject.times(PlayoutIdle)
                subject.manager.shape(gain_db=0.0, paused=False)
                await subject.until_said(PlayoutIdle)
                await subject.until_recorded(recording, 0.3)
                assert subject.manager.status.underruns == 0
            recorded = recording.samples()
        begin, _ = find(recorded, voice[: RATE_HZ // 2])
        silence = find(recorded, voice[-RATE_HZ // 2 :])[0] - (len(voice) - RATE_HZ // 2) - begin
        assert 0.6 < silence / RATE_HZ < 0.8
        assert min(silence % 240, -silence % 240) <= 2, "whole blocks of silence, so no sample was skipped or repeated"
        size = RATE_HZ // 50
        found = {}
        for at in range(0, len(voice) - size + 1, size):
            piece = voice[at : at + size]
            if np.sqrt(np.mean(piece**2)) > 200:
                found[at] = likeness(recorded, piece, begin + at + (silence if at >= heard else 0))
        odd = {at: round(found[at], 3) for at in found if found[at] < 0.98}
        # Where it fades, and where it grows softer or louder within three blocks of being told so.
        ramped = [at for at in odd if abs(at - heard) <= 5 * size or (duck_db and found[at] > 0.8)]
        assert len(found) > 80
        assert len(odd) == len(ramped) <= 5, f"only what is ramped may differ: {odd}, paused at {heard}"
        gap = recorded[begin + heard + 24 : begin + heard + silence - 24]
        assert np.abs(gap).max() <= 2, "silence from the very sample that was said to the next"

    await undisturbed(attempt)


@pytest.mark.asyncio
async def test_a_flush_while_paused_is_answered_at_once_and_the_next_reply_plays(card: Card) -> None:
    old, new = chirpy(2), chirpy(1, seed=3)

    async def attempt() -> None:
        with recorded_on(card) as recording:
            async with box(card) as subject:
                subject.manager.play("a", 0, pcm(old))
                await subject.until_said(PlayoutStarted)
                started_s = subject.times(PlayoutStarted)[0]
                await subject.until(lambda: time.monotonic() > started_s + 0.5)
                subject.manager.shape(gain_db=0.0, paused=True)
                await subject.until(lambda: time.monotonic() > started_s + 0.8)
                asked_s = time.monotonic()
                subject.manager.flush(7)
                subject.manager.shape(gain_db=0.0, paused=False)
                subject.manager.play("b", 0, pcm(new))
                await subject.until_said(PlayoutFlushed)
                assert subject.times(PlayoutFlushed)[0] - asked_s < 0.1
                (piece,) = next(event for _, event in subject.events if isinstance(event, PlayoutFlushed)).heard
                await subject.until_said(PlayoutIdle)
                await subject.until_recorded(recording, 0.3)
            recorded = recording.samples()
        at, likeness = find(recorded, new)
        assert likeness > 0.98
        assert abs(length_of_sound(recorded[:at]) - piece.heard_samples) <= RATE_HZ // 50

    await undisturbed(attempt)


@pytest.mark.asyncio
async def test_the_far_end_of_a_pair_lies_beside_its_echo_sample_by_sample(card: Card) -> None:
    played = chirpy(4)
    await asyncio.to_thread(card.do, "loop", "60", "-6")

    async def attempt() -> None:
        both: list[tuple[bytes, bytes]] = []
        async with box(card) as subject:
            subject.manager.measure(lambda near, far: both.append((near, far)))
            await subject.until(lambda: both)
            subject.manager.play("selftest", 0, pcm(played))
            await subject.until_said(PlayoutIdle)
            idle = len(both)
            await subject.until(lambda: len(both) > idle + 30)
            assert subject.manager.status.drift_corrections == 0
        near, far = (np.frombuffer(b"".join(side), "<i2").astype(np.float64) for side in zip(*both, strict=True))
        size = RATE_HZ // 10
        places = {}
        for name, side in (("far", far), ("near", near)):
            begin, _ = find(side, played)
            alike = [likeness(side, played[at : at + size], begin + at) for at in range(0, len(played), size)]
            assert min(alike) > 0.98, f"{name}: {np.round(alike, 3)}"
            places[name] = begin
        delay_ms = (places["near"] - places["far"]) / RATE_HZ * 1000
        assert 60 < delay_ms < 250, "the loop's 60 ms and the buffers of the card"

    try:
        await undisturbed(attempt)
    finally:
        await asyncio.to_thread(card.do, "unloop")


@pytest.mark.asyncio
async def test_a_reply_goes_on_after_kill_9_of_the_audio_process(card: Card) -> None:
    played = chirpy(2)

    async def attempt() -> None:
        with recorded_on(card) as recording:
            async with box(card) as subject:
                subject.manager.play("a", 0, pcm(played))
                await subject.until_said(PlayoutStarted)
                assert subject.manager.process_id is not None
                os.kill(subject.manager.process_id, signal.SIGKILL)
                died_s = time.monotonic()
                await subject.until_said(AudioLost)
                assert subject.manager.status.state == "degraded"
                await subject.until_said(AudioReady, 2)
                assert subject.times(AudioReady)[-1] - died_s < 1.0
                await subject.until_said(PlayoutIdle)
                await subject.until_recorded(recording, 0.3)
            recorded = recording.samples()
        _, likeness = find(recorded, played[-RATE_HZ:])
        assert likeness > 0.98

    await undisturbed(attempt)


@pytest.mark.asyncio
async def test_sound_is_back_within_a_second_of_the_sound_servers_return(card: Card) -> None:
    async def attempt() -> None:
        async with box(card) as subject:
            subject.manager.play("a", 0, pcm(chirpy(8)))
            await subject.until_said(PlayoutStarted)
            await asyncio.to_thread(card.do, "kill9")
            try:
                await subject.until_said(AudioLost)
                assert subject.manager.status.reason
            finally:
                await asyncio.to_thread(card.do, "start")
            returned_s = time.monotonic()
            await subject.until_said(AudioReady, 2)
            assert subject.times(AudioReady)[-1] - returned_s < 1.0
            with recorded_on(card) as recording:
                await subject.until(lambda: np.abs(recording.samples()).max() > 1000)

    await undisturbed(attempt)


@pytest.mark.asyncio
async def test_a_frozen_sound_server_is_noticed_said_and_outlived(card: Card) -> None:
    async def attempt() -> None:
        async with box(card) as subject:
            os.kill(card.server_pid, signal.SIGSTOP)
            stopped_s = time.monotonic()
            try:
                await subject.until_said(AudioLost)
                assert subject.times(AudioLost)[-1] - stopped_s < 1.0
                assert "not answering" in subject.manager.status.reason
                assert subject.manager.status.hint
            finally:
                os.kill(card.server_pid, signal.SIGCONT)
            await subject.until_said(AudioReady, 2)

    await undisturbed(attempt)


@pytest.mark.asyncio
async def test_the_microphone_is_heard_and_mute_makes_it_zeros(card: Card, tmp_path: Path) -> None:
    spoken = chirpy(1, seed=2)
    path = tmp_path / "spoken.raw"
    path.write_bytes(pcm(spoken))
    command = ["paplay", "--raw", "--device=mic_in", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1", str(path)]
    environment = {**os.environ, **card.environment}

    async def attempt() -> None:
        async with box(card) as subject:
            player = await asyncio.create_subprocess_exec(*command, env=environment)
            await player.wait()
            await subject.until(lambda: subject.captured and not any(subject.captured[-1]))
            heard = np.frombuffer(b"".join(subject.captured), "<i2").astype(np.float64)
            assert find(heard, spoken)[1] > 0.95
            subject.manager.set_muted(True)
            subject.captured.clear()
            player = await asyncio.create_subprocess_exec(*command, env=environment)
            await player.wait()
            quiet = subject.captured[10:]
        assert len(quiet) > 50
        assert not any(any(frame) for frame in quiet)

    await undisturbed(attempt)
