"""What is owed to the visitor when a session goes, what the next one is told, and the second try of a failed answer."""

from __future__ import annotations

from typing import Any

import pytest

from voicebotd.conversation.context import RESUMED, Spoken
from voicebotd.conversation.debts import Debts, Owed
from voicebotd.conversation.effects import CommitInput, CreateMessage, CreateResponse, Effect, PlayCue
from voicebotd.conversation.events import FunctionCalled, ResponseCreated, ResponseDone, ServerError, ToolFinished
from voicebotd.conversation.functions import Functions
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.responses import TAG, Request, Responses
from voicebotd.conversation.second_try import CANNOT_SAY, FINISH, GO_ON
from voicebotd.conversation.turns import Turns


class Room:
    """A conversation's debts, and what they are made of."""

    def __init__(self) -> None:
        ids = Ids()
        self.responses, self.turns, self.functions = Responses(), Turns("c"), Functions("c", ids)
        self.debts = Debts(ids, self.responses, self.turns, self.functions)

    def turn(self, item_id: str = "u1", *, end_ms: int = 1500) -> None:
        """The visitor said something."""
        self.turns.visitor_began(item_id)
        self.turns.visitor_said(item_id, "Hello")
        self.debts.asked(Spoken(began_s=10.0, start_ms=end_ms - 1000, end_ms=end_ms))

    def response(self, request: Request | None = None, response_id: str = "r1") -> None:
        """It is being made; without a request the service made it by itself."""
        if request is not None:
            self.responses.submit(request)
        metadata = {} if request is None else {TAG: request.event_id}
        self.debts.context.response_created(self.turns.count)
        self.responses.created(ResponseCreated(response_id=response_id, metadata=metadata))

    def lost(self, *, speaking: bool = False, outputs: bool = False) -> Owed | None:
        self.debts.lost(speaking=speaking, outputs=outputs)
        self.responses.forget("link.unavailable", "gone")
        return self.debts.owed

    def resume(self, *, words_follow: bool = False) -> list[Effect]:
        return self.debts.resume(limit=20, words_follow=words_follow, now_s=20.0)


def done(status: Any, response_id: str = "r1", **how: Any) -> ResponseDone:
    return ResponseDone(response_id=response_id, status=status, **how)


def messages(effects: list[Effect]) -> list[str]:
    return [effect.text for effect in effects if isinstance(effect, CreateMessage)]


def creates(effects: list[Effect]) -> list[CreateResponse]:
    return [effect for effect in effects if isinstance(effect, CreateResponse)]


ASKED = Request(event_id="e1", instructions="Sing.")


# What is owed.


def test_where_nobody_asked_nothing_is_owed() -> None:
    room = Room()
    assert room.lost() is None
    assert not room.debts.promised
    assert room.resume() == []


def test_an_answer_of_which_nothing_exists_is_owed_and_its_question_is_heard_again() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    assert room.lost() == Owed(request=ASKED, spoken=True)
    assert room.debts.promised


def test_an_answer_to_what_nobody_said_aloud_is_just_made_again() -> None:
    room = Room()
    room.response(ASKED)
    assert room.lost() == Owed(request=ASKED)


def test_of_an_answer_that_exists_the_rest_is_owed() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    room.debts.exists("r1")
    assert room.debts.context.unanswered is None
    assert room.lost() == Owed(request=Request(event_id="", words=GO_ON))


def test_only_the_answer_that_is_being_made_exists() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    assert room.debts.exists("another") == []
    assert room.debts.context.unanswered is not None


def test_what_is_gone_on_with_when_an_answer_exists_is_no_longer_owed() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    room.lost()
    room.resume(words_follow=True)
    room.response(response_id="r2")
    room.debts.exists("r2")
    assert room.debts.owed is None


def test_the_rest_of_a_filler_is_owed_to_nobody() -> None:
    room = Room()
    room.response(Request(event_id="e1", purpose="filler"))
    room.debts.exists("r1")
    assert room.lost() is None


def test_a_visitor_who_speaks_is_answered_with_all_that_waits_when_the_turn_is_over() -> None:
    room = Room()
    assert room.lost(speaking=True) == Owed(request=Request(event_id=""), spoken=True, goes_on=True)
    assert not room.debts.promised, "nobody waits yet"
    room = Room()
    assert room.lost(speaking=True, outputs=True) == Owed(
        request=Request(event_id="", purpose="outputs"), spoken=True, goes_on=True
    )


def test_outputs_are_gone_on_with_and_no_words_are_heard_again_for_them() -> None:
    room = Room()
    room.turn()
    assert room.lost(outputs=True) == Owed(request=Request(event_id="", purpose="outputs"))
    assert len(creates(room.resume(words_follow=True))) == 1


def test_outputs_that_come_without_a_session_are_owed_unless_an_answer_is_anyway() -> None:
    room = Room()
    room.debts.outputs_came()
    assert room.debts.owed == Owed(request=Request(event_id="", purpose="outputs"))
    room = Room()
    room.response(ASKED)
    room.lost()
    room.debts.outputs_came()
    assert room.debts.owed == Owed(request=ASKED)


@pytest.mark.parametrize("committed", [True, False])
def test_what_was_said_into_the_key_without_a_session_is_owed_if_it_was_long_enough(committed: bool) -> None:
    room = Room()
    room.debts.promise(committed=committed)
    assert room.debts.owed == (Owed(request=Request(event_id=""), spoken=True) if committed else None)


