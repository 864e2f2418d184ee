from __future__ import annotations

import numpy as np
import pytest

from voicebotd.audio.gate import HalfDuplexGate, NoEchoControl, stage_for
from voicebotd.errors import AudioError

FRAME = 240
NEAR = np.full(FRAME, 500, dtype=np.int16)
QUIET = np.zeros(FRAME, dtype=np.int16)
LOUD = np.full(FRAME, 900, dtype=np.int16)


def test_no_echo_control_is_the_identity() -> None:
    stage = stage_for("none", tail_ms=300, round_trip_ms=50)
    assert isinstance(stage, NoEchoControl)
    assert stage.process(NEAR, LOUD) is NEAR
    assert not stage.needs_far


def test_the_microphone_is_open_while_nothing_plays() -> None:
    gate = HalfDuplexGate(hold_ms=100)
    assert gate.process(NEAR, QUIET) is NEAR


def test_the_gate_closes_with_the_first_audible_sample() -> None:
    gate = HalfDuplexGate(hold_ms=100)
    far = QUIET.copy()
    far[-1] = 1
    assert not gate.process(NEAR, far).any()


def test_the_gate_opens_after_round_trip_and_tail() -> None:
    gate = stage_for("half_duplex", tail_ms=60, round_trip_ms=40)
    assert gate.needs_far
    gate.process(NEAR, LOUD)
    gated = [not gate.process(NEAR, QUIET).any() for _ in range(12)]
    assert gated == [True] * 10 + [False] * 2


def test_sound_within_the_tail_holds_the_gate_on() -> None:
    gate = HalfDuplexGate(hold_ms=20)
    pattern = [LOUD, QUIET, QUIET, LOUD, QUIET, QUIET, QUIET]
    assert [bool(gate.process(NEAR, far).any()) for far in pattern] == [False] * 6 + [True]


def test_a_rung_that_is_not_built_is_refused() -> None:
    with pytest.raises(AudioError, match="aec"):
        stage_for("aec", tail_ms=0, round_trip_ms=0)
