"""How long the service may take, and what is done when it takes longer: asked once more, then another session.

Owns the timers of everything that is due from the service, the rate limit that it told, and what is wrong with its
latest answer. Knows no visitor.
"""

from __future__ import annotations

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation import news
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.sessions import Sessions
from voicebotd.conversation.states import State
from voicebotd.conversation.tether import ROLL_WITHIN_S
from voicebotd.conversation.timers import Timers

ANSWER = "answer"
LIMIT = "limit"
OWED = "owed"
ROLL = "roll"
SIGNS = "signs"
SUCCEED = "succeed"
PATIENT = frozenset({ANSWER, LIMIT, OWED, ROLL, SIGNS, SUCCEED})

RATE_LIMITED = "rate_limit_exceeded"

SOON_S = 0.001
"""A timer may fire this much early."""


class Patience:
    """One conversation's. `trouble`: why the latest answer failed; empty after one that did not."""

    def __init__(self, policy: Policy, ids: Ids, dialogue: Dialogue, sessions: Sessions) -> None:
        self._policy = policy
        self._ids = ids
        self._dialogue = dialogue
        self._sessions = sessions
        self._timers = Timers()
        self._sign_at_s = self._reset_s = 0.0
        self._limit_s: float | None = None
        self.trouble = ""

    def sign(self, now_s: float) -> None:
        """Something of an active response came."""
        self._sign_at_s = now_s

    def rate_limited(self, event: ev.RateLimited) -> list[fx.Effect]:
        self._reset_s = event.reset_s
        return []

    def judge(self, event: ev.ResponseDone) -> None:
        """A response is over. Where it failed because of the rate limit, nothing is created before that allows it."""
        if event.error_code == RATE_LIMITED:
            self._dialogue.responses.wait_for("limit")
            self._limit_s = event.retry_after_s or self._reset_s or self._policy.limit_s
        if event.status == "failed":
            self.trouble = f"the latest answer failed: {event.error_message or event.error_code or event.reason}"
        elif event.status == "completed":
            self.trouble = ""

    def keep(self, state: State, now_s: float) -> list[fx.Effect]:
        """Follow the state."""
        policy, responses, tether = self._policy, self._dialogue.responses, self._sessions.tether
        ready, limit_s = self._sessions.ready, self._limit_s
        limited = limit_s is not None and state is not State.OFF
        idle = state in (State.LISTENING, State.THINKING) and not responses.busy
        unpaid = idle and self._dialogue.debts.owed is not None
        active = ready and responses.active is not None
        signs_s = self._signs_within_s - (now_s - self._sign_at_s)
        return [
            *self._timers.keep(ANSWER, wanted=ready and responses.awaited, delay_s=policy.answer_within_s),
            *self._timers.keep(LIMIT, wanted=limited, delay_s=min(limit_s or 0.0, policy.longest_limit_s)),
            *self._timers.keep(OWED, wanted=unpaid, delay_s=policy.answer_within_s),
            *self._timers.keep(SIGNS, wanted=active, delay_s=max(0.0, signs_s)),
            *self._timers.keep(SUCCEED, wanted=tether.successor_waits, delay_s=tether.within_s),
            *self._timers.keep(ROLL, wanted=tether.is_awaited, delay_s=ROLL_WITHIN_S),
        ]

    def fired(self, timer: str, now_s: float) -> list[fx.Effect]:
        if not self._timers.fired(timer):
            return []
        match timer:
            case "answer":
                return self._no_answer()
            case "signs":
                return self._no_sign(now_s)
            case "limit":
                self._limit_s = None
                return self._dialogue.responses.in_order("limit")
            case "owed":
                return self._dialogue.debts.pay_unheard()
        return self._sessions.tether.succeed()

    def _no_answer(self) -> list[fx.Effect]:
        """Ask once more; a session that does not answer then either is of no use."""
        self.trouble = news.ANSWER_IS_MISSING
        again = self._dialogue.responses.overdue(self._ids.event())
        return [news.no_answer(), *([fx.DropLink(reason=news.ANSWER_IS_MISSING)] if again is None else again)]

    @property
    def _signs_within_s(self) -> float:
        """How long nothing may come of the active response."""
        return self._policy.signs_within_s if self._dialogue.has_begun else self._policy.begins_within_s

    def _no_sign(self, now_s: float) -> list[fx.Effect]:
        if now_s - self._sign_at_s < self._signs_within_s - SOON_S:
            return []  # something came meanwhile: the timer is set anew
        if self._dialogue.is_whole:
            return self._dialogue.give_up()  # all of it was received, and only its end was lost
        self.trouble = news.ANSWER_IS_MISSING
        self._sign_at_s = now_s  # it is said once: the loss that follows takes a moment
        return [news.no_answer(), fx.DropLink(reason=news.ANSWER_STOPPED)]
