"""What the local detector's word proves about a speech."""

from __future__ import annotations

import pytest

from voicebotd.conversation.evidence import Evidence


def heard(*moments: float) -> Evidence:
    """Voices that started and stopped at these moments in turn."""
    evidence = Evidence()
    for number, at_s in enumerate(moments):
        (evidence.stopped if number % 2 else evidence.started)(at_s)
    return evidence


def test_a_voice_that_goes_on_proves_the_length_when_it_was_there_for_certain() -> None:
    assert heard(10.0).proof_due_s(10.0, 1.0) == pytest.approx(11.2), "it may have ended 200 ms before it is told"
    assert heard(9.0).proof_due_s(10.0, 1.0) == pytest.approx(11.2), "what was before the speech counts for nothing"


def test_no_voice_proves_nothing() -> None:
    assert heard().proof_due_s(10.0, 1.0) is None
    assert heard(10.0, 10.5).proof_due_s(10.0, 1.0) is None


def test_most_of_the_time_must_be_voice() -> None:
    cough_and_cough = heard(10.0, 10.5, 11.1)
    due_s = cough_and_cough.proof_due_s(10.0, 1.0)
    assert due_s == pytest.approx(11.6), "0.3 + 0.5 s of voice in 1.6 s"
    assert heard(10.0, 11.0, 11.1).proof_due_s(10.0, 1.0) == pytest.approx(11.2)


def test_a_speech_reaches_from_its_first_voice_to_its_last() -> None:
    evidence = heard(10.1, 10.6, 10.9, 11.4)
    assert evidence.extent_ms(10.0, 13.0) == 1100
    assert heard(10.1).extent_ms(10.0, 10.8) == 700, "it sounds still"
    assert heard(8.0, 9.0).extent_ms(10.0, 11.0) is None, "that was before"


def test_a_voice_that_was_there_when_the_start_was_told_belongs_to_the_speech_but_not_an_endless_one() -> None:
    assert heard(9.8, 10.7).extent_ms(10.0, 12.0) == 700
    assert heard(5.0, 10.7).extent_ms(10.0, 12.0) == 1000


def test_what_is_told_twice_or_out_of_order_changes_nothing() -> None:
    evidence = heard()
    evidence.stopped(9.0)
    evidence.started(10.0)
    evidence.started(10.5)
    assert evidence.extent_ms(10.0, 11.0) == 1000
    evidence.silence()
    assert not evidence.sounding


def test_the_first_voice_after_a_moment_is_known_if_it_was_not_judged_and_is_not_long_past() -> None:
    evidence = heard(10.0, 11.2, 20.0, 21.2, 30.0)
    assert evidence.first_since(0.0, after_s=0.0) == 10.0
    assert evidence.first_since(11.0, after_s=0.0) == 20.0, "the first had ended by then"
    assert evidence.first_since(0.0, after_s=10.0) == 20.0, "the first was judged"
    assert evidence.first_since(0.0, after_s=25.0) == 30.0, "it sounds still"
    assert evidence.first_since(0.0, after_s=30.0) is None
    assert heard(10.0, 11.2).first_since(20.0, after_s=0.0) is None
    assert heard(10.0).first_since(20.0, after_s=0.0) == 10.0, "it began before and goes on"
