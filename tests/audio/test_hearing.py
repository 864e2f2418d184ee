from __future__ import annotations

from typing import Any

from voicebotd.audio.hearing import Hearing
from voicebotd.audio.options import Level
from voicebotd.audio.protocol import Captured
from voicebotd.conversation.effects import TurnRule
from voicebotd.conversation.events import VoiceStopped


def frame(**more: Any) -> Captured:
    return Captured(captured_at_s=0.0, epoch=0, handed_samples=0, pcm=b"", **more)


def test_levels_are_told_only_while_they_are_wanted() -> None:
    hearing = Hearing()
    assert hearing.level(frame(), now_s=1.0) is None
    hearing.levels_wanted = True
    assert hearing.level(frame(), now_s=1.0) == Level(input_dbfs=-120, echo_dbfs=-120, voice=None, gate="open")


def test_levels_come_at_most_20_times_a_second_however_fast_the_frames() -> None:
    hearing = Hearing()
    hearing.levels_wanted = True
    told = [hearing.level(frame(), now_s=number * 0.0025) for number in range(1, 4001)]
    assert 190 <= sum(level is not None for level in told) <= 200


def test_a_level_is_the_loudest_since_the_last() -> None:
    hearing = Hearing()
    hearing.levels_wanted = True
    hearing.level(frame(), now_s=1.0)
    hearing.level(frame(input_dbfs=-20.04, echo_dbfs=-60, voice=0.2), now_s=1.01)
    hearing.level(frame(input_dbfs=-40, echo_dbfs=-30, voice=0.12345), now_s=1.02)
    told = hearing.level(frame(input_dbfs=-90, echo_dbfs=-90, voice=0.1, gate_open=False), now_s=1.05)
    assert told == Level(input_dbfs=-20.0, echo_dbfs=-30.0, voice=0.2, gate="closed")
    told = hearing.level(frame(input_dbfs=-90, echo_dbfs=-90, voice=0.12345), now_s=1.1)
    assert told == Level(input_dbfs=-90.0, echo_dbfs=-90.0, voice=0.123, gate="open")


def test_a_probability_that_is_no_longer_measured_is_none() -> None:
    hearing = Hearing()
    hearing.levels_wanted = True
    hearing.level(frame(), now_s=1.0)
    hearing.level(frame(voice=0.9), now_s=1.01)
    told = hearing.level(frame(), now_s=1.05)
    assert told is not None
    assert told.voice is None


def test_speech_is_measured_for_levels_evidence_and_turns() -> None:
    hearing = Hearing()
    assert not hearing.needs_voice
    hearing.levels_wanted = True
    assert hearing.needs_voice
    hearing.levels_wanted = False
    hearing.voice.want(voice=False, turns=TurnRule(threshold=0.5, silence_duration_ms=200))
    assert hearing.needs_voice


def test_what_was_heard_before_the_process_died_ends_with_it() -> None:
    hearing = Hearing()
    hearing.levels_wanted = True
    hearing.voice.want(voice=True, turns=None)
    hearing.voice.hear(1.0)
    hearing.level(frame(), now_s=1.0)
    hearing.level(frame(input_dbfs=-1), now_s=1.01)
    assert hearing.lost() == [VoiceStopped()]
    told = hearing.level(frame(), now_s=2.0)
    assert told is not None
    assert told.input_dbfs == -120.0
