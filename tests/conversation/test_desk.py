"""What people ask of a running conversation."""

from __future__ import annotations

from typing import Any

import pytest

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.desk import Desk
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.standing import Standing

MODE = ev.BargeIn(mode="immediate")


class Room:
    """A desk in a conversation that runs."""

    def __init__(self, **detection: Any) -> None:
        self.ids = Ids()
        policy = Policy(instructions="Be kind.", turn_detection=ev.TurnDetection(**detection), barge_in=MODE)
        self.standing = Standing(policy)
        self.desk = Desk(self.ids, self.standing, deliver_within_s=5.0)
        self.dialogue = Dialogue("c", self.ids)

    def send(self, text: str = "hello", *, respond: bool = True) -> list[fx.Effect]:
        return self.desk.send_message(cmd.SendMessage(request_id=1, text=text, respond=respond), self.dialogue)


def kinds(effects: list[fx.Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects if not isinstance(effect, fx.Publish | fx.Record)]


def one(effects: list[fx.Effect], kind: type[Any]) -> Any:
    (found,) = [effect for effect in effects if isinstance(effect, kind)]
    return found


def test_a_message_is_answered_when_the_service_took_it_and_a_response_is_asked_for() -> None:
    room = Room()
    effects = room.send()
    assert kinds(effects) == ["CreateMessage", "SetTimer", "CreateResponse"]
    item_id = one(effects, fx.CreateMessage).item_id
    delivered = room.desk.delivered(ev.ItemAdded(item_id=item_id, item_type="message"))
    assert one(delivered, fx.Reply) == fx.Reply(request_id=1, result={"item_id": item_id})
    assert room.desk.delivered(ev.ItemAdded(item_id=item_id, item_type="message")) == []


def test_a_message_may_want_no_response() -> None:
    assert kinds(Room().send(respond=False)) == ["CreateMessage", "SetTimer"]


def test_a_message_that_the_service_refuses_is_told() -> None:
    room = Room()
    event_id = one(room.send(), fx.CreateMessage).event_id
    assert room.desk.refused(ev.ServerError(code="x", message="y", event_id="else")) is None
    effects = room.desk.refused(ev.ServerError(code="x", message="too long", event_id=event_id))
    assert effects is not None
    assert one(effects, fx.Refuse).message == "too long"


def test_a_message_that_is_not_taken_in_time_is_told_once() -> None:
    room = Room()
    timer = one(room.send(), fx.SetTimer).name
    assert one(room.desk.overdue(timer), fx.Refuse).kind == "link.unavailable"
    assert room.desk.overdue(timer) == []


def test_a_message_that_was_under_way_when_the_session_was_lost_is_told_to_the_next() -> None:
    room = Room()
    (create,) = [effect for effect in room.send() if isinstance(effect, fx.CreateMessage)]
    lost = room.desk.lost()
    assert one(lost, fx.Reply).result == {"item_id": create.item_id}, "whoever sent it must not send it again"
    assert one(lost, fx.CancelTimer)
    assert room.desk.lost() == []


def test_a_response_may_have_instructions_of_its_own() -> None:
    room = Room()
    command = cmd.RequestResponse(request_id=4, instructions="Be brief.", output="text")
    create = one(room.desk.request_response(command, room.dialogue), fx.CreateResponse)
    assert (create.instructions, create.output) == ("Be kind.\n\nBe brief.", "text")


def test_an_interrupt_with_nothing_to_stop_says_so() -> None:
    room = Room()
    effects = room.desk.interrupt(cmd.InterruptResponse(request_id=2), room.dialogue)
    assert effects == [fx.Reply(request_id=2, result={"heard_ms": 0, "item_id": None})]


def test_push_to_talk_clears_commits_and_asks_for_a_response() -> None:
    room = Room()
    begun = room.desk.talk_begin(cmd.TalkBegin(request_id=1), room.dialogue, 10.0)
    assert kinds(begun) == ["UpdateSession", "ClearInput", "Reply"]
    assert room.desk.talking
    assert room.dialogue.visitor_speaks
    again = room.desk.talk_begin(cmd.TalkBegin(request_id=2), room.dialogue, 10.5)
    assert kinds(again) == ["Reply"]
    ended = room.desk.talk_end(cmd.TalkEnd(request_id=3), room.dialogue, 11.0, ready=True)
    assert kinds(ended) == ["CommitInput", "CreateResponse", "UpdateSession", "Reply"]
    assert one(ended, fx.Reply).result == {"committed": True}
    assert not room.desk.talking
    assert not room.dialogue.visitor_speaks


def test_a_press_too_short_to_hold_speech_is_not_committed() -> None:
    room = Room(type="none")
    room.desk.talk_begin(cmd.TalkBegin(request_id=1), room.dialogue, 10.0)
    ended = room.desk.talk_end(cmd.TalkEnd(request_id=2), room.dialogue, 10.05, ready=True)
    assert kinds(ended) == ["ClearInput", "Reply"]
    assert one(ended, fx.Reply).result == {"committed": False}


@pytest.mark.parametrize(("held_s", "wanted"), [(1.0, ["CommitInput", "CreateResponse"]), (0.05, ["ClearInput"])])
def test_outputs_that_are_owed_are_gone_on_with_once_whatever_the_key_did(held_s: float, wanted: list[str]) -> None:
    room = Room()
    room.desk.talk_begin(cmd.TalkBegin(request_id=1), room.dialogue, 0.0)
    room.dialogue.owes_outputs = True
    ended = kinds(room.desk.talk_end(cmd.TalkEnd(request_id=2), room.dialogue, held_s, ready=True))
    assert ended.count("CreateResponse") == 1
    assert [kind for kind in ended if kind in wanted] == wanted
    assert not room.dialogue.owes_outputs


def test_a_key_that_is_held_outlives_a_lost_session_and_not_the_conversation() -> None:
    room = Room()
    room.desk.talk_begin(cmd.TalkBegin(request_id=1), room.dialogue, 10.0)
    assert room.desk.lost() == []
    assert room.desk.talking_since_s == 10.0
    assert one(room.desk.end(), fx.UpdateSession).turn_detection == ev.TurnDetection()
    assert not room.desk.talking
    assert room.desk.end() == []


def test_what_was_said_into_the_key_without_a_session_is_owed_to_the_next() -> None:
    room = Room()
    room.desk.talk_begin(cmd.TalkBegin(request_id=1), room.dialogue, 10.0)
    ended = room.desk.talk_end(cmd.TalkEnd(request_id=2), room.dialogue, 11.0, ready=False)
    assert [effect for effect in ended if isinstance(effect, fx.CommitInput | fx.CreateResponse)] == []
    assert one(ended, fx.Reply).result == {"committed": True}
    assert room.dialogue.debts.owed is not None
    assert room.dialogue.debts.owed.spoken


def test_an_interrupt_frees_a_box_that_waits_for_the_end_of_a_speech() -> None:
    room = Room()
    room.dialogue.visitor_speaks = True
    room.dialogue.responses.hold()
    room.desk.interrupt(cmd.InterruptResponse(request_id=2), room.dialogue)
    assert not room.dialogue.visitor_speaks
    room.desk.talk_begin(cmd.TalkBegin(request_id=3), room.dialogue, 10.0)
    room.desk.interrupt(cmd.InterruptResponse(request_id=4), room.dialogue)
    assert room.dialogue.visitor_speaks, "the key is held"


def test_letting_go_without_a_press_is_refused() -> None:
    room = Room()
    assert (
        one(room.desk.talk_end(cmd.TalkEnd(request_id=1), room.dialogue, 1.0, ready=True), fx.Refuse).kind
        == "talk.not_begun"
    )


@pytest.mark.parametrize(("talking", "kind"), [(True, fx.Refuse), (False, fx.Reply)])
def test_turn_detection_cannot_be_changed_during_push_to_talk(talking: bool, kind: type[fx.Effect]) -> None:
    room = Room()
    if talking:
        room.desk.talk_begin(cmd.TalkBegin(request_id=1), room.dialogue, 10.0)
    command = cmd.SetTurnDetection(request_id=2, changes={"threshold": 0.5})
    mode = cmd.SetBargeIn(request_id=2, changes={"duck_db": -6.0})
    assert isinstance(room.desk.set_barge_in(mode, ready=False)[-1], kind)
    assert one(room.desk.set_turn_detection(command, ready=False), kind).request_id == 2


def test_the_key_is_taken_away_and_what_was_said_into_it_is_dropped() -> None:
    room = Room()
    assert room.desk.take_key(room.dialogue) == [], "nobody speaks"
    room.desk.talk_begin(cmd.TalkBegin(request_id=1), room.dialogue, 0.0)
    taken = room.desk.take_key(room.dialogue)
    assert kinds(taken) == ["ClearInput", "UpdateSession"]
    assert one(taken, fx.Publish).data == {"event": "talk_ended", "committed": False}
    assert not room.desk.talking
    (refusal,) = room.desk.talk_end(cmd.TalkEnd(request_id=2), room.dialogue, 1.0, ready=True)
    assert isinstance(refusal, fx.Refuse)


def test_a_visitor_who_is_not_heard_to_the_end_says_nothing() -> None:
    room = Room()
    room.dialogue.visitor_speaks = True
    assert kinds(room.desk.take_key(room.dialogue)) == ["ClearInput"]
    assert not room.dialogue.visitor_speaks


def test_it_is_busy_with_a_message_until_the_service_took_it_and_with_the_key_while_it_is_held() -> None:
    room = Room()
    assert not room.desk.busy
    item_id = one(room.send(), fx.CreateMessage).item_id
    assert room.desk.busy
    room.desk.delivered(ev.ItemAdded(item_id=item_id, item_type="message"))
    assert not room.desk.busy
    room.desk.talk_begin(cmd.TalkBegin(request_id=2), room.dialogue, 10.0)
    assert room.desk.busy
