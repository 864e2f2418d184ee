"""The rig itself can be believed: it finds what it is to find, and the card loses nothing by itself."""

from __future__ import annotations

import time

import numpy as np
import pytest
from rig import speech
from rig.card import VirtualCard
from rig.playing import never_heard, played, steepest
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


DUCKED_AT, PAUSED_AT, PAUSE = RATE_HZ, 3 * RATE_HZ // 2, 19_200


def paused_reply(clip: Samples, *, skip: int = 0) -> Samples:
    """A recording of the clip: ducked by 12 dB after 1 s, paused after 1.5 s for 0.8 s, then on as loud as before."""
    fade = np.linspace(1, 0, RATE_HZ // 100)
    gain = np.ones(len(clip))
    gain[DUCKED_AT:PAUSED_AT] = 10 ** (-12 / 20)
    gain[PAUSED_AT - len(fade) : PAUSED_AT] *= fade
    gain[PAUSED_AT + skip : PAUSED_AT + skip + len(fade)] *= fade[::-1]
    heard = (clip * gain).astype(np.int16)
    return recorded(np.concatenate([heard[:PAUSED_AT], np.zeros(PAUSE, np.int16), heard[PAUSED_AT + skip :]]))


def test_the_duck_and_the_pause_of_a_reply_are_measured() -> None:
    clip = speech.clip("assistant_hours")
    reply = played(clip, paused_reply(clip))
    assert reply.lag == RATE_HZ
    (pause,) = reply.pauses
    assert pause.shift == PAUSE
    assert pause.began - reply.lag == pytest.approx(PAUSED_AT, abs=RATE_HZ // 100)
    assert never_heard(clip, pause) < 20
    ducked = reply.gains_db(RATE_HZ + DUCKED_AT, RATE_HZ + PAUSED_AT - RATE_HZ // 50)
    assert ducked
    assert ducked == pytest.approx([-12.0] * len(ducked), abs=0.1)
    others = reply.gains_db(RATE_HZ, RATE_HZ + DUCKED_AT) + reply.gains_db(pause.ended + RATE_HZ // 50, 10**9)
    assert others == pytest.approx([0.0] * len(others), abs=0.1)
    assert min(step.coherence for step in reply.loudness) > 0.9
    assert steepest(clip, paused_reply(clip), RATE_HZ, RATE_HZ + DUCKED_AT - 480, RATE_HZ + DUCKED_AT + 480) > 0.5


@pytest.mark.parametrize("skip", [-240, -100, 100, 240], ids=lambda skip: f"{skip:+} samples")
def test_a_reply_that_skips_or_repeats_samples_when_it_resumes_is_found(skip: int) -> None:
    clip = speech.clip("assistant_hours")
    (pause,) = played(clip, paused_reply(clip, skip=skip)).pauses
    assert pause.shift == PAUSE - skip
    assert never_heard(clip, pause) == pytest.approx(skip, abs=20)


def between_two_samples(clip: Samples) -> Samples:
    size = 2 * len(clip)
    half = np.exp(-1j * np.pi * np.fft.rfftfreq(size))
    return np.fft.irfft(np.fft.rfft(clip, size) * half)[: len(clip)].astype(np.int16)


def test_a_recording_that_begins_between_two_samples_is_undamaged() -> None:
    clip = speech.clip("assistant_services")
    assert damaged(clip, recorded(between_two_samples(clip)), RATE_HZ) == []


def test_a_recording_that_begins_between_two_samples_is_no_quieter() -> None:
    clip = speech.clip("assistant_hours")
    between = between_two_samples(clip)
    steps = played(clip, recorded(between)).loudness
    assert min(step.coherence for step in steps) > 0.999
    assert [step.gain_db for step in steps] == pytest.approx([0.0] * len(steps), abs=0.1)
    assert [pause.shift for pause in played(clip, paused_reply(between)).pauses] == [PAUSE]


def test_a_reply_without_a_pause_has_none() -> None:
    clip = speech.clip("assistant_services")
    assert played(clip, recorded(clip)).pauses == ()


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


def test_the_loop_gives_the_microphone_what_the_loudspeaker_plays(card: VirtualCard) -> None:
    clip, delay_ms, gain_db = speech.clip("visitor_goodbye"), 60, -6.0
    with card.loop_back(delay_ms=delay_ms, gain_db=gain_db), card.listening("vmic") as mic, card.listening() as ear:
        card.say_it_all(clip, into="vspk")
        until_s = time.monotonic() + 0.1 + delay_ms / 1000
        near, far = mic.wait_until_recorded(until_s), ear.wait_until_recorded(until_s)
    echo, original = find(clip, near.samples), find(clip, far.samples)
    assert (near.time_of(echo.lag) - far.time_of(original.lag)) * 1000 == pytest.approx(delay_ms, abs=10)
    assert 20 * np.log10(echo.gain / original.gain) == pytest.approx(gain_db, abs=0.3)
    with card.listening("vmic") as mic:
        card.say_it_all(clip, into="vspk")
        assert first_sound(mic.wait_until_recorded(time.monotonic() + 0.3).samples) is None
