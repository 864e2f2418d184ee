from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.canceller import PARTITIONS, LinearCanceller

FRAME = 240
DELAY = 1500


def noise(seconds: float, *, amplitude: float = 3000, seed: int = 1) -> np.ndarray:
    """Up to 7.5 kHz: above 8 kHz nothing is cancelled."""
    count = round(seconds * 100) * FRAME
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, amplitude * 1.265, count))
    spectrum[np.fft.rfftfreq(count, 1 / 24_000) > 7500] = 0
    return np.rint(np.fft.irfft(spectrum, count)).astype(np.int16)


def echo_of(far: np.ndarray, *, gain: float = 0.5) -> np.ndarray:
    late = np.concatenate((np.zeros(DELAY), far))[: len(far)] * gain
    return np.rint(late).astype(np.int16)


def run(canceller: LinearCanceller, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    frames = range(0, len(near), FRAME)
    return np.concatenate([canceller.process(near[at : at + FRAME], far[at : at + FRAME]) for at in frames])


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2) + 1e-9))


def test_a_linear_echo_is_gone_after_two_seconds() -> None:
    far = noise(3)
    near = echo_of(far)
    left = run(LinearCanceller(), near, far)
    assert level_db(near[-24_000:]) - level_db(left[-24_000:]) > 20


def test_the_way_of_the_echo_can_be_read() -> None:
    far = noise(3)
    canceller = LinearCanceller()
    run(canceller, echo_of(far), far)
    response = canceller.impulse_response()
    assert len(response) == PARTITIONS * FRAME
    assert int(np.abs(response).argmax()) == DELAY
    # A tap of 0.5 that is known up to 7.5 of 12 kHz.
    assert response[DELAY] == pytest.approx(0.5 * 7.5 / 12, abs=0.05)
    assert canceller.echo_dbfs_power == pytest.approx((1500 / 32768) ** 2, rel=0.3)


def test_a_visitor_over_a_known_echo_stays_whole() -> None:
    far = noise(4)
    visitor = np.zeros(len(far), dtype=np.int16)
    visitor[-24_000:] = np.rint(1500 * np.sin(2 * np.pi * 500 / 24_000 * np.arange(24_000)))
    left = run(LinearCanceller(), echo_of(far) + visitor, far)
    wrong = left[-24_000:].astype(int) - visitor[-24_000:]
    assert level_db(visitor[-24_000:]) - level_db(wrong) > 10


def test_while_nothing_plays_the_microphone_is_untouched_and_heard() -> None:
    near = noise(0.01)
    canceller = LinearCanceller()
    assert canceller.process(near, np.zeros(FRAME, dtype=np.int16)) is near
    assert canceller.residual_power.sum() > 0
    assert not canceller.far_power.any()
    assert not canceller.impulse_response().any()


def test_what_it_learned_outlasts_a_pause() -> None:
    far = noise(3)
    far[24_000:48_000] = 0
    near = echo_of(far)
    left = run(LinearCanceller(), near, far)
    after = slice(48_000 + 2 * DELAY, 48_000 + 2 * DELAY + 4800)
    assert level_db(near[after]) - level_db(left[after]) > 10
