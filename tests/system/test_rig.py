"""The rig itself can be believed: it finds what it is to find, and the card loses nothing by itself."""

from __future__ import annotations

import time

import numpy as np
import pytest
from rig import speech
from rig.card import VirtualCard
from rig.sound import RATE_HZ, Samples, damaged, find, first_sound, last_sound, windows

TRIES = 4
"""A busy machine starves the sound server."""


@pytest.fixture(scope="module")
def clip() -> Samples:
    return speech.clip("visitor_hours")


def recorded(clip: Samples, *, gain: float = 1.0) -> Samples:
    """The clip as a recording would hold it: a second of silence on either side."""
    silence = np.zeros(RATE_HZ, dtype=np.int16)
    return np.concatenate([silence, (clip * gain).astype(np.int16), silence])


def test_a_clip_is_found_where_it_is_and_as_loud_as_it_is(clip: Samples) -> None:
    match = find(clip, recorded(clip, gain=0.5))
    assert match.lag == RATE_HZ
    assert match.gain == pytest.approx(0.5, abs=0.01)
    assert match.coherence > 0.999


def test_another_clip_is_not_mistaken_for_it(clip: Samples) -> None:
    assert find(clip, recorded(speech.clip("visitor_booking"))).coherence < 0.5


@pytest.mark.parametrize("slip", [-240, -5, 5, 240], ids=lambda slip: f"{slip:+} samples")
def test_lost_and_repeated_samples_are_found(clip: Samples, slip: int) -> None:
    middle = len(clip) // 2
    recording = recorded(np.concatenate([clip[:middle], clip[middle - slip :]]))
    lag = find(clip[: RATE_HZ // 2], recording).lag
    assert {0, slip} <= {window.slip for window in windows(clip, recording, lag)}
    assert damaged(clip, recording, lag)
    assert not damaged(clip, recorded(clip), lag)


def test_two_clips_on_top_of_each_other_are_not_coherent(clip: Samples) -> None:
    other = np.resize(speech.clip("assistant_services"), len(clip))
    mixed = recorded((clip // 2 + other // 2).astype(np.int16))
    assert min(window.coherence for window in windows(clip, mixed, find(clip, mixed).lag)) < 0.7


def test_first_and_last_sound_are_dated_to_the_sample() -> None:
    samples = np.zeros(1000, dtype=np.int16)
    assert first_sound(samples) is last_sound(samples) is None
    samples[[100, 700]] = 500, -500
    assert (first_sound(samples), last_sound(samples)) == (100, 700)


def test_the_card_hears_what_is_said_sample_for_sample_and_on_time(card: VirtualCard, clip: Samples) -> None:
    for _ in range(TRIES):
        with card.listening("vmic") as ear:
            began_s = time.monotonic()
            card.say_it_all(clip)
            recording = ear.wait_until_recorded(time.monotonic() + 0.1)
        match = find(clip, recording.samples)
        if match.coherence > 0.99 and not damaged(clip, recording.samples, match.lag):
            assert 0 < recording.time_of(match.lag) - began_s < 0.2
            return
    raise AssertionError(f"of {TRIES} recordings none was undamaged")
