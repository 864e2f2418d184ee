from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.ladder import DEAF_FRAMES, Ladder
from voicebotd.audio.ring import Samples
from voicebotd.errors import AudioError

FRAME = 240
QUIET = np.zeros(FRAME, dtype=np.int16)
NEAR = np.full(FRAME, 5000, dtype=np.int16)
RNG = np.random.default_rng(1)


class FakeLibrary:
    """Gives what it is given, until it is told to do something else."""

    def __init__(self, *, delay_ms: float) -> None:
        self.delay_ms = delay_ms
        self.does = "work"

    def process(self, near: Samples, far: Samples) -> Samples:
        if self.does == "raise":
            raise AudioError("the echo canceller failed: boom")
        if self.does == "shout":
            return np.full_like(near, 32_000)
        return np.zeros_like(near) if self.does == "silence" else near


class Rig:
    def __init__(self, mode: str = "aec") -> None:
        self.made: list[FakeLibrary] = []
        self.ladder = Ladder(mode, tail_ms=60, round_trip_ms=40, load=self._load)

    def _load(self, *, delay_ms: float) -> FakeLibrary:
        self.made.append(FakeLibrary(delay_ms=delay_ms))
        return self.made[-1]

    def hear(self, frames: int, near: Samples = NEAR, far: Samples = QUIET) -> Samples:
        return np.concatenate([self.ladder.process(near, far) for _ in range(frames)])

    @property
    def rung(self) -> str:
        return self.ladder.report().rung


@pytest.mark.parametrize("mode", ["aec", "gate", "half_duplex", "none"])
def test_each_mode_is_a_rung_that_passes_a_visitor_while_nothing_plays(mode: str) -> None:
    rig = Rig(mode)
    report = rig.ladder.report()
    assert (report.rung, report.why, report.gate_open) == (mode, "as configured", True)
    assert (report.echo_dbfs, report.erle_db, report.delay_ms, report.drift_ppm) == (-120.0, None, None, None)
    assert rig.ladder.needs_far == (mode != "none")
    assert (rig.hear(20)[-FRAME:] == 5000).all()


@pytest.mark.parametrize("mode", ["aec", "gate", "half_duplex"])
def test_no_rung_but_none_lets_the_first_echo_through(mode: str) -> None:
    rig = Rig(mode)
    rig.hear(20, near=QUIET)
    rig.hear(1, near=QUIET, far=QUIET + 1)
    far = np.rint(RNG.normal(0, 3000, FRAME)).astype(np.int16)
    assert not rig.hear(40, near=far // 2, far=far).any()
    assert not rig.ladder.report().gate_open


@pytest.mark.parametrize(("mode", "heard"), [("aec", False), ("gate", False), ("half_duplex", False), ("none", True)])
def test_an_echo_of_what_is_not_yet_paired_is_closed_on_every_rung_but_none(mode: str, heard: bool) -> None:
    rig = Rig(mode)
    rig.hear(30, near=QUIET)
    echo = np.rint(RNG.normal(0, 3000, FRAME)).astype(np.int16)
    out = [rig.ladder.process(echo, QUIET, sounds=True, known=False) for _ in range(100)]
    assert np.concatenate(out[1:]).any() == heard
    assert rig.ladder.report().gate_open == heard
    assert (rig.hear(60)[-FRAME:] == 5000).all(), "what is known again is believed"


def test_the_library_is_loaded_only_for_its_rung_and_told_the_round_trip() -> None:
    assert not Rig("gate").made
    assert [library.delay_ms for library in Rig("aec").made] == [40]


def test_a_mode_that_changes_before_the_first_frame_is_the_first_one() -> None:
    rig = Rig("half_duplex")
    rig.ladder.set_mode("none")
    assert not rig.ladder.needs_far
    assert (rig.hear(1) == 5000).all()


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AudioError, match="loud"):
        Ladder("loud", tail_ms=0, round_trip_ms=0)


