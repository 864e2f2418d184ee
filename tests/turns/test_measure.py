"""What the bench measures, on recordings of which the truth is known."""

from dataclasses import dataclass

import numpy as np
import pytest
from turns.measure import disturbances, lost_share, replay, silent_from
from turns.room import BLOCK, RATE_HZ


def reply(seconds: float = 4.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    count = round(seconds * RATE_HZ)
    swell = np.clip(np.sin(np.arange(count) / RATE_HZ * 2 * np.pi), 0.1, 1)
    return np.rint(rng.normal(0, 3000, count) * swell).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), dtype=np.int16)


def test_a_reply_that_was_played_through_is_exact():
    said = reply()
    found = replay(said, np.concatenate((silence(0.3), said, silence(1))))
    assert (found.exact, found.pauses_ms) == (True, ())


def test_a_reply_that_was_ducked_is_exact():
    said = reply()
    soft = np.interp(np.arange(len(said)), [24_000, 24_240, 60_000, 60_240], [1, 0.25, 0.25, 1])
    assert replay(said, np.rint(said * soft).astype(np.int16)).exact


@pytest.mark.parametrize("at", [24_000, 24_100, 47_777])
def test_a_reply_that_paused_and_went_on_at_the_very_sample_is_exact(at):
    said = reply()
    faded = said.astype(np.float64)
    faded[at - BLOCK : at] *= np.linspace(1, 0, BLOCK)
    faded[at : at + BLOCK] *= np.linspace(0, 1, BLOCK)
    faded = np.rint(faded).astype(np.int16)
    found = replay(said, np.concatenate((faded[:at], silence(1.3), faded[at:], silence(0.5))))
    assert found.exact, found.why
    assert found.pauses_ms == pytest.approx([1300])


@pytest.mark.parametrize("change", [-1, 1, -240, 240])
def test_a_skipped_or_repeated_sample_at_a_pause_is_found(change):
    said, at = reply(), 48_000
    found = replay(said, np.concatenate((said[:at], silence(1.0), said[at - change :], silence(0.5))))
    assert not found.exact


def test_a_sample_that_is_missing_in_the_middle_is_found():
    said = reply()
    assert not replay(said, np.concatenate((said[:30_000], said[30_001:], silence(0.5)))).exact


def test_a_reply_that_was_cut_is_not_exact():
    said = reply()
    assert not replay(said, np.concatenate((said[:40_000], silence(5)))).exact
    assert not replay(said, silence(3)).exact


def test_the_loudspeaker_is_silent_from_the_block_after_which_nothing_came_for_half_a_second():
    blocks = [np.ones(BLOCK, dtype=np.int16)] * 100 + [np.zeros(BLOCK, dtype=np.int16)] * 60
    at_s = [index / 100 for index in range(160)]
    assert silent_from(blocks, at_s, 0.5) == 1.0
    assert silent_from(blocks, at_s, 1.05) == 1.05
    assert silent_from(blocks[:140], at_s, 0.5) is None


@dataclass
class Shape:
    what: str
    at_s: float = 0.0


@pytest.mark.parametrize(
    ("course", "ducked", "stopped", "cut"),
    [
        ("", 0, 0, 0),
        ("duck loud duck loud", 2, 0, 0),
        ("duck pause loud", 1, 1, 0),
        ("duck pause flush loud", 1, 1, 1),
        ("flush", 0, 1, 1),
        ("duck pause loud duck pause flush loud", 2, 2, 1),
    ],
)
def test_each_disturbance_of_a_reply_counts_once(course, ducked, stopped, cut):
    found = disturbances([Shape(what) for what in course.split()])
    assert (found.ducked, found.stopped, found.cut) == (ducked, stopped, cut)


def test_words_that_arrived_are_not_lost_wherever_the_audio_begins():
    said = reply(2.0) / 32768
    rng = np.random.default_rng(2)
    assert lost_share(said, np.concatenate((np.zeros(7000), said, np.zeros(3000)))) == 0
    assert lost_share(said, said + rng.normal(0, 0.02, len(said))) == 0


def test_words_from_before_the_audio_begins_and_words_that_are_too_weak_are_lost():
    said = reply(2.0) / 32768
    assert lost_share(said, said[6000:]) == pytest.approx(0.5, abs=0.05)
    weak = said.copy()
    weak[:9000] *= 0.1
    assert lost_share(said, weak) == pytest.approx(0.75, abs=0.05)
    assert lost_share(said, np.zeros(0)) == 1.0
