from __future__ import annotations

import numpy as np
import pytest

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


def test_a_flush_in_a_block_shorter_than_the_fade_still_ends_in_silence() -> None:
    subject = Exchange(capture=Ring(20), playback=Ring(100), far=Ring(100), fade_frames=20, wake=lambda: None)
    subject.playback.write(block(900, 40))
    subject.flushes_wanted += 1
    faded = play(subject)
    assert faded == sorted(faded, reverse=True)
    assert faded[-1] < 900 / 10
    assert play(subject) == [0] * BLOCK


def counting(samples: int, first: int = 1) -> Samples:
    return np.arange(first, first + samples, dtype=np.int16) * 100


@pytest.mark.parametrize("fade_frames", [4, 10, 17, 25], ids=lambda frames: f"fade of {frames} in blocks of 10")
@pytest.mark.parametrize("held_blocks", [1, 2, 3, 9])
def test_a_pause_takes_every_sample_once_whatever_the_blocks(fade_frames: int, held_blocks: int) -> None:
    subject = Exchange(
        capture=Ring(20), playback=Ring(1000), far=Ring(1000), fade_frames=fade_frames, wake=lambda: None
    )
    subject.more_to_come = True
    subject.playback.write(block(1000, 300))
    before = subject.playback.readable
    given = [play(subject) for _ in range(2)]
    subject.paused = True
    given += [play(subject) for _ in range(held_blocks)]
    held = before - subject.playback.readable
    assert held == 2 * BLOCK + min(fade_frames, held_blocks * BLOCK)
    assert subject.handed_frames == held
    subject.paused = False
    given += [play(subject) for _ in range(5)]
    assert subject.handed_frames == before - subject.playback.readable == held + 5 * BLOCK
    assert subject.starved_blocks == 0
    out = np.array([sample for part in given for sample in part])
    steps = np.abs(np.diff(out))
    assert steps.max() <= 1000 / (fade_frames - 1) + 1, "a step louder than the fade's own is a click"
    assert given[-1] == [1000] * BLOCK
    if held_blocks * BLOCK >= fade_frames + BLOCK:
        assert given[1 + held_blocks] == [0] * BLOCK


def test_a_pause_and_its_end_weigh_each_sample_by_a_ramp_and_skip_none() -> None:
    subject = exchange()
    subject.playback.write(counting(50))
    first = play(subject)
    subject.paused = True
    out = play(subject)
    assert play(subject) == [0] * BLOCK
    subject.paused = False
    back = play(subject)
    rest = play(subject)
    assert first == counting(10).tolist()
    ramp = np.linspace(1, 0, BLOCK, dtype=np.float32)
    assert out == (counting(10, 11) * ramp).astype(np.int16).tolist()
    assert back == (counting(10, 21) * ramp[::-1]).astype(np.int16).tolist()
    assert rest == counting(10, 31).tolist()


def test_a_pause_that_ends_while_it_fades_turns_round_where_it_is() -> None:
    subject = Exchange(capture=Ring(20), playback=Ring(1000), far=Ring(100), fade_frames=30, wake=lambda: None)
    subject.playback.write(block(3000, 300))
    play(subject)
    subject.paused = True
    lowest = play(subject)[-1]
    subject.paused = False
    back = play(subject)
    assert back[0] == lowest
    assert back == sorted(back)
    assert back[-1] == 3000
    assert play(subject) == [3000] * BLOCK


def test_while_paused_a_dry_ring_starves_nobody() -> None:
    subject = exchange()
    subject.more_to_come = True
    subject.playback.write(block(1000, 13))
    play(subject)
    subject.paused = True
    assert play(subject)[3:] == [0] * 7
    subject.playback.write(block(1000, 20))
    assert play(subject) == [0] * BLOCK
    assert (subject.starved_blocks, subject.playback.readable, subject.handed_frames) == (0, 20, 13)


def test_what_was_paused_before_it_began_begins_whole() -> None:
    subject = exchange()
    subject.paused = True
    subject.playback.write(block(1000, 20))
    assert play(subject) == [0] * BLOCK
    assert subject.playback.readable == 20
    subject.paused = False
    assert play(subject) == [1000] * BLOCK


@pytest.mark.parametrize("still_paused", [True, False])
def test_a_flush_while_paused_is_answered_at_once_and_what_comes_after_begins_whole(still_paused: bool) -> None:
    subject = exchange()
    subject.playback.write(block(1000, 60))
    play(subject)
    subject.paused = True
    play(subject)
    play(subject)
    subject.flushes_wanted += 1
    subject.paused = still_paused
    assert play(subject) == [0] * BLOCK
    assert (subject.flushes_done, subject.flushed_at_frames, subject.playback.readable) == (1, 2 * BLOCK, 0)
    subject.playback.write(block(500, 20))
    if still_paused:
        assert play(subject) == [0] * BLOCK
        assert subject.playback.readable == 20
        subject.paused = False
    assert play(subject) == [500] * BLOCK


def test_a_flush_in_the_block_of_the_pause_fades_once() -> None:
    subject = exchange()
    subject.playback.write(block(1000, 60))
    play(subject)
    subject.paused = True
    subject.flushes_wanted += 1
    faded = play(subject)
    assert (faded[0], faded[-1]) == (1000, 0)
    subject.playback.write(block(500, 20))
    assert play(subject) == [0] * BLOCK
    assert subject.playback.readable == 20


def test_after_all_was_played_out_of_a_pause_the_next_reply_begins_whole() -> None:
    subject = exchange()
    subject.playback.write(block(1000, 20))
    play(subject)
    subject.paused = True
    play(subject)
    subject.paused = False
    assert play(subject) == [0] * BLOCK
    subject.playback.write(block(500, 10))
    assert play(subject) == [500] * BLOCK


def test_a_late_block_after_a_pause_still_fades_in() -> None:
    subject = exchange()
    subject.more_to_come = True
    subject.playback.write(block(1000, 20))
    play(subject)
    subject.paused = True
    play(subject)
    subject.paused = False
    assert play(subject) == [0] * BLOCK
    assert subject.starved_blocks == 1
    subject.playback.write(block(500, 10))
    assert play(subject)[0] == 0


def test_the_far_end_is_exactly_what_the_device_got() -> None:
    subject = exchange()
    subject.playback.write(block(8, 4))
    given = [*play(subject), *play(subject)]
    assert subject.far.read(99).tolist() == given


def test_output_xruns_are_counted() -> None:
    subject = exchange()
    subject.play(block(0), xrun=True)
    assert subject.output_xruns == 1
