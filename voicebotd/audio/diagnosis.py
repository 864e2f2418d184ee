"""What a self-test's numbers mean for this box: problems, advice, the rung of the echo ladder and the volume. PURE.

Owns the thresholds, each with its reason, and the sentences. How the numbers were computed is `selftest.py`'s.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from voicebotd.audio.level import FLOOR_DBFS
from voicebotd.audio.options import EchoControl
from voicebotd.audio.selftest import Echo, Measurement

ASSISTANT_DBFS = -14.0
"""Level of the assistant while it speaks, at 100 %. Measured: the bundled voice lies at -13.0 to -14.6, peaks at -3."""
VISITOR_DBFS = -30.0
"""Level of a visitor who speaks. An assumption: telephony aims at -26 (ITU-T P.800), and a visitor stands further
away from the microphone than from a handset."""
BEYOND_CANCELLING_DB = 10.0
"""An echo so much louder than the visitor: AEC3 needed 1 to 4 s to notice an interruption, 0.2 s at equal levels."""
TOLERANCE_DB = 1.0
LEAST_VOLUME_PERCENT = 20
"""Softer, a visitor in a public room does not understand; then it is the amplifier that is too loud."""
VOLUME_STEP = 5
LONG_DELAY_MS = 300.0
LONGEST_DELAY_MS = 500.0
"""The longest delay at which the echo canceller was measured (41 dB); beyond, it takes no hint."""
NOISY_DBFS = VISITOR_DBFS - 20
"""A-weighted. Babble 20 dB below a voice set off Silero in 5 % of the time, 10 dB below in 76 %."""
QUIET_DBFS = -80.0
"""Two or three units of 16 bits: a room's noise that soft tells of a microphone that is turned down."""
FAINT_ECHO_DBFS = -50.0
DISTORTED = 0.1
"""A linear canceller leaves the harmonics: 10 % of them are an echo 20 dB softer that stays."""
HOPELESSLY_DISTORTED = 0.3
GROWTH_DB = 3.0
SLIP_MS = 1.0
DRIFT_PPM = 300.0
"""Three times what two sound cards usually differ by. From here the canceller lost 13 dB (measured at 1000 ppm)."""
MONITOR_LOSS_DB, MONITOR_DIRECTNESS = 3.0, 0.98
MONITOR_DELAY_MS = 60.0
"""A monitor returns after the stream's own buffers: 30 ms was measured at `low` latency. A room adds its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The box at the time of the test."""

    input: str
    output: str
    volume_percent: int
    muted: bool
    aec_installed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What became of looking for the test signal elsewhere: the first device that worked, None where none did."""

    hearing_input: str | None = None
    sounding_output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    echo_control: EchoControl
    volume_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    verdict: str
    """One sentence."""
    problems: tuple[str, ...]
    """What needs a person, most urgent first."""
    advice: tuple[str, ...]
    recommended: Recommended | None
    """None: not while it is so."""
    echo_dbfs: float | None
    """Level at which the assistant arrives at the microphone at the present volume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    advice: str
    problem: str = ""
    """Empty: nothing is wrong, but it could be better."""


def missing(measured: Measurement) -> bool:
    """Whether the test signal was played and the microphone did not hear it: worth a `Search`."""
    return measured.played_dbfs > FLOOR_DBFS and measured.echo is None


def is_monitor(measured: Measurement) -> bool:
    """Whether the microphone is in truth the loudspeaker's own signal: no room, no noise, (nearly) no loss."""
    echo = measured.echo
    if echo is None or not measured.digital_silence:
        return False
    alike = abs(echo.loss_db) < MONITOR_LOSS_DB and echo.directness > MONITOR_DIRECTNESS
    return alike and echo.delay_ms < MONITOR_DELAY_MS


def diagnose(measured: Measurement, situation: Situation, search: Search | None = None) -> Diagnosis:
    """`search`: where the test signal was heard, if it was `missing` and looked for."""
    broken = list(_broken(measured, situation, search or Search()))
    echo = measured.echo
    if broken or echo is None:
        # Nothing is recommended: a loudspeaker that was only switched off would talk to an open microphone once it is
        # on again.
        return _diagnosis([*(broken or [_unheard(situation)]), *_room(measured)], None, echo_dbfs=None, well="")
    volume = _volume(echo, situation)
    recommended = Recommended(echo_control=_rung(echo, situation, volume), volume_percent=volume)
    findings = [*_level(measured, echo, situation, recommended), *_path(measured, echo), *_room(measured)]
    return _diagnosis(
        findings, recommended, echo_dbfs=_echo_dbfs(echo, situation.volume_percent), well=_well(measured, echo)
    )


