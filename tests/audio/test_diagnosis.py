from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from voicebotd.audio.diagnosis import Diagnosis, Recommended, Search, Situation, diagnose, is_monitor, missing
from voicebotd.audio.selftest import Echo, Measurement

SITUATION = Situation(input="USB mic", output="Speaker", volume_percent=100, muted=False, aec_installed=True)
ECHO = Echo(
    delay_ms=62.0,
    loss_db=20.0,
    prominence_db=60.0,
    distortion=0.01,
    directness=0.6,
    growth_db=0.0,
    slip_ms=0.0,
    drift_ppm=5.0,
)
GOOD = Measurement(
    played_dbfs=-9.0,
    dead=False,
    digital_silence=False,
    noise_dbfs=-58.0,
    noise_a_dbfs=-62.0,
    hum_hz=None,
    clipped_share=0.0,
    echo=ECHO,
)
DEAF = replace(GOOD, echo=None)


def with_echo(**changes: Any) -> Measurement:
    return replace(GOOD, echo=replace(ECHO, **changes))


def diagnosed(measured: Measurement, search: Search | None = None, **situation: Any) -> Diagnosis:
    return diagnose(measured, replace(SITUATION, **situation), search)


def the_problem(diagnosis: Diagnosis) -> str:
    (problem,) = diagnosis.problems
    assert diagnosis.verdict == problem
    return problem


def advice(diagnosis: Diagnosis) -> str:
    return " ".join(diagnosis.advice)


def test_a_good_room_is_said_to_be_good_with_its_numbers() -> None:
    diagnosis = diagnosed(GOOD)
    assert diagnosis.problems == diagnosis.advice == ()
    assert diagnosis.verdict.startswith(
        "All is well: the microphone hears the loudspeaker after 62 ms and 20 dB softer"
    )
    assert "quiet enough (-62 dBFS)" in diagnosis.verdict
    assert diagnosis.recommended == Recommended(echo_control="aec", volume_percent=100)
    assert diagnosis.echo_dbfs == pytest.approx(-34)


def test_without_the_echo_cancellers_library_the_gate_is_recommended() -> None:
    recommended = diagnosed(GOOD, aec_installed=False).recommended
    assert recommended == Recommended(echo_control="gate", volume_percent=100)


# What makes the rest meaningless.


def test_a_volume_of_0_played_nothing() -> None:
    silent = replace(DEAF, played_dbfs=-120.0)
    diagnosis = diagnosed(silent, volume_percent=0)
    assert "volume is 0 %" in the_problem(diagnosis)
    assert "voicebotctl volume" in advice(diagnosis)
    assert diagnosis.recommended is None
    assert not missing(silent)


def test_a_signal_that_was_not_played_at_a_volume_that_is_up_is_blamed_on_the_machine() -> None:
    diagnosis = diagnosed(replace(DEAF, played_dbfs=-120.0), volume_percent=80)
    assert "did not come out in time" in the_problem(diagnosis)
    assert "Repeat it" in advice(diagnosis)
    assert diagnosis.recommended is None


def test_a_microphone_muted_by_us_is_not_called_dead() -> None:
    diagnosis = diagnosed(replace(DEAF, dead=True), muted=True)
    assert "muted in voicebotd" in the_problem(diagnosis)
    assert "voicebotctl unmute" in advice(diagnosis)


def test_a_dead_microphone_is_named() -> None:
    dead = replace(DEAF, dead=True, digital_silence=True, noise_dbfs=-120.0, noise_a_dbfs=-120.0)
    diagnosis = diagnosed(dead, Search())
    assert "'USB mic' is dead" in the_problem(diagnosis)
    assert "mixer" in advice(diagnosis)
    assert diagnosis.recommended is None
    assert missing(dead)


def test_another_microphone_that_hears_is_named_with_the_command_that_chooses_it() -> None:
    diagnosis = diagnosed(DEAF, Search(hearing_input="C920 (webcam)"))
    assert the_problem(diagnosis) == (
        "The microphone 'C920 (webcam)' hears the loudspeaker, the chosen 'USB mic' does not."
    )
    assert f"voicebotctl devices select --input {shlex.quote('C920 (webcam)')}" in advice(diagnosis)
    assert diagnosis.recommended is None


