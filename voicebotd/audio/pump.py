"""What the engine thread does while sound is open: rings to messages, messages to rings.

Messages in, messages out; the threads that call the exchange and the socket belong to others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from voicebotd.audio.callback import Exchange
from voicebotd.audio.far_end import FarEnd, OneClock, TwoClocks
from voicebotd.audio.ladder import Ladder
from voicebotd.audio.level import FLOOR_DBFS, db_to_factor
from voicebotd.audio.microphone import Fifo, Microphone
from voicebotd.audio.options import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioOptions
from voicebotd.audio.protocol import Adjust, BothSides, Captured, Flushed, Heartbeat, InputEnded, Measured, Message
from voicebotd.audio.recorder import Recorder
from voicebotd.audio.ring import Ring, Samples
from voicebotd.audio.sources import Latency, StreamFormat
from voicebotd.audio.speaker import Speaker
from voicebotd.audio.speech import SpeechDetector

FADE_MS = 10
"""Shorter clicks, longer is heard as a word going on."""
RING_MS = 500
"""How long the engine thread may stall before microphone audio is lost."""
STALL_MS = 250
"""How long the loudspeaker can go on alone: loading the echo canceller's library took 65 to 130 ms."""
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
        self._form = form
        self._options = options
        self._epoch = epoch
        self._flushes: deque[int] = deque()
        self._recorder = recorder
        self._ended = False
        self.exchange = Exchange(
            capture=Ring(_frames(form.input_hz, RING_MS)),
            playback=Ring(_frames(form.output_hz, RING_MS)),
            far=Ring(_frames(form.output_hz, RING_MS)),
            fade_frames=_frames(form.output_hz, FADE_MS),
            wake=wake,
        )
        self._microphone = Microphone(input_hz=form.input_hz)
        self._one_clock = form.streams != "pair"
        self._far: FarEnd | None = None
        self._sounds = False
        self._speaker = Speaker(
            ring=self.exchange.playback,
            output_hz=form.output_hz,
            block_frames=_frames(form.output_hz, options.block_ms),
        )
        self._speech: SpeechDetector | None = None
        self._detects = False
        self._measures_near: Fifo | None = None
        self._tells_near: Fifo | None = None
        self._echo_control = "none"
        self._ladder = self._new_ladder(0.0)
        self._listen_to_far()

    def _new_ladder(self, round_trip_ms: float) -> Ladder:
        return Ladder(self._echo_control, tail_ms=self._options.echo_tail_ms, round_trip_ms=round_trip_ms)

    def opened(self, latency: Latency) -> None:
        """The stream told its latency, which the echo stages count with."""
        self._ladder = self._new_ladder(latency.input_ms + latency.output_ms)
        self._listen_to_far()

    def adjust(self, settings: Adjust) -> None:
        self._microphone.muted = settings.muted
        self._microphone.gain.set(db_to_factor(settings.input_gain_db))
        self._speaker.volume.set(settings.volume_percent / 100 * db_to_factor(settings.duck_db))
        self.exchange.paused = settings.paused
        self.exchange.hold_input = settings.hold_input
        self.exchange.stand_still = settings.stand_still
        if settings.echo_control != self._echo_control:
            self._echo_control = settings.echo_control
            if not self._flushes:
                self._speaker.top_up(at_least_frames=_frames(self._form.output_hz, STALL_MS))
            self._ladder.set_mode(settings.echo_control)
        if settings.detect_voice != self._detects:
            self._detect(settings.detect_voice)
        if settings.measure != (self._measures_near is not None):
            self._measures_near = Fifo() if settings.measure else None
        if settings.both_sides != (self._tells_near is not None):
            self._tells_near = Fifo() if settings.both_sides else None
        self._listen_to_far()

    def _detect(self, on: bool) -> None:
        self._detects = on
        if self._speech is not None:
            self._speech.reset()
        elif on:
            self._speech = SpeechDetector(at_once=self._form.streams == "file")

    def _listen_to_far(self) -> None:
        """The far end is followed only where somebody needs it: it costs as much as the microphone."""
        told = self._recorder.active or self._measures_near is not None or self._tells_near is not None
        if not (self._ladder.needs_far or told):
            self._far = None
        elif self._far is None:
            output_hz = self._form.output_hz
            one, block_ms = self._one_clock, self._options.block_ms
            self._far = OneClock(output_hz=output_hz) if one else TwoClocks(output_hz=output_hz, block_ms=block_ms)

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
        since_s = self._hear_far(len(recorded), captured_at_s)
        if not len(recorded):
            return []
        self._microphone.push(recorded)
        if self._far is not None:
            before = self._far.corrections, self._far.settled
            self._far.align(self._microphone.waiting_samples, since_s=since_s)
            if (self._far.corrections, self._far.settled) != before:
                self._ladder.disturbed()
        handed = self._handed_samples()
        messages: list[Message] = []
        for near in self._microphone.frames():
            far = self._far.next_frame() if self._far is not None else _SILENCE
            if self._measures_near is not None and self._far is not None and self._far.settled:
                waited = self._in_time(self._measures_near, self._far.lead_samples, near)
                messages.append(Measured(near=waited, far=far.tobytes()))
            heard = self._heard(near, far, captured_at_s=captured_at_s, handed_samples=handed)
            messages.append(heard)
            if self._tells_near is not None and self._far is not None:
                clean = np.frombuffer(heard.pcm, dtype=np.int16)
                waited = self._in_time(self._tells_near, self._far.lead_samples, clean)
                messages.append(BothSides(near=waited, far=far.tobytes()))
        if messages:
            self._sounds = False
        return messages

    def _hear_far(self, recorded_frames: int, captured_at_s: float) -> float:
        """On one clock each block has its own far end, block for block; of two clocks, whatever has come by now.

        Returns how much later the microphone's last callback was than the loudspeaker's.
        """
        ring = self.exchange.far
        if self._far is None:
            ring.drop_all()
            return 0.0
        played = ring.read(recorded_frames if self._one_clock else ring.readable)
        self._sounds = self._sounds or bool(played.any())
        self._far.push(played)
        return captured_at_s - self.exchange.output_at_s

    def _heard(self, near: Samples, far: Samples, *, captured_at_s: float, handed_samples: int) -> Captured:
        self._recorder.write(near, far)
        clean = _SILENCE
        if self._measures_near is None:
            known = self._far is None or self._far.known
            clean = self._ladder.process(near, far, sounds=self._sounds, known=known)
        voice = self._speech.feed(clean) if self._detects and self._speech is not None else None
        echo_dbfs, gate_open = FLOOR_DBFS, True
        if self._ladder.needs_far:
            report = self._ladder.report()
            echo_dbfs, gate_open = report.echo_dbfs, report.gate_open
        return Captured(
            captured_at_s=captured_at_s,
            epoch=self._epoch,
            handed_samples=handed_samples,
            pcm=clean.tobytes(),
            voice=-1.0 if voice is None else voice,
            input_dbfs=self._microphone.level_dbfs,
            echo_dbfs=echo_dbfs,
            gate_open=gate_open,
        )

    @staticmethod
    def _in_time(waiting: Fifo, lead_samples: int, near: Samples) -> bytes:
        """The far end leads where two clocks are paired. Here the microphone waits for it, so that what is at the same
        place in both is of the same time."""
        if not len(waiting):
            waiting.push(np.zeros(lead_samples, dtype=np.int16))
        waiting.push(near)
        return waiting.pop(FRAME_SAMPLES).tobytes()

    def _handed_samples(self) -> int:
        return self._speaker.handed_samples(self.exchange.handed_frames)

    @property
    def proven(self) -> bool:
        """Both callbacks have run: the stream lives."""
        return self.exchange.input_blocks > 0 and self.exchange.output_blocks > 0

    def heartbeat(self, *, now_s: float, dropped_frames: int) -> Heartbeat:
        """How things are; `dropped_frames` microphone frames did not fit into the socket."""
        exchange = self.exchange
        self._listen_to_far()  # echo control may have gone over to a rung with other needs
        silent_s = now_s - min(exchange.input_at_s, exchange.output_at_s)
        echo, far = self._ladder.report(), self._far
        far_drift_ppm = far.drift_ppm if far is not None else None
        lead_ms = far.lead_samples / SAMPLE_RATE_HZ * 1000 if far is not None else 0.0
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
            drift_corrections=far.corrections if far is not None else 0,
            input_level_dbfs=round(self._microphone.meter.take_dbfs(), 1),
            echo_rung=echo.rung,
            echo_why=echo.why,
            erle_db=echo.erle_db,
            echo_delay_ms=None if echo.delay_ms is None else echo.delay_ms + lead_ms,
            drift_ppm=echo.drift_ppm if far_drift_ppm is None else far_drift_ppm,
        )

    def close(self) -> None:
        self._recorder.close()


def _frames(rate_hz: int, duration_ms: int) -> int:
    return round(rate_hz * duration_ms / 1000)
