from __future__ import annotations

import numpy as np
import pytest

from voicebotd.rehearsal import speech
from voicebotd.rehearsal.brain import Line
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS, duration_ms
from voicebotd.rehearsal.rest import SEARCH_MS, rest_of

LOUD = np.full(1000 * PCM_BYTES_PER_MS // 2, 8000, dtype="<i2")


def with_silence(from_ms: int, to_ms: int) -> bytes:
    samples = LOUD.copy()
    samples[from_ms * 24 : to_ms * 24] = 0
    return samples.tobytes()


def test_the_words_that_were_said_are_missing() -> None:
    assert rest_of(Line(text="one  two three", pcm=b""), 2).text == "three"


def test_a_line_of_which_nothing_was_said_is_whole() -> None:
    line = Line(text="one two", pcm=with_silence(0, 50))
    assert rest_of(line, 0) == line


@pytest.mark.parametrize("pause_ms", [460, 530])
def test_the_audio_is_cut_in_the_pause_next_to_the_words_share(pause_ms: int) -> None:
    rest = rest_of(Line(text="one two", pcm=with_silence(pause_ms, pause_ms + 10)), 1)
    assert 1000 - duration_ms(rest.pcm) == pause_ms + 5


def test_a_pause_that_is_far_from_the_share_is_not_looked_for() -> None:
    rest = rest_of(Line(text="one two three four", pcm=with_silence(700, 800)), 1)
    assert abs(1000 - duration_ms(rest.pcm) - 250) <= SEARCH_MS + 5


def test_audio_that_is_too_short_to_cut_stays_whole() -> None:
    assert rest_of(Line(text="one two", pcm=b"\1\0"), 1).pcm == b"\1\0"


def test_recorded_speech_is_cut_where_it_is_quiet() -> None:
    clip = speech.clip("assistant_booked")
    line = Line(text=clip.text, pcm=clip.pcm)
    samples = np.abs(np.frombuffer(clip.pcm, "<i2").astype(np.float64))
    around_cuts = []
    for said in range(1, len(clip.text.split())):
        pcm = rest_of(line, said).pcm
        assert clip.pcm.endswith(pcm)
        cut = len(samples) - len(pcm) // 2
        around_cuts.append(samples[cut - 120 : cut + 120].mean())
    assert np.mean(around_cuts) < samples.mean() / 2
