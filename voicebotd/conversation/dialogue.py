"""One conversation's give and take: what is said, what sounds, and what an interruption does to it.

Composes the sequencer, the ledger, the turns, the functions and the debts. What the visitor does is `visitor.py`'s, the
rule of interruption `barge_in.py`'s. Knows no states and no people's commands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from voicebotd.conversation import barge_in
from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.context import Spoken
from voicebotd.conversation.debts import Debts
from voicebotd.conversation.functions import Functions
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.ledger import Ledger, Piece
from voicebotd.conversation.remote_tools import RemoteTools
from voicebotd.conversation.responses import Request, Responses
from voicebotd.conversation.turns import Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A flush under way: who asked for it by command, if anybody."""

    reply_to: int | None


class Dialogue:
    """Events in, effects out, for what is said."""

    def __init__(
        self, conversation_id: str, ids: Ids, *, whole_pieces: bool = False, approve_within_s: float = 30.0
    ) -> None:
        self._ids = ids
        self._cuts: dict[int, Cut] = {}
        self._unended: set[tuple[str, int]] = set()
        """Spoken parts of the active response that are being received."""
        self._spoken: dict[str, list[str]] = {}
        self.responses = Responses()
        self.ledger = Ledger(whole_pieces=whole_pieces)
        self.turns = Turns(conversation_id)
        self.functions = Functions(conversation_id, ids)
        self.remote = RemoteTools(conversation_id, ids, approve_within_s=approve_within_s)
        self.debts = Debts(ids, self.responses, self.turns, self.functions)
        self.visitor_speaks = False
        self.visitor_says = ""
        """The turn that is being said, where it is known to be one."""
        self.owes_outputs = False
        """Functions were answered while the visitor spoke: if that was no turn, the model is to go on with them."""

    @property
    def sounding(self) -> bool:
        return self.ledger.sounding

    @property
    def thinking(self) -> bool:
        talk = self.responses.busy or self.responses.waiting or self.ledger.unfinished
        return self.debts.promised or talk or self.functions.running or self.remote.running or self.remote.waiting

    @property
    def has_begun(self) -> bool:
        """Whether anything of the active response was received."""
        return self.debts.has_begun

    @property
    def is_whole(self) -> bool:
        """Whether every spoken part that the active response began was received to its end."""
        return self.debts.has_begun and not self._unended

    @property
    def at_rest(self) -> bool:
        """Whether nothing sounds, is being made, or is still to follow by itself."""
        return not (self.thinking or self.sounding or self.owes_outputs)

    @property
    def in_play(self) -> bool:
        """Whether there is a reply that one could talk over: it sounds, or is still to sound.

        Who has been told that a function takes a while may well speak up: then there is none.
        """
        coming = self.responses.wanted or self.owes_outputs or self.functions.rounds.unfilled
        return self.ledger.unfinished or coming

    def wants_answer(self, spoken: Spoken) -> None:
        """A turn of the visitor is over."""
        self.owes_outputs = False
        self.debts.asked(spoken)

    def hold_for_key(self) -> None:
        """The talk key is held while a session begins."""
        self.visitor_speaks = True
        self.responses.hold(by_key=True)

    def end_of_speech(self, *, service_answers: bool) -> list[fx.Effect]:
        """The visitor is silent; `service_answers`: turn detection creates the response by itself."""
        self.visitor_speaks, self.visitor_says = False, ""
        return self.responses.release(service_answers=service_answers)

    # What the model does.

    def response_created(self, event: ev.ResponseCreated) -> list[fx.Effect]:
        told = fx.Publish(topic="response", data={"event": "created", "response_id": event.response_id})
        self._unended.clear()
        self.debts.context.response_created(self.turns.count - self.turns.is_newest(self.visitor_says))
        self.remote.response_began()
        return [told, *self.responses.created(event), *self._outputs_are_known()]

    def _outputs_are_known(self) -> list[fx.Effect]:
        """A response began: of the outputs that it knows no other needs to be made, of any others one is owed."""
        purpose = self.responses.purpose
        if purpose == "filler":
            return []  # it is only to say that they are not there
        waits = self.responses.outputs_wait
        unknown = self.functions.rounds.response_began(knows_all=purpose is not None and not waits)
        if not unknown:
            self.responses.drop_outputs()
        self.owes_outputs = self.owes_outputs or (unknown and not waits)
        return [] if self.visitor_speaks else self.settle_outputs()

    def item_added(self, event: ev.OutputItemAdded) -> list[fx.Effect]:
        if event.item_type == "mcp_call":
            return self.remote.began(event.item_id)
        if event.item_type != "message":
            return []
        self._unended.add((event.item_id, 0))
        self._spoken.setdefault(event.response_id, []).append(event.item_id)
        if not self.responses.is_discarded(event.response_id):
            self.turns.assistant_began(event.item_id, event.response_id)
        return []

    def audio(self, event: ev.AudioDelta) -> list[fx.Effect]:
        """Play a delta; one of a discarded response is dropped (most clients play it, and talk over the visitor)."""
        if self.responses.is_discarded(event.response_id):
            return []
        self._unended.add((event.item_id, event.content_index))
        recorded = self.turns.assistant_sounds(event.item_id)
        return [*self.debts.exists(event.response_id), *recorded, *self.ledger.receive(event)]

    def audio_done(self, event: ev.AudioDone) -> list[fx.Effect]:
        self._unended.discard((event.item_id, event.content_index))
        return [*self.ledger.complete(event.item_id, event.content_index), *self._over()]

    def text(self, event: ev.AssistantTextDelta) -> list[fx.Effect]:
        if self.responses.is_discarded(event.response_id):
            return []
        self.turns.assistant_wrote(event.item_id, event.delta)
        data = {"item_id": event.item_id, "role": "assistant", "delta": event.delta, "final": False}
        return [fx.Publish(topic="transcript", data=data)]

    def text_done(self, event: ev.AssistantTextDone) -> list[fx.Effect]:
        if self.responses.is_discarded(event.response_id):
            return []
        return self.turns.assistant_finished_writing(event.item_id, event.text)

    def function_called(self, event: ev.FunctionCalled) -> list[fx.Effect]:
        return self.functions.called(event)

    def response_done(self, event: ev.ResponseDone) -> list[fx.Effect]:
        """Read the status, begin what was called, let the next response go ahead."""
        called = [effect for call in event.calls for effect in self.functions.called(call)]
        effects: list[fx.Effect] = [*self.ledger.complete_response(event.response_id), *called]
        items = self._spoken.pop(event.response_id, [])
        text = " ".join(self.turns.text_of(item) for item in items)
        silent = [item for item in items if not self.ledger.holds(item)]
        unheard = self.responses.is_discarded(event.response_id)
        effects += self._forget(silent) if unheard else self.turns.written(silent, event.status == "completed")
        effects += [*self._over(), *_describe(event), *self._begin_calls(event)]
        if event.status == "completed":
            effects += self.debts.exists(event.response_id)
        effects += [*self.debts.try_again(event, unheard=unheard), *self.responses.done(event, text)]
        return [*effects, *self._follow_up()]

    def _forget(self, item_ids: list[str]) -> list[fx.Effect]:
        """Items of a discarded response of which nothing sounded: the service would remember them as said."""
        made = [item_id for item_id in item_ids if self.turns.is_under_way(item_id)]
        deleted = [fx.DeleteItem(event_id=self._ids.event(), item_id=item_id) for item_id in made]
        return [*deleted, *self.turns.unheard(made)]

    def _begin_calls(self, event: ev.ResponseDone) -> list[fx.Effect]:
        begun = self.functions.response_done(event)
        for effect in begun:
            if isinstance(effect, fx.RunTool):
                self.debts.context.called(effect.call_id, effect.name, effect.arguments, self.turns.count)
        return begun

    def remote_news(self, event: ev.Event) -> list[fx.Effect]:
        """Something about the calls that the service makes by itself."""
        return [*self._REMOTE[type(event)](self.remote, event), *self._follow_up()]

    def remote_overdue(self, timer: str) -> list[fx.Effect]:
        return [*self.remote.overdue(timer), *self._follow_up()]

    def _follow_up(self) -> list[fx.Effect]:
        """The service does not speak about its own calls unless it is asked to, when no response is being made. While a
        function of ours runs, the response that follows it serves both."""
        if not self.remote.settled or self.responses.busy or self.functions.running:
            return []
        self.remote.response_began()
        self.owes_outputs = True
        return [] if self.visitor_speaks else self.settle_outputs()

    def tool_finished(self, event: ev.ToolFinished, *, connected: bool) -> list[fx.Effect]:
        """Deliver the output, interrupted or not; with the last of its round the model goes on.

        A visitor who speaks now gets a response anyway, and the outputs are in it.
        """
        effects, complete = self.functions.finished(event, connected=connected)
        self.debts.context.output(event.call_id, event.output)
        if not connected:
            if complete:
                self.debts.outputs_came()
            return effects
        self.owes_outputs = self.owes_outputs or complete
        return effects if self.visitor_speaks else [*effects, *self.settle_outputs()]

    @property
    def keeps_waiting(self) -> bool:
        """Whether it has been quiet since a function began of which the visitor was told nothing."""
        quiet = not (self.visitor_speaks or self.ledger.unfinished or self.responses.busy or self.responses.waiting)
        return quiet and self.functions.rounds.unfilled

    def fill(self, instructions: str) -> list[fx.Effect]:
        """Say, once for each round, that it takes a while."""
        self.functions.rounds.fill()
        return self.responses.submit(Request(event_id=self._ids.event(), purpose="filler", instructions=instructions))

    def settle_outputs(self) -> list[fx.Effect]:
        """Have the model go on with the outputs that it is owed, if any."""
        owed, self.owes_outputs = self.owes_outputs, False
        return self.responses.answer(Request(event_id=self._ids.event(), purpose="outputs")) if owed else []

    # What sounds.

    def started(self, event: ev.PlayoutStarted) -> list[fx.Effect]:
        self.ledger.progressed(ev.Heard(item_id=event.item_id, content_index=event.content_index, heard_samples=0))
        return []

    def progressed(self, event: ev.PlayoutProgressed) -> list[fx.Effect]:
        self.ledger.progressed(event.heard)
        return []

    def idle(self, _: ev.PlayoutIdle) -> list[fx.Effect]:
        self.ledger.idle()
        return self._over()

    def _over(self) -> list[fx.Effect]:
        return [effect for piece in self.ledger.take_over() for effect in self.turns.heard_to_the_end(piece)]

    def interrupt(self, plan: barge_in.Plan, reply_to: int | None = None) -> list[fx.Effect]:
        """Carry out a plan of `barge_in`; the rest follows when the audio tells what was heard."""
        effects: list[fx.Effect] = []
        if plan.silence:
            effects += self._silence(reply_to)
            effects += self.responses.discard(event_id=self._ids.event(), cancel=plan.cancel)
        return effects

    def _silence(self, reply_to: int | None) -> list[fx.Effect]:
        token = self._ids.token()
        if not self.ledger.cut(token):
            nothing = {"heard_ms": 0, "item_id": None}
            return [] if reply_to is None else [fx.Reply(request_id=reply_to, result=nothing)]
        self._cuts[token] = Cut(reply_to=reply_to)
        self.responses.wait_for("cut")
        return [fx.Flush(token=token)]

    def flushed(self, event: ev.PlayoutFlushed, *, connected: bool) -> list[fx.Effect]:
        """The loudspeaker is silent: make the service remember what was heard, and the history too."""
        cut = self._cuts.pop(event.token, None)
        pieces = self.ledger.flushed(event.token, event.heard)
        mending = barge_in.mend(piece for piece in pieces if not self.debts.context.holds(piece.item_id))
        effects: list[fx.Effect] = []
        if connected:
            effects += self._mend(mending)
        for piece in pieces:
            effects += self.turns.heard_to_the_end(piece) if piece.fully_heard else self.turns.cut_short(piece)
            if connected and not piece.fully_heard and self.debts.context.holds(piece.item_id):
                effects += self.debts.context.shorten(piece, self.turns.text_of(piece.item_id))
        told = _what_was_heard(mending.truncate, pieces)
        if cut is not None and cut.reply_to is not None:
            effects.append(fx.Reply(request_id=cut.reply_to, result=told))
        if pieces:
            effects.append(fx.Publish(topic="response", data={"event": "interrupted", **told}))
        return effects if self._cuts else [*effects, *self.responses.in_order("cut")]

    def _mend(self, mending: barge_in.Mending) -> list[fx.Effect]:
        effects: list[fx.Effect] = []
        if (piece := mending.truncate) is not None:
            effects.append(
                fx.TruncateItem(
                    event_id=self._ids.event(),
                    item_id=piece.item_id,
                    content_index=piece.content_index,
                    audio_end_ms=piece.heard_ms,
                )
            )
        effects += [fx.DeleteItem(event_id=self._ids.event(), item_id=item_id) for item_id in mending.delete]
        return effects

    # When the session or the conversation goes.

    def give_up(self) -> list[fx.Effect]:
        """The end of an answer did not come in time: what came of it is all there is."""
        return [*self._complete_active(), *self.responses.give_up_active()]

    def _complete_active(self) -> list[fx.Effect]:
        active = self.responses.active
        released = [] if active is None else self.ledger.complete_response(active)
        return [*released, *self._over()]

    def stop(self) -> list[fx.Effect]:
        """Silence, and keep for the history what is known to have been heard; the flush may still refine it."""
        nothing = _what_was_heard(None, [])
        waiting = [cut.reply_to for cut in self._cuts.values() if cut.reply_to is not None]
        effects: list[fx.Effect] = [fx.Reply(request_id=reply_to, result=nothing) for reply_to in waiting]
        effects += [*self.functions.stop(), *self.remote.lost()]
        self._cuts.clear()
        token = self._ids.token()
        unfinished = self.ledger.pieces
        if not self.ledger.cut(token):
            return effects
        kept = [effect for piece in unfinished for effect in self.turns.cut_short(piece)]
        return [*effects, fx.Flush(token=token), *kept]

    def lost(self, kind: str, message: str, *, judged: bool) -> list[fx.Effect]:
        """The session is gone. What was received is still played to its end, what was called goes on, and what was not
        answered is owed.

        `judged`: the visitor is heard, and it is not known whether that is a turn.
        """
        self.debts.lost(speaking=self.visitor_speaks and not judged, outputs=self.owes_outputs)
        self.visitor_speaks = self.owes_outputs = False
        self.visitor_says = ""
        self.functions.rounds.lost()
        remote = self.remote.lost()
        played = self._complete_active()
        self.turns.forget_unrecorded()
        self._spoken.clear()
        return [*remote, *played, *self.responses.forget(kind, message)]

    def handle(self, event: ev.Event) -> list[fx.Effect]:
        """Take an event that is about nothing but what is said and what sounds (`HANDLES`)."""
        return self._HANDLERS[type(event)](self, event)

    _REMOTE: ClassVar[dict[type[ev.Event], Callable[[RemoteTools, Any], list[fx.Effect]]]] = {
        ev.RemoteCalled: RemoteTools.called,
        ev.RemoteCallEnded: RemoteTools.ended,
        ev.ApprovalRequested: RemoteTools.asked,
        ev.RemoteToolsListed: RemoteTools.listed,
        cmd.DecideApproval: RemoteTools.decide,
    }
    _HANDLERS: ClassVar[dict[type[ev.Event], Callable[[Dialogue, Any], list[fx.Effect]]]] = {
        ev.ResponseCreated: response_created,
        ev.OutputItemAdded: item_added,
        ev.AudioDelta: audio,
        ev.AudioDone: audio_done,
        ev.AssistantTextDelta: text,
        ev.AssistantTextDone: text_done,
        ev.FunctionCalled: function_called,
        ev.RemoteCalled: remote_news,
        ev.RemoteCallEnded: remote_news,
        ev.ApprovalRequested: remote_news,
        ev.RemoteToolsListed: remote_news,
        cmd.DecideApproval: remote_news,
        ev.PlayoutStarted: started,
        ev.PlayoutProgressed: progressed,
        ev.PlayoutIdle: idle,
    }
    SIGNS: ClassVar[frozenset[type[ev.Event]]] = frozenset(
        {ev.ResponseCreated, ev.OutputItemAdded, ev.AudioDelta, ev.AudioDone, ev.AssistantTextDelta, ev.FunctionCalled}
    )
    """What shows that an active response is being made."""
    HANDLES: ClassVar[frozenset[type[ev.Event]]] = frozenset(_HANDLERS)


def _describe(event: ev.ResponseDone) -> list[fx.Effect]:
    data = {
        "event": "done",
        "response_id": event.response_id,
        "status": event.status,
        "reason": event.reason,
        "error": event.error_message,
    }
    effects: list[fx.Effect] = [fx.Publish(topic="response", data=data)]
    if event.status == "failed":
        data = {"code": event.error_code, "message": event.error_message or "the response failed"}
        effects.append(fx.Publish(topic="error", data=data))
    return effects


def _what_was_heard(truncated: Piece | None, pieces: list[Piece]) -> dict[str, object]:
    piece = truncated or (pieces[0] if pieces else None)
    return {"heard_ms": piece.heard_ms if piece else 0, "item_id": piece.item_id if piece else None}
