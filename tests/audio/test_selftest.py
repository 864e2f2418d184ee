"""Simulated rooms, about which everything is known: the delay within 1 ms, every level within 1 dB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from voicebotd.audio.ring import Samples
from voicebotd.audio.selftest import Echo, Measurement, measure
from voicebotd.audio.sweep import Stimulus, band, full, probe
from voicebotd.errors import AudioError

RATE_HZ = 24_000
Signal = npt.NDArray[np.float64]


def _impulse(rng: np.random.Generator, rt60_s: float) -> Signal:
    """The direct sound, and a diffuse tail about as strong."""
    count = round(RATE_HZ * rt60_s * 1.2)
    times_s = np.arange(1, count + 1) / RATE_HZ
    tail = rng.normal(size=count) * np.exp(-6.9 * times_s / rt60_s) * 0.04
    return np.concatenate(([1.0], tail))


def room(
    stimulus: Stimulus,
    *,
    delay_ms: float = 60.0,
    loss_db: float | None = 6.0,
    noise_dbfs: float = -65.0,
    rt60_s: float = 0.25,
    volume: float = 1.0,
    offset: int = 1000,
    seed: int = 1,
    loudspeaker: Callable[[Signal], Signal] = lambda signal: signal,
) -> tuple[Samples, Samples]:
    """(near, far). `loss_db` is of the last sweep's band, the room's tail counted in; None: nothing is heard."""
    rng = np.random.default_rng(seed)
    far = np.concatenate((np.zeros(offset), stimulus.pcm * volume, np.zeros(RATE_HZ // 5)))
    size = 1 << (2 * len(far)).bit_length()
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    way = np.fft.rfft(_impulse(rng, rt60_s), size) * np.exp(-2j * np.pi * hz * delay_ms / 1000)
    echo = np.fft.irfft(np.fft.rfft(loudspeaker(far), size) * way, size)[: len(far)]
    start = offset + stimulus.starts[-1]
    sweep = np.zeros(len(far))
    sweep[start : start + len(stimulus.sweep)] = far[start : start + len(stimulus.sweep)]
    given = np.fft.rfft(sweep, size) * band(len(hz))
    loss = 10 * np.log10(np.sum(np.abs(given) ** 2) / np.sum(np.abs(given * way) ** 2)) if volume else 0.0
    gain = 0.0 if loss_db is None else 10 ** ((loss - loss_db) / 20)
    near = gain * echo + rng.normal(size=len(far)) * 10 ** (noise_dbfs / 20) * 32768
    return _int16(near), _int16(far)


def _int16(signal: Signal) -> Samples:
    return np.clip(np.rint(signal), -32768, 32767).astype(np.int16)


def measured(stimulus: Stimulus, **room_is: Any) -> Measurement:
    return measure(*room(stimulus, **room_is), stimulus)


def echo_of(stimulus: Stimulus, **room_is: Any) -> Echo:
    echo = measured(stimulus, **room_is).echo
    assert echo is not None
    return echo


def tone(count: int, hz: float, amplitude: float) -> Signal:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(count) / RATE_HZ)


@pytest.mark.parametrize("stimulus", [full(), probe()], ids=["full", "probe"])
@pytest.mark.parametrize(
    ("delay_ms", "loss_db", "noise_dbfs", "rt60_s"),
    [
        (0.0, 3.0, -70, 0.2),
        (12.34, 1.0, -60, 0.25),
        (60.0, 6.0, -65, 0.3),
        (150.0, 20.0, -55, 0.4),
        (300.0, 30.0, -60, 0.3),
        (480.0, -4.0, -70, 0.2),
        (700.0, 10.0, -60, 0.2),
    ],
)
def test_delay_loss_and_noise_are_found(
    stimulus: Stimulus, delay_ms: float, loss_db: float, noise_dbfs: float, rt60_s: float
) -> None:
    found = measured(stimulus, delay_ms=delay_ms, loss_db=loss_db, noise_dbfs=noise_dbfs, rt60_s=rt60_s)
    assert found.echo is not None
    assert found.echo.delay_ms == pytest.approx(delay_ms, abs=1)
    assert found.echo.loss_db == pytest.approx(loss_db, abs=1)
    assert found.noise_dbfs == pytest.approx(noise_dbfs, abs=1)
    assert found.echo.slip_ms == pytest.approx(0, abs=0.1)
    assert not found.dead
    assert not found.digital_silence


def test_an_echo_that_drowns_in_noise_is_found_down_to_40_db_below_what_was_played() -> None:
    assert echo_of(full(), loss_db=40.0, noise_dbfs=-50.0).loss_db == pytest.approx(40, abs=1)


@pytest.mark.parametrize("volume", [0.1, 0.5, 1.5])
def test_the_volume_does_not_change_the_loss(volume: float) -> None:
    found = measured(full(), volume=volume, loss_db=12.0)
    assert found.echo is not None
    assert found.echo.loss_db == pytest.approx(12, abs=1)
    assert found.played_dbfs == pytest.approx(-9.1 + 20 * np.log10(volume), abs=0.2)


@pytest.mark.parametrize("seed", range(5))
def test_where_the_loudspeaker_is_silent_no_echo_is_found(seed: int) -> None:
    assert measured(full(), loss_db=None, noise_dbfs=-45.0, seed=seed).echo is None
    assert measured(probe(), loss_db=None, noise_dbfs=-90.0, seed=seed).echo is None


def test_a_voice_and_a_click_in_the_room_are_no_echo() -> None:
    near, far = room(full(), loss_db=None)
    rng = np.random.default_rng(5)
    syllables = np.repeat(rng.uniform(0, 1, 40) ** 2, len(near) // 40 + 1)[: len(near)]
    voice = syllables * sum(tone(len(near), 140.0 * k, 3000 / k) for k in range(1, 30))
    assert measure((near + voice).clip(-32768, 32767).astype(np.int16), far, full()).echo is None
    near[30_000:30_003] = 30_000
    assert measure(near, far, full()).echo is None


def filtered(near: Samples, low_hz: float, high_hz: float) -> Samples:
    spectrum, hz = np.fft.rfft(near), np.fft.rfftfreq(len(near), 1 / RATE_HZ)
    return _int16(np.fft.irfft(np.where((hz > low_hz) & (hz < high_hz), spectrum, 0), len(near)))


def test_what_is_alike_at_one_pitch_only_is_no_echo() -> None:
    near, far = room(full(), loss_db=6.0)
    assert measure(filtered(near, 600, 700), far, full()).echo is None


def test_an_echo_as_over_a_telephone_is_found() -> None:
    near, far = room(full(), loss_db=12.0)
    echo = measure(filtered(near, 300, 3400), far, full()).echo
    assert echo is not None
    assert echo.delay_ms == pytest.approx(60, abs=1)


def test_a_sound_that_is_in_one_sweep_only_is_no_echo() -> None:
    near, far = room(full(), loss_db=10.0)
    near[: 1000 + full().starts[1]] = room(full(), loss_db=None)[0][: 1000 + full().starts[1]]
    assert measure(near, far, full()).echo is None


def test_two_echoes_that_do_not_come_at_the_same_time_are_none() -> None:
    near, far = room(full(), delay_ms=60)
    later, _ = room(full(), delay_ms=160)
    half = 1000 + full().starts[1] - 2400
    assert measure(np.concatenate((near[:half], later[half:])), far, full()).echo is None


def test_two_echoes_unlike_each_other_are_none() -> None:
    near, far = room(full(), delay_ms=60, rt60_s=0.2)
    flipped = near.copy()
    flipped[1000 + full().starts[1] - 2400 :] *= -1
    assert measure(flipped, far, full()).echo is None


def test_lost_samples_show_as_a_slip() -> None:
    near, far = room(full(), delay_ms=60)
    at = 1000 + full().starts[1] - 3000
    echo = measure(np.concatenate((near[:at], near[at + 240 :])), far, full()).echo
    assert echo is not None
    assert echo.slip_ms == pytest.approx(-10, abs=0.5)


def test_clocks_that_run_apart_show_as_drift() -> None:
    near, far = room(full(), delay_ms=60)
    times = np.arange(len(near))
    drifting = np.interp(times * (1 + 100e-6), times, near)
    echo = measure(np.rint(drifting).astype(np.int16), far, full()).echo
    assert echo is not None
    assert echo.drift_ppm == pytest.approx(-100, abs=10)


@pytest.mark.parametrize("drive", [1.0, 2.0, 4.0])
def test_a_loudspeaker_that_distorts_is_measured_as_a_tone_measures_it(drive: float) -> None:
    def overdriven(signal: Signal) -> Signal:
        return np.asarray(np.tanh(signal / 32768 * drive) / drive * 32768)

    overtones = np.abs(np.fft.rfft(overdriven(tone(RATE_HZ, 500, 16384))))
    wanted = np.sqrt(sum(overtones[500 * order] ** 2 for order in (2, 3, 4, 5))) / overtones[500]
    echo = echo_of(full(), loudspeaker=overdriven, noise_dbfs=-70)
    assert echo.distortion == pytest.approx(wanted, rel=0.25)
    assert echo.growth_db < -0.4


def test_a_clean_loudspeaker_has_no_distortion_and_follows_the_level() -> None:
    echo = echo_of(full(), noise_dbfs=-70)
    assert echo.distortion < 0.005
    assert echo.growth_db == pytest.approx(0, abs=0.1)


def test_a_microphone_that_is_overdriven_clips_and_its_loss_is_that_of_the_softer_sweep() -> None:
    found = measured(full(), loss_db=-8.0)
    assert found.clipped
    assert found.clipped_share > 0.02
    assert found.echo is not None
    assert found.echo.loss_db == pytest.approx(-8, abs=1)
    assert not measured(full(), loss_db=0.0, rt60_s=0.01).clipped


@pytest.mark.parametrize("value", [0, -7, 32767])
def test_a_microphone_that_gives_one_value_is_dead(value: int) -> None:
    near, far = room(full())
    found = measure(np.full_like(near, value), far, full())
    assert found.dead
    assert found.echo is None
    assert found.noise_dbfs == found.noise_a_dbfs == -120.0
    assert found.hum_hz is None


def test_the_loudspeakers_own_signal_has_no_room_and_no_noise() -> None:
    _, far = room(full())
    found = measure(np.roll(far, 720), far, full())
    assert found.digital_silence
    assert not found.dead
    assert found.echo is not None
    assert found.echo.delay_ms == pytest.approx(30, abs=0.1)
    assert found.echo.loss_db == pytest.approx(0, abs=0.1)
    assert found.echo.directness > 0.99
    assert echo_of(full(), rt60_s=0.3).directness < 0.9


def test_hum_is_told_and_weighs_less_in_the_ear() -> None:
    near, far = room(full(), noise_dbfs=-75)
    humming = near + tone(len(near), 50, 100) + tone(len(near), 100, 60)
    found = measure(np.rint(humming).clip(-32768, 32767).astype(np.int16), far, full())
    assert found.hum_hz == 50
    assert found.noise_a_dbfs < found.noise_dbfs - 15


def test_a_reflection_louder_than_the_direct_sound_is_not_taken_for_it() -> None:
    near, far = room(full(), delay_ms=40, rt60_s=0.01, noise_dbfs=-80)
    louder = near + np.rint(1.5 * np.roll(near.astype(np.float64), 240)).clip(-30000, 30000).astype(np.int16)
    echo = measure(louder, far, full()).echo
    assert echo is not None
    assert echo.delay_ms == pytest.approx(40, abs=1)


def test_nothing_was_played_at_volume_0() -> None:
    found = measured(full(), volume=0.0, loss_db=None)
    assert found.played_dbfs == -120.0
    assert found.echo is None


def test_samples_missing_in_what_was_handed_over_do_not_matter() -> None:
    near, far = room(full(), loss_db=6.0)
    start = 1000 + full().starts[1]
    for hole in range(start + 2400, start + 16_000, 2400):
        far[hole : hole + 900] = 0
    echo = measure(near, far, full()).echo
    assert echo is not None
    assert echo.delay_ms == pytest.approx(60, abs=1)
    assert echo.loss_db == pytest.approx(6, abs=1)


def test_a_recording_that_begins_with_the_sweep_has_no_noise_to_measure() -> None:
    near, far = room(full(), offset=0)
    lead = full().lead_samples
    assert measure(near[lead:], far[lead:], full()).noise_dbfs == -120.0


def test_something_else_in_the_loudspeaker_is_refused() -> None:
    near, far = room(full())
    other = np.random.default_rng(2).normal(size=len(far)) * 5000
    with pytest.raises(AudioError, match="something else was played"):
        measure(near, np.rint(other).astype(np.int16), full())


def test_half_a_recording_is_refused() -> None:
    near, far = room(full())
    with pytest.raises(AudioError, match="too short"):
        measure(near[:20_000], far[30_000:50_000], full())
