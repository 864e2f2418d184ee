"""The sleep of the box, and what is known when it is awake again."""

from __future__ import annotations

from voicebotd.conversation.doze import LONGEST_KEPT_MS, Doze


def test_it_sleeps_wakes_and_is_ready() -> None:
    doze = Doze()
    assert not doze.on
    doze.fall_asleep()
    assert doze.on
    doze.wake(10.0)
    assert (doze.on, doze.waking) == (False, True)
    doze.ready()
    assert not doze.waking


def test_what_was_heard_since_the_waking_is_kept_with_a_margin_and_a_limit() -> None:
    doze = Doze()
    doze.wake(10.0)
    assert doze.kept_ms(11.5, 700) == 2200
    assert doze.kept_ms(100.0, 700) == LONGEST_KEPT_MS


def test_turns_that_pass_meanwhile_are_one() -> None:
    doze = Doze()
    doze.turn_began()
    assert doze.turn_is_open
    doze.turn_ended(300)
    doze.turn_began()
    doze.turn_ended(400)
    assert (doze.turn_is_open, doze.turn_ms) == (False, 700)
    doze.ready()
    assert doze.turn_ms == 0
