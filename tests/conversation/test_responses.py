"""The response sequencer: one at a time, everybody answered once."""

from __future__ import annotations

from voicebotd.conversation.effects import (
    CancelResponse,
    CreateResponse,
    Effect,
    Refuse,
    Reply,
)
from voicebotd.conversation.events import (
    ResponseCreated,
    ResponseDone,
    ServerError,
)
from voicebotd.conversation.responses import ACTIVE_ALREADY, NOTHING_TO_CANCEL, TAG, Closed, Request, Responses


def created(response_id: str, tag: str | None = None) -> ResponseCreated:
    return ResponseCreated(response_id=response_id, metadata={TAG: tag} if tag else {})


def done(response_id: str) -> ResponseDone:
    return ResponseDone(response_id=response_id, status="completed")


def creates(effects: list[Effect]) -> list[str]:
    return [effect.event_id for effect in effects if isinstance(effect, CreateResponse)]


def test_a_request_is_created_at_once_when_nothing_is_active_and_the_next_waits_for_done() -> None:
    responses = Responses()
    assert creates(responses.submit(Request(event_id="e1"))) == ["e1"]
    assert responses.awaited
    assert responses.submit(Request(event_id="e2")) == []
    responses.created(created("r1", "e1"))
    assert responses.active == "r1"
    assert not responses.awaited
    assert creates(responses.done(done("r1"), "")) == ["e2"]


def test_who_asked_is_told_the_response_id_when_it_begins() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=5))
    assert responses.created(created("r1", "e1")) == [Reply(request_id=5, result={"response_id": "r1"})]
    assert responses.done(done("r1"), "text") == []


def test_who_waits_is_told_the_text_when_it_is_done() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=5, wait=True))
    assert responses.created(created("r1", "e1")) == []
    result = {"response_id": "r1", "status": "completed", "text": "hello"}
    assert responses.done(done("r1"), "hello") == [Reply(request_id=5, result=result)]


def test_a_wait_that_nobody_can_be_told_of_is_no_reply() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", wait=True))
    responses.created(created("r1", "e1"))
    assert responses.done(done("r1"), "hello") == []


def test_the_service_s_own_response_goes_before_ours_and_ours_is_tried_again() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=1))
    responses.expect()
    assert responses.created(created("auto")) == []
    refused = responses.failed(ServerError(code=ACTIVE_ALREADY, message="busy", event_id="e1"))
    assert refused == []
    assert not responses.due
    assert creates(responses.done(done("auto"), "")) == ["e1"]


def test_a_collision_with_a_response_not_yet_seen_waits_for_it() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1"))
    assert responses.failed(ServerError(code=ACTIVE_ALREADY, message="busy", event_id="e1")) == []
    assert responses.due
    assert creates(responses.done(done("never announced"), "")) == ["e1"]


def test_a_collision_is_not_retried_for_ever() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=1))
    for _ in range(Responses.MAX_ATTEMPTS - 1):
        assert responses.failed(ServerError(code=ACTIVE_ALREADY, message="busy", event_id="e1")) == []
        assert creates(responses.done(done("x"), "")) == ["e1"]
    effects = responses.failed(ServerError(code=ACTIVE_ALREADY, message="busy", event_id="e1"))
    assert effects == [Refuse(request_id=1, kind="link.unavailable", message="busy")]


def test_a_server_that_does_not_echo_the_tag_is_understood() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=5))
    assert responses.created(created("r1")) == [Reply(request_id=5, result={"response_id": "r1"})]


def test_an_error_about_something_else_is_not_ours() -> None:
    responses = Responses()
    assert responses.failed(ServerError(code="x", message="y", event_id="")) is None
    responses.submit(Request(event_id="e1"))
    assert responses.failed(ServerError(code="x", message="y", event_id="other")) is None


def test_a_create_that_the_service_refuses_is_told_and_the_next_goes_ahead() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=1))
    responses.submit(Request(event_id="e2"))
    effects = responses.failed(ServerError(code="invalid_value", message="no such voice", event_id="e1"))
    assert effects is not None
    assert Refuse(request_id=1, kind="link.unavailable", message="no such voice") in effects
    assert creates(effects) == ["e2"]


