"""The functions that the model calls, as the conversation sees them: begun, answered, recorded, told.

Owns what is sent and said about calls. Which calls run and when a round is over is `tool_round.py`'s, when the model
speaks about it `dialogue.py`'s; how a function is run is the shell's. Knows no function.
"""

from __future__ import annotations

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.records import ToolCallRecord
from voicebotd.conversation.tool_round import NOT_RUN, ToolRound

STOPPED = "The conversation was stopped while this function ran; whether it had its effect is not known."


class Functions:
    """One conversation's calls. Events in, effects out."""

    def __init__(self, conversation_id: str, ids: Ids) -> None:
        self._conversation_id = conversation_id
        self._ids = ids
        self.rounds = ToolRound()

    @property
    def running(self) -> bool:
        return bool(self.rounds.running)

    def called(self, event: ev.FunctionCalled) -> list[fx.Effect]:
        """The model calls a function; it runs when the response is complete."""
        if not self.rounds.called(event):
            return []
        data = {"event": "called", "name": event.name, "call_id": event.call_id, "arguments": event.arguments}
        return [fx.Publish(topic="tool", data=data)]

    def response_done(self, event: ev.ResponseDone) -> list[fx.Effect]:
        """Run the calls of a complete response all at once, refuse those of any other."""
        begun = self.rounds.begin(event)
        effects: list[fx.Effect] = []
        for call in begun.to_run:
            effects += [self._record(call), self._run(call)]
        for call in begun.to_refuse:
            refused = ev.ToolFinished(call_id=call.call_id, output=NOT_RUN, status="cancelled")
            effects += [*self._over(call, refused), self._output(call.call_id, NOT_RUN)]
        return effects

    def finished(self, event: ev.ToolFinished, *, connected: bool) -> tuple[list[fx.Effect], bool]:
        """A function came to an end of whatever kind; also tells whether its round is complete with that.

        Without a session the output waits for the next one (`resume`).
        """
        one = self.rounds.finished(event.call_id, event.output)
        if one is None:
            return [], False
        effects = self._over(one.calls[event.call_id], event)
        if connected:
            sent = self._output(event.call_id, event.output)
            one.items[sent.item_id] = False
            effects.append(sent)
        return effects, one.complete

    def resume(self) -> list[fx.Effect]:
        """A new session knows nothing: tell it of the calls that are not done with, and of the outputs so far."""
        effects: list[fx.Effect] = []
        for one in self.rounds.open:
            for call_id, call in one.calls.items():
                effects.append(
                    fx.CreateFunctionCall(
                        event_id=self._ids.event(),
                        item_id=self._ids.item(),
                        call_id=call_id,
                        name=call.name,
                        arguments=call.arguments,
                    )
                )
                if call_id in one.outputs:
                    sent = self._output(call_id, one.outputs[call_id])
                    one.items[sent.item_id] = False
                    effects.append(sent)
        return effects

    def stop(self) -> list[fx.Effect]:
        """The conversation is over, and nobody waits for what still runs."""
        effects: list[fx.Effect] = []
        for call in self.rounds.stop():
            stopped = ev.ToolFinished(call_id=call.call_id, output=STOPPED, status="cancelled")
            effects += [fx.CancelTool(call_id=call.call_id), *self._over(call, stopped)]
        return effects

    def _run(self, call: ev.FunctionCalled) -> fx.RunTool:
        return fx.RunTool(
            call_id=call.call_id, conversation_id=self._conversation_id, name=call.name, arguments=call.arguments
        )

    def _output(self, call_id: str, output: str) -> fx.CreateFunctionOutput:
        return fx.CreateFunctionOutput(
            event_id=self._ids.event(), item_id=self._ids.item(), call_id=call_id, output=output
        )

    def _record(self, call: ev.FunctionCalled, outcome: ev.ToolFinished | None = None) -> fx.Record:
        record = ToolCallRecord(
            conversation_id=self._conversation_id,
            call_id=call.call_id,
            name=call.name,
            arguments=call.arguments,
            output=outcome.output if outcome else "",
            status=outcome.status if outcome else "running",
            response_id=call.response_id,
            duration_ms=outcome.duration_ms if outcome else 0,
        )
        return fx.Record(record=record)

    def _over(self, call: ev.FunctionCalled, outcome: ev.ToolFinished) -> list[fx.Effect]:
        data = {
            "event": "answered" if outcome.status == "completed" else "failed",
            "name": call.name,
            "call_id": call.call_id,
            "status": outcome.status,
            "output": outcome.output,
            "duration_ms": outcome.duration_ms,
        }
        return [self._record(call, outcome), fx.Publish(topic="tool", data=data)]