def test_another_loudspeaker_that_is_heard_is_named() -> None:
    diagnosis = diagnosed(DEAF, Search(sounding_output="HDMI"))
    assert "'HDMI' is heard, the chosen 'Speaker' is not" in the_problem(diagnosis)
    assert "devices select --output HDMI" in advice(diagnosis)
    assert diagnosis.recommended is None


def test_a_loudspeaker_that_nobody_hears_may_be_mute_or_be_headphones() -> None:
    diagnosis = diagnosed(DEAF, Search(), volume_percent=70)
    assert "lives, but does not hear the loudspeaker 'Speaker'" in the_problem(diagnosis)
    assert "muted" in advice(diagnosis)
    assert "headphones" in advice(diagnosis)
    assert diagnosis.recommended is None, "once it is switched on, it would talk to an open microphone"
    assert diagnosis.echo_dbfs is None


def test_a_microphone_so_quiet_that_it_hears_nothing_is_said_to_be_quiet_first() -> None:
    diagnosis = diagnosed(replace(DEAF, noise_dbfs=-88.0))
    assert "very quiet (-88 dBFS)" in the_problem(diagnosis)
    assert "gain" in advice(diagnosis)
    assert diagnosis.recommended is None


def test_the_loudspeakers_monitor_is_no_microphone() -> None:
    monitor = replace(with_echo(loss_db=0.1, directness=0.999, delay_ms=31.0), digital_silence=True, noise_dbfs=-120.0)
    assert is_monitor(monitor)
    diagnosis = diagnosed(monitor)
    assert "'USB mic' is a loopback of the output" in the_problem(diagnosis)
    assert "another input" in advice(diagnosis)
    assert diagnosis.recommended is None


@pytest.mark.parametrize(
    "real",
    [
        GOOD,
        DEAF,
        replace(with_echo(loss_db=6.0, directness=0.999), digital_silence=True),
        replace(with_echo(loss_db=0.0, directness=0.7), digital_silence=True),
        with_echo(loss_db=0.0, directness=0.999),
        replace(with_echo(loss_db=0.0, directness=0.999, delay_ms=91.0), digital_silence=True),
    ],
    ids=[
        "a room",
        "no echo",
        "an echo that is softer",
        "a gated microphone in a room",
        "noise",
        "a way through the air",
    ],
)
def test_what_has_a_loss_a_room_or_noise_is_no_monitor(real: Measurement) -> None:
    assert not is_monitor(real)


# Level.


def test_an_echo_louder_than_a_visitor_gets_the_volume_that_makes_it_as_loud() -> None:
    diagnosis = diagnosed(with_echo(loss_db=6.0))
    assert "10 dB louder than a visitor (-20 dBFS" in the_problem(diagnosis)
    assert "voicebotctl volume 30" in advice(diagnosis)
    assert "voicebotctl selftest --apply" in advice(diagnosis)
    assert diagnosis.recommended == Recommended(echo_control="aec", volume_percent=30)


@pytest.mark.parametrize("loss_db", [0.0, 6.0, 10.0, 14.0])
def test_the_recommended_volume_mends_the_problem(loss_db: float) -> None:
    recommended = diagnosed(with_echo(loss_db=loss_db)).recommended
    assert recommended is not None
    after = diagnosed(with_echo(loss_db=max(loss_db, 3.0)), volume_percent=recommended.volume_percent)
    assert after.problems == ()
    assert after.recommended == recommended


def test_a_volume_that_was_lowered_by_hand_is_never_raised() -> None:
    recommended = diagnosed(with_echo(loss_db=30.0), volume_percent=40).recommended
    assert recommended == Recommended(echo_control="aec", volume_percent=40)


def test_where_even_the_least_volume_is_too_loud_the_amplifier_is() -> None:
    diagnosis = diagnosed(with_echo(loss_db=-4.0))
    assert "Turn down the amplifier" in advice(diagnosis)
    assert diagnosis.recommended == Recommended(echo_control="aec", volume_percent=20)
    softest = diagnosed(with_echo(loss_db=-4.0), volume_percent=15)
    assert softest.recommended == Recommended(echo_control="aec", volume_percent=15)
    assert "Set the volume" not in advice(softest)


