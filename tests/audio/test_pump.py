"""The engine thread's work over a source that a test drives block by block."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebotd.audio.options import AudioOptions
from voicebotd.audio.protocol import Adjust, Captured, Flushed, InputEnded, Message
from voicebotd.audio.pump import Pump
from voicebotd.audio.recorder import Recorder
from voicebotd.audio.ring import Samples
from voicebotd.audio.sources import Latency, StreamFormat

PLAIN = Adjust(muted=False, volume_percent=100, input_gain_db=0.0, echo_control="none", hold_input=False)
RATE_HZ = 24_000
BLOCK = 240


class Rig:
    """A pump on a device at 24 kHz whose every block the test hands over itself."""

    def __init__(
        self, *, settings: Adjust = PLAIN, streams: str = "duplex", both_sides: Path | None = None, tail_ms: int = 20
    ) -> None:
        form = StreamFormat(
            input_name="mic", output_name="speaker", streams=streams, input_hz=RATE_HZ, output_hz=RATE_HZ
        )
        recorder = Recorder(speaker_path=None, both_sides_path=str(both_sides) if both_sides else None, resume=False)
        options = AudioOptions(echo_tail_ms=tail_ms)
        self.pump = Pump(form, options, epoch=5, recorder=recorder, wake=lambda: None)
        self.pump.adjust(settings)
        self.pump.opened(Latency(input_ms=10, output_ms=10))
        self.played: list[Samples] = []
        self.messages: list[Message] = []

    def tick(self, heard: int = 7) -> list[Message]:
        out = np.empty(BLOCK, dtype=np.int16)
        self.pump.exchange.play(out)
        self.pump.exchange.record(np.full(BLOCK, heard, dtype=np.int16))
        self.played.append(out)
        messages = self.pump.work()
        self.messages += messages
        return messages

    def frames(self) -> list[Captured]:
        return [message for message in self.messages if isinstance(message, Captured)]

    def all_played(self) -> Samples:
        return np.concatenate(self.played)


def pcm(samples: int, value: int = 1000) -> bytes:
    return np.full(samples, value, dtype="<i2").tobytes()


def test_each_block_becomes_a_frame_that_tells_how_far_the_playout_is() -> None:
    rig = Rig()
    rig.pump.play(pcm(1000))
    rig.pump.work()
    for _ in range(6):
        rig.tick()
    frames = rig.frames()
    assert [frame.handed_samples for frame in frames] == [240, 480, 720, 960, 1000, 1000]
    assert {frame.epoch for frame in frames} == {5}
    assert frames[0].pcm == pcm(BLOCK, 7)
    assert frames[0].captured_at_s == pytest.approx(rig.pump.exchange.input_at_s, abs=1)
    assert rig.all_played().tobytes() == pcm(1000) + bytes(2 * 440)


def test_a_flush_is_silence_after_one_faded_block_and_the_exact_position() -> None:
    rig = Rig()
    rig.pump.play(pcm(24_000))
    rig.pump.work()
    rig.tick()
    rig.pump.flush(6)
    rig.pump.play(pcm(480, 222))
    assert Flushed(epoch=6, handed_samples=480) in rig.tick()
    for _ in range(4):
        rig.tick()
    played = rig.all_played()
    assert played[BLOCK] == 1000
    assert played[2 * BLOCK - 1] == 0
    assert played[2 * BLOCK :].tolist() == [222] * 480 + [0] * 480
    assert rig.frames()[-1].epoch == 6
    assert rig.frames()[-1].handed_samples == 480


def test_flushes_that_overtake_each_other_are_all_answered() -> None:
    rig = Rig()
    rig.pump.play(pcm(24_000))
    rig.pump.work()
    rig.pump.flush(6)
    rig.pump.play(pcm(100))
    rig.pump.flush(7)
    answers = [message for message in rig.tick() if isinstance(message, Flushed)]
    assert answers == [Flushed(epoch=6, handed_samples=240), Flushed(epoch=7, handed_samples=0)]
    rig.pump.flush(8)
    assert Flushed(epoch=8, handed_samples=0) in rig.tick()


def test_a_muted_microphone_goes_on_as_zeros() -> None:
    rig = Rig(settings=replace(PLAIN, muted=True))
    rig.tick()
    assert rig.frames()[0].pcm == bytes(2 * BLOCK)
    rig.pump.adjust(PLAIN)
    rig.tick()
    assert rig.frames()[1].pcm == pcm(BLOCK, 7)


def test_volume_and_input_gain_take_effect_while_it_runs() -> None:
    rig = Rig()
    rig.pump.adjust(replace(PLAIN, volume_percent=50, input_gain_db=20.0))
    rig.pump.play(pcm(2400))
    rig.pump.work()
    for _ in range(6):
        rig.tick(heard=100)
    assert rig.all_played()[2 * BLOCK] == 500
    assert rig.frames()[-1].pcm == pcm(BLOCK, 1000)


@pytest.mark.parametrize("streams", ["duplex", "pair"])
def test_half_duplex_closes_the_microphone_while_something_plays_and_for_the_tail(streams: str) -> None:
    rig = Rig(settings=replace(PLAIN, echo_control="half_duplex"), streams=streams, tail_ms=20)
    rig.pump.play(pcm(480))
    rig.pump.work()
    for _ in range(10):
        rig.tick()
    heard = [any(frame.pcm) for frame in rig.frames()]
    # Two blocks play; round trip 20 ms and tail 20 ms are four more.
    assert heard == [False] * 6 + [True] * 4


def test_echo_control_can_change_while_it_runs() -> None:
    rig = Rig()
    rig.pump.play(pcm(24_000))
    rig.pump.work()
    rig.tick()
    rig.pump.adjust(replace(PLAIN, echo_control="half_duplex"))
    for _ in range(3):
        rig.tick()
    rig.pump.adjust(PLAIN)
    rig.tick()
    assert [any(frame.pcm) for frame in rig.frames()] == [True, False, False, False, True]


def test_the_recording_pairs_both_sides_block_for_block(tmp_path: Path) -> None:
    rig = Rig(both_sides=tmp_path / "both.wav")
    rig.pump.play(pcm(480))
    rig.pump.work()
    for value in (1, 2, 3):
        rig.tick(heard=value)
    rig.pump.close()
    samples, _ = soundfile.read(tmp_path / "both.wav", dtype="int16")
    assert samples[:, 0].tolist() == [1] * 240 + [2] * 240 + [3] * 240
    assert samples[:, 1].tolist() == [1000] * 480 + [0] * 240


def test_the_end_of_the_input_is_told_once_after_its_last_frame() -> None:
    rig = Rig()
    rig.pump.exchange.input_ended = True
    messages = rig.tick()
    assert isinstance(messages[0], Captured)
    assert messages[1:] == [InputEnded()]
    assert InputEnded() not in rig.tick()


def test_without_a_block_there_is_no_frame() -> None:
    assert Rig().pump.work() == []


def test_a_heartbeat_tells_counts_level_and_how_long_a_callback_was_silent() -> None:
    rig = Rig()
    assert not rig.pump.proven
    rig.tick(heard=16_384)
    assert rig.pump.proven
    exchange = rig.pump.exchange
    exchange.input_at_s, exchange.output_at_s = 10.0, 9.75
    exchange.input_xruns, exchange.output_xruns, exchange.starved_blocks, exchange.lost_capture_blocks = 1, 2, 4, 8
    beat = rig.pump.heartbeat(now_s=10.0, dropped_frames=16)
    assert beat.silent_ms == 250
    assert (beat.input_blocks, beat.output_blocks, beat.epoch) == (1, 1, 5)
    assert (beat.xruns, beat.starved_blocks, beat.dropped_capture_frames) == (3, 4, 24)
    assert beat.input_level_dbfs == -6.0
    assert beat.drift_corrections == 0


def test_a_far_end_that_falls_behind_shows_in_the_heartbeat() -> None:
    rig = Rig(settings=replace(PLAIN, echo_control="half_duplex"), streams="pair")
    rig.pump.exchange.record(np.zeros(BLOCK, dtype=np.int16))
    rig.pump.work()
    assert rig.pump.heartbeat(now_s=0.0, dropped_frames=0).drift_corrections == 1