def _well(measured: Measurement, echo: Echo) -> str:
    noisy = measured.noise_a_dbfs > NOISY_DBFS
    return (
        f"{'The sound works' if noisy else 'All is well'}: the microphone hears the loudspeaker after "
        f"{echo.delay_ms:.0f} ms and {abs(echo.loss_db):.0f} dB {'louder' if echo.loss_db < 0 else 'softer'}, and the "
        f"room is {'noisy' if noisy else 'quiet enough'} ({measured.noise_a_dbfs:.0f} dBFS)."
    )


def _diagnosis(
    findings: list[_Finding], recommended: Recommended | None, *, echo_dbfs: float | None, well: str
) -> Diagnosis:
    problems = tuple(finding.problem for finding in findings if finding.problem)
    return Diagnosis(
        verdict=problems[0] if problems else well,
        problems=problems,
        advice=tuple(finding.advice for finding in findings),
        recommended=recommended,
        echo_dbfs=echo_dbfs,
    )


# What makes the rest meaningless.


def _broken(measured: Measurement, situation: Situation, search: Search) -> Iterator[_Finding]:
    if measured.played_dbfs <= FLOOR_DBFS and situation.volume_percent:
        yield _Finding(
            problem="The test signal did not come out in time: the machine or the sound server is too slow.",
            advice="Repeat it while less runs; if it stays, `voicebotctl status` counts xruns and respawns.",
        )
    elif measured.played_dbfs <= FLOOR_DBFS:
        yield _Finding(problem="The volume is 0 %: nothing was played.", advice="Turn it up: `voicebotctl volume 60`.")
    elif situation.muted:
        yield _Finding(problem="The microphone is muted in voicebotd.", advice="Open it: `voicebotctl unmute`.")
    elif search.hearing_input is not None:
        other = search.hearing_input
        yield _Finding(
            problem=f"The microphone '{other}' hears the loudspeaker, the chosen '{situation.input}' does not.",
            advice=f"Use it: `voicebotctl devices select --input {shlex.quote(other)}`; audio.input_device keeps it.",
        )
    elif measured.dead:
        yield _Finding(
            problem=f"The microphone '{situation.input}' is dead: it gives digital silence.",
            advice="Unmute it in its mixer (alsamixer, pavucontrol), look at its switch and its plug, or choose another"
            " input: `voicebotctl devices`.",
        )
    elif search.sounding_output is not None:
        other = search.sounding_output
        yield _Finding(
            problem=f"The loudspeaker '{other}' is heard, the chosen '{situation.output}' is not.",
            advice=f"Use it: `voicebotctl devices select --output {shlex.quote(other)}`; audio.output_device keeps it.",
        )
    elif measured.echo is None and measured.noise_dbfs < QUIET_DBFS:
        yield _Finding(
            problem=f"The microphone '{situation.input}' is very quiet ({measured.noise_dbfs:.0f} dBFS) and does not "
            f"hear the loudspeaker '{situation.output}'.",
            advice="Raise the microphone's gain in its mixer (or audio.input_gain_db), and see that the loudspeaker is"
            " on; then repeat the self-test.",
        )
    elif is_monitor(measured):
        yield _Finding(
            problem=f"The input '{situation.input}' is a loopback of the output, not a microphone.",
            advice="Choose another input: `voicebotctl devices`, `voicebotctl devices select --input NAME`.",
        )


def _unheard(situation: Situation) -> _Finding:
    return _Finding(
        problem=f"The microphone '{situation.input}' lives, but does not hear the loudspeaker '{situation.output}'.",
        advice="Either the loudspeaker is muted, switched off or unplugged: look at its mixer, its switch and its plug."
        " Or headphones are in use, or the device removes its echo by itself: then"
        " `voicebotctl config set --persist audio.echo_control=none` is right.",
    )


# What the echo is like.


def _echo_dbfs(echo: Echo, volume_percent: int) -> float:
    return ASSISTANT_DBFS + 20 * math.log10(max(volume_percent, 1) / 100) - echo.loss_db


def _volume(echo: Echo, situation: Situation) -> int:
    """The volume in use, or the one at which the assistant arrives as loud as a visitor."""
    present = situation.volume_percent
    excess_db = _echo_dbfs(echo, present) - VISITOR_DBFS
    if excess_db <= TOLERANCE_DB:
        return present
    wanted = int(present / 10 ** (excess_db / 20)) // VOLUME_STEP * VOLUME_STEP
    return min(present, max(LEAST_VOLUME_PERCENT, wanted))


