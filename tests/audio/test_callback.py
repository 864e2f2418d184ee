from __future__ import annotations

import numpy as np

from voicebotd.audio.callback import Exchange
from voicebotd.audio.ring import Ring, Samples

BLOCK = 10


def exchange(woken: list[bool] | None = None) -> Exchange:
    wake = (lambda: woken.append(True)) if woken is not None else (lambda: None)
    return Exchange(capture=Ring(25), playback=Ring(100), far=Ring(100), fade_frames=BLOCK, wake=wake)


def block(value: int, length: int = BLOCK) -> Samples:
    return np.full(length, value, dtype=np.int16)


def play(subject: Exchange) -> list[int]:
    out = block(77)
    subject.play(out)
    return out.tolist()


def test_a_recorded_block_is_kept_counted_and_wakes_the_engine() -> None:
    woken: list[bool] = []
    subject = exchange(woken)
    subject.record(block(5), xrun=True)
    assert subject.capture.read(99).tolist() == [5] * BLOCK
    assert (subject.input_blocks, subject.input_xruns, len(woken)) == (1, 1, 1)
    assert subject.input_at_s > 0


def test_a_full_ring_loses_the_newest_block_and_says_so() -> None:
    subject = exchange()
    for value in (1, 2, 3):
        subject.record(block(value))
    assert subject.lost_capture_blocks == 1
    assert subject.capture.read(99).tolist() == [1] * BLOCK + [2] * BLOCK


def test_with_nothing_to_play_the_device_gets_silence_that_does_not_count() -> None:
    subject = exchange()
    assert play(subject) == [0] * BLOCK
    assert (subject.handed_frames, subject.starved_blocks, subject.output_blocks) == (0, 0, 1)


def test_a_short_ring_is_filled_up_with_silence_and_only_its_samples_count() -> None:
    subject = exchange()
    subject.playback.write(block(8, 4))
    assert play(subject) == [8] * 4 + [0] * 6
    assert subject.handed_frames == 4


def test_a_ring_that_runs_dry_while_more_was_coming_is_an_underrun() -> None:
    subject = exchange()
    subject.more_to_come = True
    play(subject)
    assert subject.starved_blocks == 1


def test_a_flush_fades_one_block_and_drops_the_rest() -> None:
    subject = exchange()
    subject.playback.write(block(1000, 35))
    assert play(subject) == [1000] * BLOCK
    subject.flushes_wanted += 1
    faded = play(subject)
    assert faded[0] == 1000
    assert faded[-1] == 0
    assert faded == sorted(faded, reverse=True)
    assert play(subject) == [0] * BLOCK
    assert subject.flushes_done == 1
    assert subject.flushed_at_frames == subject.handed_frames == 2 * BLOCK
    assert subject.starved_blocks == 0


def test_a_fade_shorter_than_the_block_ends_in_silence() -> None:
    subject = Exchange(capture=Ring(20), playback=Ring(100), far=Ring(100), fade_frames=4, wake=lambda: None)
    subject.playback.write(block(900, 40))
    subject.flushes_wanted += 1
    assert play(subject) == [900, 600, 300, 0] + [0] * 6
    assert subject.flushed_at_frames == 4


def test_a_flush_of_nothing_is_answered_too() -> None:
    subject = exchange()
    subject.flushes_wanted += 1
    assert play(subject) == [0] * BLOCK
    assert (subject.flushes_done, subject.flushed_at_frames) == (1, 0)


def test_the_far_end_is_exactly_what_the_device_got() -> None:
    subject = exchange()
    subject.playback.write(block(8, 4))
    given = [*play(subject), *play(subject)]
    assert subject.far.read(99).tolist() == given


def test_output_xruns_are_counted() -> None:
    subject = exchange()
    subject.play(block(0), xrun=True)
    assert subject.output_xruns == 1
