"""The bench's sounds are as long, as loud and as alike as they say."""

import numpy as np
import pytest
from turns import corpus
from turns.corpus import BLURTS, NOISES, VISITOR_DBFS, blurt, hesitant, long_reply, noise, visitors
from turns.room import RATE_HZ, level_dbfs


def test_every_visitor_is_at_the_same_level_and_begins_and_ends_with_a_sound():
    assert len(visitors()) >= 12
    for said in visitors():
        assert level_dbfs(said.samples) == pytest.approx(VISITOR_DBFS, abs=0.5)
        assert said.duration_s > 1.3
        for end in (said.samples[:240], said.samples[-240:]):
            assert 10 * np.log10((end**2).mean()) > VISITOR_DBFS - 45


def test_a_pause_in_a_sentence_is_as_long_as_it_says():
    said = hesitant(visitors()[0], (700, 1400))
    silent = np.concatenate(([0], (said.samples == 0).astype(int), [0]))
    edges = np.flatnonzero(np.diff(silent))
    gaps_ms = [(end - start) * 1000 / RATE_HZ for start, end in edges.reshape(-1, 2) if end - start > RATE_HZ // 10]
    assert gaps_ms == pytest.approx([700, 1400], abs=1)


@pytest.mark.parametrize("kind", BLURTS)
def test_a_blurt_lasts_200_to_400_ms(kind):
    rng = np.random.default_rng(1)
    lengths_s = [blurt(rng, kind).duration_s for _ in range(20)]
    assert 0.2 <= min(lengths_s) < max(lengths_s) <= 0.4


@pytest.mark.parametrize("kind", NOISES)
def test_noise_has_the_level_and_the_length_that_was_asked_for(kind):
    sound = noise(np.random.default_rng(1), kind, 2.0, -40.0)
    assert len(sound) == 2 * RATE_HZ
    assert 10 * np.log10((sound**2).mean()) == pytest.approx(-40, abs=0.01)


def test_the_same_seed_gives_the_same_sounds():
    for make in (lambda rng: noise(rng, "babble", 1.0, -30), lambda rng: blurt(rng, "cough").samples):
        np.testing.assert_array_equal(make(np.random.default_rng(5)), make(np.random.default_rng(5)))


def test_a_long_reply_is_at_least_as_long_as_asked_and_of_whole_frames():
    reply = long_reply(np.random.default_rng(1), 20)
    assert len(reply) >= 20 * RATE_HZ * 2
    assert len(reply) % 480 == 0


def test_it_does_without_more_voices(monkeypatch):
    monkeypatch.setattr(corpus.shutil, "which", lambda _: None)
    assert corpus._espeak() == []
