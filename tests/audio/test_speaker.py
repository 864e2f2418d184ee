from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.ring import Ring, Samples
from voicebotd.audio.speaker import PREFILL_BLOCKS, QUEUE_LIMIT_SAMPLES, Speaker
from voicebotd.errors import AudioError


def make(rate_hz: int = 24_000) -> tuple[Speaker, Ring]:
    ring = Ring(rate_hz // 2)
    return Speaker(ring=ring, output_hz=rate_hz, block_frames=rate_hz // 100), ring


def pcm(samples: int) -> bytes:
    return (np.arange(samples) % 1000 + 1).astype("<i2").tobytes()


def drain(speaker: Speaker, ring: Ring, block: int) -> tuple[Samples, int]:
    """Play to the end as a device would; return what it got and how many blocks were short before the last."""
    parts: list[Samples] = []
    short = 0
    while True:
        more = speaker.top_up()
        part = ring.read(block)
        short += more and len(part) < block
        if not len(part):
            return np.concatenate(parts), short
        parts.append(part)


def test_only_the_prefill_goes_into_the_ring() -> None:
    speaker, ring = make()
    speaker.queue(pcm(24_000))
    assert speaker.top_up()
    assert ring.readable == PREFILL_BLOCKS * 240


def test_everything_queued_is_played_in_order_to_its_last_sample() -> None:
    speaker, ring = make()
    speaker.queue(pcm(1000))
    speaker.queue(pcm(7))
    played, short = drain(speaker, ring, 240)
    assert played.tobytes() == pcm(1000) + pcm(7)
    assert short == 0


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_the_resamplers_tail_is_played_and_the_position_ends_exactly(rate_hz: int) -> None:
    speaker, ring = make(rate_hz)
    speaker.queue(pcm(2411))
    played, short = drain(speaker, ring, rate_hz // 100)
    assert abs(len(played) - 2411 * rate_hz / 24_000) <= 1
    assert speaker.handed_samples(len(played)) == 2411
    assert short == 0


def test_the_position_grows_with_the_frames_handed_over() -> None:
    speaker, ring = make(48_000)
    speaker.queue(pcm(24_000))
    speaker.top_up()
    assert ring.readable >= 480
    assert speaker.handed_samples(480) == 240
    assert speaker.handed_samples(960) == 480


def test_audio_that_comes_late_just_goes_on() -> None:
    speaker, ring = make(48_000)
    speaker.queue(pcm(480))
    first, _ = drain(speaker, ring, 480)
    speaker.queue(pcm(480))
    second, _ = drain(speaker, ring, 480)
    assert speaker.handed_samples(len(first)) == 480
    assert speaker.handed_samples(len(first) + len(second)) == 960


def test_after_a_flush_a_new_playout_counts_from_zero() -> None:
    speaker, ring = make(48_000)
    speaker.queue(pcm(24_000))
    speaker.top_up()
    ring.read(480)
    speaker.drop_queue()
    ring.drop_all()
    assert speaker.handed_samples(480) == 240
    speaker.restart(480)
    assert not speaker.top_up()
    assert speaker.handed_samples(480) == 0
    speaker.queue(pcm(240))
    played, _ = drain(speaker, ring, 480)
    assert speaker.handed_samples(480 + len(played)) == 240


def test_the_volume_is_heard_within_the_prefill() -> None:
    speaker, ring = make()
    speaker.queue(pcm(2400))
    speaker.top_up()
    ring.read(240)
    speaker.volume.set(0.0)
    played, _ = drain(speaker, ring, 240)
    assert played[: 2 * 240].all()
    assert not played[3 * 240 :].any()


def test_what_begins_after_silence_begins_with_the_volume_it_shall_have() -> None:
    speaker, ring = make()
    speaker.volume.set(0.25)
    speaker.top_up()
    speaker.queue(pcm(240))
    drain(speaker, ring, 240)
    speaker.volume.set(1.0)
    speaker.queue(pcm(480))
    played, _ = drain(speaker, ring, 240)
    assert played.tobytes() == pcm(480)


def test_a_daemon_that_ignores_its_credit_is_an_error() -> None:
    speaker, _ = make()
    with pytest.raises(AudioError, match="more audio than it may"):
        speaker.queue(bytes(2 * QUEUE_LIMIT_SAMPLES + 2))


def test_a_ring_too_small_for_the_prefill_is_an_error() -> None:
    speaker = Speaker(ring=Ring(100), output_hz=24_000, block_frames=240)
    speaker.queue(pcm(240))
    with pytest.raises(AudioError, match="prefill"):
        speaker.top_up()
