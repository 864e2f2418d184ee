from __future__ import annotations

import numpy as np
import pytest

from voicebotd.rehearsal.murmur import CHARACTERS_PER_S, LONGEST_S, PEAK, SHORTEST_S, murmur


def samples(text: str) -> np.ndarray:
    return np.frombuffer(murmur(text), dtype="<i2")


def test_it_lasts_as_long_as_speaking_would() -> None:
    assert len(samples("x" * 45)) / 24_000 == pytest.approx(45 / CHARACTERS_PER_S)
    assert len(samples("")) / 24_000 == pytest.approx(SHORTEST_S)
    assert len(samples("x" * 10_000)) / 24_000 == pytest.approx(LONGEST_S)


def test_it_is_soft_begins_and_ends_silent_and_is_always_the_same() -> None:
    sound = samples("Is anybody there?")
    assert np.abs(sound).max() == pytest.approx(PEAK * 32767, abs=2)
    assert abs(int(sound[0])) < 10
    assert abs(int(sound[-1])) < 10
    assert murmur("Is anybody there?") == sound.tobytes()
