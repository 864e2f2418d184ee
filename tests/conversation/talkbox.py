"""A whole conversation with a clock that the test owns, and a service and a loudspeaker that do as they are told.

Timers are kept as the core sets them and fire when the test lets time pass; sessions are confirmed as they are asked
for; a flush is answered by the test.
"""

from __future__ import annotations

from typing import Any

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.budget import NANO_USD, Cost
from voicebotd.conversation.core import Conversation
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.states import State

PCM_100_MS = b"\x01\x00" * 2400
PREFIX_MS, SILENCE_MS = 500, 1200


CENT = NANO_USD // 100


class CentPerToken:
    """A model that costs a cent for every token; the model `unknown` has no price."""

    def cost_of(self, model: str, used: ev.Usage) -> Cost:
        return Cost(nano_usd=0 if model == "unknown" else used.total * CENT, complete=model != "unknown")


class Box:
    """A conversation. `mode`: of barge-in, with its default numbers."""

    def __init__(
        self, detection: ev.TurnDetection | None = None, *, mode: ev.BargeInMode = "confirm", **policy: Any
    ) -> None:
        policy.setdefault("barge_in", ev.BargeIn(mode=mode))
        self.core = Conversation(
            Policy(instructions="Be kind.", turn_detection=detection or ev.TurnDetection(), **policy)
        )
        self.now_s = 100.0
        self.log: list[fx.Effect] = []
        self.timers: dict[str, float] = {}
        self.asked: ev.TurnDetection | None = None
        self.began_ms: dict[str, int] = {}

    @property
    def state(self) -> State:
        return self.core.state

    @property
    def session(self) -> ev.SessionView:
        """The session as it was asked for last."""
        asked = self.asked
        none = asked is None or asked.type == "none"
        return ev.SessionView(instructions="Be kind.", turn_detection=None if none else asked)

    def do(self, *events: ev.Event) -> list[fx.Effect]:
        effects: list[fx.Effect] = []
        for event in events:
            self.now_s += 0.001
            if isinstance(event, ev.TimerFired):
                self.timers.pop(event.name, None)
            now = self.core.handle(event, self.now_s)
            self._note(now)
            effects += now
        self.log += effects
        return effects

    def _note(self, effects: list[fx.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, fx.SetTimer):
                self.timers[effect.name] = self.now_s + effect.delay_s
            elif isinstance(effect, fx.CancelTimer):
                self.timers.pop(effect.name, None)
            elif isinstance(effect, fx.UpdateSession) and effect.turn_detection is not None:
                self.asked = effect.turn_detection

    def wait(self, ms: float) -> list[fx.Effect]:
        """Let time pass, with the timers that fire meanwhile."""
        end_s = self.now_s + ms / 1000
        effects: list[fx.Effect] = []
        while due := [(at_s, name) for name, at_s in self.timers.items() if at_s <= end_s]:
            at_s, name = min(due)
            self.now_s = max(self.now_s, at_s)
            effects += self.do(ev.TimerFired(name=name))
        self.now_s = max(self.now_s, end_s)
        return effects

    # The link.

    def start(self, **how: Any) -> list[fx.Effect]:
        return self.do(cmd.StartConversation(request_id=1, conversation_id="c1", **how))

    def ready(self) -> list[fx.Effect]:
        return self.do(ev.LinkReady(session_id="s1", model="m", session=self.session))

    def live(self, **how: Any) -> Box:
        self.start(**how)
        self.ready()
        return self

    def confirmed(self) -> list[fx.Effect]:
        return self.do(ev.SessionUpdated(session=self.session))

    # The reply.

    def reply(self, response_id: str = "r1", item_id: str = "a1", deltas: int = 50) -> list[fx.Effect]:
        """A reply of `deltas` times 100 ms begins to sound; it is still being made."""
        return self.generate(response_id, item_id, deltas) + self.do(
            ev.PlayoutStarted(item_id=item_id, content_index=0)
        )

    def generate(self, response_id: str = "r1", item_id: str = "a1", deltas: int = 50) -> list[fx.Effect]:
        effects = self.do(
            ev.ResponseCreated(response_id=response_id),
            ev.OutputItemAdded(response_id=response_id, item_id=item_id, output_index=0, item_type="message"),
        )
        return effects + self.do(*[delta(response_id, item_id) for _ in range(deltas)])

    def done(self, response_id: str = "r1", **how: Any) -> list[fx.Effect]:
        return self.do(ev.ResponseDone(**{"response_id": response_id, "status": "completed", **how}))

    def costs(self, cents: int, response_id: str = "r1", **how: Any) -> list[fx.Effect]:
        """The reply is made, and cost this (with `tariff=CentPerToken()`)."""
        return self.done(response_id, usage=ev.Usage(output_audio=cents), **how)

    def plays_out(self, item_id: str = "a1", ms: int = 5000) -> list[fx.Effect]:
        """A reply has been heard to its end."""
        return self.heard(item_id, ms) + self.do(ev.PlayoutIdle())

    def called(self, call_id: str = "k", response_id: str = "r1") -> list[fx.Effect]:
        """The model calls a function, and a running response is over with that."""
        call = ev.FunctionCalled(
            response_id=response_id, item_id=f"f-{call_id}", call_id=call_id, name="book", arguments="{}"
        )
        return self.do(call) + self.done(response_id)

    def answered(self, call_id: str = "k", output: str = "done", **how: Any) -> list[fx.Effect]:
        """The function comes to its end, and the service takes the output."""
        how.setdefault("status", "completed")
        effects = self.do(ev.ToolFinished(call_id=call_id, output=output, **how))
        items = [effect.item_id for effect in only(effects, fx.CreateFunctionOutput)]
        return effects + self.do(*[ev.ItemAdded(item_id=item, item_type="function_call_output") for item in items])

    def heard(self, item_id: str = "a1", ms: int = 100) -> list[fx.Effect]:
        return self.do(ev.PlayoutProgressed(heard=part(item_id, ms)))

    def flushed(self, item_id: str = "a1", ms: int = 1000) -> list[fx.Effect]:
        """The loudspeaker answers the latest flush: so much of the item was heard."""
        token = only(self.log, fx.Flush)[-1].token
        return self.do(ev.PlayoutFlushed(token=token, heard=(part(item_id, ms),)))

    # The visitor, as the service hears it.

    @property
    def stream_ms(self) -> int:
        """How much audio the service has heard."""
        return round((self.now_s - 90.0) * 1000)

    def speaks(self, item_id: str = "u1") -> list[fx.Effect]:
        self.began_ms[item_id] = self.stream_ms
        return self.do(ev.SpeechStarted(item_id=item_id, audio_start_ms=self.stream_ms - PREFIX_MS))

    def stops(self, item_id: str = "u1", *, after_ms: int) -> list[fx.Effect]:
        """The visitor spoke for `after_ms` since `speaks`; the service says so when its silence has passed."""
        waited = self.wait(self.began_ms[item_id] + after_ms + SILENCE_MS - self.stream_ms)
        end_ms = self.began_ms[item_id] + after_ms + SILENCE_MS
        return waited + self.do(
            ev.SpeechStopped(item_id=item_id, audio_end_ms=end_ms), ev.InputCommitted(item_id=item_id)
        )


def part(item_id: str, ms: int) -> ev.Heard:
    return ev.Heard(item_id=item_id, content_index=0, heard_samples=ms * 24)


def delta(response_id: str = "r1", item_id: str = "a1") -> ev.AudioDelta:
    return ev.AudioDelta(response_id=response_id, item_id=item_id, output_index=0, content_index=0, pcm=PCM_100_MS)


def only(effects: list[fx.Effect], kind: type[Any]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def shapes(effects: list[fx.Effect]) -> list[tuple[float, bool]]:
    return [(effect.gain_db, effect.paused) for effect in only(effects, fx.ShapePlayout)]


def turns(effects: list[fx.Effect]) -> list[str]:
    """What was told of turns."""
    return [effect.data["event"] for effect in only(effects, fx.Publish) if effect.topic == "turn"]


def recorded(effects: list[fx.Effect], role: str = "user") -> list[str]:
    records = [effect.record for effect in only(effects, fx.Record)]
    return [record.item_id for record in records if getattr(record, "role", "") == role]


def states(effects: list[fx.Effect]) -> list[str]:
    return [effect.data["state"] for effect in only(effects, fx.Publish) if effect.topic == "state"]
