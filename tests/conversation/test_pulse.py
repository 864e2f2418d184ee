"""A service with a good line that says nothing though somebody speaks is asked, and left if it does not answer."""

from __future__ import annotations

from talkbox import Box, only

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.pulse import PULSE, PULSE_ASKED, SILENT_S, Pulse


def names(effects: list[fx.Effect]) -> list[tuple[str, float]]:
    return [(one.name, one.delay_s) for one in effects if isinstance(one, fx.SetTimer)]


def test_it_is_asked_when_somebody_spoke_and_it_says_nothing() -> None:
    pulse = Pulse(answer_within_s=5.0)
    assert pulse.keep(ready=True, turn_silence_s=1.0) == []
    assert pulse.silent_s(3.0) == 0.0
    pulse.expect(10.0)
    pulse.expect(12.0)
    assert names(pulse.keep(ready=True, turn_silence_s=1.0)) == [(PULSE, SILENT_S + 1.0)]
    assert pulse.fired(PULSE) is True
    assert names(pulse.keep(ready=True, turn_silence_s=1.0)) == [(PULSE_ASKED, 5.0)]
    assert pulse.fired(PULSE_ASKED) is False
    assert pulse.silent_s(20.0) == 10.0, "from the first word on"


def test_whatever_it_says_is_a_sign_of_life_and_a_lost_session_needs_none() -> None:
    pulse = Pulse(answer_within_s=5.0)
    pulse.expect(1.0)
    pulse.keep(ready=True, turn_silence_s=0.0)
    pulse.sign()
    assert pulse.keep(ready=True, turn_silence_s=0.0) == [fx.CancelTimer(name=PULSE)]
    assert pulse.fired(PULSE) is None, "it was cancelled on the way"
    pulse.expect(2.0)
    assert pulse.keep(ready=False, turn_silence_s=0.0) == []
    assert pulse.silent_s(9.0) == 0.0


def test_a_deaf_service_is_left_and_the_next_session_hears_what_it_did_not() -> None:
    box = Box().live()
    box.do(ev.VoiceStarted())
    box.wait(800)
    box.do(ev.VoiceStopped())
    asked = box.wait(5500)
    assert [type(one) for one in only(asked, fx.ToService | fx.UpdateSession)] == [fx.UpdateSession]
    (dropped,) = only(box.wait(5100), fx.DropLink)
    assert dropped.unheard_s > 9.0
    box.do(ev.LinkLost(reason="deaf", retry_in_s=0.1, unheard_s=dropped.unheard_s))
    (opened,) = only(box.ready(), fx.OpenMicrophone)
    assert opened.again
    assert opened.since is not None


def test_a_service_that_answers_the_question_is_asked_nothing_more() -> None:
    box = Box().live()
    box.do(ev.VoiceStarted(), ev.VoiceStopped())
    box.wait(5500)
    told = box.confirmed()
    assert only(told, fx.Publish) == [], "nothing was changed, so nobody is told of a change"
    assert only(box.wait(20_000), fx.DropLink) == []
