"""How a conversation ends whose money is spent: what is said comes to its end, one goodbye follows, then it is over.

Owns the order of these steps and the words of the goodbye. The goodbye is the only thing that is begun beyond the cap,
and it is short: it calls no function, and its length is limited. Knows no money: which cap it was, it is told.
"""

from __future__ import annotations

from enum import Enum, auto

from voicebotd.conversation.desk import Desk
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.effects import CreateMessage, Effect
from voicebotd.conversation.floor import Floor
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.responses import Closed, Request

GOODBYE = (
    "The conversation ends now. If a function was answered and the visitor was not told yet what came of it, tell it "
    "in one short sentence. Then say in one short sentence, in the visitor's language, that you have to stop here for "
    "now, and goodbye. Ask nothing."
)
GOODBYE_TOKENS = 500
"""At most: 25 seconds of speech, or what a model that reasons needs before a short sentence."""
BUDGET = "budget: "
"""How the reason of such an end begins."""


class _Stage(Enum):
    NONE = auto()
    FINISHING = auto()
    """What is being said, made or called comes to its end."""
    SAYING = auto()


class Farewell:
    """One conversation's."""

    def __init__(self, ids: Ids, desk: Desk, dialogue: Dialogue, floor: Floor) -> None:
        self._ids = ids
        self._desk = desk
        self._dialogue = dialogue
        self._floor = floor
        self._stage = _Stage.NONE
        self.reason = ""
        """Why the conversation ends: the cap that was reached."""
        self.over = False
        """There is nothing more to say: the conversation is to end now."""

    @property
    def on(self) -> bool:
        return self._stage is not _Stage.NONE

    def end(self) -> None:
        """The conversation ended, for this reason or another."""
        self._stage, self.over = _Stage.NONE, False

    def begin(self, closed: Closed | None) -> list[Effect]:
        """Nothing new is answered once a cap is reached (`closed`). The microphone closes too, and what was being said
        into it is dropped."""
        if closed is None or self.on:
            return []
        self._stage, self.reason = _Stage.FINISHING, f"{BUDGET}{closed.message}"
        effects = self._dialogue.responses.close(closed)
        effects += self._floor.lost()
        return [*effects, *self._desk.take_key(self._dialogue)]

    def proceed(self, closed: Closed | None, *, ready: bool) -> list[Effect]:
        """Do what is due now. `ready`: there is a session.

        A goodbye that is on its way is said to its end, whatever became of the cap meanwhile.
        """
        effects = self.begin(closed)
        if self._stage is _Stage.FINISHING and closed is None:
            self._stage = _Stage.NONE
            self._dialogue.responses.reopen()
        if not self.on:
            return []
        if not ready:
            self.over = True  # a session only to say goodbye in would be paid for, and perhaps nobody is there
        elif self._dialogue.at_rest:
            self.over = self._stage is _Stage.SAYING
            self._stage = _Stage.SAYING
            return [*effects, *([] if self.over else self._say_goodbye())]
        return effects

    def _say_goodbye(self) -> list[Effect]:
        """Asked for by a message at the end of the conversation. Instructions of its own would stand before all of it,
        and what the service has in its cache would be read, and paid for, anew: eighty times as much."""
        message = CreateMessage(event_id=self._ids.event(), item_id=self._ids.item(), role="system", text=GOODBYE)
        last = Request(event_id=self._ids.event(), last_tokens=GOODBYE_TOKENS)
        return [message, *self._dialogue.responses.submit(last)]
