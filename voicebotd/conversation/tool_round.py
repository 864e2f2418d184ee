"""The function calls of one response and what became of them: every call runs once and is answered exactly once.

A round is the calls of one response. They begin when the response is complete, they may take their time, and when the
last of them is answered the model goes on, once. A call of a response that was cancelled or cut short may hold half its
arguments: it is never run, and answered all the same, because an unanswered call stays in the conversation for ever.

A round outlives the session in which it began. It is open until a response was made that knows its outputs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from voicebotd.conversation.events import (
    FunctionCalled,
    ResponseDone,
)

NOT_RUN = json.dumps({"error": "This function was not run, because the answer that called it was interrupted."})


@dataclass(slots=True, kw_only=True)
class Round:
    """The calls of one response, in order, and the outputs that there are so far, by `call_id`."""

    calls: dict[str, FunctionCalled]
    outputs: dict[str, str] = field(default_factory=dict)
    items: dict[str, bool] = field(default_factory=dict)
    """The output items sent to this session, and whether it has told that it has them."""
    filled: bool = False
    """The visitor has been told that it takes a while."""

    @property
    def complete(self) -> bool:
        return len(self.outputs) == len(self.calls)

    @property
    def running(self) -> list[FunctionCalled]:
        return [call for call_id, call in self.calls.items() if call_id not in self.outputs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What becomes of the calls of a response that is over."""

    to_run: tuple[FunctionCalled, ...] = ()
    to_refuse: tuple[FunctionCalled, ...] = ()


class ToolRound:
    """Owns the calls of responses that are being made, and the open rounds, oldest first."""

    MAX_REMEMBERED = 256
    """call_ids kept against duplicates, oldest forgotten first."""

    def __init__(self) -> None:
        self._called: dict[str, dict[str, FunctionCalled]] = {}
        self._rounds: list[Round] = []
        self._seen: dict[str, None] = {}

    @property
    def running(self) -> tuple[FunctionCalled, ...]:
        """The calls that are not answered yet. They run on while there is no session."""
        return tuple(call for one in self._rounds for call in one.running)

    @property
    def open(self) -> tuple[Round, ...]:
        """The rounds of which no response knows all; a new session has to be told of them."""
        return tuple(self._rounds)

    @property
    def unfilled(self) -> bool:
        """Whether something runs of which the visitor has not been told that it takes a while."""
        return any(one.running and not one.filled for one in self._rounds)

    def called(self, call: FunctionCalled) -> bool:
        """Take note of a call; False if it is a duplicate."""
        if call.call_id in self._seen:
            return False
        self._seen[call.call_id] = None
        if len(self._seen) > self.MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._called.setdefault(call.response_id, {})[call.call_id] = call
        return True

    def begin(self, done: ResponseDone) -> Begun:
        """A response is over: its calls may run, if it came to its end."""
        calls = self._called.pop(done.response_id, {})
        if not calls:
            return Begun()
        if done.status != "completed":
            return Begun(to_refuse=tuple(calls.values()))
        self._rounds.append(Round(calls=calls))
        return Begun(to_run=tuple(calls.values()))

    def fill(self) -> None:
        """The visitor is being told that it takes a while."""
        for one in self._rounds:
            one.filled = True

    def finished(self, call_id: str, output: str) -> Round | None:
        """Return the round of which this call was, now with its output; None if nobody waits for it (any more)."""
        for one in self._rounds:
            if call_id in one.calls and call_id not in one.outputs:
                one.outputs[call_id] = output
                return one
        return None

    def item_added(self, item_id: str) -> None:
        """The session has this item. It need not be one of ours."""
        for one in self._rounds:
            if item_id in one.items:
                one.items[item_id] = True

    def response_began(self, *, knows_all: bool) -> bool:
        """Close the rounds whose outputs the new response knows; return whether there is a complete one that it does
        not. `knows_all`: it was asked for after everything that was sent."""

        def known(one: Round) -> bool:
            return one.complete and (knows_all or all(one.items.values()))

        self._rounds = [one for one in self._rounds if not known(one)]
        return any(one.complete for one in self._rounds)

    def lost(self) -> None:
        """The session is gone, with the calls of the response that was being made and what it had been sent."""
        self._called.clear()
        for one in self._rounds:
            one.items.clear()

    def stop(self) -> tuple[FunctionCalled, ...]:
        """Forget everything; return what still ran."""
        running = self.running
        self._called.clear()
        self._rounds.clear()
        return running
