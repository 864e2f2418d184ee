"""The function calls of one response, and what the model is told about them: every call is answered exactly once.

There is no tool runner yet, so each call is answered with an output that says so, and the model can tell the visitor.
Calls of a response that was cancelled or cut short may hold half the arguments (never run those); they are
answered too, because an unanswered call stays in the conversation for ever.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from voicebotd.conversation.events import (
    FunctionCalled,
    ResponseDone,
)

UNAVAILABLE = "This function is not available at the moment. Tell the visitor so and offer what you can do without it."
NOT_RUN = "This function was not run, because the visitor interrupted."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The output for one call."""

    call_id: str
    name: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All answers of one response; `respond` if the model is to go on with them."""

    answers: tuple[Answer, ...]
    respond: bool


class ToolRound:
    """Collects calls until their response is done. A call_id is answered once, however often it comes."""

    MAX_REMEMBERED = 256
    """Answered call_ids kept against duplicates, oldest forgotten first."""

    def __init__(self) -> None:
        self._calls: dict[str, list[FunctionCalled]] = {}
        self._seen: dict[str, None] = {}

    def called(self, call: FunctionCalled) -> bool:
        """Take note of a call; False if it is a duplicate."""
        if call.call_id in self._seen:
            return False
        self._seen[call.call_id] = None
        if len(self._seen) > self.MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._calls.setdefault(call.response_id, []).append(call)
        return True

    def finished(self, done: ResponseDone) -> Round:
        """Answer the calls of a response that is over."""
        calls = self._calls.pop(done.response_id, [])
        complete = done.status == "completed"
        output = json.dumps({"error": UNAVAILABLE if complete else NOT_RUN})
        answers = tuple(Answer(call_id=call.call_id, name=call.name, output=output) for call in calls)
        return Round(answers=answers, respond=complete and bool(calls))

    def forget(self) -> None:
        """The session is gone and its calls with it."""
        self._calls.clear()
