"""The conversation: events in, effects out. No I/O, no clock, no logging, no randomness.

Owns the state (`states.py` is its law) and the life of a conversation: link, timers, end of a file. What is said is
`dialogue.py`'s, what people ask is `desk.py`'s, what holds until changed is `standing.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, ClassVar

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.desk import Desk
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.records import ConversationRecord
from voicebotd.conversation.responses import NOTHING_TO_CANCEL, Request
from voicebotd.conversation.snapshot import Snapshot
from voicebotd.conversation.standing import Standing, describe
from voicebotd.conversation.states import TABLE, Handled, Late, Refused, State
from voicebotd.conversation.timers import Timers

ANSWER = "answer"
QUIET = "quiet"
TALK = "talk"
SPEECH = "speech"
SIGNS = "signs"

BENIGN = frozenset(
    {NOTHING_TO_CANCEL, "item_truncate_invalid_item_id", "item_not_found", "input_audio_buffer_commit_empty"}
)
"""Errors that a race between us and the service makes normal; nothing is to be done about them."""

GREET = "Begin the conversation now: greet the visitor in these words or words close to them.\n"


class IllegalEventError(Exception):
    """Our own bug: the table has no such event."""


class Conversation:
    """One after the other; `handle` is the only way in."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._ids = Ids()
        self._standing = Standing(policy)
        self._desk = Desk(self._ids, self._standing, deliver_within_s=policy.confirm_within_s)
        self._dialogue = Dialogue("", self._ids)
        self._record: ConversationRecord | None = None
        self._opening: cmd.StartConversation | None = None
        self._ready = False
        self._started_at_s = self._now_s = self._sign_at_s = 0.0
        self._tokens = 0
        self._trouble = ""
        self._input_ended = False
        self._timers = Timers()
        self._microphone_open = False
        self._input_held = policy.hold_input != "never"
        self.state = State.OFF

    def snapshot(self) -> Snapshot:
        return Snapshot(
            state=self.state,
            conversation_id=self._record.conversation_id if self._record else None,
            started_at_s=self._started_at_s,
            turns=self._dialogue.turns.count,
            instructions=self._standing.instructions,
            runtime_instructions=self._standing.wanted.runtime,
            turn_detection=describe(self._standing.turn_detection),
            confirmed=self._standing.effective_turn_detection if self._standing.confirmed else None,
            barge_in=asdict(self._standing.barge_in),
            talking=self._desk.talking,
            tokens=self._tokens,
            trouble=self._trouble,
        )

    def handle(self, event: ev.Event, now_s: float) -> list[fx.Effect]:
        """Take one event; return what is to be done, in order.

        `now_s` is a monotonic clock in seconds. Raises IllegalEventError, with nothing changed, for an event that the
        table does not know in this state.
        """
        cell = TABLE[self.state].get(type(event))
        if cell is None:
            raise IllegalEventError(f"{type(event).__name__} in state {self.state}")
        if isinstance(cell, Late):
            return []
        if isinstance(cell, Refused):
            assert isinstance(event, cmd.Command)
            refusal = fx.Refuse(
                request_id=event.request_id,
                kind=cell.kind,
                message=cell.message,
                hint=cell.hint,
                retryable=cell.retryable,
            )
            return [refusal]
        self._now_s = now_s
        kind = type(event)
        if kind in Dialogue.SIGNS:
            self._sign_at_s = now_s
        said = kind in Dialogue.HANDLES
        effects = self._dialogue.handle(event) if said else self._HANDLERS[kind](self, event)
        return effects + self._settle(cell)

    # The life of a conversation.

    def _start(self, event: cmd.StartConversation) -> list[fx.Effect]:
        self._record = ConversationRecord(
            conversation_id=event.conversation_id,
            provider=self._policy.provider,
            source="file" if self._policy.source == "file" else "microphone",
        )
        hurried = self._policy.hold_input == "while_answering"
        self._dialogue = Dialogue(event.conversation_id, self._ids, whole_pieces=hurried)
        self._opening, self._started_at_s, self._tokens = event, self._now_s, 0
        self._standing.for_this_conversation = event.instructions or ""
        update = fx.UpdateSession(
            event_id=self._ids.event(),
            instructions=self._standing.instructions,
            turn_detection=self._standing.session_turn_detection(),
        )
        reply = fx.Reply(request_id=event.request_id, result={"conversation_id": event.conversation_id})
        return [fx.Record(record=self._record), update, fx.OpenLink(), reply]

    def _stop(self, event: cmd.StopConversation) -> list[fx.Effect]:
        seconds = round(self._now_s - self._started_at_s, 1)
        turns = self._dialogue.turns.count
        reply = fx.Reply(request_id=event.request_id, result={"turns": turns, "seconds": seconds, "usd": None})
        return [*self._end(event.reason), reply]

    def _end(self, reason: str) -> list[fx.Effect]:
        assert self._record is not None
        ended = replace(self._record, end_reason=reason)
        effects = [
            *self._dialogue.stop(),
            *self._lose_session("conversation.not_running", "the conversation was stopped"),
            fx.CloseLink(),
            fx.Publish(topic="link", data={"state": "off"}),
            fx.Record(record=ended),
        ]
        self._record = None
        self._input_ended = False
        self._standing.for_this_conversation = ""
        return effects

    def _link_ready(self, event: ev.LinkReady) -> list[fx.Effect]:
        assert self._record is not None
        effects = self._lose_session("link.unavailable", "a new session began") if self._ready else []
        self._ready = True
        self._standing.confirmed = event.session
        self._record = replace(self._record, model=event.model)
        told = fx.Publish(topic="link", data={"state": "ready", "session_id": event.session_id, "model": event.model})
        effects += [fx.Record(record=self._record), told]
        opening, self._opening = self._opening, None
        if opening is not None and self._assistant_opens(opening):
            greeting = opening.greeting or self._policy.greeting
            instructions = self._standing.for_response(GREET + greeting)
            effects += self._dialogue.responses.submit(Request(event_id=self._ids.event(), instructions=instructions))
        return effects

    def _assistant_opens(self, opening: cmd.StartConversation) -> bool:
        if opening.greeting and opening.speaks_first is None:
            return True
        return (opening.speaks_first or self._policy.speaks_first) == "assistant"

    def _link_lost(self, event: ev.LinkLost) -> list[fx.Effect]:
        data = {
            "state": "refused" if event.fatal else "lost",
            "reason": event.reason,
            "code": event.code,
            "hint": event.hint,
            "retry_in_s": event.retry_in_s,
        }
        effects: list[fx.Effect] = [fx.Publish(topic="link", data=data)]
        effects += self._lose_session("link.unavailable", f"the link was lost: {event.reason}")
        if self._policy.source == "file":
            effects += self._end(f"link lost: {event.reason}")
        return effects

    def _lose_session(self, kind: str, message: str) -> list[fx.Effect]:
        self._ready = False
        return [*self._standing.lost(), *self._desk.lost(), *self._dialogue.lost(kind, message)]

    def _session_updated(self, event: ev.SessionUpdated) -> list[fx.Effect]:
        """A change of turn detection in mid-speech begins the service's detection anew: no end of that speech comes."""
        anew = self._standing.awaits_turn_detection and not self._desk.talking
        over = self._dialogue.end_of_speech(service_answers=False) if anew else []
        return [*self._standing.updated(event.session), *over]

    def _server_error(self, event: ev.ServerError) -> list[fx.Effect]:
        """Match an error to what caused it; tell people of those that nobody waits for."""
        for answer in (self._dialogue.responses.failed, self._standing.refused, self._desk.refused):
            if (effects := answer(event)) is not None:
                return effects
        if event.code in BENIGN:
            return []
        return [fx.Publish(topic="error", data={"code": event.code, "message": event.message, "param": event.param})]

    def _response_done(self, event: ev.ResponseDone) -> list[fx.Effect]:
        effects = self._dialogue.response_done(event)
        if event.status == "failed":
            self._trouble = f"the latest answer failed: {event.error_message or event.error_code or event.reason}"
        elif event.status == "completed":
            self._trouble = ""
        if event.usage is not None:
            self._tokens += event.usage.total
            totals = {"tokens": event.usage.total, "conversation_tokens": self._tokens}
            data = {"response_id": event.response_id, **asdict(event.usage), **totals}
            effects.append(fx.Publish(topic="usage", data=data))
        return effects

    def _input_end(self, _: ev.AudioInputEnded) -> list[fx.Effect]:
        self._input_ended = True
        if not self._ready or self._standing.turn_detection.type != "none":
            return []
        commit = fx.CommitInput(event_id=self._ids.event())
        return [commit, *self._dialogue.responses.submit(Request(event_id=self._ids.event()))]

    def _timer(self, event: ev.TimerFired) -> list[fx.Effect]:
        if event.name in (ANSWER, QUIET, TALK, SPEECH, SIGNS):
            return self._own_timer(event.name)
        return [*self._standing.overdue(event.name), *self._desk.overdue(event.name)]

    def _own_timer(self, name: str) -> list[fx.Effect]:
        if not self._timers.fired(name):
            return []
        if name == QUIET:
            return self._end("the input ended")
        if name == TALK:
            return self._desk.let_go(self._dialogue, self._now_s)
        if name == SPEECH:
            return self._dialogue.end_of_speech(service_answers=False)
        if name == SIGNS and self._now_s - self._sign_at_s < self._policy.signs_within_s:
            return []  # something came meanwhile: the timer is set anew
        self._trouble = "the service did not answer in time"
        told = fx.Publish(topic="error", data={"code": "no_answer", "message": "the service did not answer in time"})
        return [told, *(self._dialogue.give_up() if name == SIGNS else self._dialogue.responses.give_up())]

    # After every event.

    def _derive(self) -> State:
        if self._record is None:
            return State.OFF
        if not self._ready:
            return State.CONNECTING
        if self._dialogue.visitor_speaks:
            return State.HEARING
        if self._dialogue.sounding:
            return State.SPEAKING
        return State.THINKING if self._dialogue.thinking else State.LISTENING

    def _settle(self, cell: Handled) -> list[fx.Effect]:
        """Follow the state: tell it, and set the microphone, the timers and the file's pace by it."""
        before, self.state = self.state, self._derive()
        assert self.state in cell.then, f"{before} may not become {self.state}"
        effects: list[fx.Effect] = []
        if self.state is not before:
            conversation_id = self._record.conversation_id if self._record else None
            data = {"state": str(self.state), "before": str(before), "conversation_id": conversation_id}
            effects.append(fx.Publish(topic="state", data=data))
        return effects + self._gate_input() + self._keep_timers()

    def _gate_input(self) -> list[fx.Effect]:
        effects: list[fx.Effect] = []
        microphone = self._ready and (self._desk.talking or self._standing.turn_detection.type != "none")
        if self._policy.source == "file":
            microphone = self._ready
        if microphone != self._microphone_open:
            self._microphone_open = microphone
            effects.append(fx.OpenMicrophone(open=microphone))
        unheard = self._policy.hold_input != "never" and self.state in (State.OFF, State.CONNECTING)
        answering = self.state in (State.THINKING, State.SPEAKING)
        hold = unheard or (self._policy.hold_input == "while_answering" and answering)
        if hold != self._input_held:
            self._input_held = hold
            effects.append(fx.HoldInput(hold=hold))
        return effects

    def _keep_timers(self) -> list[fx.Effect]:
        silence_s = self._standing.turn_detection.silence_duration_ms / 1000
        quiet = self._input_ended and self.state is State.LISTENING
        speaking = self._dialogue.visitor_speaks and not self._desk.talking
        active = self._ready and self._dialogue.responses.active is not None
        due = self._ready and self._dialogue.responses.awaited
        return [
            *self._timers.keep(ANSWER, wanted=due, delay_s=self._policy.answer_within_s),
            *self._timers.keep(SIGNS, wanted=active, delay_s=self._policy.signs_within_s),
            *self._timers.keep(TALK, wanted=self._desk.talking, delay_s=self._policy.longest_talk_s),
            *self._timers.keep(SPEECH, wanted=speaking, delay_s=self._policy.longest_speech_s),
            *self._timers.keep(QUIET, wanted=quiet, delay_s=silence_s + self._policy.quiet_after_input_s),
        ]

    # Which event goes where.

    def _speech_started(self, event: ev.SpeechStarted) -> list[fx.Effect]:
        detection = self._standing.session_turn_detection()
        return self._dialogue.speech_started(
            event, self._policy.barge_in.mode, service_interrupts=detection.interrupt_response
        )

    def _speech_stopped(self, event: ev.SpeechStopped) -> list[fx.Effect]:
        if self._desk.talking:
            return []  # on its way when the key went down and the service's own detection was switched off
        return self._dialogue.speech_stopped(event, service_answers=self._standing.turn_detection.create_response)

    def _audio_lost(self, event: ev.AudioLost) -> list[fx.Effect]:
        return [fx.Publish(topic="device", data={"state": "lost", "reason": event.reason, "hint": event.hint})]

    def _audio_ready(self, event: ev.AudioReady) -> list[fx.Effect]:
        data = {"state": "ready", "input": event.input_name, "output": event.output_name}
        return [fx.Publish(topic="device", data=data)]

    def _set_instructions(self, event: cmd.SetInstructions) -> list[fx.Effect]:
        return self._standing.set_instructions(event, self._ids.event(), ready=self._ready)

    def _send_message(self, event: cmd.SendMessage) -> list[fx.Effect]:
        return self._desk.send_message(event, self._dialogue)

    _HANDLERS: ClassVar[dict[type[ev.Event], Callable[[Conversation, Any], list[fx.Effect]]]] = {
        ev.LinkReady: _link_ready,
        ev.LinkLost: _link_lost,
        ev.SessionUpdated: _session_updated,
        ev.SpeechStarted: _speech_started,
        ev.SpeechStopped: _speech_stopped,
        ev.ItemAdded: lambda self, event: self._desk.delivered(event),
        ev.ItemTruncated: lambda _self, _event: [],
        ev.ItemDeleted: lambda _self, _event: [],
        ev.ResponseDone: _response_done,
        ev.ServerError: _server_error,
        ev.PlayoutFlushed: lambda self, event: self._dialogue.flushed(event, connected=self._ready),
        ev.VoiceStarted: lambda _self, _event: [],
        ev.VoiceStopped: lambda _self, _event: [],
        ev.LocalTurnStarted: lambda _self, _event: [],
        ev.LocalTurnStopped: lambda _self, _event: [],
        ev.AudioLost: _audio_lost,
        ev.AudioReady: _audio_ready,
        ev.AudioInputEnded: _input_end,
        ev.TimerFired: _timer,
        cmd.StartConversation: _start,
        cmd.StopConversation: _stop,
        cmd.SendMessage: _send_message,
        cmd.RequestResponse: lambda self, event: self._desk.request_response(event, self._dialogue),
        cmd.InterruptResponse: lambda self, event: self._desk.interrupt(event, self._dialogue),
        cmd.SetInstructions: _set_instructions,
        cmd.SetTurnDetection: lambda self, event: self._desk.set_turn_detection(event, ready=self._ready),
        cmd.SetBargeIn: lambda self, event: self._standing.set_barge_in(event),
        cmd.TalkBegin: lambda self, event: self._desk.talk_begin(event, self._dialogue, self._now_s),
        cmd.TalkEnd: lambda self, event: self._desk.talk_end(event, self._dialogue, self._now_s),
    }
