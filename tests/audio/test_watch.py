from __future__ import annotations

import random

from voicebotd.audio.watch import (
    BEAT_DEADLINE_S,
    OPEN_DEADLINE_S,
    REOPEN_LIMIT,
    SILENCE_DEADLINE_MS,
    STEADY_S,
    Retry,
    Watch,
)


def test_a_process_that_opens_and_beats_is_well() -> None:
    watch = Watch()
    assert watch.verdict(0) == "well"
    watch.opening(0)
    assert watch.verdict(OPEN_DEADLINE_S - 0.1) == "well"
    watch.heartbeat(silent_ms=12, now_s=2)
    assert watch.verdict(2.4) == "well"


def test_an_opening_that_takes_too_long_hangs() -> None:
    watch = Watch()
    watch.opening(10)
    assert watch.verdict(10 + OPEN_DEADLINE_S) == "opening_hangs"


def test_a_failed_opening_is_tried_again_when_its_time_has_come() -> None:
    watch = Watch()
    watch.opening(0)
    watch.open_failed(1, retry_in_s=0.4)
    assert watch.verdict(1.3) == "well"
    assert watch.verdict(1.4) == "reopen"
    watch.opening(1.4)
    assert watch.verdict(1.5) == "well"


def test_a_process_is_replaced_after_many_failed_openings() -> None:
    watch = Watch()
    for _ in range(REOPEN_LIMIT):
        watch.opening(0)
        watch.open_failed(0, retry_in_s=0)
    assert watch.verdict(1) == "worn_out"


def test_callbacks_that_stopped_are_silence_and_slow_ones_are_not() -> None:
    watch = Watch()
    watch.heartbeat(silent_ms=SILENCE_DEADLINE_MS, now_s=1)
    assert watch.verdict(1) == "well"
    watch.heartbeat(silent_ms=SILENCE_DEADLINE_MS + 1, now_s=1)
    assert watch.verdict(1) == "silent"


def test_heartbeats_that_stop_mean_a_frozen_process() -> None:
    watch = Watch()
    watch.heartbeat(silent_ms=0, now_s=1)
    assert watch.verdict(1 + BEAT_DEADLINE_S) == "frozen"


class Highest(random.Random):
    """Jitter at its worst."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_the_pauses_double_up_to_a_ceiling_that_keeps_recovery_within_a_second() -> None:
    retry = Retry(Highest())
    assert [retry.failed(0) for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_an_outage_of_more_than_a_minute_is_asked_after_less_often() -> None:
    retry = Retry(Highest())
    for _ in range(20):
        retry.failed(0)
    assert retry.failed(Retry.QUICK_FOR_S - 1) == Retry.QUICK_CEILING_S
    assert retry.failed(Retry.QUICK_FOR_S) == Retry.SLOW_CEILING_S


def test_the_jitter_is_full_and_never_below_the_floor() -> None:
    retry = Retry(random.Random(1))
    delays = [retry.failed(0) for _ in range(200)][4:]
    assert min(delays) >= Retry.FLOOR_S
    assert max(delays) - min(delays) > 0.9 * (Retry.QUICK_CEILING_S - Retry.FLOOR_S)


def test_only_a_stream_that_lived_for_a_while_begins_the_back_off_anew() -> None:
    retry = Retry(Highest())
    for _ in range(3):
        retry.failed(0)
    retry.ended(lived_s=STEADY_S - 0.1)
    assert retry.failed(0) == 0.5
    retry.ended(lived_s=STEADY_S)
    assert retry.failed(0) == 0.1


def test_a_file_is_waited_for_longer_than_a_sound_card() -> None:
    watch = Watch()
    watch.opening(0.0, patient=True)
    watch.heartbeat(silent_ms=3_000, now_s=0.0)
    assert watch.verdict(4.9) == "well"
    assert watch.verdict(5.0) == "frozen"
    watch.heartbeat(silent_ms=3_001, now_s=10.0)
    assert watch.verdict(10.0) == "silent"
