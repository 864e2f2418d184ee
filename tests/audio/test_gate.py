from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from voicebotd.audio.gate import (
    LONG_FRAMES,
    SHORT_FRAMES,
    EchoCanceller,
    EchoGate,
    HalfDuplexGate,
    NoEchoControl,
    PairingGate,
)

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
    """Noise below 7.5 kHz in syllables of 200 ms."""
    count = round(seconds * 100) * FRAME
    rng = np.random.default_rng(seed)
    envelope = np.repeat(rng.uniform(0.1, 1.0, count // 4800 + 1), 4800)[:count]
    spectrum = np.fft.rfft(rng.normal(0, amplitude, count) * envelope)
    spectrum[np.fft.rfftfreq(count, 1 / 24_000) > 7500] = 0
    return np.asarray(np.rint(np.fft.irfft(spectrum, count)), dtype=np.int16)


def echo_of(far: np.ndarray) -> np.ndarray:
    return np.asarray(np.concatenate((np.zeros(DELAY), far * 0.5))[: len(far)], dtype=np.int16)


def run(gate: EchoGate | EchoCanceller, near: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, list[bool]]:
    out, opened = [], []
    for at in range(0, len(near), FRAME):
        out.append(gate.process(near[at : at + FRAME], far[at : at + FRAME]))
        opened.append(gate.is_open)
        assert len(out[-1]) == FRAME
    return np.concatenate(out), opened


def lag_frames(out: np.ndarray, near: np.ndarray) -> int:
    """How many frames later the end of `near` is in `out`."""
    end = near[-4800 - 40 * FRAME :]
    ends = [end[len(end) - 4800 - late * FRAME :][:4800] for late in range(40)]
    return next(late for late, sound in enumerate(ends) if np.array_equal(out[-4800:], sound))


def test_without_a_loudspeaker_everything_passes_at_a_constant_delay() -> None:
    near = bursts(1, 5, 1000)
    out, _ = run(EchoGate(hold_ms=300), near, np.zeros_like(near))
    late = SHORT_FRAMES * FRAME
    assert not out[:late].any()
    assert np.array_equal(out[late:], near[:-late])


def test_its_own_echo_is_silence_from_the_first_word() -> None:
    far = bursts(8, 1, 3000)
    out, opened = run(EchoGate(hold_ms=300), echo_of(far), far)
    assert not out[(SHORT_FRAMES + 1) * FRAME :].any()
    assert not any(opened[SHORT_FRAMES + 1 :])


def test_a_visitor_over_the_echo_is_heard_from_the_first_sound_and_without_the_echo() -> None:
    far = bursts(8, 1, 3000)
    visitor = np.zeros_like(far)
    visitor[6 * 24_000 : 7 * 24_000] = bursts(1, 9, 2500)
    gate = EchoGate(hold_ms=300)
    out, opened = run(gate, echo_of(far) + visitor, far)
    assert not any(opened[10:600])
    assert 600 <= opened.index(True, 10) <= 600 + LONG_FRAMES
    late = LONG_FRAMES * FRAME
    heard, said = out[6 * 24_000 + late :][:24_000].astype(float), visitor[6 * 24_000 : 7 * 24_000]
    assert np.corrcoef(heard, said)[0, 1] > 0.9
    assert gate.meter.erle_db is not None


def test_it_waits_longer_only_while_something_plays_and_the_door_is_closed() -> None:
    far = bursts(2, 1, 3000)
    far[24_000:] = 0
    near = echo_of(far) + np.concatenate((np.zeros(36_000, dtype=np.int16), bursts(0.5, 9, 2500)))
    out, _ = run(EchoGate(hold_ms=50), near, far)
    assert lag_frames(out, near) == SHORT_FRAMES


def test_after_an_interruption_it_comes_back_to_the_short_wait_in_quiet_frames_only() -> None:
    far = bursts(10, 1, 3000)
    far[7 * 24_000 :] = 0
    words, more = bursts(1, 9, 2500), bursts(1, 8, 2500)
    visitor = np.zeros_like(far)
    visitor[156_000:180_000], visitor[200_000:224_000] = words, more
    near = echo_of(far) + visitor
    out, _ = run(EchoGate(hold_ms=100), near, far)
    late = LONG_FRAMES * FRAME
    assert np.array_equal(out[175_200 + late : 180_000 + late], near[175_200:180_000])
    late = SHORT_FRAMES * FRAME
    assert np.array_equal(out[200_000 + late : 224_000 + late], more)


def test_it_opens_and_closes_without_a_step() -> None:
    far = bursts(3, 1, 3000)
    far[24_000:] = 0
    near = np.full(len(far), 8000, dtype=np.int16)
    far_only = EchoGate(hold_ms=50)
    far_only._canceller.process = lambda near, far: near  # type: ignore[method-assign]
    out, opened = run(far_only, near, far)
    assert opened[-1]
    assert not opened[50]
    steps = np.abs(np.diff(out[SHORT_FRAMES * FRAME :].astype(int)))
    assert steps.max() <= 8000 / (FRAME - 1) + 1


def test_after_a_disturbance_it_is_closed_until_it_knows_the_room_again() -> None:
    far = bursts(6, 1, 3000)
    visitor = bursts(6, 9, 2500)
    gate = EchoGate(hold_ms=300)
    run(gate, echo_of(far), far)
    gate.disturbed()
    _, opened = run(gate, echo_of(far)[:12_000] + visitor[:12_000], far[:12_000])
    assert not any(opened)


def passes(left: np.ndarray, far: np.ndarray) -> np.ndarray:
    return left


def test_the_second_canceller_hears_what_the_first_one_left() -> None:
    far = bursts(4, 1, 3000)
    heard: list[np.ndarray] = []

    def second(left: np.ndarray, far: np.ndarray) -> np.ndarray:
        heard.append(left)
        return left

    near = echo_of(far)
    run(EchoCanceller(second, hold_ms=300), near, far)
    assert len(heard) == 400
    assert np.std(np.concatenate(heard[300:])) < 0.3 * np.std(near[72_000:])


def test_what_the_cancellers_leave_of_an_echo_alone_stays_in() -> None:
    far = bursts(12, 1, 3000)
    far[8 * 24_000 : 9 * 24_000] = 0
    canceller = EchoCanceller(passes, hold_ms=300)
    out, opened = run(canceller, echo_of(far), far)
    assert not any(opened[2:800])
    assert not out[2 * FRAME : 8 * 24_000].any()
    assert all(opened[840:898]), "in a pause of the loudspeaker anybody may speak"
    assert not any(opened[902:])


def test_after_a_disturbance_nobody_passes_before_the_room_is_known_again() -> None:
    far = bursts(6, 1, 3000)
    visitor = bursts(6, 9, 2500)
    canceller = EchoCanceller(passes, hold_ms=300)
    run(canceller, echo_of(far), far)
    canceller.disturbed()
    _, opened = run(canceller, echo_of(far)[:12_000] + visitor[:12_000], far[:12_000])
    assert not any(opened[1:])


def test_a_visitor_who_talks_into_the_very_first_reply_is_heard_at_once() -> None:
    far = bursts(4, 1, 3000)
    visitor = np.zeros_like(far)
    visitor[36_000:] = bursts(2.5, 9, 2500)
    out, opened = run(EchoCanceller(passes, hold_ms=300), echo_of(far) + visitor, far)
    assert not any(opened[2:150])
    assert opened.index(True, 2) <= 200
    assert np.corrcoef(out[72_000:].astype(float), visitor[72_000:])[0, 1] > 0.8


def test_while_nothing_plays_a_visitor_passes_the_door_at_once_and_untouched() -> None:
    near = bursts(1, 5, 1000)
    out, opened = run(EchoCanceller(passes, hold_ms=300), near, np.zeros_like(near))
    assert all(opened)
    assert np.array_equal(out, near)


def test_a_frame_that_the_second_one_spoils_is_silence_only_while_something_plays() -> None:
    far = bursts(1, 1, 3000)
    canceller = EchoCanceller(lambda left, far: None, hold_ms=100)
    assert np.array_equal(canceller.process(NEAR, QUIET), NEAR)
    out, _ = run(canceller, echo_of(far) + 50, far)
    assert not out.any()


def test_the_door_behind_the_canceller_opens_and_closes_without_a_step() -> None:
    far = bursts(1, 1, 3000)
    near = np.full(48_000, 8000, dtype=np.int16)
    out, opened = run(EchoCanceller(lambda left, far: NEAR * 16, hold_ms=50), near, np.concatenate((far * 0, far)))
    assert opened[0]
    assert not opened[110]
    assert np.abs(np.diff(out.astype(int))).max() <= 8000 / (FRAME - 1) + 1


@pytest.mark.parametrize(("sounds", "known"), [(True, True), (False, False)])
def test_what_is_known_and_what_is_silent_pass_the_pairing_gate_untouched(sounds: bool, known: bool) -> None:
    gate = PairingGate(hold_ms=25)
    assert gate.process(NEAR, sounds=sounds, known=known) is NEAR
    assert gate.is_open


def test_sound_that_is_not_paired_closes_the_microphone_until_the_hold_and_the_line_are_over() -> None:
    gate = PairingGate(hold_ms=25)
    heard = [gate.process(NEAR * 16, sounds=True, known=at >= 10) for at in range(40)]
    passed = [bool(frame.any()) for frame in heard]
    assert passed == [True] + [False] * (9 + 2 + LONG_FRAMES) + [True] * (28 - LONG_FRAMES)
    assert heard[0][-1] == 0, "the first one fades out"
    assert np.abs(np.diff(np.concatenate(heard).astype(int))).max() <= 8000 / (FRAME - 1) + 1


def test_a_loudspeaker_that_fell_silent_opens_the_pairing_gate_after_the_hold() -> None:
    gate = PairingGate(hold_ms=25)
    heard = [bool(gate.process(NEAR, sounds=at == 0, known=False).any()) for at in range(30)]
    assert heard.index(True, 1) == 3 + LONG_FRAMES
    assert all(heard[3 + LONG_FRAMES :])


@pytest.mark.parametrize("make", [EchoGate, lambda hold_ms: EchoCanceller(passes, hold_ms=hold_ms)])
def test_the_first_half_second_of_echo_is_closed_even_to_a_shout(
    make: Callable[..., EchoGate | EchoCanceller],
) -> None:
    far = bursts(4, 1, 300)
    shout = bursts(4, 9, 9000)
    gate = make(hold_ms=300)
    out, opened = run(gate, echo_of(far) + shout, far)
    assert not any(opened[LONG_FRAMES:50])
    assert not out[LONG_FRAMES * FRAME : 50 * FRAME].any()
