"""PortAudio behind the engine: one duplex stream, or an input and an output stream.

PortAudio may hang in any of its functions, spin, and flood stderr when a device goes; so this file is only ever
imported in the audio process. Streams are never closed: closing can hang, and the process is about to end anyway.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import sounddevice

from voicebotd.audio.callback import Exchange
from voicebotd.audio.devices import DeviceInfo, choose_streams, query_devices, rate_of, resolve
from voicebotd.audio.options import AudioOptions
from voicebotd.audio.protocol import EXIT_STREAM_ENDED
from voicebotd.audio.ring import Samples
from voicebotd.audio.sources import Latency, StreamFormat
from voicebotd.errors import AudioError

_Callback = Callable[..., None]


class PortAudioSource:
    def __init__(self, options: AudioOptions) -> None:
        self._options = options
        self._streams: list[Any] = []

    def open(self, connect: Callable[[StreamFormat], Exchange]) -> Latency:
        # PortAudio reads the device list once; only a new initialization sees a server or a card that came back.
        sounddevice._terminate()  # noqa: SLF001 - what sounddevice itself tells people to call
        sounddevice._initialize()  # noqa: SLF001
        devices = query_devices()
        source = resolve(devices, self._options.input_device, "input")
        sink = resolve(devices, self._options.output_device, "output")
        form = self._format(source, sink, devices)
        exchange = connect(form)
        try:
            if form.streams == "duplex":
                latencies = self._open_duplex(exchange, source, sink, form)
            else:
                latencies = self._open_pair(exchange, source, sink, form)
            for stream in self._streams:
                stream.start()
        except sounddevice.PortAudioError as error:
            hint = "the sound server may be down or the device in use; it is tried again by itself"
            raise AudioError(f"cannot open {source.name!r} and {sink.name!r}: {error}", hint=hint) from None
        return Latency(input_ms=latencies[0] * 1000, output_ms=latencies[1] * 1000)

    def _format(self, source: DeviceInfo, sink: DeviceInfo, devices: list[DeviceInfo]) -> StreamFormat:
        streams = choose_streams(self._options.streams, source, sink)
        output_hz = self._options.sample_rate_hz or rate_of(sink, devices)
        input_hz = self._options.sample_rate_hz or rate_of(source, devices)
        return StreamFormat(
            input_name=source.name,
            output_name=sink.name,
            streams=streams,
            input_hz=output_hz if streams == "duplex" else input_hz,
            output_hz=output_hz,
        )

    def _open_duplex(
        self, exchange: Exchange, source: DeviceInfo, sink: DeviceInfo, form: StreamFormat
    ) -> tuple[float, float]:
        def duplex(channels: int) -> _Callback:
            record, play = _recording(exchange, channels), _playing(exchange, channels)

            def callback(indata: Any, outdata: Any, frames: int, time: Any, status: Any) -> None:
                # Output first: a block's far end is there before the engine wakes for its near end.
                play(outdata, frames, time, status)
                record(indata, frames, time, status)

            return callback

        stream = self._open(sounddevice.RawStream, (source.index, sink.index), form.output_hz, duplex)
        latencies: tuple[float, float] = stream.latency
        return latencies

    def _open_pair(
        self, exchange: Exchange, source: DeviceInfo, sink: DeviceInfo, form: StreamFormat
    ) -> tuple[float, float]:
        output = self._open(
            sounddevice.RawOutputStream, sink.index, form.output_hz, lambda channels: _playing(exchange, channels)
        )
        input_ = self._open(
            sounddevice.RawInputStream, source.index, form.input_hz, lambda channels: _recording(exchange, channels)
        )
        return float(input_.latency), float(output.latency)

    def _open(self, kind: Any, device: Any, rate_hz: int, callback_for: Callable[[int], _Callback]) -> Any:
        """Mono, or where the device refuses mono, stereo with both channels treated alike."""
        for channels in (1, 2):
            try:
                stream = kind(
                    samplerate=rate_hz,
                    blocksize=round(rate_hz * self._options.block_ms / 1000),
                    device=device,
                    channels=channels,
                    dtype="int16",
                    # Other latencies than `low` were fragile: 0.03 s at 10 ms blocks gave gaps of 344 ms.
                    latency="low",
                    callback=callback_for(channels),
                    finished_callback=_end_process,
                )
            except sounddevice.PortAudioError:
                if channels == 2:
                    raise
            else:
                self._streams.append(stream)
                return stream
        raise AssertionError("unreachable: the loop returns or raises")


def _end_process() -> None:
    """A stream that ended never comes back by itself. Its siblings and PortAudio's own state are not to be trusted."""
    os._exit(EXIT_STREAM_ENDED)


def _recording(exchange: Exchange, channels: int) -> _Callback:
    def callback(indata: Any, frames: int, time: Any, status: Any) -> None:
        samples: Samples = np.frombuffer(indata, dtype=np.int16)
        if channels == 2:
            samples = (samples[0::2] >> 1) + (samples[1::2] >> 1)
        exchange.record(samples, xrun=bool(status) and (status.input_overflow or status.input_underflow))

    return callback


def _playing(exchange: Exchange, channels: int) -> _Callback:
    def callback(outdata: Any, frames: int, time: Any, status: Any) -> None:
        out: Samples = np.frombuffer(outdata, dtype=np.int16)
        xrun = bool(status) and (status.output_underflow or status.output_overflow)
        if channels == 1:
            exchange.play(out, xrun=xrun)
            return
        mono: Samples = np.empty(frames, dtype=np.int16)
        exchange.play(mono, xrun=xrun)
        out[0::2] = mono
        out[1::2] = mono

    return callback