@pytest.mark.parametrize("hopeless", [{"loss_db": -9.0}, {"delay_ms": 520.0}, {"distortion": 0.4}])
def test_an_echo_that_cannot_be_removed_asks_for_half_duplex(hopeless: dict[str, float]) -> None:
    recommended = diagnosed(with_echo(**hopeless)).recommended
    assert recommended is not None
    assert recommended.echo_control == "half_duplex"


def test_an_overdriven_microphone_is_named_and_not_called_a_bad_loudspeaker() -> None:
    diagnosis = diagnosed(replace(with_echo(distortion=0.2, growth_db=-5.0), clipped_share=0.023))
    assert "overdriven: 2.3%" in the_problem(diagnosis)
    assert "gain" in advice(diagnosis)


def test_a_faint_microphone_is_very_quiet() -> None:
    diagnosis = diagnosed(replace(with_echo(loss_db=40.0), noise_dbfs=-86.0, noise_a_dbfs=-88.0))
    assert "very quiet" in the_problem(diagnosis)
    assert diagnosis.recommended == Recommended(echo_control="aec", volume_percent=100)
    assert diagnosed(with_echo(loss_db=40.0)).problems == ()


# The way.


def test_a_loudspeaker_that_distorts_is_named() -> None:
    diagnosis = diagnosed(with_echo(distortion=0.15))
    assert "distorts: overtones are 15%" in the_problem(diagnosis)
    assert diagnosis.recommended == Recommended(echo_control="aec", volume_percent=100)


@pytest.mark.parametrize(("delay_ms", "words"), [(350.0, "350 ms"), (650.0, "beyond what echo cancelling copes with")])
def test_a_long_delay_is_named(delay_ms: float, words: str) -> None:
    diagnosis = diagnosed(with_echo(delay_ms=delay_ms))
    assert words in the_problem(diagnosis)
    assert "Bluetooth" in advice(diagnosis)


def test_lost_sound_is_named() -> None:
    assert "Sound was lost" in the_problem(diagnosed(with_echo(slip_ms=-10.0, drift_ppm=-7700.0)))


def test_clocks_that_differ_too_much_are_worth_a_word() -> None:
    diagnosis = diagnosed(with_echo(slip_ms=0.6, drift_ppm=460.0))
    assert diagnosis.problems == ()
    assert "+460 ppm" in advice(diagnosis)


def test_a_level_that_is_regulated_is_worth_a_word() -> None:
    diagnosis = diagnosed(with_echo(growth_db=-6.0))
    assert diagnosis.problems == ()
    assert "automatic gain control" in advice(diagnosis)


# The room.


def test_a_noisy_room_is_said_to_be_noisy_and_the_profile_for_it_named() -> None:
    diagnosis = diagnosed(replace(GOOD, noise_a_dbfs=-42.0))
    assert diagnosis.problems == ()
    assert diagnosis.verdict == (
        "The sound works: the microphone hears the loudspeaker after 62 ms and 20 dB softer, and the room is noisy "
        "(-42 dBFS)."
    )
    assert "voicebotctl vad set --profile noisy" in advice(diagnosis)


def test_an_echo_that_is_amplified_is_called_louder() -> None:
    amplified = diagnosed(with_echo(loss_db=-3.0), volume_percent=1)
    assert amplified.problems == ()
    assert "3 dB louder" in amplified.verdict


def test_hum_is_worth_a_word_where_it_is_loud() -> None:
    assert "mains hum (50 Hz" in advice(diagnosed(replace(GOOD, hum_hz=50)))
    assert diagnosed(replace(GOOD, hum_hz=50, noise_dbfs=-75.0)).advice == ()


def test_noise_is_told_also_where_no_echo_is() -> None:
    assert "noisy" in advice(diagnosed(replace(DEAF, noise_a_dbfs=-42.0)))


def test_the_first_problem_is_the_verdict_and_the_rest_follows() -> None:
    diagnosis = diagnosed(replace(with_echo(loss_db=0.0, delay_ms=400.0), clipped_share=0.1))
    assert [problem.split()[1] for problem in diagnosis.problems] == ["microphone", "assistant", "takes"]
    assert diagnosis.verdict == diagnosis.problems[0]
    assert len(diagnosis.advice) == 3