def test_nothing_is_created_while_the_visitor_speaks() -> None:
    responses = Responses()
    responses.hold()
    assert responses.submit(Request(event_id="e1")) == []
    assert creates(responses.release(service_answers=False)) == ["e1"]


def test_the_answer_of_the_service_comes_before_what_was_held() -> None:
    responses = Responses()
    responses.hold()
    responses.submit(Request(event_id="e1"))
    assert responses.release(service_answers=True) == []
    responses.created(created("auto"))
    assert creates(responses.done(done("auto"), "")) == ["e1"]


def test_a_discarded_response_is_remembered_once_and_cancelled_on_demand() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1"))
    responses.created(created("r1", "e1"))
    assert responses.discard(event_id="c1", cancel=False) == []
    assert responses.discard(event_id="c2", cancel=True) == [CancelResponse(event_id="c2", response_id="r1")]
    assert responses.is_discarded("r1")
    assert not responses.is_discarded("r2")


def test_a_request_under_way_is_cancelled_as_soon_as_it_is_created() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=3))
    assert responses.discard(event_id="c", cancel=True) == []
    reply, cancel = responses.created(created("r1", "e1"))
    assert reply == Reply(request_id=3, result={"response_id": "r1"})
    assert isinstance(cancel, CancelResponse)
    assert responses.is_discarded("r1")
    responses.done(done("r1"), "")
    responses.submit(Request(event_id="e2"))
    assert responses.created(created("r2", "e2")) == []


def test_who_waits_for_a_response_that_another_one_replaces_is_told() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=1, wait=True))
    responses.created(created("r1", "e1"))
    assert [type(effect) for effect in responses.created(created("r2"))] == [Refuse]
    assert responses.active == "r2"


def test_who_was_answered_is_not_refused_afterwards() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=1))
    responses.created(created("r1", "e1"))
    assert responses.forget("link.unavailable", "gone") == []


def test_done_of_another_response_changes_nothing() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1"))
    responses.created(created("r1", "e1"))
    assert responses.done(done("out of band"), "") == []
    assert responses.active == "r1"


def test_an_answer_of_the_service_that_is_due_can_be_stopped_before_it_begins() -> None:
    responses = Responses()
    responses.hold()
    responses.release(service_answers=True)
    assert responses.discard(event_id="c", cancel=True) == []
    (cancel,) = responses.created(created("auto"))
    assert cancel == CancelResponse(event_id="auto-unwanted", response_id="auto")
    assert responses.is_discarded("auto")
    responses.done(done("auto"), "")
    responses.expect()
    assert responses.created(created("the next one")) == []


def test_a_cancel_that_finds_nothing_shows_that_the_response_is_over() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=1, wait=True))
    responses.created(created("r1", "e1"))
    responses.submit(Request(event_id="e2"))
    responses.discard(event_id="c", cancel=True)
    assert responses.failed(ServerError(code=NOTHING_TO_CANCEL, message="", event_id="other")) is None
    effects = responses.failed(ServerError(code=NOTHING_TO_CANCEL, message="", event_id="c"))
    assert effects is not None
    assert isinstance(effects[0], Refuse)
    assert creates(effects) == ["e2"]


def test_a_cancel_that_crosses_the_end_of_its_response_hits_no_other() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1"))
    responses.created(created("r1", "e1"))
    responses.discard(event_id="c", cancel=True)
    responses.done(done("r1"), "")
    responses.submit(Request(event_id="e2"))
    assert responses.failed(ServerError(code=NOTHING_TO_CANCEL, message="", event_id="c")) is None
    assert responses.awaited


def test_an_answer_that_does_not_come_is_asked_for_after_the_one_that_is_being_made() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=1, wait=True))
    responses.created(created("r1", "e1"))
    responses.expect()
    assert responses.overdue("e2") == []
    assert responses.active == "r1"
    assert creates(responses.done(done("r1"), "")) == ["e2"]


