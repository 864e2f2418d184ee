"""What we want of a session."""

from __future__ import annotations

from dataclasses import replace

from voicebotd.conversation.commands import SetInstructions
from voicebotd.conversation.events import BargeIn, TurnDetection
from voicebotd.conversation.wanted import Wanted, describe, instructed, undone

WANTED = Wanted(turn_detection=TurnDetection(), barge_in=BargeIn(), configured="Be kind.")


def test_instructions_are_added_replaced_and_taken_back() -> None:
    added = instructed(WANTED, SetInstructions(request_id=1, text="Be brief."))
    assert added.runtime == ("Be brief.", "append")
    assert instructed(added, SetInstructions(request_id=2, text="Rhyme.", mode="replace")).runtime == (
        "Rhyme.",
        "replace",
    )
    assert instructed(added, SetInstructions(request_id=3, text=None)) == WANTED
    assert instructed(added, SetInstructions(request_id=4, text="Be wise.", mode="configured")).configured == "Be wise."


def test_a_change_is_taken_back_without_what_was_changed_since() -> None:
    after = replace(WANTED, barge_in=BargeIn(mode="off"), configured="Be wise.")
    since = replace(after, configured="Be brief.")
    assert undone(since, before=WANTED, after=after) == replace(WANTED, configured="Be brief.")


def test_only_the_settings_that_a_type_has_are_shown() -> None:
    assert describe(None) == {"type": "none"}
    assert describe(TurnDetection(type="none")) == {"type": "none"}
    assert "eagerness" not in describe(TurnDetection())
    assert "threshold" not in describe(TurnDetection(type="semantic_vad"))
    assert describe(TurnDetection(type="semantic_vad"))["eagerness"] == "auto"
    assert "interrupt_response" not in describe(TurnDetection(type="local"))
    assert "threshold" in describe(TurnDetection(type="local"))
