"""The time without a session: asleep or not, and what the next one must hear of it."""

from __future__ import annotations

from voicebotd.conversation.absence import KEPT_S, Absence
from voicebotd.conversation.effects import Since

EARLY, LATE = Since(at_s=9.0), Since(at_s=12.0)


def test_a_box_dozes_until_it_is_woken() -> None:
    absence = Absence()
    assert not absence.dozing
    absence.fall_asleep()
    assert absence.dozing
    absence.wake()
    assert not absence.dozing


def test_what_was_said_first_is_where_the_next_session_begins_to_hear() -> None:
    absence = Absence()
    assert absence.since is None
    absence.unheard(EARLY, 10.0)
    absence.unheard(LATE, 13.0)
    assert absence.since == EARLY


def test_what_waited_too_long_is_worth_no_answer_any_more() -> None:
    absence = Absence()
    assert not absence.is_recent(10.0), "nothing was said"
    absence.unheard(EARLY, 10.0)
    assert absence.is_recent(10.0 + KEPT_S)
    assert not absence.is_recent(10.1 + KEPT_S)
    assert absence.since is None


def test_whoever_asked_again_meanwhile_is_heard() -> None:
    absence = Absence()
    absence.unheard(EARLY, 10.0)
    absence.unheard(LATE, 35.0)
    assert absence.is_recent(41.0)
    assert absence.since == LATE, "what came before waited too long"


def test_what_is_noted_is_bounded() -> None:
    absence = Absence()
    for number in range(Absence.MAX_MOMENTS + 1):
        absence.unheard(Since(at_s=float(number)), 10.0)
    assert absence.since == Since(at_s=1.0)


def test_several_turns_become_one() -> None:
    absence = Absence()
    absence.turn_began()
    assert absence.turn_is_open
    absence.turn_ended(700)
    absence.turn_began()
    absence.turn_ended(300)
    assert (absence.turn_is_open, absence.turn_ms) == (False, 1000)


def test_when_a_session_was_told_nothing_is_left_to_tell() -> None:
    absence = Absence()
    absence.unheard(EARLY, 10.0)
    absence.turn_began()
    absence.turn_ended(700)
    absence.turn_began()
    absence.over()
    assert (absence.since, absence.turn_is_open, absence.turn_ms) == (None, False, 0)
    absence.unheard(LATE, 50.0)
    assert absence.since == LATE
    assert absence.is_recent(50.0 + KEPT_S), "its time begins anew"
