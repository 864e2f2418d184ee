"""PortAudio's side with a library that the test plays: what is opened, and what the callbacks do."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from voicebotd.audio import portaudio_source
from voicebotd.audio.callback import Exchange
from voicebotd.audio.devices import DeviceInfo
from voicebotd.audio.options import AudioOptions
from voicebotd.audio.portaudio_source import PortAudioSource
from voicebotd.audio.ring import Ring
from voicebotd.audio.sources import Latency, StreamFormat
from voicebotd.errors import AudioError

CARD = DeviceInfo(
    index=3, name="USB: (hw:1,0)", host_api="ALSA", input_channels=2, output_channels=2, default_rate_hz=44_100
)
SERVER = DeviceInfo(
    index=5, name="pulse", host_api="ALSA", input_channels=32, output_channels=32, default_rate_hz=48_000
)
FINE = SimpleNamespace(input_overflow=False, input_underflow=False, output_overflow=False, output_underflow=False)


class PortAudioError(Exception):
    pass


class Library:
    """What stands in for sounddevice. `refuses` names the channel counts that no stream opens with."""

    PortAudioError = PortAudioError

    def __init__(self, refuses: tuple[int, ...] = ()) -> None:
        self.refuses = refuses
        self.opened: list[SimpleNamespace] = []
        self.initialized = 0

    def _terminate(self) -> None:
        pass

    def _initialize(self) -> None:
        self.initialized += 1

    def _stream(self, kind: str, reported: Any, **arguments: Any) -> SimpleNamespace:
        if arguments["channels"] in self.refuses:
            raise PortAudioError("Invalid number of channels")
        stream = SimpleNamespace(
            kind=kind, started=False, asked=arguments.pop("latency"), latency=reported, **arguments
        )
        stream.start = lambda: setattr(stream, "started", True)
        self.opened.append(stream)
        return stream

    def RawStream(self, **arguments: Any) -> SimpleNamespace:  # noqa: N802 - the library's name
        return self._stream("duplex", (0.02, 0.03), **arguments)

    def RawInputStream(self, **arguments: Any) -> SimpleNamespace:  # noqa: N802
        return self._stream("input", 0.02, **arguments)

    def RawOutputStream(self, **arguments: Any) -> SimpleNamespace:  # noqa: N802
        return self._stream("output", 0.03, **arguments)


class Opened:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, device: DeviceInfo, library: Library, **options: Any) -> None:
        monkeypatch.setattr(portaudio_source, "sounddevice", library)
        monkeypatch.setattr(portaudio_source, "query_devices", lambda: [device])
        self.exchange = Exchange(
            capture=Ring(4096), playback=Ring(4096), far=Ring(4096), fade_frames=4, wake=lambda: None
        )
        self.form: StreamFormat | None = None
        self.source = PortAudioSource(AudioOptions(**options))
        self.latency: Latency = self.source.open(self._connect)

    def _connect(self, form: StreamFormat) -> Exchange:
        self.form = form
        return self.exchange


def test_a_server_gets_a_started_pair_at_our_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    opened = Opened(monkeypatch, SERVER, library)
    assert opened.form == StreamFormat(
        input_name="pulse", output_name="pulse", streams="pair", input_hz=24_000, output_hz=24_000
    )
    assert opened.latency == Latency(input_ms=20.0, output_ms=30.0)
    assert [(stream.kind, stream.device, stream.blocksize) for stream in library.opened] == [
        ("output", 5, 240),
        ("input", 5, 240),
    ]
    assert all(stream.started and stream.channels == 1 and stream.asked == "low" for stream in library.opened)
    assert library.initialized == 1


def test_a_card_gets_one_duplex_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    opened = Opened(monkeypatch, CARD, library, sample_rate_hz=48_000, block_ms=20)
    (stream,) = library.opened
    assert (stream.kind, stream.device, stream.blocksize, stream.samplerate) == ("duplex", (3, 3), 960, 48_000)
    opened.exchange.playback.write(np.array([5, 6, 7, 8], dtype=np.int16))
    heard, played = np.array([1, 2, 3, 4], dtype=np.int16), bytearray(8)
    stream.callback(heard.tobytes(), played, 4, None, None)
    assert np.frombuffer(played, np.int16).tolist() == [5, 6, 7, 8]
    assert opened.exchange.capture.read(9).tolist() == [1, 2, 3, 4]
    assert opened.exchange.far.read(9).tolist() == [5, 6, 7, 8]


def test_a_device_that_refuses_mono_is_used_in_stereo(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(refuses=(1,))
    opened = Opened(monkeypatch, SERVER, library)
    output, input_ = library.opened
    opened.exchange.playback.write(np.array([5, 6], dtype=np.int16))
    played = bytearray(8)
    output.callback(played, 2, None, FINE)
    assert np.frombuffer(played, np.int16).tolist() == [5, 5, 6, 6]
    input_.callback(np.array([100, 200, 32767, 32767], dtype=np.int16).tobytes(), 2, None, FINE)
    assert opened.exchange.capture.read(9).tolist() == [150, 32766]
    assert opened.exchange.output_xruns == opened.exchange.input_xruns == 0


def test_a_device_that_opens_neither_way_is_an_audio_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AudioError, match="'pulse' and 'pulse': Invalid number of channels") as failure:
        Opened(monkeypatch, SERVER, Library(refuses=(1, 2)))
    assert failure.value.hint


@pytest.mark.parametrize("flag", ["overflow", "underflow"])
def test_lost_blocks_are_counted_by_side(monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    library = Library()
    opened = Opened(monkeypatch, SERVER, library)
    output, input_ = library.opened
    status = SimpleNamespace(**{**vars(FINE), f"input_{flag}": True, f"output_{flag}": True})
    input_.callback(bytes(4), 2, None, status)
    output.callback(bytearray(4), 2, None, status)
    assert (opened.exchange.input_xruns, opened.exchange.output_xruns) == (1, 1)


def test_a_stream_that_ends_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    exit_: Callable[[int], None] = ended.append
    monkeypatch.setattr(portaudio_source.os, "_exit", exit_)
    library = Library()
    Opened(monkeypatch, SERVER, library)
    library.opened[0].finished_callback()
    assert ended == [3]