def test_a_turn_takes_over_what_was_owed() -> None:
    room = Room()
    room.response(ASKED)
    room.lost()
    room.turn()
    assert room.debts.owed is None


# What the next session is told and asked for.


def test_words_that_it_hears_itself_are_not_told_and_nothing_is_asked_for() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    room.lost()
    assert room.resume(words_follow=True) == []
    assert room.debts.promised
    assert room.turns.visitor_began("x1") == [], "it is the same turn"


def test_words_that_it_does_not_hear_are_told_and_answered() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    room.lost()
    told = room.resume()
    assert messages(told) == ["Hello", RESUMED]
    (create,) = creates(told)
    assert create.instructions == "Sing."
    assert not room.debts.promised


def test_the_rest_of_an_answer_is_asked_for_by_a_message_so_that_the_cache_serves() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    room.turns.assistant_began("a1", "r1")
    room.turns.assistant_wrote("a1", "La la")
    room.turns.assistant_sounds("a1")
    room.debts.exists("r1")
    room.lost()
    told = room.resume()
    assert messages(told) == ["Hello", "La la", RESUMED, GO_ON]
    (create,) = creates(told)
    assert create.instructions is None


def test_the_rest_of_an_answer_is_asked_for_by_a_message_of_each_session_that_there_is() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    room.debts.exists("r1")
    room.lost()
    (create,) = creates(room.resume())
    room.responses.created(ResponseCreated(response_id="r2", metadata=create.metadata))
    room.lost()
    assert messages(room.resume())[-1] == GO_ON


def test_calls_that_are_not_done_with_are_told_by_their_own_room_only() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    call = FunctionCalled(response_id="r1", item_id="f", call_id="k", name="book", arguments="{}")
    room.functions.called(call)
    room.functions.response_done(done("completed"))
    room.debts.context.called("k", "book", "{}", 1)
    room.functions.finished(ToolFinished(call_id="k", output="ok", status="completed"), connected=False)
    room.debts.context.output("k", "ok")
    room.debts.exists("r1")
    room.lost(outputs=True)
    kinds = [type(effect).__name__ for effect in room.resume()]
    assert kinds == ["CreateMessage", "CreateMessage", "CreateFunctionCall", "CreateFunctionOutput", "CreateResponse"]


def test_words_of_which_no_turn_is_made_are_committed_and_answered_once() -> None:
    room = Room()
    room.turn()
    room.response(ASKED)
    room.lost()
    room.resume(words_follow=True)
    assert [type(effect) for effect in room.debts.pay_unheard()] == [CommitInput, CreateResponse]
    assert room.debts.pay() == []


def test_turns_that_were_heard_again_as_one_are_one() -> None:
    room = Room()
    room.turn("u1", end_ms=1500)
    room.turn("u2", end_ms=3500)
    room.response(ASKED)
    room.lost()
    room.resume(words_follow=True)
    room.turns.visitor_began("x1")
    room.response(response_id="r2")
    records = [getattr(effect, "record", None) for effect in room.debts.exists("r2")]
    assert [(record.item_id, record.status) for record in records if record is not None] == [("u2", "failed")]


# The second try.


def test_a_response_that_failed_is_asked_for_once_more_as_it_was() -> None:
    room = Room()
    room.response(ASKED)
    failed = done("failed", error_code="server_error")
    again = room.debts.try_again(failed, unheard=False)
    assert again == [], "it waits for the end of the first"
    (create,) = creates(room.responses.done(failed, ""))
    assert create.instructions == "Sing."
    room.responses.created(ResponseCreated(response_id="r2", metadata=create.metadata))
    assert room.debts.try_again(done("failed", "r2"), unheard=False) == [PlayCue(cue="trouble")]


@pytest.mark.parametrize(
    ("reason", "words"), [("max_output_tokens", FINISH), ("content_filter", CANNOT_SAY), ("other", GO_ON)]
)
def test_an_answer_that_was_cut_short_is_mended_by_a_message(reason: str, words: str) -> None:
    room = Room()
    room.response(ASKED)
    room.debts.exists("r1")
    short = done("incomplete", reason=reason)
    assert messages(room.debts.try_again(short, unheard=False)) == [words]
    (create,) = creates(room.responses.done(short, ""))
    assert create.instructions is None


def test_what_nobody_wanted_or_somebody_is_told_of_or_was_no_answer_is_not_tried_again() -> None:
    failed = done("failed")
    room = Room()
    room.response(ASKED)
    assert room.debts.try_again(failed, unheard=True) == []
    assert room.debts.try_again(done("failed", "another"), unheard=False) == []
    assert room.debts.try_again(done("completed"), unheard=False) == []
    for request in (
        Request(event_id="e", reply_to=1, wait=True),
        Request(event_id="e", purpose="filler"),
        Request(event_id="e", last_tokens=100),
    ):
        room = Room()
        room.response(request)
        assert room.debts.try_again(failed, unheard=False) == []


def test_what_the_service_refused_is_not_owed() -> None:
    room = Room()
    room.responses.submit(ASKED)
    room.responses.failed(ServerError(code="invalid_value", message="no", event_id="e1"))
    assert room.lost() is None
