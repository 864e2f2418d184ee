"""The recorded visitor says what the demonstration's script claims to hear, at times at which its answers fit."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from voicebotd.demo.visitor import ANSWERING_S, SCRIPT, lines, speech
from voicebotd.rehearsal.speech import SAMPLE_RATE_HZ, clip, clip_texts

TURN_SILENCE_S = 1.2


def answer_pause_s(index: int) -> float:
    """How long a line waits after the answer to the line before it began."""
    return lines(TURN_SILENCE_S)[index].pause_s - TURN_SILENCE_S - ANSWERING_S


def test_the_transcripts_of_the_script_are_the_words_of_the_clips() -> None:
    turns = yaml.safe_load(SCRIPT.read_text(encoding="utf-8"))["turns"]

    heard = [turn["hears"] for turn in turns if "hears" in turn]

    assert heard == [clip_texts()[line.clip] for line in lines(TURN_SILENCE_S)]


def test_the_second_line_is_spoken_in_the_middle_of_the_long_answer() -> None:
    length_s = clip("assistant_services").duration_s

    assert 0.2 * length_s < answer_pause_s(1) < 0.6 * length_s


def test_the_third_line_waits_for_the_end_of_the_second_answer() -> None:
    assert answer_pause_s(2) > clip("assistant_booked").duration_s


@pytest.mark.parametrize("silence_s", [0.5, 1.2, 2.0])
def test_longer_turns_make_longer_pauses(silence_s: float) -> None:
    patient, quick = lines(silence_s + 1), lines(silence_s)

    assert [round(slow.pause_s - fast.pause_s, 6) for slow, fast in zip(patient, quick, strict=True)] == [0, 1, 1]


def test_the_sound_is_every_clip_behind_its_silence_and_nothing_else() -> None:
    samples = np.frombuffer(speech(TURN_SILENCE_S), dtype="<i2")

    at = 0
    for line in lines(TURN_SILENCE_S):
        pause = round(line.pause_s * SAMPLE_RATE_HZ)
        assert not samples[at : at + pause].any()
        said = np.frombuffer(clip(line.clip).pcm, dtype="<i2")
        assert np.array_equal(samples[at + pause : at + pause + len(said)], said)
        at += pause + len(said)
    assert at == len(samples)
