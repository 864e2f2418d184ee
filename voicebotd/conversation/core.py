"""The conversation: events in, effects out. No I/O, no clock, no logging, no randomness.

Owns the state (`states.py` is its law) and the life of a conversation: sessions one after another, sleep, timers, end
of a file. What the visitor does is `visitor.py`'s, what is said `dialogue.py`'s, what people ask `desk.py`'s, what
holds until changed `standing.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, ClassVar

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation import news
from voicebotd.conversation.desk import Desk
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.farewell import Farewell
from voicebotd.conversation.floor import SOON_S, TIMERS, Floor
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.listening import Listening
from voicebotd.conversation.patience import PATIENT, Patience
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.pulse import PULSES, Pulse
from voicebotd.conversation.records import ConversationRecord
from voicebotd.conversation.remote_tools import TIMER as REMOTE
from voicebotd.conversation.responses import NOTHING_TO_CANCEL, Request
from voicebotd.conversation.sessions import Sessions
from voicebotd.conversation.snapshot import Snapshot
from voicebotd.conversation.spending import Spending
from voicebotd.conversation.standing import Standing
from voicebotd.conversation.states import DOZED, SIGNS_OF_LIFE, TABLE, Handled, Late, Refused, State
from voicebotd.conversation.timers import Timers
from voicebotd.conversation.visitor import Visitor
from voicebotd.conversation.wanted import describe

QUIET = "quiet"
TALK = "talk"
IDLE = "idle"
FAREWELL = "farewell"
FILL = "fill"
OWN_TIMERS = frozenset({QUIET, TALK, IDLE, FAREWELL, FILL})

UNHEARD = (ev.SpeechStarted, ev.SpeechStopped, ev.LocalTurnStarted, ev.LocalTurnStopped)
"""What is still on its way from a microphone that was closed because the money is spent."""

BENIGN = frozenset(
    {
        NOTHING_TO_CANCEL,
        "item_truncate_invalid_item_id",
        "item_not_found",
        "input_audio_buffer_commit_empty",
        "not_supported",  # by our own word: this server has nothing of the kind, and status says so
    }
)
"""Errors that a race between us and the service makes normal; nothing is to be done about them."""

STILL_AT_IT = (
    "Say in a few words, and in the visitor's language, that you are still at it and that it takes a moment longer. "
    "Say nothing else, and do not guess what will come of it."
)


class IllegalEventError(Exception):
    """Our own bug: the table has no such event."""


class Conversation:
    """One after the other; `handle` is the only way in."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._ids = Ids()
        self._standing = Standing(policy)
        self._desk = Desk(self._ids, self._standing, deliver_within_s=policy.confirm_within_s)
        self._listening = Listening(policy, self._standing)
        self._converse("")
        self._record: ConversationRecord | None = None
        self._started_at_s = self._now_s = self._stirred_at_s = 0.0
        self._spending = Spending(policy.limits, policy.tariff, rehearsing=policy.provider == "rehearsal")
        self._notice = ""
        self._input_ended = False
        self._timers = Timers()
        self.state = State.OFF

    def _converse(self, conversation_id: str) -> None:
        hurried = self._policy.hold_input == "while_answering"
        within_s = self._policy.approve_within_s
        dialogue = Dialogue(conversation_id, self._ids, whole_pieces=hurried, approve_within_s=within_s)
        self._dialogue = dialogue
        longest_s = self._policy.longest_speech_s
        self._floor = Floor(self._ids, self._standing, dialogue, longest_speech_s=longest_s)
        self._visitor = Visitor(self._ids, self._standing, dialogue, self._floor)
        self._farewell = Farewell(self._ids, self._desk, dialogue, self._floor)
        lasting = (self._policy, self._ids, self._standing, self._desk, self._listening)
        self._sessions = Sessions(*lasting, dialogue=dialogue, floor=self._floor, visitor=self._visitor)
        self._pulse = Pulse(answer_within_s=self._policy.confirm_within_s)
        self._patience = Patience(self._policy, self._ids, dialogue, self._sessions)

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
            spending=self._spending.view(),
            trouble=self._patience.trouble,
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
            return [news.refused(event, cell)]
        self._now_s = now_s
        return [*self._count(event), *self._dispatch(event), *self._take_leave(), *self._settle(cell)]

    def _dispatch(self, event: ev.Event) -> list[fx.Effect]:
        kind = type(event)
        if kind in Dialogue.SIGNS:
            self._patience.sign(self._now_s)
        if isinstance(event, cmd.Command | ev.VoiceStarted | ev.VoiceStopped):
            self._stirred_at_s = self._now_s
        if kind in SIGNS_OF_LIFE:
            self._pulse.sign()
        elif isinstance(event, ev.VoiceStarted | ev.VoiceStopped) and self._standing.service_detects:
            self._pulse.expect(self._now_s)
        if self._record is not None and not self._sessions.ready:
            judged_until_s = self._floor.judged_until_s
            if self._listening.stir(event, self._now_s, judged_until_s=judged_until_s):
                refused = [news.refused(event, DOZED)] if isinstance(event, cmd.Command) else []
                return [*refused, fx.OpenLink()]
        if self._farewell.on and kind in UNHEARD:
            return []
        if kind in Dialogue.HANDLES:
            return self._dialogue.handle(event)
        if kind in Visitor.HANDLES:
            return self._visitor.handle(event, self._now_s)
        return self._HANDLERS[kind](self, event)

    # The life of a conversation.

    def _start(self, event: cmd.StartConversation) -> list[fx.Effect]:
        if (refusal := self._spending.refusal(event.request_id)) is not None:
            return [refusal]
        self._spending.begin()
        self._record = ConversationRecord(
            conversation_id=event.conversation_id,
            provider=self._policy.provider,
            source="file" if self._policy.source == "file" else "microphone",
        )
        self._converse(event.conversation_id)
        self._started_at_s = self._now_s
        reply = fx.Reply(request_id=event.request_id, result={"conversation_id": event.conversation_id})
        return [fx.Record(record=self._record), *self._sessions.open(event), reply]

    def _stop(self, event: cmd.StopConversation) -> list[fx.Effect]:
        seconds = round(self._now_s - self._started_at_s, 1)
        turns = self._dialogue.turns.count
        result = {"turns": turns, "seconds": seconds, "usd": self._spending.session_usd}
        return [*self._end(event.reason), fx.Reply(request_id=event.request_id, result=result)]

    def _end(self, reason: str) -> list[fx.Effect]:
        assert self._record is not None
        ended = replace(self._record, end_reason=reason)
        effects = [*self._dialogue.stop(), *self._sessions.end(self._now_s), fx.Record(record=ended)]
        self._record = None
        self._input_ended = False
        self._spending.end()
        self._farewell.end()
        return effects

    def _link_ready(self, event: ev.LinkReady) -> list[fx.Effect]:
        assert self._record is not None
        self._record = replace(self._record, model=event.model)
        told = [fx.Record(record=self._record), news.link_ready(event)]
        return [*told, *self._sessions.began(event, self._now_s)]

    def _link_lost(self, event: ev.LinkLost) -> list[fx.Effect]:
        effects, hope = self._sessions.lost(event, self._now_s)
        end = [] if hope or self._policy.source != "file" else self._end(f"link lost: {event.reason}")
        return [news.link_lost(event), *effects, *end]

    def _successor_ready(self, event: ev.SuccessorReady) -> list[fx.Effect]:
        self._sessions.tether.successor_ready(event)
        return []

    def _session_updated(self, event: ev.SessionUpdated) -> list[fx.Effect]:
        """A change of turn detection in mid-speech begins the service's detection anew: no end of that speech comes."""
        anew = self._standing.awaits_turn_detection and not self._desk.talking
        over = self._floor.detection_anew() if anew else []
        return [*self._standing.updated(event.session), *over]

    def _server_error(self, event: ev.ServerError) -> list[fx.Effect]:
        """Match an error to what caused it; tell people of those that nobody waits for."""
        for answer in (self._dialogue.responses.failed, self._standing.refused, self._desk.refused):
            if (effects := answer(event)) is not None:
                return effects
        if event.code in BENIGN:
            return []
        return [news.service_error(event)]

    def _response_done(self, event: ev.ResponseDone) -> list[fx.Effect]:
        self._patience.judge(event)
        return self._dialogue.response_done(event)

    def _input_end(self, _: ev.AudioInputEnded) -> list[fx.Effect]:
        self._input_ended = True
        if not self._sessions.ready or self._standing.turn_detection.type != "none":
            return []
        commit = fx.CommitInput(event_id=self._ids.event())
        return [commit, *self._dialogue.responses.submit(Request(event_id=self._ids.event()))]

    def _timer(self, event: ev.TimerFired) -> list[fx.Effect]:
        if event.name in TIMERS:
            return self._floor.fired(event.name, self._now_s)
        if event.name in PULSES:
            return self._feel_pulse(event.name)
        if event.name in PATIENT:
            return self._patience.fired(event.name, self._now_s)
        if event.name in OWN_TIMERS:
            return self._own_timer(event.name) if self._timers.fired(event.name) else []
        if event.name.startswith(REMOTE):
            return self._dialogue.remote_overdue(event.name)
        return [*self._standing.overdue(event.name), *self._desk.overdue(event.name)]

    def _feel_pulse(self, timer: str) -> list[fx.Effect]:
        ask = self._pulse.fired(timer)
        if ask is None:
            return []
        if ask:
            return self._standing.ask(self._ids.event())
        unheard_s = self._pulse.silent_s(self._now_s)
        self._pulse.sign()  # it is said once: the loss that follows takes a moment
        return [fx.DropLink(reason=news.DEAF, unheard_s=unheard_s)]

    def _own_timer(self, name: str) -> list[fx.Effect]:
        if name == FILL:
            return self._dialogue.fill(self._standing.with_instructions(STILL_AT_IT))
        if name in (QUIET, FAREWELL):
            return self._end("the input ended" if name == QUIET else self._farewell.reason)
        if name == TALK:
            self._floor.judged_until_s = self._now_s
            return self._desk.let_go(self._dialogue, self._now_s, ready=self._sessions.ready)
        early = self._now_s - self._stirred_at_s < (self._policy.idle_hangup_s or 0.0) - SOON_S
        return [] if early else self._sessions.fall_asleep(self._now_s)  # early: somebody stirred, it is set anew

    # What it costs.

    def _count(self, event: ev.Event) -> list[fx.Effect]:
        """Count what was used, before anything follows from the event: what there is no money for is not begun."""
        if self._record is None:
            return []
        transcriber = self._standing.confirmed.transcription_model if self._standing.confirmed else ""
        conversation_id, model = self._record.conversation_id, self._record.model
        counted = self._spending.count(event, conversation_id=conversation_id, model=model, transcriber=transcriber)
        return [*counted, *self._farewell.begin(self._spending.closed)]

    def _take_leave(self) -> list[fx.Effect]:
        """Tell of caps, and once one is reached let the conversation come to its end."""
        effects = self._spending.news()
        if self._record is not None:
            effects += self._farewell.proceed(self._spending.closed, ready=self._sessions.ready)
            effects += self._end(self._farewell.reason) if self._farewell.over else []
        return effects

    # After every event.

    def _derive(self) -> State:
        if self._record is None:
            return State.OFF
        if not self._sessions.ready:
            return State.DOZING if self._listening.dozing else State.CONNECTING
        if self._floor.visitors:
            return State.HEARING
        if self._dialogue.sounding:
            return State.SPEAKING
        return State.THINKING if self._dialogue.thinking else State.LISTENING

    def _settle(self, cell: Handled) -> list[fx.Effect]:
        """Follow the state: tell it, and set the microphone, the timers and the file's pace by it."""
        effects = [*self._floor.settle(), *self._sessions.succeed()]
        before, self.state = self.state, self._derive()
        assert self.state in cell.then, f"{before} may not become {self.state}"
        if self.state is not before:
            self._stirred_at_s = self._now_s
        notice, told = self._sessions.tether.notice, self._notice
        if self.state is not before or notice != told:
            self._notice = notice
            word = notice or ("connection_back" if told else "")
            conversation_id = self._record.conversation_id if self._record else None
            effects.append(news.state(str(self.state), str(before), conversation_id, notice=word))
        heard = self._listening.keep(
            self.state,
            self._floor,
            ready=self._sessions.ready and not self._farewell.on,
            talking=self._desk.talking,
            now_s=self._now_s,
        )
        return effects + heard + self._keep_timers()

    def _keep_timers(self) -> list[fx.Effect]:
        silence_s = self._standing.turn_detection.silence_duration_ms / 1000
        quiet = self._input_ended and self.state in (State.LISTENING, State.DOZING)
        hangup_s = self._policy.idle_hangup_s
        idle = hangup_s is not None and self.state is State.LISTENING and self._policy.source != "file"
        idle_s = max(0.0, (hangup_s or 0.0) - (self._now_s - self._stirred_at_s))
        fill = self._sessions.ready and self._dialogue.keeps_waiting
        return [
            *self._patience.keep(self.state, self._now_s),
            *self._pulse.keep(ready=self._sessions.ready, turn_silence_s=silence_s),
            *self._timers.keep(TALK, wanted=self._desk.talking, delay_s=self._policy.longest_talk_s),
            *self._timers.keep(QUIET, wanted=quiet, delay_s=silence_s + self._policy.quiet_after_input_s),
            *self._timers.keep(IDLE, wanted=idle, delay_s=idle_s),
            *self._timers.keep(FAREWELL, wanted=self._farewell.on, delay_s=self._policy.farewell_within_s),
            *self._timers.keep(FILL, wanted=fill, delay_s=self._policy.fill_after_s),
            *self._floor.keep_timers(self._now_s),
        ]

    # Which event goes where.

    def _item_added(self, event: ev.ItemAdded) -> list[fx.Effect]:
        self._dialogue.functions.rounds.item_added(event.item_id)
        return [*self._desk.delivered(event), *self._visitor.item_added(event.item_id)]

    def _set_instructions(self, event: cmd.SetInstructions) -> list[fx.Effect]:
        return self._standing.set_instructions(event, self._ids.event(), ready=self._sessions.ready)

    def _send_message(self, event: cmd.SendMessage) -> list[fx.Effect]:
        refusal = self._spending.refusal(event.request_id) if event.respond else None
        return self._desk.send_message(event, self._dialogue) if refusal is None else [refusal]

    def _request_response(self, event: cmd.RequestResponse) -> list[fx.Effect]:
        refusal = self._spending.refusal(event.request_id)
        return self._desk.request_response(event, self._dialogue) if refusal is None else [refusal]

    def _talk_begin(self, event: cmd.TalkBegin) -> list[fx.Effect]:
        if (refusal := self._spending.refusal(event.request_id)) is not None:
            return [refusal]
        again = self._floor.hear_again()  # before the service's detection is switched off
        return [*again, *self._desk.talk_begin(event, self._dialogue, self._now_s), *self._floor.lost()]

    def _talk_end(self, event: cmd.TalkEnd) -> list[fx.Effect]:
        if self._desk.talking:
            self._floor.judged_until_s = self._now_s  # it is a turn, or it was too short for anything
        return self._desk.talk_end(event, self._dialogue, self._now_s, ready=self._sessions.ready)

    _HANDLERS: ClassVar[dict[type[ev.Event], Callable[[Conversation, Any], list[fx.Effect]]]] = {
        ev.LinkReady: _link_ready,
        ev.LinkLost: _link_lost,
        ev.SessionUpdated: _session_updated,
        ev.DayBegan: lambda self, event: self._spending.day_began(event),
        ev.SpentElsewhere: lambda self, event: self._spending.spent_elsewhere(event),
        ev.ItemAdded: _item_added,
        ev.ItemTruncated: lambda _self, _event: [],
        ev.ItemDeleted: lambda _self, _event: [],
        ev.ResponseDone: _response_done,
        ev.ServerError: _server_error,
        ev.RateLimited: lambda self, event: self._patience.rate_limited(event),
        ev.SuccessorReady: _successor_ready,
        ev.SuccessorFailed: lambda self, event: self._sessions.successor_failed(event),
        ev.ToolFinished: lambda self, event: self._dialogue.tool_finished(event, connected=self._sessions.ready),
        ev.PlayoutFlushed: lambda self, event: self._dialogue.flushed(event, connected=self._sessions.ready),
        ev.AudioLost: lambda _self, event: [news.device_lost(event)],
        ev.AudioReady: lambda _self, event: [news.device_ready(event)],
        ev.AudioInputEnded: _input_end,
        ev.TimerFired: _timer,
        cmd.StartConversation: _start,
        cmd.StopConversation: _stop,
        cmd.RollSession: lambda self, event: self._sessions.tether.roll(event),
        cmd.SendMessage: _send_message,
        cmd.RequestResponse: _request_response,
        cmd.InterruptResponse: lambda self, event: [
            *self._desk.interrupt(event, self._dialogue),
            *self._floor.stopped(),
        ],
        cmd.SetBudget: lambda self, event: self._spending.set(event),
        cmd.SetInstructions: _set_instructions,
        cmd.SetTurnDetection: lambda self, event: self._desk.set_turn_detection(event, ready=self._sessions.ready),
        cmd.SetBargeIn: lambda self, event: self._desk.set_barge_in(event, ready=self._sessions.ready),
        cmd.SetTools: lambda self, event: self._standing.set_tools(
            event, self._ids.event(), ready=self._sessions.ready
        ),
        cmd.TalkBegin: _talk_begin,
        cmd.TalkEnd: _talk_end,
    }
