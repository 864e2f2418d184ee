"""The microphone, the detector and the file's pace are told only what changes."""

from __future__ import annotations

from voicebotd.conversation.ears import Ears
from voicebotd.conversation.effects import Detect, Effect, HoldInput, OpenMicrophone

NOTHING, VOICE = Detect(voice=False, turns=None), Detect(voice=True, turns=None)


def keep(ears: Ears, *, microphone: bool, detect: Detect = NOTHING, hold: bool = False) -> list[Effect]:
    return ears.keep(microphone=microphone, preroll_ms=300, detect=detect, hold=hold)


def test_only_changes_are_told() -> None:
    ears = Ears(held=False)
    assert keep(ears, microphone=False) == []
    assert keep(ears, microphone=True) == [OpenMicrophone(open=True, preroll_ms=300)]
    assert keep(ears, microphone=True, detect=VOICE) == [VOICE]
    assert keep(ears, microphone=False, hold=True) == [NOTHING, OpenMicrophone(open=False), HoldInput(hold=True)]


def test_a_file_that_waits_at_first_is_let_go() -> None:
    assert keep(Ears(held=True), microphone=False) == [HoldInput(hold=False)]
