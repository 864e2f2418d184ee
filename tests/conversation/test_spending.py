"""What is counted, recorded, told and refused."""

from __future__ import annotations

from typing import Any

import pytest
from talkbox import CENT, CentPerToken, only

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.budget import Limits
from voicebotd.conversation.commands import SetBudget
from voicebotd.conversation.spending import UNTOLD, Spending


class Till:
    """The spending of one conversation at a cent for a token; caps in cents."""

    def __init__(self, daily: int | None = None, session: int | None = None) -> None:
        self.spending = Spending(limits(daily, session), CentPerToken())
        self.spending.begin()

    def responds(self, cents: int, *, model: str = "m", response_id: str = "r1") -> list[fx.Effect]:
        used = ev.Usage(output_audio=cents)
        return self.count(ev.ResponseDone(response_id=response_id, status="completed", usage=used), model=model)

    def count(self, event: ev.Event, *, model: str = "m") -> list[fx.Effect]:
        return self.spending.count(event, conversation_id="c", model=model, transcriber="scribe")


def limits(daily: int | None = None, session: int | None = None) -> Limits:
    cents = [None if cap is None else cap * CENT for cap in (daily, session)]
    return Limits(daily_nano_usd=cents[0], session_nano_usd=cents[1])


def told(effects: list[fx.Effect], topic: str = "usage") -> list[dict[str, Any]]:
    return [effect.data for effect in only(effects, fx.Publish) if effect.topic == topic]


def test_a_response_is_recorded_and_told_with_what_the_conversation_and_the_day_cost() -> None:
    till = Till()
    till.responds(2, response_id="r0")
    effects = till.responds(3)
    (record,) = [effect.record for effect in only(effects, fx.Record)]
    assert (record.source_id, record.kind, record.model, record.output_audio, record.usd) == (
        "r1",
        "response",
        "m",
        3,
        0.03,
    )
    (data,) = told(effects)
    assert {
        "event": "used",
        "kind": "response",
        "response_id": "r1",
        "item_id": None,
        "model": "m",
    }.items() <= data.items()
    assert {"output_audio": 3, "audio_s": 0.0, "tokens": 3, "conversation_tokens": 5}.items() <= data.items()
    assert {"usd": 0.03, "priced": True, "session_usd": 0.05, "today_usd": 0.05}.items() <= data.items()
    assert till.spending.session_usd == 0.05


def test_a_transcription_is_counted_by_the_model_that_transcribes() -> None:
    till = Till()
    effects = till.count(ev.UserTranscriptDone(item_id="u1", transcript="Hello", usage=ev.Usage(audio_s=2.0)))
    (record,) = [effect.record for effect in only(effects, fx.Record)]
    assert (record.source_id, record.kind, record.model, record.audio_s) == ("u1", "transcription", "scribe", 2.0)
    assert (told(effects)[0]["item_id"], told(effects)[0]["response_id"]) == ("u1", None)


def test_what_uses_nothing_is_not_counted() -> None:
    till = Till()
    assert till.count(ev.PlayoutIdle()) == []
    assert till.count(ev.ResponseDone(response_id="r", status="cancelled")) == []
    assert till.count(ev.UserTranscriptDone(item_id="u", transcript="Hello")) == []
    assert till.spending.view().hint == ""


def test_a_service_that_does_not_tell_what_it_uses_is_named() -> None:
    till = Till()
    assert till.count(ev.ResponseDone(response_id="r", status="completed")) == []
    assert till.spending.view().hint == UNTOLD


def test_a_model_without_a_price_is_named_and_never_passed_over_as_free() -> None:
    till = Till()
    effects = till.responds(3, model="unknown")
    assert told(effects)[0]["priced"] is False
    view = till.spending.view()
    assert (view.unpriced, view.session_nano_usd) == (("unknown",), 0)
    assert view.hint == "no price is known for unknown: set budget.prices"
    till.spending.set(SetBudget(request_id=1, limits=limits(), tariff=CentPerToken()))
    assert till.spending.view().unpriced == (), "the prices are others now"


def test_the_names_of_models_without_a_price_are_bounded() -> None:
    class Nothing:
        def cost_of(self, _model: str, _used: ev.Usage) -> Any:
            return type("Free", (), {"nano_usd": 0, "complete": False})()

    spending = Spending(limits(), Nothing())
    for number in range(40):
        done = ev.ResponseDone(response_id=f"r{number}", status="completed", usage=ev.Usage(input_text=1))
        spending.count(done, conversation_id="c", model=str(number), transcriber="")
    assert len(spending.view().unpriced) == Spending.MAX_UNPRICED


