from __future__ import annotations

import numpy as np

from voicebotd.audio.evidence import Evidence

BINS = 241
RNG = np.random.default_rng(7)
SILENCE = np.zeros(BINS, dtype=np.float32)
FLOOR = np.full(BINS, 1e-6, dtype=np.float32)


def spectrum(level: float) -> np.ndarray:
    """The power of noise: every bin varies by itself."""
    return (level * RNG.exponential(1.0, BINS)).astype(np.float32)


def hear(evidence: Evidence, frames: int, *, echo: float, visitor: float = 0.0, played: float = 1.0) -> float:
    score = 0.0
    for _ in range(frames):
        score = evidence.feed(spectrum(played * echo) + spectrum(visitor) + FLOOR, spectrum(played))
    return score


def test_an_echo_alone_is_no_evidence_once_the_room_is_known() -> None:
    evidence = Evidence()
    assert max(hear(evidence, 1, echo=0.1) for _ in range(600)) < 1.0


def test_before_anything_is_known_even_a_loud_echo_is_no_evidence() -> None:
    evidence = Evidence()
    assert max(hear(evidence, 1, echo=1.0) for _ in range(150)) < 1.0


def test_a_visitor_above_the_echo_is_evidence_within_100_ms() -> None:
    evidence = Evidence()
    hear(evidence, 500, echo=0.1)
    assert hear(evidence, 10, echo=0.1, visitor=2.0) > 3.0


def test_a_visitor_of_a_second_does_not_teach_it_to_be_deaf() -> None:
    evidence = Evidence()
    hear(evidence, 500, echo=0.1)
    hear(evidence, 100, echo=0.1, visitor=2.0)
    hear(evidence, 100, echo=0.1)
    assert hear(evidence, 16, echo=0.1, visitor=2.0) > 3.0


def test_a_microphone_that_was_turned_up_is_followed() -> None:
    evidence = Evidence()
    hear(evidence, 500, echo=0.05)
    assert hear(evidence, 20, echo=0.5) > 3.0
    hear(evidence, 500, echo=0.5)
    assert hear(evidence, 20, echo=0.5) < 1.0


def test_a_room_that_became_quiet_is_believed_after_four_seconds() -> None:
    evidence = Evidence()
    hear(evidence, 500, echo=1.0)
    assert hear(evidence, 20, echo=0.01, visitor=0.5) < 1.0
    hear(evidence, 450, echo=0.01)
    assert hear(evidence, 20, echo=0.01, visitor=0.5) > 3.0


def test_after_a_disturbance_it_is_as_careful_as_at_first() -> None:
    evidence = Evidence()
    hear(evidence, 500, echo=0.1)
    evidence.forget()
    assert hear(evidence, 20, echo=0.1, visitor=2.0) < 1.0


def test_silence_teaches_nothing_and_noise_is_no_evidence() -> None:
    evidence = Evidence()
    scores = [evidence.feed(spectrum(1e-3), SILENCE) for _ in range(300)]
    assert max(scores[20:]) < 1.0
    hear(evidence, 500, echo=0.1)
    for _ in range(8000):
        evidence.feed(spectrum(1e-3), SILENCE)
    assert hear(evidence, 16, echo=0.1, visitor=2.0) > 3.0


def test_before_half_a_second_has_been_heard_nothing_is_evidence() -> None:
    evidence = Evidence()
    evidence.feed(FLOOR, SILENCE)
    scores = [hear(evidence, 1, echo=0.0, visitor=100.0, played=0.01) for _ in range(70)]
    assert not any(scores[:50])
    assert scores[-1] > 3.0


def test_a_sound_that_teaches_nothing_is_waited_for_no_longer_than_a_second() -> None:
    evidence = Evidence()
    whistle = np.zeros(BINS, dtype=np.float32)
    whistle[30] = 1.0
    hear(evidence, 100, echo=0.1)
    for _ in range(300):
        evidence.feed(FLOOR, SILENCE)
    evidence.forget()
    scores = [evidence.feed(spectrum(2.0), whistle) for _ in range(140)]
    assert not any(scores[:100])
    assert scores[-1] > 3.0
