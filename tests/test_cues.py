"""The box's own sounds: as loud as quiet speech, without clicks, and each to be told from the others."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from voicebotd.conversation.effects import Cue
from voicebotd.conversation.events import SAMPLE_RATE_HZ
from voicebotd.cues import LEVEL, NOTES, cue_pcm

CUES: tuple[Cue, ...] = get_args(Cue)


def samples(cue: Cue) -> np.ndarray:
    return np.frombuffer(cue_pcm(cue), dtype="<i2").astype(np.float64)


def pitch_hz(sound: np.ndarray) -> float:
    """The loudest frequency, as well as so short a sound tells it."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), n=SAMPLE_RATE_HZ))
    return float(np.argmax(spectrum))


def notes(cue: Cue) -> list[np.ndarray]:
    ends = np.cumsum([ms * SAMPLE_RATE_HZ // 1000 for _, ms in NOTES[cue]])
    return np.split(samples(cue), ends[:-1])


def test_there_is_a_sound_for_each_cue_and_no_two_are_the_same() -> None:
    assert set(NOTES) == set(CUES)
    assert len({cue_pcm(cue) for cue in CUES}) == len(CUES)


@pytest.mark.parametrize("cue", CUES)
def test_a_cue_has_the_notes_that_it_is_made_of(cue: Cue) -> None:
    for (hz, _ms), sound in zip(NOTES[cue], notes(cue), strict=True):
        assert not sound.any() if hz == 0 else pitch_hz(sound) == pytest.approx(hz, abs=8)


@pytest.mark.parametrize("cue", CUES)
def test_a_cue_is_short_whole_samples_and_as_loud_as_it_should_be(cue: Cue) -> None:
    sound = samples(cue)
    assert len(sound) == sum(ms for _, ms in NOTES[cue]) * SAMPLE_RATE_HZ // 1000
    assert len(sound) <= SAMPLE_RATE_HZ, "a second at most"
    assert np.max(np.abs(sound)) == pytest.approx(LEVEL * 32767, rel=0.02)


@pytest.mark.parametrize("cue", CUES)
def test_a_cue_does_not_click(cue: Cue) -> None:
    sound = samples(cue)
    assert abs(sound[0]) < 32
    assert abs(sound[-1]) < 32
    steepest = 2 * np.pi * max(hz for hz, _ in NOTES[cue]) / SAMPLE_RATE_HZ * LEVEL * 32767
    assert np.max(np.abs(np.diff(sound))) <= steepest * 1.1, "no step is steeper than the tones themselves"


def test_gone_falls_and_back_rises() -> None:
    assert [hz for hz, _ in NOTES["link_lost"]] == sorted((hz for hz, _ in NOTES["link_lost"]), reverse=True)
    assert [hz for hz, _ in NOTES["link_back"]] == sorted(hz for hz, _ in NOTES["link_back"])


def test_a_cue_is_made_once() -> None:
    assert cue_pcm("trouble") is cue_pcm("trouble")
