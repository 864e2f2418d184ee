"""The room does to sound what it says it does."""

import numpy as np
import pytest
from turns.room import BLOCK, RATE_HZ, Acoustics, Clocks, Convolver, Room, impulse_response, level_dbfs, to_int16


def speechlike(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    count = round(seconds * RATE_HZ)
    return rng.normal(0, 0.1, count) * (np.sin(np.arange(count) / RATE_HZ * 2 * np.pi * 3) > 0)


def played_through(acoustics: Acoustics, sound: np.ndarray) -> np.ndarray:
    room = Room(acoustics, sound)
    heard = []
    for block in to_int16(sound).reshape(-1, BLOCK):
        room.play(block)
        heard.append(room.hear())
    return np.concatenate(heard)


def test_the_convolver_gives_what_a_plain_convolution_gives():
    rng = np.random.default_rng(1)
    response, sound = rng.normal(0, 1, 1000), rng.normal(0, 1, 20 * BLOCK)
    convolver = Convolver(response)
    found = np.concatenate([convolver.push(block) for block in sound.reshape(-1, BLOCK)])
    np.testing.assert_allclose(found, np.convolve(sound, response)[: len(sound)], atol=1e-3)


@pytest.mark.parametrize("delay_ms", [20, 60, 150])
def test_the_echo_begins_after_its_delay(delay_ms):
    response = impulse_response(Acoustics(delay_ms=delay_ms, rt60_s=0.3, erl_db=0))
    first = np.flatnonzero(np.abs(response) > 0.1)[0]
    assert first == delay_ms * RATE_HZ // 1000


@pytest.mark.parametrize("erl_db", [0, 6, 20])
def test_speech_comes_back_weaker_by_the_echo_return_loss(erl_db):
    sound = speechlike(2)
    heard = played_through(Acoustics(delay_ms=60, rt60_s=0.25, erl_db=erl_db, floor_dbfs=-100), sound)
    assert level_dbfs(sound) - level_dbfs(heard) == pytest.approx(erl_db, abs=1)


def test_the_floor_is_heard_where_nothing_is_played():
    heard = played_through(Acoustics(delay_ms=60, rt60_s=0.25, erl_db=0, floor_dbfs=-65), np.zeros(RATE_HZ))
    assert level_dbfs(heard) == pytest.approx(-65, abs=0.5)


@pytest.mark.parametrize("drift_ppm", [100, -100])
def test_a_tone_that_crosses_from_one_clock_to_the_other_changes_its_pitch_by_the_drift(drift_ppm):
    clocks, pulled, given = Clocks(drift_ppm), [], 0
    for block in range(1000):
        while given <= (block + 1) * (1 + drift_ppm * 1e-6):
            clocks.push(np.sin(2 * np.pi * 1000 * (given * BLOCK + np.arange(BLOCK)) / RATE_HZ))
            given += 1
        pulled.append(clocks.pull())
    time_s = (np.arange(1000 * BLOCK) * (1 + drift_ppm * 1e-6) - 2 * BLOCK) / RATE_HZ
    error = np.concatenate(pulled) - np.sin(2 * np.pi * 1000 * time_s)
    assert level_dbfs(error[10 * BLOCK :]) < -60
