"""What a new session must be told, because it knows nothing: the conversation so far, and what is still unanswered.

A session can be lost, or replaced, at any moment. Owns which of the visitor's words were answered, the calls of
functions and their outputs, and the words in which all of it is told again. What was said is `turns.py`'s, and only
what was heard counts. Knows no session and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from voicebotd.conversation.effects import (
    CreateFunctionCall,
    CreateFunctionOutput,
    CreateMessage,
    DeleteItem,
    Effect,
)
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.ledger import Piece
from voicebotd.conversation.records import TurnRecord
from voicebotd.conversation.turns import heard_part

RESUMED = (
    "The connection was renewed. Above this line is the conversation so far, as the visitor heard it. Go on with it: "
    "do not greet again, do not repeat yourself, and do not mention the connection."
)
FIRST = "root"
"""What the service calls the place before all items."""
UNINTELLIGIBLE = "(The visitor said something that was not written down.)"


HEARD_AGAIN_S = 10.0
"""After so long a session has made of what it heard again whatever it will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A turn of the visitor that is over. `began_s`: from when on it is to be heard again. `start_ms`, `end_ms`: on the
    session's own clock, None where nothing but the box knows; `speech_ms`: its length, where the box detected it."""

    began_s: float
    start_ms: int | None = None
    end_ms: int | None = None
    speech_ms: int = 0
    again: bool = False
    """A session that has just begun hears it; what it makes of it is not known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """What the next session has to hear: from `began_s`, or exactly from `start_ms` of the lost session's own clock."""

    began_s: float
    start_ms: int | None
    speech_ms: int
    """Of turns that the box detected, together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A function call that ran, and after which turn it came."""

    call_id: str
    name: str
    arguments: str
    after: int
    output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An item of the present session that stands for one that was lost with its own."""

    item_id: str
    previous_id: str


class Context:
    """One conversation's."""

    MAX_CALLS = 64
    """More than the turns that are told again will hold; the oldest is forgotten first."""
    MAX_SPOKEN = 64

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._spoken: list[Spoken] = []
        self._calls: dict[str, Called] = {}
        self._covered_turns = self._covered_number = self.settled_number = 0
        self._told: dict[str, Told] = {}
        self.served_ms = 0
        """Up to where, on the session's own clock, everything is answered."""

    # What happens.

    def spoke(self, turn: Spoken) -> None:
        """A turn of the visitor is over and wants an answer."""
        self._spoken.append(turn)
        if len(self._spoken) > self.MAX_SPOKEN:
            del self._spoken[0]
            self._covered_turns = max(0, self._covered_turns - 1)

    def response_created(self, newest_number: int) -> None:
        """A response is made of everything up to the turn of that number."""
        self._covered_turns, self._covered_number = len(self._spoken), newest_number

    def answered(self) -> None:
        """Something of that response exists: the turns before it are not to be answered again."""
        covered, self._covered_turns = self._covered_turns, 0
        for turn in self._spoken[:covered]:
            self.served_ms = max(self.served_ms, turn.end_ms or 0)
        del self._spoken[:covered]
        self.settled_number = max(self.settled_number, self._covered_number)

    def called(self, call_id: str, name: str, arguments: str, newest_number: int) -> None:
        """A function runs. A call that never ran is none: the model will ask for it again."""
        self._calls[call_id] = Called(call_id=call_id, name=name, arguments=arguments, after=newest_number)
        if len(self._calls) > self.MAX_CALLS:
            del self._calls[next(iter(self._calls))]

    def output(self, call_id: str, output: str) -> None:
        """The model is told this of the call."""
        if (called := self._calls.get(call_id)) is not None:
            self._calls[call_id] = replace(called, output=output)

    # What a new session is told.

    @property
    def unanswered(self) -> Unanswered | None:
        """The visitor's finished turns that nobody has answered, as one."""
        if not self._spoken:
            return None
        stamped = [turn.start_ms for turn in self._spoken if turn.start_ms is not None]
        return Unanswered(
            began_s=min(turn.began_s for turn in self._spoken),
            start_ms=min(stamped, default=None),
            speech_ms=sum(turn.speech_ms for turn in self._spoken),
        )

    def hears_again(self, now_s: float) -> bool:
        """Whether what the session was given to hear again may be unanswered yet, though nobody promised an answer."""
        first = self._spoken[0] if self._spoken else None
        return first is not None and first.again and now_s - first.began_s < HEARD_AGAIN_S

    def new_session(self, replayed: Spoken | None) -> None:
        """Its clock begins at zero, and it holds what it is told. `replayed`: what it hears again, if anything."""
        self.served_ms = 0
        self._covered_turns = 0
        self._spoken = [] if replayed is None else [replayed]

    def seed(
        self, records: Iterable[TurnRecord], *, replayed: frozenset[str], apart: frozenset[str], limit: int
    ) -> list[Effect]:
        """Tell a new session the last `limit` of `records`, and the functions called meanwhile.

        `replayed`: items whose sound the session is going to hear itself. `apart`: calls that it is told of by others.
        """
        kept = [record for record in records if record.item_id not in replayed]
        lines = [(record, words_of(record)) for record in kept]
        told = [(record, words) for record, words in lines if words][-limit:] if limit else []
        oldest = told[0][0].number if told else None
        ran = [one for one in self._calls.values() if one.output is not None and one.call_id not in apart]
        calls = [one for one in ran if oldest is not None and one.after >= oldest]
        effects: list[Effect] = []
        self._told.clear()
        previous_id = FIRST
        for record, words in told:
            while calls and calls[0].after < record.number:
                told_call = self._seed_call(calls.pop(0))
                previous_id = told_call[-1].item_id
                effects += told_call
            item_id = self._ids.item()
            self._told[record.item_id] = Told(item_id=item_id, previous_id=previous_id)
            effects.append(CreateMessage(event_id=self._ids.event(), item_id=item_id, role=record.role, text=words))
            previous_id = item_id
        for call in calls:
            effects += self._seed_call(call)
        if effects:
            note = CreateMessage(event_id=self._ids.event(), item_id=self._ids.item(), role="system", text=RESUMED)
            effects.append(note)
        return effects

    def _seed_call(self, called: Called) -> list[CreateFunctionCall | CreateFunctionOutput]:
        call = CreateFunctionCall(
            event_id=self._ids.event(),
            item_id=self._ids.item(),
            call_id=called.call_id,
            name=called.name,
            arguments=called.arguments,
        )
        item_id, event_id = self._ids.item(), self._ids.event()
        output = called.output or ""
        return [
            call,
            CreateFunctionOutput(event_id=event_id, item_id=item_id, call_id=called.call_id, output=output),
        ]

    def holds(self, item_id: str) -> bool:
        """Whether the present session knows this item by its words only."""
        return item_id in self._told

    def shorten(self, piece: Piece, text: str) -> list[Effect]:
        """What the session was told of this piece was not heard to its end: tell it what was.

        Only audio can be truncated, so the words are put in the place of the words.
        """
        told = self._told.pop(piece.item_id)
        effects: list[Effect] = [DeleteItem(event_id=self._ids.event(), item_id=told.item_id)]
        heard = heard_part(text, piece.heard_share)
        if heard:
            item_id = self._ids.item()
            effects.append(
                CreateMessage(
                    event_id=self._ids.event(),
                    item_id=item_id,
                    role="assistant",
                    text=heard,
                    previous_item_id=told.previous_id,
                )
            )
        return effects


def words_of(record: TurnRecord) -> str:
    """What a new session is told of a turn; nothing where there is nothing to tell."""
    if record.role != "assistant":
        return record.generated_text or (UNINTELLIGIBLE if record.role == "user" else "")
    return record.heard_text if record.interrupted else record.generated_text
