"""One conversation's sessions, one after another: what each takes with it when it goes, and what the next one is given.

Owns whether there is one, the greeting that the first one opens with, and the moment in which a second one that waits
takes over. Which links are wanted is `core.py`'s; what a lost session owes is `dialogue.py`'s, what it did not hear
`unheard.py`'s.
"""

from __future__ import annotations

from dataclasses import replace

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.commands import StartConversation
from voicebotd.conversation.desk import Desk
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.evidence import TOLD_LATE_S
from voicebotd.conversation.floor import Floor
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.listening import Listening
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.responses import Request
from voicebotd.conversation.standing import Standing
from voicebotd.conversation.tether import Tether
from voicebotd.conversation.unheard import Unheard, unheard
from voicebotd.conversation.visitor import Visitor

GREET = "Begin the conversation now: greet the visitor in these words or words close to them.\n"


class Sessions:
    """`ready`: there is a session. `opening`: how the conversation was started, until its first session opened it."""

    def __init__(
        self,
        policy: Policy,
        ids: Ids,
        standing: Standing,
        desk: Desk,
        listening: Listening,
        *,
        dialogue: Dialogue,
        floor: Floor,
        visitor: Visitor,
    ) -> None:
        self._policy = policy
        self._ids = ids
        self._standing = standing
        self._desk = desk
        self._listening = listening
        self._dialogue = dialogue
        self._floor = floor
        self._visitor = visitor
        self.tether = Tether()
        self.opening: StartConversation | None = None
        self.ready = False

    # One begins.

    def open(self, command: StartConversation) -> list[fx.Effect]:
        """The conversation begins, and wants its first session."""
        self.opening = command
        self._listening.begin()
        self._standing.for_this_conversation = command.instructions or ""
        update = fx.UpdateSession(
            event_id=self._ids.event(),
            instructions=self._standing.instructions,
            turn_detection=self._standing.session_turn_detection(),
            tools=self._standing.wanted.tools,
        )
        return [update, fx.OpenLink()]

    def began(self, event: ev.LinkReady, now_s: float) -> list[fx.Effect]:
        """A session is there, the first or the next: it is told what was said, and goes on."""
        message = "a new session began"
        told = self.lose("link.unavailable", message, now_s, event.unheard_s) if self.ready else []
        self.ready = True
        self._standing.confirmed = event.session
        words_follow = self._listening.words_follow(now_s)
        return [
            *told,
            *self.tether.ready(event.session_id),
            *self._dialogue.debts.resume(limit=self._policy.context_turns, words_follow=words_follow, now_s=now_s),
            *self._tell_what_was_heard(now_s),
            *self._greet(),
        ]

    def _tell_what_was_heard(self, now_s: float) -> list[fx.Effect]:
        if self._desk.talking:
            self._dialogue.hold_for_key()
        told = self._listening.tell_what_was_heard(self._visitor, now_s)
        owed = self._dialogue.debts.owed
        found = told or self._standing.service_detects
        if owed is None or not owed.spoken or self._desk.talking or found:
            return told
        # Nobody will find a turn in what the session hears: it is told that it is one.
        heard = self._listening.open_once()
        return [*told, *heard, *self._dialogue.debts.pay_unheard(), fx.OpenMicrophone(open=False)]

    def _greet(self) -> list[fx.Effect]:
        opening, self.opening = self.opening, None
        if opening is None or not self._assistant_opens(opening):
            return []
        instructions = self._standing.for_response(GREET + (opening.greeting or self._policy.greeting))
        return self._dialogue.responses.submit(Request(event_id=self._ids.event(), instructions=instructions))

    def _assistant_opens(self, opening: StartConversation) -> bool:
        if opening.greeting and opening.speaks_first is None:
            return True
        return (opening.speaks_first or self._policy.speaks_first) == "assistant"

    # One ends.

    def lost(self, event: ev.LinkLost, now_s: float) -> tuple[list[fx.Effect], bool]:
        """Return what follows, and whether a file should wait for another session: only for one that it had before."""
        hopeless = event.fatal or self.opening is not None
        effects = self.tether.lost(event)
        effects += self.lose("link.unavailable", f"the link was lost: {event.reason}", now_s, event.unheard_s)
        return effects, not hopeless and self.tether.failures < self._policy.file_failures

    def lose(self, kind: str, message: str, now_s: float, unheard_s: float = 0.0) -> list[fx.Effect]:
        """The session is gone; `kind` and `message` are for whoever waited for something of it."""
        was_ready, self.ready = self.ready, False
        judged = self._floor.judged is not None
        lost = self._dialogue.lost(kind, message, judged=judged)  # first: nothing that waited may be created now
        if was_ready:
            self._listening.lost(self._unheard(now_s, unheard_s), now_s)
        self._visitor.lost()
        return [*lost, *self._floor.lost(), *self._standing.lost(), *self._desk.lost()]

    def _unheard(self, now_s: float, unheard_s: float) -> Unheard:
        """What the visitor said and the session that is gone took with it. A file is heard again to the word."""
        context, owed = self._dialogue.debts.context, self._dialogue.debts.owed
        horizon_s, judged_until_s = now_s - unheard_s - TOLD_LATE_S, self._floor.judged_until_s
        wanted = (owed is not None and owed.spoken) or context.hears_again(now_s)
        missing = unheard(
            speech=self._floor.speech,
            unanswered=context.unanswered if wanted else None,
            voice_since_s=self._floor.evidence.first_since(horizon_s, after_s=judged_until_s),
            key_since_s=self._desk.talking_since_s,
            judged_until_s=judged_until_s,
            local=self._floor.local,
        )
        if self._policy.source == "file" and not self._standing.is_local:
            return replace(missing, since=fx.Since(place_ms=context.served_ms))
        return missing

    def fall_asleep(self, now_s: float) -> list[fx.Effect]:
        """Nobody spoke for long: a session costs money, and a new one takes no longer than a breath."""
        lost = self.lose("link.unavailable", "nobody spoke, so the session was closed", now_s)
        self._listening.fall_asleep()
        return [*lost, *self.tether.end(), fx.CloseLink(), fx.Publish(topic="link", data={"state": "idle"})]

    def end(self, now_s: float) -> list[fx.Effect]:
        """The conversation is over."""
        lost = self.lose("conversation.not_running", "the conversation was stopped", now_s)
        self._listening.begin()
        self._standing.for_this_conversation = ""
        return [
            *lost,
            *self._desk.end(),
            *self.tether.end(),
            fx.CloseLink(),
            fx.Publish(topic="link", data={"state": "off"}),
        ]

    # One follows another.

    def successor_failed(self, event: ev.SuccessorFailed) -> list[fx.Effect]:
        """Perhaps just when it was to take over: then the present one hears what came meanwhile."""
        again = self._listening.open_again() if self.tether.going_over else []
        return [*again, *self.tether.successor_failed(event)]

    def succeed(self) -> list[fx.Effect]:
        """Go over to the session that waits, in a moment in which nobody speaks and nothing is on its way."""
        responses = self._dialogue.responses
        speaking = self._floor.visitors or self._floor.evidence.sounding
        making = responses.busy or responses.waiting or self._dialogue.functions.running
        if not self.ready or speaking or making or self._desk.busy or self._awaits_words:
            return []
        return self.tether.succeed()

    @property
    def _awaits_words(self) -> bool:
        """Whether what the visitor said last is still being written down: the next session is to be told."""
        session = self._standing.confirmed
        return session is not None and bool(session.transcription_model) and self._dialogue.turns.awaits_words
