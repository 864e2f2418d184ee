"""The rule of server_vad on made-up probabilities: 32 ms each."""

from __future__ import annotations

from dataclasses import replace

from voicebotd.rehearsal.vad import TurnBegan, TurnDetector, TurnEnded, TurnRule

RULE = TurnRule(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=96)


def changes(probabilities: list[float], rule: TurnRule | None = RULE) -> list[TurnBegan | TurnEnded]:
    detector = TurnDetector()
    return [change for p in probabilities if (change := detector.hear(p, rule)) is not None]


def test_a_turn_begins_with_the_prefix_and_ends_with_the_silence() -> None:
    assert changes([0.0] * 20 + [0.9] * 5 + [0.1] * 10) == [TurnBegan(at_ms=640 - 300), TurnEnded(at_ms=28 * 32)]


def test_the_prefix_never_reaches_before_the_first_audio() -> None:
    assert changes([0.0, 0.9]) == [TurnBegan(at_ms=0)]


def test_a_probability_of_exactly_the_threshold_is_speech() -> None:
    assert changes([0.5]) == [TurnBegan(at_ms=0)]
    assert changes([0.499]) == []


def test_a_higher_threshold_does_not_hear_what_a_lower_one_hears() -> None:
    murmured = [0.6] * 10 + [0.0] * 10
    assert len(changes(murmured)) == 2
    assert changes(murmured, replace(RULE, threshold=0.7)) == []


def test_a_longer_prefix_moves_the_beginning() -> None:
    assert changes([0.0] * 20 + [0.9], replace(RULE, prefix_padding_ms=500)) == [TurnBegan(at_ms=140)]


def test_a_pause_shorter_than_the_silence_does_not_end_the_turn() -> None:
    speech = [0.9] + [0.0] * 2 + [0.9] + [0.0] * 3
    assert changes(speech) == [TurnBegan(at_ms=0), TurnEnded(at_ms=7 * 32)]


def test_a_shorter_silence_splits_the_same_speech_in_two() -> None:
    speech = [0.9] + [0.0] * 2 + [0.9] + [0.0] * 3
    split = changes(speech, replace(RULE, silence_duration_ms=64))
    assert [type(change) for change in split] == [TurnBegan, TurnEnded, TurnBegan, TurnEnded]


def test_without_a_rule_nothing_begins_but_the_audio_is_counted() -> None:
    detector = TurnDetector()
    assert [detector.hear(1.0, None) for _ in range(50)] == [None] * 50
    assert detector.hear(1.0, RULE) == TurnBegan(at_ms=1600 - 300)


def test_a_forgotten_turn_does_not_end_and_the_next_speech_begins_another() -> None:
    detector = TurnDetector()
    detector.hear(1.0, RULE)
    detector.forget()
    assert not detector.speaking
    assert [detector.hear(0.0, RULE) for _ in range(10)] == [None] * 10
    assert isinstance(detector.hear(1.0, RULE), TurnBegan)
