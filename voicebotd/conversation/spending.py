"""What the conversation costs: counts it, records it, tells of it, and refuses what there is no money for.

Owns the wording of warnings and refusals, and which models have no price. The sums and caps are `budget.py`'s; what is
done when a cap is reached is `farewell.py`'s.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.budget import NANO_USD, REHEARSED, Budget, Cap, CapName, Limits, Tariff, dollars, usd
from voicebotd.conversation.commands import SetBudget
from voicebotd.conversation.records import UsageRecord
from voicebotd.conversation.responses import Closed

EXHAUSTED = "budget.exhausted"
UNTOLD = "the service does not tell what it uses, so its cost is not counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingView:
    """What status tells of it. The amounts are whole nano-dollars."""

    today_nano_usd: int
    session_nano_usd: int
    tokens: int
    """Of this conversation."""
    cap: Cap | None
    """The one that is nearest."""
    exhausted: bool
    unpriced: tuple[str, ...]
    """Models that were used and of which no price is known."""
    hint: str


class Spending:
    """One for all conversations of a stack, one after another."""

    MAX_UNPRICED = 16
    """Models without a price that are remembered by name."""
    MAX_COUNTED = 256
    """Responses and transcriptions that are remembered, so that one that is told twice is paid once."""

    def __init__(self, limits: Limits, tariff: Tariff, *, rehearsing: bool = False) -> None:
        self._budget = Budget(limits)
        self._stage = REHEARSED if rehearsing else ""
        self._tariff = tariff
        self._tokens = 0
        self._unpriced: dict[str, None] = {}
        self._untold = False
        self._counted: dict[tuple[str, str], None] = {}
        self._told: CapName | None = None

    @property
    def session_usd(self) -> float:
        return usd(self._budget.session_nano_usd)

    def view(self) -> SpendingView:
        caps = self._budget.caps
        return SpendingView(
            today_nano_usd=self._budget.today_nano_usd,
            session_nano_usd=self._budget.session_nano_usd,
            tokens=self._tokens,
            cap=caps[0] if caps else None,
            exhausted=self.closed is not None,
            unpriced=tuple(self._unpriced),
            hint=self._hint(),
        )

    def begin(self) -> None:
        """Another conversation."""
        self._tokens = 0
        self._budget.begin_session()

    def end(self) -> None:
        """The conversation is over; what it cost is known until the next begins."""
        self._budget.end_session()

    def count(self, event: ev.Event, *, conversation_id: str, model: str, transcriber: str) -> list[fx.Effect]:
        """Take note of what an event says was used. `transcriber`: the model that transcribes the visitor."""
        match event:
            case ev.ResponseDone(response_id=source_id, usage=ev.Usage() as used):
                return self._spent(conversation_id, source_id, "response", model, used)
            case ev.UserTranscriptDone(item_id=source_id, usage=ev.Usage() as used):
                return self._spent(conversation_id, source_id, "transcription", transcriber, used)
            case ev.ResponseDone(status="completed"):
                self._untold = True
            case ev.LinkReady():
                self._counted.clear()  # some servers begin to count anew in each session
        return []

    def _spent(
        self,
        conversation_id: str,
        source_id: str,
        kind: Literal["response", "transcription"],
        model: str,
        used: ev.Usage,
    ) -> list[fx.Effect]:
        if (kind, source_id) in self._counted:
            return []
        self._counted[kind, source_id] = None
        if len(self._counted) > self.MAX_COUNTED:
            del self._counted[next(iter(self._counted))]
        cost = self._tariff.cost_of(model, used)
        if not cost.complete and len(self._unpriced) < self.MAX_UNPRICED:
            self._unpriced[model or "a model without a name"] = None
        model = f"{self._stage}{model}"
        self._budget.spend(cost.nano_usd)
        self._tokens += used.total
        record = UsageRecord(
            conversation_id=conversation_id,
            source_id=source_id,
            kind=kind,
            model=model,
            usd=cost.nano_usd / NANO_USD,
            **asdict(used),
        )
        told = {
            "event": "used",
            "kind": kind,
            "response_id": source_id if kind == "response" else None,
            "item_id": source_id if kind == "transcription" else None,
            "model": model,
            **asdict(used),
            "tokens": used.total,
            "conversation_tokens": self._tokens,
            "usd": usd(cost.nano_usd),
            "priced": cost.complete,
            "session_usd": self.session_usd,
            "today_usd": usd(self._budget.today_nano_usd),
        }
        return [fx.Record(record=record), fx.Publish(topic="usage", data=told)]

    def day_began(self, event: ev.DayBegan) -> list[fx.Effect]:
        self._budget.begin_day(spent_nano_usd=event.spent_nano_usd, until=event.until)
        return []

    def spent_elsewhere(self, event: ev.SpentElsewhere) -> list[fx.Effect]:
        self._budget.spend_elsewhere(event.nano_usd)
        return []

    def set(self, command: SetBudget) -> list[fx.Effect]:
        """Other caps and prices from now on; what was counted stays as it was counted."""
        self._budget.limits, self._tariff = command.limits, command.tariff
        self._unpriced.clear()
        return [fx.Reply(request_id=command.request_id, result={})]

    def news(self) -> list[fx.Effect]:
        """Tell, once for each crossing, that a cap is near or reached. To be asked after every event."""
        reached = self._budget.reached
        near = [cap for cap in self._budget.crossed() if not cap.reached]
        effects = [effect for cap in near for effect in _told("warning", cap, _near(cap), self._remedy(cap))]
        name = reached.name if reached else None
        if reached is not None and name != self._told:
            effects += _told("exhausted", reached, _spent_up(reached), self._remedy(reached))
        self._told = name
        return effects

    @property
    def closed(self) -> Closed | None:
        """Why nothing more may be paid for; None while there is money."""
        cap = self._budget.reached
        return None if cap is None else Closed(kind=EXHAUSTED, message=_spent_up(cap), hint=self._remedy(cap))

    def refusal(self, request_id: int) -> fx.Effect | None:
        """The answer to a command for which there is no money; None where there is."""
        closed = self.closed
        if closed is None:
            return None
        return fx.Refuse(request_id=request_id, kind=closed.kind, message=closed.message, hint=closed.hint)

    def _remedy(self, cap: Cap) -> str:
        if cap.name == "session":
            return "voicebotctl start begins another; voicebotctl config set budget.session_usd=USD allows more"
        over = f"at midnight ({self._budget.until})" if self._budget.until else "at midnight"
        return f"it is over {over}; voicebotctl config set budget.daily_usd=USD allows more at once"

    def _hint(self) -> str:
        near = [cap for cap in self._budget.caps if cap.fraction >= self._budget.limits.warn_fraction]
        cap = self._budget.reached or next(iter(near), None)
        hints = [f"{_spent_up(cap) if cap.reached else _near(cap)}: {self._remedy(cap)}"] if cap else []
        if self._unpriced:
            hints.append(f"no price is known for {', '.join(self._unpriced)}: set budget.prices")
        if self._untold:
            hints.append(UNTOLD)
        return "; ".join(hints)


def _near(cap: Cap) -> str:
    return f"{dollars(cap.spent_nano_usd)} of {cap.words} is spent"


def _spent_up(cap: Cap) -> str:
    return f"{cap.words} is reached: {dollars(cap.spent_nano_usd)} is spent"


def _told(event: Literal["warning", "exhausted"], cap: Cap, message: str, hint: str) -> list[fx.Effect]:
    data = {
        "event": event,
        "cap": cap.name,
        "cap_usd": usd(cap.cap_nano_usd),
        "spent_usd": usd(cap.spent_nano_usd),
        "fraction": round(cap.fraction, 4),
        "message": message,
        "hint": hint,
    }
    error = {"code": f"budget.{event}", "message": message, "hint": hint}
    return [fx.Publish(topic="usage", data=data), fx.Publish(topic="error", data=error)]
