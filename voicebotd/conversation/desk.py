"""What people ask of a running conversation: messages, responses, a hard stop, push to talk. Commands in, effects out.

Changes that hold until further notice are `standing.py`'s; this file only says when they may be made.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebotd.conversation import barge_in
from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.context import Spoken
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.responses import Request
from voicebotd.conversation.standing import Standing

MIN_COMMIT_S = 0.1
"""The service refuses to commit less than 100 ms of audio (`input_audio_buffer_commit_empty`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message on its way to the service."""

    event_id: str
    item_id: str
    request_id: int

    @property
    def timer(self) -> str:
        return f"deliver:{self.item_id}"


class Desk:
    """Owns the deliveries under way and the state of the talk button."""

    def __init__(self, ids: Ids, standing: Standing, *, deliver_within_s: float) -> None:
        self._ids = ids
        self._standing = standing
        self._deliver_within_s = deliver_within_s
        self._deliveries: dict[str, Delivery] = {}
        self._talking_since_s: float | None = None

    @property
    def talking(self) -> bool:
        return self._talking_since_s is not None

    @property
    def talking_since_s(self) -> float | None:
        """Since when the talk button is held."""
        return self._talking_since_s

    @property
    def busy(self) -> bool:
        """Whether something is under way that would be lost with the session."""
        return self.talking or bool(self._deliveries)

    # Messages and responses.

    def send_message(self, command: cmd.SendMessage, dialogue: Dialogue) -> list[fx.Effect]:
        """Put a text into the conversation; answered when the service took it."""
        item_id, event_id = self._ids.item(), self._ids.event()
        delivery = Delivery(event_id=event_id, item_id=item_id, request_id=command.request_id)
        self._deliveries[item_id] = delivery
        effects: list[fx.Effect] = [
            fx.CreateMessage(event_id=event_id, item_id=item_id, role=command.role, text=command.text),
            fx.SetTimer(name=delivery.timer, delay_s=self._deliver_within_s),
            *dialogue.turns.said(item_id, command.role, command.text),
        ]
        if command.respond:
            effects += dialogue.responses.submit(Request(event_id=self._ids.event()))
        return effects

    def delivered(self, event: ev.ItemAdded) -> list[fx.Effect]:
        delivery = self._deliveries.pop(event.item_id, None)
        if delivery is None:
            return []
        reply = fx.Reply(request_id=delivery.request_id, result={"item_id": delivery.item_id})
        return [fx.CancelTimer(name=delivery.timer), reply]

    def refused(self, error: ev.ServerError) -> list[fx.Effect] | None:
        """An error about a message of ours; None if it is about something else."""
        delivery = next((one for one in self._deliveries.values() if one.event_id == error.event_id), None)
        return None if delivery is None else self._fail(delivery, "config.invalid", error.message)

    def overdue(self, timer: str) -> list[fx.Effect]:
        delivery = next((one for one in self._deliveries.values() if one.timer == timer), None)
        return (
            [] if delivery is None else self._fail(delivery, "link.unavailable", "the service did not take it in time")
        )

    def request_response(self, command: cmd.RequestResponse, dialogue: Dialogue) -> list[fx.Effect]:
        request = Request(
            event_id=self._ids.event(),
            instructions=self._standing.for_response(command.instructions),
            output=command.output,
            reply_to=command.request_id,
            wait=command.wait,
        )
        return dialogue.responses.submit(request)

    def interrupt(self, command: cmd.InterruptResponse, dialogue: Dialogue) -> list[fx.Effect]:
        """A person's hard stop: also of the answers that were to follow."""
        effects = dialogue.responses.drop_queue("response.interrupted", "everything was stopped by an interrupt")
        plan = barge_in.hard_stop(generating=dialogue.responses.active is not None)
        effects += dialogue.interrupt(plan, reply_to=command.request_id)
        if not self.talking:
            # Frees a box that waits for the end of a speech that the service forgot.
            effects += dialogue.end_of_speech(service_answers=False)
        return effects

    # Push to talk.

    def talk_begin(self, command: cmd.TalkBegin, dialogue: Dialogue, now_s: float) -> list[fx.Effect]:
        """The button is down: silence, an empty buffer, and only what is said from now on."""
        reply = fx.Reply(request_id=command.request_id, result={"talking": True})
        if self.talking:
            return [reply]
        self._talking_since_s = now_s
        dialogue.visitor_speaks = True
        dialogue.responses.hold(by_key=True)
        plan = barge_in.hard_stop(generating=dialogue.responses.active is not None)
        return [
            *dialogue.interrupt(plan),
            *self._standing.talk(self._ids.event(), talking=True),
            fx.ClearInput(event_id=self._ids.event()),
            fx.Publish(topic="turn", data={"event": "talk_began"}),
            reply,
        ]

    def take_key(self, dialogue: Dialogue) -> list[fx.Effect]:
        """Nobody is heard any more: what is being said, into the button too, is dropped."""
        if not (self.talking or dialogue.visitor_speaks):
            return []
        effects: list[fx.Effect] = [fx.ClearInput(event_id=self._ids.event())]
        if self.talking:
            self._talking_since_s = None
            effects += self._standing.talk(self._ids.event(), talking=False)
            effects.append(fx.Publish(topic="turn", data={"event": "talk_ended", "committed": False}))
        return [*effects, *dialogue.end_of_speech(service_answers=False)]

    def talk_end(self, command: cmd.TalkEnd, dialogue: Dialogue, now_s: float, *, ready: bool) -> list[fx.Effect]:
        """The button is up: commit what was said and have it answered."""
        if self._talking_since_s is None:
            message, hint = "nobody is talking", "voicebotctl talk begins push to talk"
            return [fx.Refuse(request_id=command.request_id, kind="talk.not_begun", message=message, hint=hint)]
        committed = now_s - self._talking_since_s >= MIN_COMMIT_S
        effects = self.let_go(dialogue, now_s, ready=ready)
        return [*effects, fx.Reply(request_id=command.request_id, result={"committed": committed})]

    def let_go(self, dialogue: Dialogue, now_s: float, *, ready: bool) -> list[fx.Effect]:
        """End push to talk, by the key or because it was held too long. What was said while there is no session is
        heard by the next one."""
        since_s, self._talking_since_s = self._talking_since_s, None
        assert since_s is not None
        committed = now_s - since_s >= MIN_COMMIT_S
        effects: list[fx.Effect] = []
        if not ready:
            dialogue.debts.promise(committed=committed)
        elif committed:
            dialogue.wants_answer(Spoken(began_s=since_s))
            effects.append(fx.CommitInput(event_id=self._ids.event()))
            effects += dialogue.responses.submit(Request(event_id=self._ids.event()))
        else:
            effects.append(fx.ClearInput(event_id=self._ids.event()))
            effects += dialogue.settle_outputs()
        effects += dialogue.end_of_speech(service_answers=False)
        effects += self._standing.talk(self._ids.event(), talking=False)
        return [*effects, fx.Publish(topic="turn", data={"event": "talk_ended", "committed": committed})]

    def set_turn_detection(self, command: cmd.SetTurnDetection, *, ready: bool) -> list[fx.Effect]:
        """Turn detection is off while somebody holds the talk button, so it cannot be changed then."""
        if self.talking:
            return [_talking(command, "turn detection")]
        return self._standing.set_turn_detection(command, self._ids.event(), ready=ready)

    def set_barge_in(self, command: cmd.SetBargeIn, *, ready: bool) -> list[fx.Effect]:
        """The service's part of it is a part of turn detection."""
        if self.talking:
            return [_talking(command, "how the visitor may interrupt")]
        return self._standing.set_barge_in(command, self._ids.event(), ready=ready)

    def lost(self) -> list[fx.Effect]:
        """The session is gone. The next one is told the messages under way, and hears what is said into the button."""
        effects: list[fx.Effect] = []
        for delivery in self._deliveries.values():
            reply = fx.Reply(request_id=delivery.request_id, result={"item_id": delivery.item_id})
            effects += [fx.CancelTimer(name=delivery.timer), reply]
        self._deliveries.clear()
        return effects

    def end(self) -> list[fx.Effect]:
        """The conversation is over, and nobody holds the button of the next one."""
        if not self.talking:
            return []
        self._talking_since_s = None
        return self._standing.talk(self._ids.event(), talking=False)

    def _fail(self, delivery: Delivery, kind: str, message: str) -> list[fx.Effect]:
        del self._deliveries[delivery.item_id]
        refusal = fx.Refuse(request_id=delivery.request_id, kind=kind, message=message, retryable=True)
        return [fx.CancelTimer(name=delivery.timer), refusal]


def _talking(command: cmd.Command, what: str) -> fx.Effect:
    message, hint = f"{what} cannot be changed during push to talk", "voicebotctl call talk.end ends it"
    return fx.Refuse(request_id=command.request_id, kind="talk.active", message=message, hint=hint, retryable=True)
