"""The engine thread's work over a source that a test drives block by block."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebotd.audio.options import AudioOptions
from voicebotd.audio.protocol import Adjust, BothSides, Captured, Flushed, InputEnded, Measured, Message
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
        self,
        *,
        settings: Adjust = PLAIN,
        streams: str = "duplex",
        both_sides: Path | None = None,
        tail_ms: int = 20,
        rate_hz: int = RATE_HZ,
    ) -> None:
        self.block = rate_hz // 100
        form = StreamFormat(
            input_name="mic", output_name="speaker", streams=streams, input_hz=rate_hz, output_hz=rate_hz
        )
        recorder = Recorder(speaker_path=None, both_sides_path=str(both_sides) if both_sides else None, resume=False)
        options = AudioOptions(echo_tail_ms=tail_ms)
        self.pump = Pump(form, options, epoch=5, recorder=recorder, wake=lambda: None)
        self.pump.adjust(settings)
        self.pump.opened(Latency(input_ms=10, output_ms=10))
        self.played: list[Samples] = []
        self.messages: list[Message] = []

    def tick(self, heard: int = 7) -> list[Message]:
        out = np.empty(self.block, dtype=np.int16)
        self.pump.exchange.play(out)
        self.pump.exchange.record(np.full(self.block, heard, dtype=np.int16))
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


@pytest.mark.parametrize(("streams", "lead_blocks"), [("duplex", 0), ("pair", 2)])
def test_half_duplex_closes_the_microphone_while_something_plays_and_for_the_tail(
    streams: str, lead_blocks: int
) -> None:
    rig = Rig(settings=replace(PLAIN, echo_control="half_duplex"), streams=streams, tail_ms=20)
    for _ in range(200):
        rig.tick()
    rig.messages.clear()
    rig.pump.play(pcm(480))
    rig.pump.work()
    for _ in range(12):
        rig.tick()
    heard = [any(frame.pcm) for frame in rig.frames()]
    # Two blocks play; round trip 20 ms and tail 20 ms are four more. No echo can be back within the lead of a pair.
    assert heard == [True] * lead_blocks + [False] * 6 + [True] * (6 - lead_blocks)
    assert {frame.gate_open for frame in rig.frames()} <= {True, False}


class SilentFar:
    """The far end as it was in the first seconds of a loaded machine: nothing of what is played is in it."""

    corrections = 0
    lead_samples = 0
    settled = known = False
    drift_ppm = None

    def push(self, played: Samples) -> None: ...

    def align(self, near_samples: int, *, since_s: float) -> None: ...

    def next_frame(self) -> Samples:
        return np.zeros(BLOCK, dtype=np.int16)


@pytest.mark.parametrize("rung", ["gate", "half_duplex"])
def test_what_is_played_before_it_is_paired_closes_the_microphone(rung: str) -> None:
    rig = Rig(settings=replace(PLAIN, echo_control=rung), tail_ms=300)
    rig.pump._far = SilentFar()
    for _ in range(10):
        rig.tick(heard=0)
    rig.pump.play(pcm(24_000))
    rig.pump.work()
    for _ in range(100):
        rig.tick(heard=5000)
    echo = rig.frames()[10:]
    assert not any(any(frame.pcm) for frame in echo[1:])
    assert not any(frame.gate_open for frame in echo)


def test_the_doors_are_careful_again_once_two_clocks_are_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(settings=replace(PLAIN, echo_control="gate"), streams="pair")
    disturbed_at: list[int] = []
    monkeypatch.setattr(rig.pump._ladder, "disturbed", lambda: disturbed_at.append(len(rig.frames())))
    for _ in range(300):
        rig.tick()
    assert disturbed_at == [149]


def test_echo_control_can_change_while_it_runs() -> None:
    rig = Rig()
    rig.pump.play(pcm(48_000))
    rig.pump.work()
    rig.tick()
    rig.pump.adjust(replace(PLAIN, echo_control="half_duplex"))
    for _ in range(5):
        rig.tick()
    rig.pump.adjust(PLAIN)
    for _ in range(5):
        rig.tick()
    heard = [any(frame.pcm) for frame in rig.frames()]
    assert heard[0]
    assert not any(heard[3:6])
    assert all(heard[8:])


def test_the_loudspeaker_can_go_on_alone_while_echo_control_changes() -> None:
    rig = Rig()
    rig.pump.play(pcm(24_000))
    rig.pump.work()
    rig.pump.adjust(replace(PLAIN, echo_control="half_duplex"))
    assert rig.pump.exchange.playback.readable == 6000
    rig.pump.flush(6)
    rig.pump.adjust(PLAIN)
    assert Flushed(epoch=6, handed_samples=240) in rig.tick()


def test_the_far_end_is_given_up_when_nobody_needs_it_any_more() -> None:
    rig = Rig(settings=replace(PLAIN, echo_control="half_duplex"))
    rig.tick()
    rig.pump.adjust(PLAIN)
    for _ in range(3):
        rig.tick()
        rig.pump.heartbeat(now_s=0.0, dropped_frames=0)
    assert rig.pump._far is None


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


def test_a_pairing_that_was_lost_shows_in_the_heartbeat() -> None:
    rig = Rig(settings=replace(PLAIN, echo_control="half_duplex"), streams="pair")
    rig.tick()
    for _ in range(60):
        rig.pump.exchange.play(np.empty(BLOCK, dtype=np.int16))
    rig.tick()
    assert rig.pump.heartbeat(now_s=0.0, dropped_frames=0).drift_corrections == 1


def test_a_pause_holds_the_playout_at_its_sample_and_the_position_with_it() -> None:
    rig = Rig()
    reply = (np.arange(4800) % 5000 + 1000).astype("<i2")
    rig.pump.play(reply.tobytes())
    rig.pump.work()
    rig.tick()
    rig.pump.adjust(replace(PLAIN, paused=True))
    for _ in range(50):
        rig.tick()
    assert {frame.handed_samples for frame in rig.frames()[1:]} == {2 * BLOCK}
    assert not np.concatenate(rig.played[2:]).any()
    rig.pump.adjust(PLAIN)
    for _ in range(20):
        rig.tick()
    played = rig.all_played()
    assert played[:BLOCK].tolist() == reply[:BLOCK].tolist()
    resumed = np.concatenate(rig.played[51:])
    assert resumed[BLOCK : 4800 - 2 * BLOCK].tolist() == reply[3 * BLOCK :].tolist()
    assert rig.frames()[-1].handed_samples == 4800
    assert rig.pump.heartbeat(now_s=0.0, dropped_frames=0).starved_blocks == 0


def test_a_flush_while_paused_drops_and_answers_and_the_next_reply_plays_when_it_may() -> None:
    rig = Rig()
    rig.pump.play(pcm(24_000))
    rig.pump.work()
    rig.tick()
    rig.pump.adjust(replace(PLAIN, paused=True))
    rig.tick()
    rig.tick()
    rig.pump.flush(6)
    rig.pump.play(pcm(480, 222))
    assert Flushed(epoch=6, handed_samples=480) in rig.tick()
    rig.tick()
    assert not np.concatenate(rig.played[2:]).any()
    rig.pump.adjust(PLAIN)
    for _ in range(3):
        rig.tick()
    assert np.concatenate(rig.played[5:]).tolist() == [222] * 480 + [0] * 240
    assert rig.frames()[-1].handed_samples == 480


def test_a_paused_playout_takes_all_that_the_daemon_may_feed_and_no_more_of_the_ring() -> None:
    rig = Rig()
    rig.pump.adjust(replace(PLAIN, paused=True))
    for _ in range(20):
        rig.pump.play(pcm(2400))
        rig.tick()
    assert rig.pump.exchange.playback.readable == 3 * BLOCK
    assert rig.pump.exchange.more_to_come
    assert rig.frames()[-1].handed_samples == 0


@pytest.mark.parametrize("rate_hz", [24_000, 48_000])
def test_a_duck_is_a_ramp_within_three_blocks(rate_hz: int) -> None:
    rig = Rig(rate_hz=rate_hz)
    block = rate_hz // 100
    rig.pump.play(pcm(24_000, 10_000))
    rig.pump.work()
    for _ in range(5):
        rig.tick()
    rig.pump.adjust(replace(PLAIN, duck_db=-12.0, volume_percent=50))
    for _ in range(6):
        rig.tick()
    rig.pump.adjust(PLAIN)
    for _ in range(6):
        rig.tick()
    played = rig.all_played().astype(int)[2 * block :]
    assert played.min() == pytest.approx(10_000 * 0.5 * 10 ** (-12 / 20), rel=0.01)
    assert played[(9 - 2) * block + block // 2] == played.min()
    assert played[-1] == pytest.approx(10_000, abs=2)
    assert np.abs(np.diff(played)).max() <= 10_000 / block + 2


def test_the_probability_of_speech_is_told_while_it_is_wanted() -> None:
    rig = Rig(streams="file", settings=replace(PLAIN, detect_voice=True))
    for _ in range(10):
        rig.tick(heard=0)
    rig.pump.adjust(PLAIN)
    rig.tick()
    rig.pump.adjust(replace(PLAIN, detect_voice=True))
    rig.tick(heard=0)
    voices = [frame.voice for frame in rig.frames()]
    assert voices[:3] == [-1.0] * 3
    assert voices[4:10] == [0.0] * 6
    assert voices[10:] == [-1.0, -1.0]


def test_each_frame_tells_its_levels_and_whether_the_gate_is_open() -> None:
    rig = Rig()
    rig.tick(heard=16_384)
    rig.tick(heard=0)
    first, second = rig.frames()
    assert first.input_dbfs == pytest.approx(-6.02, abs=0.01)
    assert (second.input_dbfs, second.echo_dbfs, second.gate_open) == (-120.0, -120.0, True)


def test_the_heartbeat_tells_what_echo_control_does() -> None:
    rig = Rig(settings=replace(PLAIN, echo_control="half_duplex"))
    rig.tick()
    beat = rig.pump.heartbeat(now_s=0.0, dropped_frames=0)
    assert beat.echo_rung == "half_duplex"
    assert beat.echo_why


def test_while_measuring_both_sides_are_told_beside_silence() -> None:
    rig = Rig(settings=replace(PLAIN, echo_control="half_duplex", measure=True))
    rig.pump.play(pcm(480))
    rig.pump.work()
    for value in (1, 2, 3):
        rig.tick(heard=value)
    measured = [message for message in rig.messages if isinstance(message, Measured)]
    assert [message.near for message in measured] == [pcm(BLOCK, value) for value in (1, 2, 3)]
    assert [message.far for message in measured] == [pcm(BLOCK), pcm(BLOCK), bytes(2 * BLOCK)]
    assert [frame.pcm for frame in rig.frames()] == [bytes(2 * BLOCK)] * 3
    rig.pump.adjust(PLAIN)
    rig.messages.clear()
    rig.tick()
    assert [type(message) for message in rig.messages] == [Captured]
    assert rig.frames()[0].pcm == pcm(BLOCK, 7)


def test_both_sides_are_told_as_the_service_hears_and_the_loudspeaker_plays() -> None:
    rig = Rig(settings=replace(PLAIN, both_sides=True))
    rig.pump.play(pcm(480))
    rig.pump.work()
    for value in (1, 2, 3):
        rig.tick(heard=value)
    told = [message for message in rig.messages if isinstance(message, BothSides)]
    assert [message.near for message in told] == [frame.pcm for frame in rig.frames()]
    assert [message.near for message in told] == [pcm(BLOCK, value) for value in (1, 2, 3)]
    assert [message.far for message in told] == [pcm(BLOCK), pcm(BLOCK), bytes(2 * BLOCK)]
    rig.pump.adjust(PLAIN)
    rig.messages.clear()
    rig.tick()
    assert [type(message) for message in rig.messages] == [Captured]


def test_of_both_sides_the_near_one_has_what_echo_control_left() -> None:
    rig = Rig(settings=replace(PLAIN, echo_control="half_duplex", both_sides=True))
    rig.pump.play(pcm(2400))
    rig.pump.work()
    for _ in range(5):
        rig.tick(heard=9)
    told = [message for message in rig.messages if isinstance(message, BothSides)]
    assert [message.near for message in told] == [frame.pcm for frame in rig.frames()]
    assert bytes(2 * BLOCK) in [message.near for message in told], (
        "the closed microphone is silent in the recording too"
    )


def test_on_two_clocks_both_sides_are_in_time() -> None:
    rig = Rig(settings=replace(PLAIN, both_sides=True), streams="pair")
    rig.pump.play(pcm(240 * 240, 0) + pcm(BLOCK, 99))
    for number in range(260):
        rig.tick(heard=99 if number == 240 else 1)
    told = [message for message in rig.messages if isinstance(message, BothSides)]
    near = np.frombuffer(b"".join(message.near for message in told), "<i2")
    far = np.frombuffer(b"".join(message.far for message in told), "<i2")
    assert np.flatnonzero(near == 99)[0] == pytest.approx(np.flatnonzero(far)[0], abs=BLOCK)


def test_on_two_clocks_a_measurement_waits_for_the_pairing_and_is_then_in_time() -> None:
    rig = Rig(settings=replace(PLAIN, measure=True), streams="pair")
    rig.pump.play(pcm(240 * 240, 0) + pcm(BLOCK, 99))
    for number in range(260):
        rig.tick(heard=99 if number == 240 else 1)
    measured = [message for message in rig.messages if isinstance(message, Measured)]
    near = np.frombuffer(b"".join(message.near for message in measured), "<i2")
    far = np.frombuffer(b"".join(message.far for message in measured), "<i2")
    assert 80 < len(measured) < 120
    assert np.flatnonzero(near == 99)[0] == pytest.approx(np.flatnonzero(far)[0], abs=BLOCK)