def test_without_the_library_the_gate_stands_in_and_says_so() -> None:
    def load(*, delay_ms: float) -> FakeLibrary:
        raise AudioError("the echo canceller cannot be loaded: no module")

    ladder = Ladder("aec", tail_ms=0, round_trip_ms=0, load=load)
    report = ladder.report()
    assert (report.rung, report.why) == ("gate", "instead of aec: the echo canceller cannot be loaded: no module")


@pytest.mark.parametrize(("does", "why"), [("raise", "boom"), ("shout", "louder")])
def test_a_library_that_fails_again_and_again_is_given_up_for_the_gate(does: str, why: str) -> None:
    rig = Rig()
    rig.hear(50, near=NEAR // 4)
    rig.made[0].does = does
    out = rig.hear(350, near=NEAR // 4)
    assert rig.rung == "gate"
    assert why in rig.ladder.report().why
    assert (out[-10 * FRAME :] == 1250).all()


def test_the_gate_that_stands_in_begins_without_a_step() -> None:
    rig = Rig()
    heard = [rig.hear(50)]
    rig.made[0].does = "raise"
    heard.append(rig.hear(20))
    assert rig.rung == "gate"
    assert np.abs(np.diff(np.concatenate(heard).astype(int))[: 55 * FRAME]).max() <= 5000 / (FRAME - 1) + 1


def test_a_library_that_is_late_and_loud_for_a_moment_is_believed() -> None:
    rig = Rig()
    for _ in range(20):
        rig.made[0].does = "shout"
        rig.hear(1, near=NEAR * 4)
        rig.made[0].does = "work"
        rig.hear(49, near=NEAR * 4)
    assert rig.rung == "aec"


def test_a_failing_library_never_lets_raw_echo_out() -> None:
    rig = Rig()
    rig.made[0].does = "raise"
    far = np.rint(RNG.normal(0, 3000, FRAME)).astype(np.int16)
    rig.hear(10, near=QUIET)
    assert not rig.hear(40, near=far // 2, far=far).any()


def test_two_failures_in_ten_seconds_are_forgiven() -> None:
    rig = Rig()
    for _ in range(2):
        rig.made[0].does = "raise"
        rig.hear(2)
        rig.made[0].does = "work"
        rig.hear(1000)
    assert rig.rung == "aec"


def test_a_library_that_silences_a_visitor_while_nothing_plays_is_given_up() -> None:
    rig = Rig()
    rig.made[0].does = "silence"
    rig.hear(DEAF_FRAMES)
    assert rig.rung == "aec"
    rig.hear(10)
    assert rig.rung == "gate"
    assert (rig.hear(10)[-FRAME:] == 5000).all()


def test_choosing_aec_again_gives_the_library_another_chance() -> None:
    rig = Rig()
    rig.made[0].does = "raise"
    rig.hear(5)
    assert rig.rung == "gate"
    rig.ladder.set_mode("aec")
    rig.hear(5)
    assert rig.rung == "aec"
    assert len(rig.made) == 2


@pytest.mark.parametrize("before", ["aec", "gate", "half_duplex", "none"])
@pytest.mark.parametrize("after", ["aec", "gate", "half_duplex", "none"])
def test_changing_the_mode_makes_no_step_in_the_sound(before: str, after: str) -> None:
    rig = Rig(before)
    heard = [rig.hear(20)]
    rig.ladder.set_mode(after)
    assert rig.ladder.needs_far == (before != "none" or after != "none")
    heard.append(rig.hear(20))
    steps = np.abs(np.diff(np.concatenate(heard)[10 * FRAME :].astype(int)))
    allowed = 5000 if after in ("aec", "gate") else 5000 / (FRAME - 1) + 1
    assert steps.max() <= allowed
    assert rig.rung == after


def test_a_disturbance_is_for_the_rungs_that_learn() -> None:
    for mode in ("gate", "none"):
        rig = Rig(mode)
        rig.ladder.disturbed()
        assert (rig.hear(20)[-FRAME:] == 5000).all()
