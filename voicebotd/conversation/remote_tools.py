"""The functions that the service itself calls, on servers of its own reach: what is told, asked and followed up.

The service runs such a call without us, but does not speak about what came of it: when no call is under way any more,
the model is asked to go on, once, unless a response began meanwhile, which knows. A call that wants an approval waits
for somebody's word until a deadline, and is refused then. Knows neither sessions nor states.
"""

from __future__ import annotations

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.records import ToolCallRecord

TIMER = "remote:"
_APPROVE, _CALL = f"{TIMER}approve:", f"{TIMER}call:"
CALL_WITHIN_S = 120.0
"""A call whose end is not told by then is taken for over: nothing else may wait for it for ever."""
TOO_LATE = "nobody approved it in time"
MOST_REMEMBERED = 256
"""Ids kept against duplicates, the oldest forgotten first."""
MOST_WAITING = 16
"""Approvals that may wait at once; one more is refused."""


class RemoteTools:
    """One conversation's calls. Events in, effects out."""

    def __init__(self, conversation_id: str, ids: Ids, *, approve_within_s: float) -> None:
        self._conversation_id = conversation_id
        self._ids = ids
        self._approve_within_s = approve_within_s
        self._running: set[str] = set()
        self._told: dict[str, None] = {}
        self._asked: dict[str, ev.ApprovalRequested] = {}
        self._news = False
        """Something came of calls since a response began."""

    @property
    def running(self) -> bool:
        return bool(self._running)

    @property
    def waiting(self) -> bool:
        """Whether a call waits for an approval."""
        return bool(self._asked)

    @property
    def settled(self) -> bool:
        """Whether there is something to speak about, and nothing more to wait for."""
        return self._news and not self._running and not self._asked

    def began(self, item_id: str) -> list[fx.Effect]:
        self._running.add(item_id)
        return [fx.SetTimer(name=_CALL + item_id, delay_s=CALL_WITHIN_S)]

    def ended(self, event: ev.RemoteCallEnded) -> list[fx.Effect]:
        """A call came to its end, in a response or after it; what came of it is told with its item."""
        return self._over(event.item_id)

    def called(self, event: ev.RemoteCalled) -> list[fx.Effect]:
        """A call is told as a whole; one of a response that was cut off may not have ended."""
        if not self._first(event.item_id):
            return []
        over = [] if event.status == "running" else self._over(event.item_id)
        name = f"{event.server}__{event.name}"
        data = {
            "event": {"completed": "answered", "failed": "failed", "running": "called"}[event.status],
            "name": name,
            "call_id": event.item_id,
            "arguments": event.arguments,
            "status": event.status,
            "output": event.output,
        }
        record = ToolCallRecord(
            conversation_id=self._conversation_id,
            call_id=event.item_id,
            name=name,
            arguments=event.arguments,
            output=event.output,
            status="cancelled" if event.status == "running" else event.status,
            response_id=event.response_id,
        )
        return [*over, fx.Record(record=record), fx.Publish(topic="tool", data=data)]

    def listed(self, event: ev.RemoteToolsListed) -> list[fx.Effect]:
        """The service asked a server what it has."""
        data = {
            "event": "listed" if event.ok else "listing_failed",
            "server": event.server,
            "item_id": event.item_id,
            "functions": list(event.functions),
        }
        effects: list[fx.Effect] = [fx.Publish(topic="tool", data=data)]
        if not event.ok:
            message = f"the service could not list the functions of the server {event.server or event.item_id}"
            effects.append(fx.Publish(topic="error", data={"code": "mcp_list_tools_failed", "message": message}))
        return effects

    def response_began(self) -> None:
        """It knows what came of the calls so far."""
        self._news = False

    # Approvals.

    def asked(self, event: ev.ApprovalRequested) -> list[fx.Effect]:
        """A call is to be made only if somebody says so."""
        if not self._first(event.approval_id):
            return []
        data = {
            "event": "approval_requested",
            "id": event.approval_id,
            "server": event.server,
            "name": event.name,
            "arguments": event.arguments,
            "within_s": self._approve_within_s,
        }
        told = fx.Publish(topic="tool", data=data)
        if len(self._asked) >= MOST_WAITING:
            return [told, *self._answer(event, approve=False, reason="too many others wait for an approval")]
        self._asked[event.approval_id] = event
        return [told, fx.SetTimer(name=_APPROVE + event.approval_id, delay_s=self._approve_within_s)]

    def decide(self, command: cmd.DecideApproval) -> list[fx.Effect]:
        """Somebody decided."""
        event = self._asked.pop(command.approval_id, None)
        if event is None:
            waiting = ", ".join(self._asked) or "none"
            message = f"no call waits for the approval {command.approval_id!r}; waiting: {waiting}"
            hint = "voicebotctl events tool shows them as they come"
            return [fx.Refuse(request_id=command.request_id, kind="tool.no_approval", message=message, hint=hint)]
        result = {"id": event.approval_id, "approved": command.approve, "server": event.server, "name": event.name}
        return [
            fx.CancelTimer(name=_APPROVE + event.approval_id),
            *self._answer(event, approve=command.approve, reason=command.reason),
            fx.Reply(request_id=command.request_id, result=result),
        ]

    def overdue(self, timer: str) -> list[fx.Effect]:
        self._running.discard(timer.removeprefix(_CALL))
        event = self._asked.pop(timer.removeprefix(_APPROVE), None)
        return [] if event is None else self._answer(event, approve=False, reason=TOO_LATE)

    def lost(self) -> list[fx.Effect]:
        """The session is gone, and with it what it called and what it asked."""
        names = (*(_APPROVE + each for each in self._asked), *(_CALL + each for each in sorted(self._running)))
        cancelled: list[fx.Effect] = [fx.CancelTimer(name=name) for name in names]
        for known in (self._running, self._told, self._asked):
            known.clear()
        self._news = False
        return cancelled

    def _answer(self, event: ev.ApprovalRequested, *, approve: bool, reason: str) -> list[fx.Effect]:
        if not approve:
            self._news = True  # of one that is approved there is something to say when it was made
        data = {"event": "approved" if approve else "refused", "id": event.approval_id, "reason": reason}
        return [
            fx.AnswerApproval(
                event_id=self._ids.event(),
                item_id=self._ids.item(),
                approval_id=event.approval_id,
                approve=approve,
                reason=reason,
            ),
            fx.Publish(topic="tool", data=data),
        ]

    def _over(self, item_id: str) -> list[fx.Effect]:
        if item_id not in self._running:
            self._news = self._news or item_id not in self._told
            return []
        self._news = True
        self._running.discard(item_id)
        return [fx.CancelTimer(name=_CALL + item_id)]

    def _first(self, item_id: str) -> bool:
        """Take note of it; False if it is told twice."""
        if item_id in self._told:
            return False
        self._told[item_id] = None
        if len(self._told) > MOST_REMEMBERED:
            del self._told[next(iter(self._told))]
        return True
