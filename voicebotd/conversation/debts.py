"""What the box owes the visitor, whatever becomes of a session: answers promised, and the rest of those begun.

Owns which answer is owed when a session is lost, what the next one is told and asked for, and the second try of an
answer that failed. What a new session must know is `context.py`'s, what becomes of a failed answer `second_try.py`'s;
what sounds is none of its business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.context import Context, Spoken
from voicebotd.conversation.functions import Functions
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.responses import Request, Responses
from voicebotd.conversation.second_try import GO_ON, INSTRUCTIONS, Verdict, judge
from voicebotd.conversation.turns import Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An answer that a lost session did not give. `spoken`: what it answers was said aloud, so that a new session which
    hears it again makes a turn of it. `goes_on`: it is being said yet."""

    request: Request
    spoken: bool = False
    goes_on: bool = False


class Debts:
    """One conversation's."""

    def __init__(self, ids: Ids, responses: Responses, turns: Turns, functions: Functions) -> None:
        self._ids = ids
        self._responses = responses
        self._turns = turns
        self._functions = functions
        self._begun = ""
        """The response of which something was received last."""
        self.context = Context(ids)
        self.owed: Owed | None = None

    @property
    def promised(self) -> bool:
        """Whether the visitor has asked, and waits for an answer of which no session knows."""
        return self.owed is not None and not self.owed.goes_on

    @property
    def has_begun(self) -> bool:
        """Whether something of the active response was received."""
        return self._responses.active is not None and self._begun == self._responses.active

    # While there is a session.

    def asked(self, spoken: Spoken) -> None:
        """A turn of the visitor is over: the answer to it is made of everything."""
        self.owed = None
        self.context.spoke(spoken)

    def exists(self, response_id: str) -> list[fx.Effect]:
        """Something of a response exists. What it answers is not asked again, whatever happens to the session."""
        if response_id != self._responses.active or response_id == self._begun:
            return []
        self._begun, self.owed = response_id, None
        self.context.answered()
        return self._turns.told()

    def try_again(self, event: ev.ResponseDone, *, unheard: bool) -> list[fx.Effect]:
        """A response that failed, or was cut short by the service, is not the visitor's affair if it can be mended.

        `unheard`: nobody wanted it any more.
        """
        responses = self._responses
        if unheard or event.response_id != responses.active or responses.is_awaited_by_somebody:
            return []
        verdict = judge(event, begun=self._begun == event.response_id, tried=responses.is_second_try)
        if verdict is Verdict.NOTHING or responses.purpose == "filler" or responses.is_last:
            return []
        if verdict is Verdict.TELL:
            return [fx.PlayCue(cue="trouble")]
        words = INSTRUCTIONS.get(verdict, "")
        again = replace(responses.again(self._ids.event(), as_asked=not words), words=words)
        return [*self._tell(words), *responses.first(again)]

    def _tell(self, words: str) -> list[fx.Effect]:
        """A message, because a response with instructions of its own is made of a conversation that is in no cache."""
        if not words:
            return []
        item_id, event_id = self._ids.item(), self._ids.event()
        return [fx.CreateMessage(event_id=event_id, item_id=item_id, role="system", text=words)]

    # While there is none.

    def lost(self, *, speaking: bool, outputs: bool) -> None:
        """The session is gone, and what it did not answer is owed.

        `speaking`: the visitor says something that will want an answer. `outputs`: the model was to go on with some.
        """
        responses, begun = self._responses, self.has_begun
        owed = responses.owed(begun=begun)
        if owed is None and outputs:
            owed = Request(event_id="", purpose="outputs")
        if speaking:
            # The answer to that is made of everything that waits.
            self.owed = Owed(request=owed or Request(event_id=""), spoken=True, goes_on=True)
        elif owed is not None:
            spoken = self.context.unanswered is not None and owed.purpose == "answer"
            self.owed = Owed(request=owed, spoken=spoken)
        elif begun and responses.generating and responses.purpose != "filler":
            self.owed = Owed(request=Request(event_id="", words=GO_ON))

    def promise(self, *, committed: bool) -> None:
        """What was said aloud is over while there is no session; it is a turn if `committed`."""
        self.owed = Owed(request=Request(event_id=""), spoken=True) if committed else None

    def outputs_came(self) -> None:
        """The functions of a round are done while there is no session: the next one is to go on with them."""
        if self.owed is None:
            self.owed = Owed(request=Request(event_id="", purpose="outputs"))

    # When there is one again.

    def resume(self, *, limit: int, words_follow: bool, now_s: float) -> list[fx.Effect]:
        """Tell a new session of the last `limit` turns, and have it give the answer that is owed.

        `words_follow`: it is going to hear what the visitor said to the one before.
        """
        unanswered = self._turns.spoken_after(self.context.settled_number) if words_follow else []
        open_calls = frozenset(call_id for one in self._functions.rounds.open for call_id in one.calls)
        told = self.context.seed(self._turns.so_far(), replayed=frozenset(unanswered), apart=open_calls, limit=limit)
        told += self._functions.resume()
        self._turns.told_again(unanswered)
        self.context.new_session(Spoken(began_s=now_s, start_ms=0, again=True) if words_follow else None)
        if self.owed is not None and not (self.owed.spoken and words_follow):
            return [*told, *self.pay()]
        return told

    def pay(self) -> list[fx.Effect]:
        """Have the answer made that is owed."""
        owed, self.owed = self.owed, None
        if owed is None:
            return []
        told = self._tell(owed.request.words)
        return [*told, *self._responses.submit(replace(owed.request, event_id=self._ids.event()))]

    def pay_unheard(self) -> list[fx.Effect]:
        """The session heard the visitor's words again and found no turn in them: it is told that they are one."""
        return [fx.CommitInput(event_id=self._ids.event()), *self.pay()]
