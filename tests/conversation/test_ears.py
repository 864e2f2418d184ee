"""The microphone, the detector and the file's pace are told only what changes."""

from __future__ import annotations

from voicebotd.conversation.ears import Ears
from voicebotd.conversation.effects import Detect, Effect, HoldInput, OpenMicrophone, Since

NOTHING, VOICE = Detect(voice=False, turns=None), Detect(voice=True, turns=None)
SINCE = Since(at_s=9.0)


def keep(ears: Ears, *, microphone: bool, detect: Detect = NOTHING, hold: bool = False) -> list[Effect]:
    return ears.keep(microphone=microphone, preroll_ms=300, since=SINCE, detect=detect, hold=hold)


def test_only_changes_are_told() -> None:
    ears = Ears(held=False)
    assert keep(ears, microphone=False) == []
    assert keep(ears, microphone=True) == [OpenMicrophone(open=True, preroll_ms=300)]
    assert keep(ears, microphone=True, detect=VOICE) == [VOICE]
    assert keep(ears, microphone=False, hold=True) == [NOTHING, OpenMicrophone(open=False), HoldInput(hold=True)]


def test_a_file_that_waits_at_first_is_let_go() -> None:
    assert keep(Ears(held=True), microphone=False) == [HoldInput(hold=False)]


def test_a_new_session_hears_once_what_was_said_before_it() -> None:
    ears = Ears(held=False)
    keep(ears, microphone=True)
    ears.new_session()
    again = OpenMicrophone(open=True, preroll_ms=300, again=True, since=SINCE)
    assert keep(ears, microphone=True) == [again], "it is open already, and to another session"
    assert keep(ears, microphone=False) == [OpenMicrophone(open=False)]
    assert keep(ears, microphone=True) == [OpenMicrophone(open=True, preroll_ms=300)]


def test_a_turn_that_was_over_before_the_session_is_the_first_that_it_hears() -> None:
    ears = Ears(held=False)
    ears.new_session()
    assert ears.open(500, SINCE) == OpenMicrophone(open=True, preroll_ms=500, again=True, since=SINCE)
    assert keep(ears, microphone=True) == [OpenMicrophone(open=True, preroll_ms=300)]


def test_what_somebody_else_closed_for_a_moment_is_opened_again() -> None:
    ears = Ears(held=False)
    assert ears.open_again(900) == []
    keep(ears, microphone=True)
    assert ears.open_again(900) == [OpenMicrophone(open=True, preroll_ms=900)]
