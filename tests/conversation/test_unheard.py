"""From when on a new session must hear the visitor again, and when nothing was lost."""

from __future__ import annotations

import pytest

from voicebotd.conversation.context import Unanswered
from voicebotd.conversation.deafness import Speech
from voicebotd.conversation.effects import Since
from voicebotd.conversation.evidence import TOLD_LATE_S
from voicebotd.conversation.unheard import Unheard, unheard

SPEECH = Speech(began_s=100.0, item_id="u1", start_ms=9500)
LOCAL_SPEECH = Speech(began_s=100.0)


def lost(
    *,
    speech: Speech | None = None,
    unanswered: Unanswered | None = None,
    voice_since_s: float | None = None,
    key_since_s: float | None = None,
    local: bool = False,
) -> Unheard:
    return unheard(
        speech=speech, unanswered=unanswered, voice_since_s=voice_since_s, key_since_s=key_since_s, local=local
    )


def test_where_nobody_spoke_nothing_was_lost() -> None:
    assert lost() == Unheard(since=None, turn_is_open=False, turn_ms=0)


def test_a_speech_that_goes_on_is_heard_again_from_where_the_service_said_that_it_began() -> None:
    assert lost(speech=SPEECH) == Unheard(since=Since(place_ms=9500))


def test_a_turn_that_is_not_answered_is_heard_again_and_the_first_beginning_counts() -> None:
    unanswered = Unanswered(began_s=90.0, start_ms=4000, speech_ms=0)
    assert lost(unanswered=unanswered) == Unheard(since=Since(place_ms=4000))
    assert lost(speech=SPEECH, unanswered=unanswered).since == Since(place_ms=4000)
    later = Unanswered(began_s=90.0, start_ms=9900, speech_ms=0)
    assert lost(speech=SPEECH, unanswered=later).since == Since(place_ms=9500)


def test_where_nobody_stamped_it_the_time_counts_and_of_a_voice_that_is_told_late_a_margin_before_it() -> None:
    unstamped = Unanswered(began_s=90.0, start_ms=None, speech_ms=800)
    assert lost(unanswered=unstamped) == Unheard(since=Since(at_s=90.0), turn_ms=800)
    assert lost(voice_since_s=95.0) == Unheard(since=Since(at_s=95.0 - TOLD_LATE_S))


@pytest.mark.parametrize(("voice_s", "at_s"), [(95.0, 90.0), (80.0, 80.0 - TOLD_LATE_S)])
def test_of_several_times_the_first_counts(voice_s: float, at_s: float) -> None:
    unstamped = Unanswered(began_s=90.0, start_ms=None, speech_ms=0)
    assert lost(unanswered=unstamped, voice_since_s=voice_s).since == Since(at_s=at_s)


def test_a_voice_that_the_service_did_not_hear_and_a_speech_that_it_did_are_both_told() -> None:
    assert lost(speech=SPEECH, voice_since_s=99.0).since == Since(at_s=99.0 - TOLD_LATE_S, place_ms=9500)


def test_a_turn_that_the_box_detects_goes_on_in_the_next_session() -> None:
    assert lost(speech=LOCAL_SPEECH, local=True) == Unheard(since=Since(at_s=100.0 - TOLD_LATE_S), turn_is_open=True)
    assert not lost(local=True).turn_is_open
    assert not lost(speech=SPEECH).turn_is_open


def test_what_is_said_into_the_talk_key_is_heard_again_from_when_it_was_pressed_and_no_earlier() -> None:
    assert lost(key_since_s=97.0, voice_since_s=96.0) == Unheard(since=Since(at_s=97.0))
