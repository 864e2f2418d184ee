"""The engine thread between a socket and a source that the test plays."""

from __future__ import annotations

import gc
import socket
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.abc import MetaPathFinder
from pathlib import Path

import numpy as np
import pytest

from voicebotd.audio import engine as engine_module
from voicebotd.audio.callback import Exchange
from voicebotd.audio.engine import Engine, make_source
from voicebotd.audio.link import Inbox, Link
from voicebotd.audio.options import AudioOptions, FileOptions
from voicebotd.audio.protocol import (
    Adjust,
    Captured,
    Flush,
    Flushed,
    Heartbeat,
    Message,
    Open,
    Opened,
    OpenFailed,
    Play,
    decode,
)
from voicebotd.audio.sources import Latency, StreamFormat
from voicebotd.errors import AudioError

SETTINGS = Adjust(muted=False, volume_percent=100, input_gain_db=0.0, echo_control="none", hold_input=False)
OPEN = Open(options=AudioOptions(), settings=SETTINGS, epoch=3, resume=False, resume_frame=0)
FORM = StreamFormat(input_name="mic", output_name="speaker", streams="duplex", input_hz=24_000, output_hz=24_000)


class MemorySource:
    """A device in memory that the test turns by hand."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None

    def open(self, connect: Callable[[StreamFormat], Exchange]) -> Latency:
        self.exchange = connect(FORM)
        return Latency(input_ms=20.04, output_ms=30.0)

    def turn(self) -> list[int]:
        assert self.exchange is not None
        out = np.empty(240, dtype=np.int16)
        self.exchange.play(out)
        self.exchange.record(np.full(240, 7, dtype=np.int16))
        return list(out)


class BrokenSource:
    def open(self, connect: Callable[[StreamFormat], Exchange]) -> Latency:
        connect(FORM)
        raise AudioError("no such luck", hint="wait")


class Rig:
    """An engine whose thread is the test's."""

    def __init__(self, ours: socket.socket, theirs: socket.socket) -> None:
        self._theirs = theirs
        self.inbox = Inbox()
        self.engine = Engine(Link(ours), self.inbox)

    def run(self, *messages: Message) -> list[Message]:
        """Let the engine work off `messages` and whatever its source left, and return what it said."""
        for message in messages:
            self.inbox.put(message)
        self.inbox.wake()
        self.engine.step()
        said: list[Message] = []
        while True:
            try:
                said.append(decode(self._theirs.recv(65536)))
            except BlockingIOError:
                return said


@pytest.fixture
def rig() -> Iterator[Rig]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    with ours, theirs:
        yield Rig(ours, theirs)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemorySource:
    source = MemorySource()
    monkeypatch.setattr(engine_module, "make_source", lambda options, resume_frame: source)
    return source


def test_an_opening_is_answered_with_what_was_opened(rig: Rig, memory: MemorySource) -> None:
    assert rig.run(OPEN) == [
        Opened(
            input_name="mic",
            output_name="speaker",
            streams="duplex",
            sample_rate_hz=24_000,
            input_latency_ms=20.0,
            output_latency_ms=30.0,
        )
    ]
    assert memory.exchange is not None


def test_no_heartbeat_comes_before_both_callbacks_ran(rig: Rig, memory: MemorySource) -> None:
    rig.run(OPEN)
    assert rig.run() == []
    memory.turn()
    frame, beat = rig.run()
    assert isinstance(frame, Captured)
    assert isinstance(beat, Heartbeat)
    assert (beat.input_blocks, beat.output_blocks) == (1, 1)


def test_what_is_played_flushed_and_adjusted_reaches_the_device(rig: Rig, memory: MemorySource) -> None:
    rig.run(OPEN)
    rig.run(Play(pcm=np.full(2400, 9, dtype="<i2").tobytes()), replace(SETTINGS, muted=True))
    assert memory.turn() == [9] * 240
    (frame, *_) = rig.run(Flush(epoch=4))
    assert isinstance(frame, Captured)
    assert not any(frame.pcm)
    memory.turn()
    assert Flushed(epoch=4, handed_samples=480) in rig.run()
    assert memory.turn() == [0] * 240


def test_a_flush_with_nothing_open_is_answered_and_other_words_are_nothing(rig: Rig) -> None:
    assert rig.run(Play(pcm=b"\0\0"), SETTINGS, Flush(epoch=4)) == [Flushed(epoch=4, handed_samples=0)]


def test_a_failed_opening_says_why_and_can_be_tried_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source: list[MemorySource | BrokenSource] = [BrokenSource()]
    monkeypatch.setattr(engine_module, "make_source", lambda options, resume_frame: source[0])
    recording = str(tmp_path / "both.wav")
    opening = replace(OPEN, options=AudioOptions(record_both_sides_path=recording))
    assert rig.run(opening) == [OpenFailed(reason="no such luck", hint="wait")]
    source[0] = MemorySource()
    assert isinstance(rig.run(opening)[0], Opened)
    rig.inbox.close()
    rig.engine.run()


def test_a_recording_that_cannot_be_written_fails_the_opening(rig: Rig, memory: MemorySource) -> None:
    (answer,) = rig.run(replace(OPEN, options=AudioOptions(record_both_sides_path="/nowhere/both.wav")))
    assert isinstance(answer, OpenFailed)
    assert "/nowhere/both.wav" in answer.reason
    assert memory.exchange is None


def test_the_file_back_end_needs_no_portaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match="no such file"):
        make_source(AudioOptions(backend="file", file=FileOptions(input="/nowhere.wav")), 0)


def test_a_missing_portaudio_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoLibrary(MetaPathFinder):
        """What sounddevice's own import does where libportaudio2 is not installed."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    for module in ("sounddevice", "voicebotd.audio.portaudio_source"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    with pytest.raises(AudioError, match="not found") as failure:
        make_source(AudioOptions(), 0)
    assert "libportaudio2" in failure.value.hint


def test_an_engine_whose_inbox_is_closed_ends(rig: Rig) -> None:
    rig.inbox.close()
    rig.engine.run()


def test_an_open_source_is_kept_because_nothing_else_refers_to_its_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Held:
        def open(self, connect: Callable[[StreamFormat], Exchange]) -> Latency:
            connect(StreamFormat(input_name="i", output_name="o", streams="pair", input_hz=24_000, output_hz=24_000))
            return Latency(input_ms=0.0, output_ms=0.0)

    made: list[weakref.ref[Held]] = []

    def make(_options: AudioOptions, _resume_frame: int) -> Held:
        source = Held()
        made.append(weakref.ref(source))
        return source

    monkeypatch.setattr(engine_module, "make_source", make)
    sound = engine_module.open_sound(
        Open(options=AudioOptions(), settings=SETTINGS, epoch=0, resume=False, resume_frame=0), wake=lambda: None
    )
    gc.collect()
    assert made[0]() is sound.source