def test_nothing_is_answered_while_the_talk_key_is_held() -> None:
    responses = Responses()
    responses.hold(by_key=True)
    (cancel,) = responses.created(created("auto"))
    assert isinstance(cancel, CancelResponse)
    responses.release(service_answers=False)
    responses.done(done("auto"), "")
    assert responses.created(created("the next one")) == []


def test_what_does_not_come_in_time_is_asked_for_once_more_before_all_else_and_then_given_up() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", instructions="Hi", reply_to=1))
    responses.submit(Request(event_id="e2"))
    (create,) = responses.overdue("e3") or []
    assert isinstance(create, CreateResponse)
    assert (create.event_id, create.instructions) == ("e3", "Hi")
    assert responses.overdue("e4") is None, "the session is of no use"
    assert responses.awaited, "and whoever follows it knows what is owed"
    assert responses.created(created("r1", "e3")) == [Reply(request_id=1, result={"response_id": "r1"})]


def test_an_answer_of_the_service_that_does_not_come_is_asked_for_by_us() -> None:
    responses = Responses()
    responses.expect()
    assert creates(responses.overdue("e1") or []) == ["e1"]
    assert responses.overdue("e2") is None


def test_an_answer_that_nobody_wants_any_more_is_not_asked_for_again() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1"))
    responses.submit(Request(event_id="e2"))
    responses.discard(event_id="c", cancel=True)
    assert creates(responses.overdue("e3") or []) == ["e2"], "what waited goes ahead"
    responses = Responses()
    responses.expect()
    responses.discard(event_id="c", cancel=True)
    assert responses.overdue("e1") == []
    assert not responses.busy


def made(request: Request, response_id: str = "r1") -> Responses:
    """A response that is being made."""
    responses = Responses()
    responses.submit(request)
    responses.created(created(response_id, request.event_id))
    return responses


def test_a_second_try_is_made_of_the_first_and_tells_nobody() -> None:
    responses = made(Request(event_id="e1", instructions="Hi", output="text", attempts=2, reply_to=4))
    assert not responses.is_second_try
    again = responses.again("e2", as_asked=True)
    assert again == Request(event_id="e2", instructions="Hi", output="text", tried=True)
    responses.done(done("r1"), "")
    assert creates(responses.first(again)) == ["e2"]
    responses.created(created("r2", "e2"))
    assert responses.is_second_try
    assert responses.again("e3", as_asked=False).instructions is None


def test_a_second_try_of_what_the_service_made_by_itself_is_plain_and_comes_before_what_waits() -> None:
    responses = Responses()
    responses.created(created("auto"))
    assert responses.again("e2", as_asked=True) == Request(event_id="e2", tried=True)
    responses.submit(Request(event_id="e1"))
    assert responses.first(responses.again("e2", as_asked=True)) == []
    assert creates(responses.done(done("auto"), "")) == ["e2"]


def test_it_is_known_whether_somebody_is_told_how_a_response_ended() -> None:
    assert made(Request(event_id="e1", reply_to=1, wait=True)).is_awaited_by_somebody
    assert not made(Request(event_id="e1", reply_to=1)).is_awaited_by_somebody


def test_of_a_session_that_ends_an_answer_is_owed_until_something_of_it_was_received() -> None:
    request = Request(event_id="e1", instructions="Hi", attempts=1, tried=True)
    owed = Request(event_id="e1", instructions="Hi")
    assert made(request).owed(begun=False) == owed, "in the next session nothing was tried"
    assert made(request).owed(begun=True) is None
    responses = Responses()
    responses.submit(request)
    assert responses.owed(begun=False) == owed, "asked for and not begun"
    responses.discard(event_id="c", cancel=True)
    assert responses.owed(begun=False) is None, "nobody wants it any more"


