"""The functions that a model calls in a world around a conversation: they run their time, and all is kept count of.

Owns what must hold of calls; when which is called is for the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from talkbox import Box

from voicebotd.conversation import effects as fx
from voicebotd.conversation.records import ToolCallRecord


@dataclass(slots=True)
class Errands:
    left_ms: dict[str, int] = field(default_factory=dict)
    """What is still to pass of each function that runs, by `call_id`."""
    called: dict[str, int] = field(default_factory=dict)
    """How long each that was called takes."""
    ran: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    """The outputs of this session."""
    fillers: int = 0
    rounds: int = 0

    def call(self, response: str, calls: int, last_ms: int) -> list[str]:
        """A response calls so many functions; each takes longer than the one before."""
        self.rounds += calls > 0
        new = {f"{response}-{number}": last_ms * number for number in range(1, calls + 1)}
        self.called |= new
        return list(new)

    def note(self, effect: fx.Effect) -> None:
        match effect:
            case fx.RunTool():
                self.ran.append(effect.call_id)
                self.left_ms[effect.call_id] = self.called[effect.call_id]
            case fx.CreateFunctionCall():  # another session, which is told again
                self.answered = [call_id for call_id in self.answered if call_id != effect.call_id]
            case fx.CreateFunctionOutput():
                self.answered.append(effect.call_id)
            case fx.CreateResponse():
                self.fillers += not effect.calls_functions

    def pass_time(self, ms: int) -> list[str]:
        """Return what came to its end meanwhile."""
        self.left_ms = {call_id: left - ms for call_id, left in self.left_ms.items()}
        over = [call_id for call_id, left in self.left_ms.items() if left <= 0]
        for call_id in over:
            del self.left_ms[call_id]
        return over

    def check(self, box: Box) -> None:
        """Everything has come to its end."""
        assert len(set(self.ran)) == len(self.ran), "no function runs twice"
        assert len(set(self.answered)) == len(self.answered), "no call is answered twice in one session"
        assert set(self.ran) <= set(self.answered) <= set(self.called), "every call that ran is answered"
        assert self.fillers <= self.rounds, "for each round it is said once that it takes a while"
        records = [one.record for one in box.log if isinstance(one, fx.Record)]
        over = [one.call_id for one in records if isinstance(one, ToolCallRecord) and one.status != "running"]
        assert len(set(over)) == len(over), "each has one outcome"
        assert set(self.ran) <= set(over)
