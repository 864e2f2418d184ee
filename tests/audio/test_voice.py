from __future__ import annotations

import pytest

from voicebotd.audio.voice import VoiceRules
from voicebotd.conversation.effects import TurnRule
from voicebotd.conversation.events import Event, LocalTurnStarted, LocalTurnStopped, VoiceStarted, VoiceStopped

RULE = TurnRule(threshold=0.8, silence_duration_ms=300)


def rules(*, voice: bool = False, turns: TurnRule | None = None) -> VoiceRules:
    subject = VoiceRules()
    subject.want(voice=voice, turns=turns)
    return subject


def hear(subject: VoiceRules, probability: float, ms: int) -> list[tuple[int, Event]]:
    """Events with the time at the end of the frame that brought them."""
    return [(at + 10, event) for at in range(0, ms, 10) for event in subject.hear(probability)]


def test_nothing_is_told_unasked() -> None:
    subject = VoiceRules()
    assert not subject.wanted
    assert hear(subject, 1.0, 1000) == []
    assert subject.lost() == []


def test_a_voice_begins_with_its_first_frame_and_ends_200_ms_after_its_last() -> None:
    subject = rules(voice=True)
    assert subject.wanted
    assert hear(subject, 0.49, 500) == []
    assert hear(subject, 0.5, 320) == [(10, VoiceStarted())]
    assert hear(subject, 0.0, 190) == []
    assert hear(subject, 0.6, 30) == []
    assert hear(subject, 0.49, 400) == [(200, VoiceStopped())]
    assert hear(subject, 0.9, 10) == [(10, VoiceStarted())]


def test_a_turn_ends_after_its_silence_and_tells_how_long_the_speech_was() -> None:
    subject = rules(turns=RULE)
    assert subject.wanted
    assert hear(subject, 0.79, 500) == []
    assert hear(subject, 0.8, 700) == [(10, LocalTurnStarted())]
    assert hear(subject, 0.5, 290) == []
    assert hear(subject, 0.9, 10) == []
    assert hear(subject, 0.79, 500) == [(300, LocalTurnStopped(speech_ms=1000))]


def test_without_a_silence_to_wait_for_a_turn_ends_with_its_first_frame_below() -> None:
    subject = rules(turns=TurnRule(threshold=0.5, silence_duration_ms=0))
    assert hear(subject, 1.0, 50) == [(10, LocalTurnStarted())]
    assert hear(subject, 0.0, 50) == [(10, LocalTurnStopped(speech_ms=50))]


def test_what_was_not_measured_is_no_speech() -> None:
    subject = rules(voice=True, turns=TurnRule(threshold=0.0, silence_duration_ms=100))
    assert hear(subject, -1.0, 500) == []
    assert [event for _, event in hear(subject, 0.7, 100)] == [VoiceStarted(), LocalTurnStarted()]
    assert hear(subject, -1.0, 500) == [(100, LocalTurnStopped(speech_ms=100)), (200, VoiceStopped())]


def test_asking_again_changes_nothing_and_a_new_rule_holds_for_the_turn_that_is_open() -> None:
    subject = rules(voice=True, turns=RULE)
    hear(subject, 0.9, 100)
    subject.want(voice=True, turns=RULE)
    assert hear(subject, 0.9, 100) == []
    subject.want(voice=True, turns=TurnRule(threshold=0.95, silence_duration_ms=100))
    assert hear(subject, 0.9, 100) == [(100, LocalTurnStopped(speech_ms=200))]


def test_what_is_no_longer_wanted_is_forgotten_without_a_word() -> None:
    subject = rules(voice=True, turns=RULE)
    hear(subject, 0.9, 100)
    subject.want(voice=False, turns=None)
    assert not subject.wanted
    assert subject.lost() == []
    subject.want(voice=True, turns=RULE)
    assert [event for _, event in hear(subject, 0.9, 20)] == [VoiceStarted(), LocalTurnStarted()]


@pytest.mark.parametrize("silence_ms", [0, 100])
def test_when_the_sound_is_lost_what_is_open_ends(silence_ms: int) -> None:
    subject = rules(voice=True, turns=RULE)
    hear(subject, 0.9, 250)
    hear(subject, 0.1, silence_ms)
    assert subject.lost() == [VoiceStopped(), LocalTurnStopped(speech_ms=250)]
    assert subject.lost() == []
    assert [event for _, event in hear(subject, 0.9, 20)] == [VoiceStarted(), LocalTurnStarted()]