def _rung(echo: Echo, situation: Situation, volume_percent: int) -> EchoControl:
    too_loud = _echo_dbfs(echo, volume_percent) > VISITOR_DBFS + BEYOND_CANCELLING_DB
    if too_loud or echo.delay_ms > LONGEST_DELAY_MS or echo.distortion > HOPELESSLY_DISTORTED:
        return "half_duplex"
    return "aec" if situation.aec_installed else "gate"


def _level(measured: Measurement, echo: Echo, situation: Situation, recommended: Recommended) -> Iterator[_Finding]:
    if measured.clipped:
        yield _Finding(
            problem=f"The microphone is overdriven: {measured.clipped_share:.1%} of its samples are at full scale.",
            advice="Lower the microphone's gain in its mixer, or the volume, until this is gone.",
        )
    echo_dbfs = _echo_dbfs(echo, situation.volume_percent)
    if echo_dbfs > VISITOR_DBFS + TOLERANCE_DB:
        lower = recommended.volume_percent
        still = _echo_dbfs(echo, lower) > VISITOR_DBFS + TOLERANCE_DB
        more = " Turn down the amplifier too, or move microphone and loudspeaker apart." if still else ""
        remedy = f"Set the volume to {lower} %: `voicebotctl volume {lower}`, or `voicebotctl selftest --apply`."
        yield _Finding(
            problem=f"The assistant reaches the microphone {echo_dbfs - VISITOR_DBFS:.0f} dB louder than a visitor "
            f"({echo_dbfs:.0f} dBFS; a visitor is taken to be at {VISITOR_DBFS:.0f}): interruptions are noticed late.",
            advice=(remedy if lower < situation.volume_percent else "").strip() + more,
        )
    if _echo_dbfs(echo, 100) < FAINT_ECHO_DBFS and measured.noise_dbfs < QUIET_DBFS:
        yield _Finding(
            problem=f"The microphone '{situation.input}' is very quiet (noise {measured.noise_dbfs:.0f} dBFS).",
            advice="Raise the microphone's gain in its mixer (or audio.input_gain_db).",
        )


def _path(measured: Measurement, echo: Echo) -> Iterator[_Finding]:
    if echo.distortion > DISTORTED and not measured.clipped:
        yield _Finding(
            problem=f"The loudspeaker distorts: overtones are {echo.distortion:.0%} of its sound.",
            advice="Lower the volume or use a better loudspeaker: no echo canceller removes distortion.",
        )
    if echo.delay_ms > LONG_DELAY_MS:
        worse = "beyond what echo cancelling copes with, so" if echo.delay_ms > LONGEST_DELAY_MS else "and"
        yield _Finding(
            problem=f"Sound takes {echo.delay_ms:.0f} ms from the loudspeaker to the microphone, {worse} interruptions "
            "suffer.",
            advice="Use wired devices: Bluetooth and network audio take that long.",
        )
    if abs(echo.slip_ms) > SLIP_MS:
        yield _Finding(
            problem=f"Sound was lost during the test: the echo moved by {echo.slip_ms:+.0f} ms.",
            advice="Repeat it; if it stays, look for a busy machine or device: `voicebotctl status` counts xruns.",
        )
    elif abs(echo.drift_ppm) > DRIFT_PPM:
        yield _Finding(
            advice=f"The clocks differ by {echo.drift_ppm:+.0f} ppm: use one sound card for both directions."
        )
    if abs(echo.growth_db) > GROWTH_DB and not measured.clipped:
        yield _Finding(
            advice=f"The echo does not follow the volume ({echo.growth_db:+.0f} dB): turn off automatic gain control."
        )


def _room(measured: Measurement) -> Iterator[_Finding]:
    if measured.noise_a_dbfs > NOISY_DBFS:
        yield _Finding(
            advice=f"The room is noisy ({measured.noise_a_dbfs:.0f} dBFS): `voicebotctl vad set --profile noisy`."
        )
    if measured.hum_hz is not None and measured.noise_dbfs > QUIET_DBFS + 15:
        yield _Finding(
            advice=f"The noise is mostly mains hum ({measured.hum_hz} Hz, {measured.noise_dbfs:.0f} dBFS): look at the"
            " microphone's cable, plug and power supply."
        )
