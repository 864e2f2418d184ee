"""What the engine thread does while sound is open: rings to messages, messages to rings.

Messages in, messages out; the threads that call the exchange and the socket belong to others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np

from voicebotd.audio.callback import Exchange
from voicebotd.audio.gate import EchoStage, NoEchoControl, stage_for
from voicebotd.audio.level import db_to_factor
from voicebotd.audio.microphone import FarEnd, Microphone
from voicebotd.audio.options import FRAME_SAMPLES, AudioOptions
from voicebotd.audio.protocol import Adjust, Captured, Flushed, Heartbeat, InputEnded, Message
from voicebotd.audio.recorder import Recorder
from voicebotd.audio.ring import Ring, Samples
from voicebotd.audio.sources import Latency, StreamFormat
from voicebotd.audio.speaker import Speaker

FADE_MS = 10
"""Shorter clicks, longer is heard as a word going on."""
RING_MS = 500
"""How long the engine thread may stall before microphone audio is lost."""
_SILENCE: Samples = np.zeros(FRAME_SAMPLES, dtype=np.int16)


class Pump:
    """One opened stream's worth of work. `wake` is called from the audio threads whenever there is some."""

    def __init__(
        self,
        form: StreamFormat,
        options: AudioOptions,
        *,
        epoch: int,
        recorder: Recorder,
        wake: Callable[[], None],
    ) -> None:
        self._tail_ms = options.echo_tail_ms
        self._epoch = epoch
        self._flushes: deque[int] = deque()
        self._recorder = recorder
        self._round_trip_ms = 0.0
        self._ended = False
        self.exchange = Exchange(
            capture=Ring(_frames(form.input_hz, RING_MS)),
            playback=Ring(_frames(form.output_hz, RING_MS)),
            far=Ring(_frames(form.output_hz, RING_MS)),
            fade_frames=_frames(form.output_hz, FADE_MS),
            wake=wake,
        )
        self._microphone = Microphone(input_hz=form.input_hz)
        self._new_far_end = partial(FarEnd, output_hz=form.output_hz, block_ms=options.block_ms)
        self._far: FarEnd | None = None
        self._one_clock = form.streams != "pair"
        self._speaker = Speaker(
            ring=self.exchange.playback,
            output_hz=form.output_hz,
            block_frames=_frames(form.output_hz, options.block_ms),
        )

        self._echo_control = "none"
        self._stage: EchoStage = NoEchoControl()
        self._set_stage(self._echo_control)

    def opened(self, latency: Latency) -> None:
        """The stream told its latency, which the echo stages count with."""
        self._round_trip_ms = latency.input_ms + latency.output_ms
        self._set_stage(self._echo_control)

    def adjust(self, settings: Adjust) -> None:
        self._microphone.muted = settings.muted
        self._microphone.gain.set(db_to_factor(settings.input_gain_db))
        self._speaker.volume.set(settings.volume_percent / 100)
        self.exchange.hold_input = settings.hold_input
        self.exchange.stand_still = settings.stand_still
        if settings.echo_control != self._echo_control:
            self._set_stage(settings.echo_control)

    def _set_stage(self, mode: str) -> None:
        self._echo_control = mode
        self._stage = stage_for(mode, tail_ms=self._tail_ms, round_trip_ms=self._round_trip_ms)
        if not (self._stage.needs_far or self._recorder.active):
            self._far = None
        elif self._far is None:
            self._far = self._new_far_end()

    def play(self, pcm: bytes) -> None:
        self._speaker.queue(pcm)

    def flush(self, epoch: int) -> None:
        """Ask the callback to fade out and drop; `work` answers when it has."""
        self._speaker.drop_queue()
        self._flushes.append(epoch)
        if len(self._flushes) == 1:
            self.exchange.flushes_wanted += 1

    def work(self) -> list[Message]:
        """Move everything that can be moved now."""
        messages: list[Message] = []
        if self._flushes and self.exchange.flushes_done == self.exchange.flushes_wanted:
            messages += self._finish_flush()
        if not self._flushes:
            self.exchange.more_to_come = self._speaker.top_up()
        # The end of a file is read before the ring that holds its last block, the far end after it: see Exchange.
        ended = self.exchange.input_ended
        messages += self._captured()
        if ended and not self._ended:
            self._ended = True
            messages.append(InputEnded())
        return messages

    def _finish_flush(self) -> list[Message]:
        """The first flush ended the playout there was; any that came meanwhile ended one that never began."""
        handed = self._speaker.handed_samples(self.exchange.flushed_at_frames)
        self._speaker.restart(self.exchange.flushed_at_frames)
        self._epoch = self._flushes[-1]
        answers: list[Message] = [Flushed(epoch=self._flushes.popleft(), handed_samples=handed)]
        answers += [Flushed(epoch=epoch, handed_samples=0) for epoch in self._flushes]
        self._flushes.clear()
        return answers

    def _captured(self) -> list[Message]:
        captured_at_s = self.exchange.input_at_s
        recorded = self.exchange.capture.read(self.exchange.capture.readable)
        self._hear_far(len(recorded))
        if not len(recorded):
            return []
        self._microphone.push(recorded)
        if self._far is not None and not self._one_clock:
            self._far.align(self._microphone.waiting_samples)
        handed = self._handed_samples()
        return [
            Captured(captured_at_s=captured_at_s, epoch=self._epoch, handed_samples=handed, pcm=self._cleaned(near))
            for near in self._microphone.frames()
        ]

    def _hear_far(self, recorded_frames: int) -> None:
        """On one clock each block has its own far end, block for block; of two clocks, whatever has come by now."""
        ring = self.exchange.far
        if self._far is None:
            ring.drop_all()
        else:
            self._far.push(ring.read(recorded_frames if self._one_clock else ring.readable))

    def _cleaned(self, near: Samples) -> bytes:
        far = self._far.next_frame() if self._far is not None else _SILENCE
        self._recorder.write(near, far)
        return self._stage.process(near, far).tobytes()

    def _handed_samples(self) -> int:
        return self._speaker.handed_samples(self.exchange.handed_frames)

    @property
    def proven(self) -> bool:
        """Both callbacks have run: the stream lives."""
        return self.exchange.input_blocks > 0 and self.exchange.output_blocks > 0

    def heartbeat(self, *, now_s: float, dropped_frames: int) -> Heartbeat:
        """How things are; `dropped_frames` microphone frames did not fit into the socket."""
        exchange = self.exchange
        silent_s = now_s - min(exchange.input_at_s, exchange.output_at_s)
        return Heartbeat(
            silent_ms=max(0, round(silent_s * 1000)),
            input_blocks=exchange.input_blocks,
            output_blocks=exchange.output_blocks,
            input_frames=exchange.input_position,
            epoch=self._epoch,
            handed_samples=self._handed_samples(),
            xruns=exchange.input_xruns + exchange.output_xruns,
            starved_blocks=exchange.starved_blocks,
            dropped_capture_frames=dropped_frames + exchange.lost_capture_blocks,
            drift_corrections=self._far.corrections if self._far is not None else 0,
            input_level_dbfs=round(self._microphone.meter.take_dbfs(), 1),
        )

    def close(self) -> None:
        self._recorder.close()


def _frames(rate_hz: int, duration_ms: int) -> int:
    return round(rate_hz * duration_ms / 1000)
