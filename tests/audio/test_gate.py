from __future__ import annotations

import numpy as np

from voicebotd.audio.gate import LOOK_AHEAD_FRAMES, EchoGate, HalfDuplexGate, NoEchoControl

FRAME = 240
NEAR = np.full(FRAME, 500, dtype=np.int16)
QUIET = np.zeros(FRAME, dtype=np.int16)
LOUD = np.full(FRAME, 900, dtype=np.int16)
DELAY = 1440


def test_no_echo_control_is_the_identity() -> None:
    stage = NoEchoControl()
    assert stage.process(NEAR, LOUD) is NEAR
    assert not stage.needs_far


def test_the_microphone_is_open_while_nothing_plays() -> None:
    gate = HalfDuplexGate(hold_ms=100)
    assert gate.process(NEAR, QUIET) is NEAR
    assert gate.is_open


def test_the_gate_closes_with_the_first_audible_sample() -> None:
    gate = HalfDuplexGate(hold_ms=100)
    far = QUIET.copy()
    far[-1] = 1
    assert not gate.process(NEAR, far).any()
    assert not gate.is_open


def test_the_gate_opens_after_the_hold() -> None:
    gate = HalfDuplexGate(hold_ms=100)
    assert gate.needs_far
    gate.process(NEAR, LOUD)
    gated = [not gate.process(NEAR, QUIET).any() for _ in range(12)]
    assert gated == [True] * 10 + [False] * 2


def test_sound_within_the_tail_holds_the_gate_on() -> None:
    gate = HalfDuplexGate(hold_ms=20)
    pattern = [LOUD, QUIET, QUIET, LOUD, QUIET, QUIET, QUIET]
    assert [bool(gate.process(NEAR, far).any()) for far in pattern] == [False] * 6 + [True]


def bursts(seconds: float, seed: int, amplitude: float) -> np.ndarray:
    """Noise in syllables of 200 ms."""
    count = round(seconds * 100) * FRAME
    rng = np.random.default_rng(seed)
    envelope = np.repeat(rng.uniform(0.1, 1.0, count // 4800 + 1), 4800)[:count]
    return np.asarray(np.rint(rng.normal(0, amplitude, count) * envelope), dtype=np.int16)


def echo_of(far: np.ndarray) -> np.ndarray:
    return np.asarray(np.concatenate((np.zeros(DELAY), far * 0.5))[: len(far)], dtype=np.int16)


def run(gate: EchoGate, near: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, list[bool]]:
    out, opened = [], []
    for at in range(0, len(near), FRAME):
        out.append(gate.process(near[at : at + FRAME], far[at : at + FRAME]))
        opened.append(gate.is_open)
    return np.concatenate(out), opened


def test_without_a_loudspeaker_everything_passes_at_a_constant_delay() -> None:
    near = bursts(1, 5, 1000)
    out, _ = run(EchoGate(hold_ms=300), near, np.zeros_like(near))
    late = LOOK_AHEAD_FRAMES * FRAME
    assert not out[:late].any()
    assert np.array_equal(out[late:], near[:-late])


def test_its_own_echo_is_silence_from_the_first_word() -> None:
    far = bursts(8, 1, 3000)
    out, opened = run(EchoGate(hold_ms=300), echo_of(far), far)
    assert not out[(LOOK_AHEAD_FRAMES + 1) * FRAME :].any()
    assert not any(opened[LOOK_AHEAD_FRAMES + 1 :])


def test_a_visitor_over_the_echo_is_heard_from_near_the_beginning_and_without_the_echo() -> None:
    far = bursts(8, 1, 3000)
    visitor = np.zeros_like(far)
    visitor[6 * 24_000 : 7 * 24_000] = bursts(1, 9, 2500)
    gate = EchoGate(hold_ms=300)
    out, opened = run(gate, echo_of(far) + visitor, far)
    assert not any(opened[10:600])
    assert 600 <= opened.index(True, 10) <= 630
    late = LOOK_AHEAD_FRAMES * FRAME
    heard, said = out[7 * 24_000 - 12_000 + late :][:12_000].astype(float), visitor[7 * 24_000 - 12_000 :][:12_000]
    assert np.corrcoef(heard, said)[0, 1] > 0.9
    assert gate.meter.erle_db is not None


def test_it_opens_and_closes_without_a_step() -> None:
    far = bursts(3, 1, 3000)
    far[24_000:] = 0
    near = np.full(len(far), 8000, dtype=np.int16)
    gate = EchoGate(hold_ms=50, second=lambda left, far: NEAR * 16)
    out, opened = run(gate, near, far)
    assert opened[-1]
    assert not opened[50]
    steps = np.abs(np.diff(out[LOOK_AHEAD_FRAMES * FRAME :].astype(int)))
    assert steps.max() <= 8000 / (FRAME - 1) + 1


def test_the_second_canceller_hears_what_the_first_one_left_and_may_fail_or_go() -> None:
    far = bursts(4, 1, 3000)
    heard: list[np.ndarray] = []

    def second(left: np.ndarray, far: np.ndarray) -> np.ndarray | None:
        heard.append(left)
        return None if len(heard) % 2 else left

    gate = EchoGate(hold_ms=300, second=second)
    near = echo_of(far)
    run(gate, near[:72_000], far[:72_000])
    assert len(heard) == 300
    assert np.std(np.concatenate(heard[200:])) < 0.3 * np.std(near[48_000:72_000])
    gate.go_on_without_second()
    out, _ = run(gate, near[72_000:], far[72_000:])
    assert len(heard) == 300
    assert not out.any()


def test_after_a_disturbance_it_is_closed_until_it_knows_the_room_again() -> None:
    far = bursts(6, 1, 3000)
    visitor = bursts(6, 9, 2500)
    gate = EchoGate(hold_ms=300)
    run(gate, echo_of(far), far)
    gate.forget()
    _, opened = run(gate, echo_of(far)[:12_000] + visitor[:12_000], far[:12_000])
    assert not any(opened)
