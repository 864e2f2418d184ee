"""The reply's shape while somebody talks over it: told when it changes, and always undone."""

from __future__ import annotations

from voicebotd.conversation.effects import Publish, ShapePlayout
from voicebotd.conversation.overlap import Overlap, Phase


def told(event: str) -> Publish:
    return Publish(topic="response", data={"event": event})


DUCKED = [ShapePlayout(gain_db=-12.0, paused=False), told("ducked")]
PAUSED = [ShapePlayout(gain_db=-12.0, paused=True), told("paused")]
AS_IT_CAME = ShapePlayout(gain_db=0.0, paused=False)


def test_what_sounds_is_ducked_then_paused_then_let_go_on() -> None:
    overlap = Overlap()
    assert overlap.begin(sounding=True, duck_db=-12.0) == DUCKED
    assert overlap.judging
    assert overlap.confirm() == PAUSED
    overlap.noise()
    assert overlap.resuming
    assert overlap.release(goes_on=True) == [AS_IT_CAME, told("resumed")]
    assert overlap.phase is Phase.NONE


def test_what_does_not_sound_yet_is_paused_at_once() -> None:
    assert Overlap().begin(sounding=False, duck_db=-12.0) == [
        ShapePlayout(gain_db=0.0, paused=True),
        told("paused"),
    ]


def test_nothing_is_told_twice() -> None:
    overlap = Overlap()
    assert overlap.release(goes_on=True) == []
    overlap.begin(sounding=True, duck_db=-12.0)
    assert overlap.begin(sounding=True, duck_db=-12.0) == []
    overlap.confirm()
    assert overlap.confirm() == []


def test_a_paused_reply_stays_paused_when_the_visitor_begins_again() -> None:
    overlap = Overlap()
    overlap.begin(sounding=True, duck_db=-12.0)
    overlap.confirm()
    overlap.noise()
    assert overlap.begin(sounding=True, duck_db=-12.0) == []
    assert overlap.paused


def test_of_a_reply_that_is_over_nobody_is_told_that_it_goes_on() -> None:
    overlap = Overlap()
    overlap.begin(sounding=True, duck_db=-12.0)
    assert overlap.release(goes_on=False) == [AS_IT_CAME]