def test_the_view_names_the_nearest_cap() -> None:
    till = Till(daily=100, session=10)
    till.responds(5)
    view = till.spending.view()
    assert (view.today_nano_usd, view.session_nano_usd, view.tokens) == (5 * CENT, 5 * CENT, 5)
    assert view.cap is not None
    assert (view.cap.name, view.cap.fraction, view.exhausted, view.hint) == ("session", 0.5, False, "")
    assert Till().spending.view().cap is None


def test_a_cap_that_is_near_is_told_once_with_what_to_do() -> None:
    till = Till(session=10)
    till.responds(8)
    effects = till.spending.news()
    (data,) = told(effects)
    assert (data["event"], data["cap"], data["cap_usd"], data["spent_usd"], data["fraction"]) == (
        "warning",
        "session",
        0.1,
        0.08,
        0.8,
    )
    (error,) = told(effects, "error")
    assert (error["code"], error["message"]) == (
        "budget.warning",
        "$0.08 of the cap of one conversation of $0.10 is spent",
    )
    assert "budget.session_usd" in till.spending.view().hint
    till.responds(1, response_id="r2")
    assert (till.spending.session_usd, till.spending.news()) == (0.09, [])


def test_a_cap_that_is_reached_is_told_once_and_refuses_with_when_it_is_over() -> None:
    till = Till(daily=10)
    till.spending.day_began(ev.DayBegan(spent_nano_usd=4 * CENT, until="2026-11-30 00:00 CET"))
    assert till.spending.refusal(7) is None
    till.responds(6)
    effects = till.spending.news()
    assert [data["event"] for data in told(effects)] == ["exhausted"], "a warning as well would say it twice"
    assert till.spending.news() == []
    refusal = till.spending.refusal(7)
    assert isinstance(refusal, fx.Refuse)
    assert (refusal.request_id, refusal.kind) == (7, "budget.exhausted")
    assert refusal.message == "today's cap of $0.10 is reached: $0.10 is spent"
    assert "midnight (2026-11-30 00:00 CET)" in refusal.hint
    assert "budget.daily_usd" in refusal.hint
    assert till.spending.view().exhausted
    assert till.spending.view().hint == f"{refusal.message}: {refusal.hint}"


def test_who_was_never_told_what_day_it_is_knows_that_midnight_comes() -> None:
    till = Till(daily=0)
    refusal = till.spending.refusal(1)
    assert isinstance(refusal, fx.Refuse)
    assert "it is over at midnight;" in refusal.hint


def test_another_conversation_of_the_box_counts_for_the_day() -> None:
    till = Till(daily=10, session=10)
    till.spending.spent_elsewhere(ev.SpentElsewhere(nano_usd=10 * CENT))
    assert till.spending.closed is not None
    assert till.spending.session_usd == 0


@pytest.mark.parametrize("cap", ["daily", "session"])
def test_a_cap_that_is_raised_lets_it_go_on(cap: str) -> None:
    till = Till(**{cap: 10})
    till.responds(12)
    till.spending.news()
    (reply,) = till.spending.set(SetBudget(request_id=9, limits=limits(**{cap: 20}), tariff=CentPerToken()))
    assert reply == fx.Reply(request_id=9, result={})
    assert (till.spending.closed, till.spending.news()) == (None, [])
    till.responds(10, response_id="r2")
    assert [data["event"] for data in told(till.spending.news())] == ["exhausted"]


def test_a_conversation_that_spent_its_cap_does_not_forbid_the_next() -> None:
    till = Till(session=5)
    till.responds(5)
    assert till.spending.closed is not None
    till.spending.end()
    assert till.spending.closed is None
    assert till.spending.session_usd == 0.05, "what it cost is known until the next begins"
    till.spending.begin()
    assert (till.spending.session_usd, till.spending.view().tokens) == (0.0, 0)


def test_what_is_told_twice_is_paid_once() -> None:
    till = Till()
    till.responds(3)
    assert till.responds(3) == []
    spoken = ev.UserTranscriptDone(item_id="r1", transcript="Hello", usage=ev.Usage(input_audio=1))
    assert len(only(till.count(spoken), fx.Record)) == 1, "another matter, though it has the same name"
    assert till.count(spoken) == []
    assert till.spending.session_usd == 0.04
    for number in range(Spending.MAX_COUNTED):
        till.responds(0, response_id=f"x{number}")
    assert till.responds(1) != [], "only so much is remembered"


def test_a_server_that_counts_anew_in_each_session_is_paid_in_each() -> None:
    till = Till()
    till.responds(3)
    session = ev.SessionView(instructions="", turn_detection=None)
    till.count(ev.LinkReady(session_id="s2", model="m", session=session))
    till.responds(3)
    assert till.spending.session_usd == 0.06