def test_of_a_session_that_ends_the_service_s_own_answer_is_owed_too() -> None:
    responses = Responses()
    assert responses.owed(begun=False) is None
    responses.expect()
    assert responses.owed(begun=False) == Request(event_id="")
    responses.created(created("auto"))
    assert responses.owed(begun=False) == Request(event_id="")
    responses.discard(event_id="c", cancel=True)
    assert responses.owed(begun=False) is None
    responses = Responses()
    responses.expect(Request(event_id="e1", instructions="Hi"))
    assert responses.owed(begun=False) == Request(event_id="e1", instructions="Hi"), "as was foreseen"
    responses.discard(event_id="c", cancel=True)
    assert responses.owed(begun=False) is None


def test_what_waits_is_owed_unless_somebody_is_told_that_it_is_lost() -> None:
    responses = made(Request(event_id="e1"))
    responses.submit(Request(event_id="person", reply_to=5))
    responses.submit(Request(event_id="turn"))
    assert responses.owed(begun=True) == Request(event_id="turn")
    assert made(Request(event_id="e1", reply_to=1, wait=True)).owed(begun=False) is None, "whoever asked asks again"
    accepted = made(Request(event_id="e1", reply_to=1))
    assert accepted.owed(begun=False) == Request(event_id="e1"), "whoever asked was told that it is being made"


def test_an_answer_whose_end_was_lost_makes_room_for_the_next() -> None:
    responses = made(Request(event_id="e1", reply_to=1, wait=True))
    responses.submit(Request(event_id="e2"))
    effects = responses.give_up_active()
    assert isinstance(effects[0], Refuse)
    assert creates(effects) == ["e2"]


def test_the_queue_is_bounded() -> None:
    responses = Responses()
    responses.expect()
    for number in range(Responses.MAX_QUEUED):
        assert responses.submit(Request(event_id=f"e{number}")) == []
    (refusal,) = responses.submit(Request(event_id="one too many", reply_to=9))
    assert isinstance(refusal, Refuse)
    assert (refusal.kind, refusal.retryable) == ("rpc.overloaded", True)


def test_a_lost_session_refuses_everybody_and_forgets_everything() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1", reply_to=1, wait=True))
    responses.submit(Request(event_id="e2", reply_to=2))
    responses.created(created("r1", "e1"))
    effects = responses.forget("link.unavailable", "gone")
    assert [effect.request_id for effect in effects if isinstance(effect, Refuse)] == [1, 2]
    assert not responses.busy
    assert responses.is_discarded("r1")
    assert responses.forget("link.unavailable", "gone") == []


def test_a_hard_stop_drops_what_was_to_follow() -> None:
    responses = Responses()
    responses.expect()
    responses.submit(Request(event_id="e1", reply_to=1))
    responses.submit(Request(event_id="e2"))
    effects = responses.drop_queue("response.interrupted", "stopped")
    assert effects == [Refuse(request_id=1, kind="response.interrupted", message="stopped")]
    responses.created(created("auto"))
    assert responses.done(done("auto"), "") == []


def test_the_answer_to_a_turn_serves_whatever_else_waits_and_has_no_one_to_tell() -> None:
    responses = Responses()
    responses.created(created("r1"))
    responses.submit(Request(event_id="outputs"))
    responses.submit(Request(event_id="person", reply_to=5))
    responses.answer(Request(event_id="turn"))
    assert creates(responses.done(done("r1"), "")) == ["person"]
    responses.created(created("r2", "person"))
    assert creates(responses.done(done("r2"), "")) == ["turn"]


def test_an_answer_that_the_service_announced_and_does_not_make_is_made_by_us_where_that_was_foreseen() -> None:
    responses = Responses()
    responses.expect(Request(event_id="e1"))
    assert creates(responses.overdue("e2") or []) == ["e2"]
    responses = Responses()
    responses.expect(Request(event_id="e1", instructions="Hi"))
    responses.created(created("r1"))
    responses.done(done("r1"), "")
    responses.expect()
    (create,) = responses.overdue("e2") or []
    assert isinstance(create, CreateResponse)
    assert create.instructions is None, "what was foreseen for one answer does not hold for the next"


