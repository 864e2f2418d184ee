"""A file in the place of the sound card: a thread that calls the engine's exchange as PortAudio would.

In real time, or faster: then the file's clock stands still while assistant audio plays and while the daemon asks for
it, so that the visitor in the file never talks over an answer that real time would have let him wait for.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import numpy as np

from voicebotd.audio.callback import Exchange
from voicebotd.audio.input_file import InputFile
from voicebotd.audio.options import AudioOptions
from voicebotd.audio.ring import Samples
from voicebotd.audio.sources import Latency, StreamFormat
from voicebotd.errors import AudioError

FAST_FACTOR = 4
"""Times real time. The visitor's next sentence must not begin before the service has found the end of the last one: at
ten times, with three seconds between them, it did in 5 of 12 runs; at four in none."""
_CATCH_UP_S = 0.1


class FileSource:
    def __init__(self, options: AudioOptions, *, resume_frame: int = 0) -> None:
        if options.file is None:
            raise AudioError("audio backend `file` needs an input file")
        self._fast = options.file.pace == "fast"
        self._file = InputFile(options.file.input, resume_frame=resume_frame)
        self._resume_frame = resume_frame
        self._closed = threading.Event()
        self._block_frames = round(self._file.facts.rate_hz * options.block_ms / 1000)

    def open(self, connect: Callable[[StreamFormat], Exchange]) -> Latency:
        rate_hz = self._file.facts.rate_hz
        form = StreamFormat(
            input_name=self._file.name,
            output_name="none (file)",
            streams="file",
            input_hz=rate_hz,
            output_hz=rate_hz,
        )
        exchange = connect(form)
        exchange.input_position = self._resume_frame
        threading.Thread(target=self._run, args=(exchange,), name="file-clock", daemon=True).start()
        return Latency(input_ms=0.0, output_ms=0.0)

    def _run(self, exchange: Exchange) -> None:
        """Tick once per block."""
        period_s = self._block_frames / self._file.facts.rate_hz
        out: Samples = np.empty(self._block_frames, dtype=np.int16)
        due_s = time.monotonic()
        while not self._closed.wait(max(0.0, due_s - time.monotonic())):
            hurry = FAST_FACTOR if self._fast and self._has_something_to_hurry(exchange) else 1
            due_s = max(due_s + period_s / hurry, time.monotonic() - _CATCH_UP_S)
            if not exchange.stand_still and self._engine_keeps_up(exchange):
                exchange.play(out)
                exchange.record(self._next_block(exchange))

    def _has_something_to_hurry(self, exchange: Exchange) -> bool:
        """Neither side's silence: it would be recorded longer than it was."""
        listening = not (exchange.input_ended or exchange.hold_input)
        return listening or self._playing(exchange)

    @staticmethod
    def _playing(exchange: Exchange) -> bool:
        """A reply that is paused does not play: the visitor who made it wait goes on."""
        return not exchange.paused and (exchange.more_to_come or exchange.playback.readable > 0)

    def close(self) -> None:
        """Stop the clock."""
        self._closed.set()

    def _engine_keeps_up(self, exchange: Exchange) -> bool:
        """A file loses nothing to a busy machine: its clock waits where a sound card's would run on."""
        hungry = exchange.more_to_come and not exchange.paused and exchange.playback.readable < self._block_frames
        return exchange.capture.free >= self._block_frames and not hungry

    def _next_block(self, exchange: Exchange) -> Samples:
        silence: Samples = np.zeros(self._block_frames, dtype=np.int16)
        if exchange.input_ended or exchange.hold_input or (self._fast and self._playing(exchange)):
            return silence
        try:
            block = self._file.read(self._block_frames)
        except AudioError as error:
            # The audio process's stderr ends in the manager's ring, never on a terminal.
            sys.stderr.write(f"{error}; what came before it counts as the whole\n")
            block = silence[:0]
        exchange.input_position += len(block)
        silence[: len(block)] = block
        exchange.input_ended = len(block) < self._block_frames
        return silence
