"""Deafness to a noise that was cut off, by itself."""

from __future__ import annotations

from voicebotd.conversation.deafness import QUIET_S, Deafness, Speech


def deaf() -> Deafness:
    deafness = Deafness()
    deafness.begin("u1")
    return deafness


def test_who_hears_has_nothing_to_wait_for() -> None:
    deafness = Deafness()
    deafness.quiet(1.0)
    assert deafness.due_s() is None


def test_it_goes_on_until_somebody_says_that_it_is_quiet_and_so_much_time_passed() -> None:
    deafness = deaf()
    assert (deafness.on, deafness.cut_off, deafness.due_s()) == (True, "u1", None)
    deafness.quiet(5.0)
    assert deafness.due_s() == 5.0 + QUIET_S
    deafness.sounds()
    assert deafness.due_s() is None


def test_the_latest_word_counts() -> None:
    deafness = deaf()
    deafness.quiet(5.0)
    deafness.quiet(7.0)
    deafness.quiet(6.0)
    assert deafness.due_s() == 7.0 + QUIET_S


def test_a_rest_that_the_service_calls_a_new_speech_is_remembered_until_the_end() -> None:
    deafness = deaf()
    tail = Speech(began_s=3.0, item_id="u2")
    deafness.sounds(tail)
    assert deafness.tail is tail
    deafness.end()
    assert (deafness.on, deafness.cut_off, deafness.tail, deafness.due_s()) == (False, "", None, None)
