"""The file's clock, driven through the very exchange that the engine uses."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebotd.audio.callback import Exchange
from voicebotd.audio.file_source import FileSource
from voicebotd.audio.input_file import InputFile
from voicebotd.audio.options import AudioOptions, FileOptions, Pace
from voicebotd.audio.ring import Ring, Samples
from voicebotd.audio.sources import StreamFormat
from voicebotd.errors import AudioError

RATE_HZ = 16_000
BLOCK = 160


class Listener:
    """Collects what the file's clock records until there is enough, or its ring is full."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self.enough = threading.Event()
        self.exchange = Exchange(
            capture=Ring(blocks * BLOCK), playback=Ring(RATE_HZ), far=Ring(RATE_HZ), fade_frames=BLOCK, wake=self._wake
        )

    def _wake(self) -> None:
        if self.exchange.input_blocks >= self._blocks:
            self.enough.set()

    def connect(self, form: StreamFormat) -> Exchange:
        assert form.streams == "file"
        assert form.input_hz == form.output_hz == RATE_HZ
        return self.exchange

    def listen(self, source: FileSource) -> Samples:
        source.open(self.connect)
        assert self.enough.wait(5)
        source.close()
        return self.exchange.capture.read(RATE_HZ)


@pytest.fixture
def ramp(tmp_path: Path) -> str:
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.arange(1, 401, dtype=np.int16), RATE_HZ)
    return str(path)


def source(path: str, *, pace: Pace = "fast", resume_frame: int = 0) -> FileSource:
    options = AudioOptions(backend="file", file=FileOptions(input=path, pace=pace))
    return FileSource(options, resume_frame=resume_frame)


@pytest.mark.parametrize("pace", ["real_time", "fast"])
def test_the_file_is_heard_whole_then_silence(ramp: str, pace: Pace) -> None:
    listener = Listener(5)
    heard = listener.listen(source(ramp, pace=pace))
    assert heard.tolist() == [*range(1, 401), *([0] * 400)]
    assert listener.exchange.input_ended
    assert listener.exchange.input_position == 400


def test_a_successor_goes_on_where_the_file_was(ramp: str) -> None:
    listener = Listener(2)
    assert listener.listen(source(ramp, resume_frame=300)).tolist()[:101] == [*range(301, 401), 0]
    assert listener.exchange.input_position == 400


def test_a_full_ring_stops_the_clock_and_loses_nothing(ramp: str) -> None:
    listener = Listener(2)
    first = listener.listen(source(ramp))
    assert listener.exchange.lost_capture_blocks == 0
    assert first.tolist() == list(range(1, 321))


def test_when_asked_to_hold_the_fast_file_waits_in_silence(ramp: str) -> None:
    listener = Listener(4)
    listener.exchange.hold_input = True
    assert not listener.listen(source(ramp)).any()
    assert listener.exchange.input_position == 0


def test_the_fast_file_waits_while_assistant_audio_plays(ramp: str) -> None:
    listener = Listener(5)
    listener.exchange.playback.write(np.full(2 * BLOCK, 9, dtype=np.int16))
    heard = listener.listen(source(ramp)).tolist()
    # The second block drains the ring before its microphone side is taken.
    assert heard[: 2 * BLOCK] == [0] * BLOCK + list(range(1, BLOCK + 1))


def test_the_fast_files_visitor_goes_on_while_the_answer_is_paused(ramp: str) -> None:
    listener = Listener(4)
    listener.exchange.playback.write(np.full(BLOCK // 2, 9, dtype=np.int16))
    listener.exchange.paused = listener.exchange.more_to_come = True
    assert listener.listen(source(ramp)).tolist() == [*range(1, 401), *[0] * 240]
    assert listener.exchange.playback.readable == BLOCK // 2
    assert listener.exchange.starved_blocks == 0


def test_in_real_time_the_visitor_talks_on_over_the_assistant(ramp: str) -> None:
    listener = Listener(2)
    listener.exchange.playback.write(np.full(2 * BLOCK, 9, dtype=np.int16))
    assert listener.listen(source(ramp, pace="real_time")).tolist() == list(range(1, 321))


def test_a_file_that_is_damaged_in_its_middle_ends_there(ramp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: InputFile, frames: int) -> Samples:
        raise AudioError(f"damaged at {frames}")

    monkeypatch.setattr(InputFile, "read", fail)
    listener = Listener(1)
    assert not listener.listen(source(ramp)).any()
    assert listener.exchange.input_ended


def test_a_file_back_end_needs_its_file() -> None:
    with pytest.raises(AudioError, match="input file"):
        FileSource(AudioOptions())