def test_nothing_is_created_before_the_service_s_conversation_is_in_order() -> None:
    responses = Responses()
    responses.wait_for("cut")
    responses.wait_for("noise")
    assert responses.submit(Request(event_id="e1")) == []
    assert responses.waiting
    assert responses.in_order("cut") == []
    assert creates(responses.in_order("noise")) == ["e1"]
    assert not responses.waiting


def test_an_answer_is_wanted_until_somebody_discards_it() -> None:
    responses = Responses()
    assert not responses.wanted
    responses.expect()
    assert responses.wanted
    responses.discard(event_id="c", cancel=True)
    assert not responses.wanted
    responses.overdue("e0")
    responses.submit(Request(event_id="e1"))
    assert responses.wanted
    responses.created(created("r1", "e1"))
    assert responses.generating
    responses.discard(event_id="c", cancel=True)
    assert not responses.wanted
    responses.submit(Request(event_id="e2"))
    assert responses.wanted


def test_the_key_s_hold_is_known() -> None:
    responses = Responses()
    responses.hold(by_key=True)
    assert responses.key_is_held


CLOSED = Closed(kind="budget.exhausted", message="spent", hint="wait")


def test_once_it_is_closed_who_waits_is_refused_and_only_the_last_response_is_created() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1"))
    responses.created(created("r1", "e1"))
    responses.submit(Request(event_id="e2", reply_to=5))
    responses.submit(Request(event_id="e3"))
    refused = [Refuse(request_id=5, kind="budget.exhausted", message="spent", hint="wait")]
    assert responses.close(CLOSED) == refused
    assert responses.submit(Request(event_id="last", last_tokens=90)) == []
    (last,) = responses.done(done("r1"), "")
    assert isinstance(last, CreateResponse)
    assert (last.event_id, last.calls_functions, last.max_output_tokens) == ("last", False, 90)


def test_whatever_is_submitted_after_it_was_closed_is_turned_away_until_it_is_open_again() -> None:
    responses = Responses()
    assert responses.close(CLOSED) == []
    assert responses.submit(Request(event_id="e1")) == []
    assert not responses.waiting
    assert len(responses.submit(Request(event_id="e2", reply_to=6))) == 1
    responses.reopen()
    (create,) = responses.submit(Request(event_id="e3"))
    assert isinstance(create, CreateResponse)
    assert (create.calls_functions, create.max_output_tokens) == (True, None)


def test_it_is_known_what_the_response_that_began_last_is_for() -> None:
    responses = Responses()
    (filler,) = responses.submit(Request(event_id="e1", purpose="filler", instructions="Wait."))
    assert isinstance(filler, CreateResponse)
    assert not filler.calls_functions, "it only says something"
    assert responses.purpose is None
    responses.created(created("r1", "e1"))
    assert responses.purpose == "filler"
    responses.done(done("r1"), "")
    responses.expect()
    responses.created(created("r2"))
    assert responses.purpose is None, "the service's own idea"


def test_a_response_that_was_to_go_on_with_outputs_is_dropped_when_another_knows_them() -> None:
    responses = Responses()
    responses.submit(Request(event_id="e1"))
    responses.created(created("r1", "e1"))
    assert not responses.outputs_wait
    responses.submit(Request(event_id="e2", purpose="outputs"))
    responses.submit(Request(event_id="e3"))
    assert responses.outputs_wait
    responses.drop_outputs()
    assert not responses.outputs_wait
    assert creates(responses.done(done("r1"), "")) == ["e3"]


def test_the_last_response_is_known_by_its_request() -> None:
    responses = Responses()
    assert not responses.is_last
    responses.submit(Request(event_id="e1"))
    responses.created(created("r1", "e1"))
    assert not responses.is_last
    responses.done(done("r1"), "")
    responses.close(CLOSED)
    responses.submit(Request(event_id="last", last_tokens=90))
    responses.created(created("r2", "last"))
    assert responses.is_last
