"""The audio process without the process: its real engine in this one, on a sound card that a room plays.

Owns what stands in for the process boundary and for PortAudio. Messages cross as the bytes that the socket would carry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from unittest.mock import patch

from turns.clock import real_cpu_s
from turns.room import RATE_HZ
from voicebotd.audio import engine as engine_module
from voicebotd.audio import pump as pump_module
from voicebotd.audio.callback import Exchange
from voicebotd.audio.engine import Engine
from voicebotd.audio.protocol import Message, decode, encode
from voicebotd.audio.pump import Pump
from voicebotd.audio.sources import Latency, StreamFormat
from voicebotd.audio.speech import SpeechDetector

OUTPUT_LATENCY_MS, INPUT_LATENCY_MS = 20.0, 10.0
"""What the streams say of themselves: two blocks and one. Part of the room's delay, since that is the whole way."""


class EngineHere:
    """In the place of the audio process's life: the real engine in this process, its messages as bytes."""

    respawns = 0
    process_id = None
    wanted = True

    def __init__(self, source: Device) -> None:
        self._to_engine: deque[bytes] = deque()
        self._from_engine: deque[bytes] = deque()
        self._source = source
        self.cpu_s = 0.0
        self.closed = self.patient = False
        self.dropped_frames = 0
        self._engine = Engine(_Sending(self._from_engine), self)  # type: ignore[arg-type]

    @property
    def pump(self) -> Pump:
        """The engine's, while sound is open."""
        pump = self._engine._pump
        assert pump is not None
        return pump

    def tell(self, message: Message) -> None:
        self._to_engine.append(encode(message))

    def send(self, message: Message) -> bool:
        self.tell(message)
        return True

    def wake(self) -> None:
        """The engine is stepped after every block anyway."""

    def wait(self, _timeout_s: float) -> list[Message]:
        messages = [decode(data) for data in self._to_engine]
        self._to_engine.clear()
        return messages

    def step(self) -> list[Message]:
        began_s = real_cpu_s()
        with (
            patch.object(engine_module, "make_source", lambda *_: self._source),
            # Silero loads on a thread, in real time; here that would be seconds.
            patch.object(pump_module, "SpeechDetector", lambda **_: SpeechDetector(at_once=True)),
        ):
            self._engine.step()
        self.cpu_s += real_cpu_s() - began_s
        messages = [decode(data) for data in self._from_engine]
        self._from_engine.clear()
        return messages


class _Sending:
    """The engine's end of the socket."""

    patient = False
    dropped_frames = 0

    def __init__(self, out: deque[bytes]) -> None:
        self._out = out

    def send(self, message: Message) -> None:
        self._out.append(encode(message))


class Device:
    """The sound card: hands its format and latency over and keeps what the callbacks are to be called on."""

    exchange: Exchange

    def __init__(self, streams: str) -> None:
        self._streams = streams

    def open(self, connect: Callable[[StreamFormat], Exchange]) -> Latency:
        form = StreamFormat(
            input_name="room", output_name="room", streams=self._streams, input_hz=RATE_HZ, output_hz=RATE_HZ
        )
        self.exchange = connect(form)
        return Latency(input_ms=INPUT_LATENCY_MS, output_ms=OUTPUT_LATENCY_MS)
