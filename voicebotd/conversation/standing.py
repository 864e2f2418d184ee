"""What holds until somebody changes it: instructions, turn detection and functions, wanted and confirmed.

A live change is sent as one `session.update` and is done only when the service's `session.updated` shows it. The
service does not name the update that it confirms, but it keeps the order, so the oldest unconfirmed change is meant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from voicebotd.conversation.commands import SetBargeIn, SetInstructions, SetTools, SetTurnDetection
from voicebotd.conversation.effects import (
    CancelTimer,
    Effect,
    Publish,
    Refuse,
    Reply,
    SetTimer,
    UpdateSession,
)
from voicebotd.conversation.events import (
    BargeIn,
    ServerError,
    SessionView,
    TurnDetection,
)
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.wanted import Part, Wanted, describe, instructed, undone


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One `session.update` on its way, who asked for it (None: nobody), and what held before it."""

    update: UpdateSession
    before: Wanted
    after: Wanted
    part: Part
    request_id: int | None = None
    requested: dict[str, Any] = field(default_factory=dict)

    @property
    def timer(self) -> str:
        return f"confirm:{self.update.event_id}"


class Standing:
    """Owns the wanted session; `confirmed` is the session as the service last described it."""

    MAX_PENDING = 16
    """Changes under way at once; one more is refused."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._pending: deque[Change] = deque()
        self.wanted = Wanted(
            turn_detection=policy.turn_detection,
            barge_in=policy.barge_in,
            configured=policy.instructions,
            tools=policy.tools,
        )
        self._hands_off = False
        self.for_this_conversation = ""
        self.confirmed: SessionView | None = None

    @property
    def turn_detection(self) -> TurnDetection:
        return self.wanted.turn_detection

    @property
    def barge_in(self) -> BargeIn:
        return self.wanted.barge_in

    @property
    def is_local(self) -> bool:
        """Whether the box decides by itself what a turn is: it is so wanted, and the service has ceased to."""
        return self.wanted.turn_detection.type == "local" and self.confirmed is not None and self._detected is None

    @property
    def service_detects(self) -> bool:
        """Whether the service finds the turns in what it hears."""
        return self._detected is not None

    @property
    def detection(self) -> TurnDetection:
        """The detection by which turns begin and end now: as the service confirmed it, else as it is wanted."""
        return self._detected or self.turn_detection

    @property
    def service_answers(self) -> bool:
        """Whether the service creates a response at the end of a turn by itself, by its own word."""
        return self._detected is not None and self._detected.create_response

    @property
    def service_interrupts(self) -> bool:
        """Whether the service cancels its response at the beginning of speech by itself."""
        return self._detected is not None and self._detected.interrupt_response

    @property
    def _detected(self) -> TurnDetection | None:
        return None if self.confirmed is None else self.confirmed.turn_detection

    @property
    def awaits_turn_detection(self) -> bool:
        """Whether the next `session.updated` confirms a change of turn detection."""
        return bool(self._pending) and self._pending[0].update.turn_detection is not None

    @property
    def instructions(self) -> str:
        """The instructions in force: the configured ones, and what was added or put in their place."""
        base = [self.wanted.configured, self.for_this_conversation]
        if self.wanted.runtime is not None:
            text, mode = self.wanted.runtime
            base = [text] if mode == "replace" else [*base, text]
        return "\n\n".join(part for part in base if part)

    @property
    def effective_turn_detection(self) -> dict[str, Any]:
        """As the service confirmed it; as it is wanted where there is no session."""
        if self.confirmed is None or self.is_local:
            return describe(self.turn_detection)
        return describe(self.confirmed.turn_detection)

    def for_response(self, extra: str | None) -> str | None:
        """The service lets a response's instructions replace the session's, so add ours in front."""
        return None if extra is None else self.with_instructions(extra)

    def with_instructions(self, extra: str) -> str:
        return f"{self.instructions}\n\n{extra}"

    def session_turn_detection(self, *, talking: bool = False) -> TurnDetection:
        """What the service is to do: nothing during push to talk, and nothing where the box detects turns by itself.

        Only where the first sign of speech interrupts may the service answer and interrupt by itself. Where an
        interruption waits for certainty, or nobody may interrupt, a turn can end while a response is being made: the
        service refuses its own answer then, and the box's waits.
        """
        if talking or self.turn_detection.type == "local":
            return TurnDetection(type="none")
        if self.barge_in.mode == "immediate" and not self._hands_off:
            return self.turn_detection
        return replace(self.turn_detection, create_response=False, interrupt_response=False)

    def set_instructions(self, command: SetInstructions, event_id: str, *, ready: bool) -> list[Effect]:
        """Change the runtime instructions, in the running session if there is one."""
        after = instructed(self.wanted, command)
        return self._change(command.request_id, event_id, after, part="instructions", ready=ready)

    def set_turn_detection(self, command: SetTurnDetection, event_id: str, *, ready: bool) -> list[Effect]:
        """Change the turn detection, in the running session if there is one."""
        after = replace(self.wanted, turn_detection=replace(self.turn_detection, **command.changes))
        return self._change(
            command.request_id, event_id, after, part="turn_detection", requested=command.changes, ready=ready
        )

    def set_barge_in(self, command: SetBargeIn, event_id: str, *, ready: bool) -> list[Effect]:
        """Change how the visitor may interrupt. The session changes with it only where the service is to do less or
        more than before."""
        after = replace(self.wanted, barge_in=replace(self.barge_in, **command.changes))
        return self._change(command.request_id, event_id, after, part="barge_in", ready=ready)

    def set_tools(self, command: SetTools, event_id: str, *, ready: bool) -> list[Effect]:
        """Change which functions the model may call, in the running session if there is one."""
        after = replace(self.wanted, tools=command.tools)
        return self._change(command.request_id, event_id, after, part="tools", ready=ready)

    def hands_off(self, event_id: str, *, on: bool) -> list[Effect]:
        """Have the service neither create nor cancel responses for a while, and then as it is wanted again."""
        before, self._hands_off = self.session_turn_detection(), on
        after = self.session_turn_detection()
        return [] if after == before else self._send_unasked(UpdateSession(event_id=event_id, turn_detection=after))

    def talk(self, event_id: str, *, talking: bool) -> list[Effect]:
        """Switch the service's own turn detection off for push to talk, and back on after it."""
        if self.turn_detection.type in ("none", "local"):
            return []
        return self._send_unasked(
            UpdateSession(event_id=event_id, turn_detection=self.session_turn_detection(talking=talking))
        )

    def ask(self, event_id: str) -> list[Effect]:
        """Change nothing, and have that confirmed: a service that still works answers."""
        update = UpdateSession(event_id=event_id)
        self._pending.append(Change(update=update, before=self.wanted, after=self.wanted, part="nothing"))
        return [update]

    def updated(self, view: SessionView) -> list[Effect]:
        """`session.updated`: the oldest change is confirmed."""
        self.confirmed = view
        if not self._pending:
            return []
        change = self._pending.popleft()
        if change.part == "nothing":
            return []
        data = {"turn_detection": self.effective_turn_detection, "instructions": view.instructions}
        return [CancelTimer(name=change.timer), Publish(topic="config", data=data), *self._answer(change, "live")]

    def refused(self, error: ServerError) -> list[Effect] | None:
        """The service rejected a change: nothing of it holds. None if the error is not about one."""
        change = next((one for one in self._pending if error.event_id and one.update.event_id == error.event_id), None)
        if change is None:
            return None
        self._pending.remove(change)
        if change.request_id is None:
            # Ours, not a person's: an undoing, or push to talk. Undoing that as well could go on for ever.
            data = {"code": error.code, "message": error.message, "param": error.param}
            return [Publish(topic="error", data=data)]
        self.wanted = undone(self.wanted, before=change.before, after=change.after)
        undo = self._update(f"{change.update.event_id}-undo", change.part)
        refusal = Refuse(
            request_id=change.request_id,
            kind="config.invalid",
            message=f"the service refuses the change: {error.message}",
            hint=f"it names {error.param}" if error.param else "",
        )
        return [CancelTimer(name=change.timer), *self._send_unasked(undo), refusal]

    def overdue(self, timer: str) -> list[Effect]:
        """No `session.updated` in time."""
        change = next((one for one in self._pending if one.timer == timer), None)
        if change is None or change.request_id is None:
            return []
        self._pending.remove(change)
        message = "the service did not confirm the change in time"
        return [Refuse(request_id=change.request_id, kind="link.unavailable", message=message, retryable=True)]

    def lost(self) -> list[Effect]:
        """The session is gone; what was wanted will hold in the next one."""
        self.confirmed = None
        pending, self._pending = self._pending, deque()
        effects: list[Effect] = []
        for change in pending:
            effects += [CancelTimer(name=change.timer), *self._answer(change, "next_session")]
        return effects

    def _change(
        self,
        request_id: int,
        event_id: str,
        after: Wanted,
        *,
        part: Part,
        ready: bool,
        requested: Mapping[str, Any] | None = None,
    ) -> list[Effect]:
        """Change one `part` of what is wanted; `requested`: what was asked of turn detection."""
        if len(self._pending) >= self.MAX_PENDING:
            message = f"{self.MAX_PENDING} changes are under way already"
            return [Refuse(request_id=request_id, kind="rpc.overloaded", message=message, retryable=True)]
        asked_before = self.session_turn_detection()
        before, self.wanted = self.wanted, after
        update = self._update(event_id, part)
        change = Change(
            update=update,
            before=before,
            after=after,
            part=part,
            request_id=request_id,
            requested=dict(requested or {}),
        )
        ours = part == "barge_in" or before.turn_detection.type == after.turn_detection.type == "local"
        if part in ("turn_detection", "barge_in") and ours and self.session_turn_detection() == asked_before:
            return self._answer(change, "live")  # nothing that the service knows of
        if not ready:
            return [update, *self._answer(change, "next_session")]
        self._pending.append(change)
        return [update, SetTimer(name=change.timer, delay_s=self._policy.confirm_within_s)]

    def _update(self, event_id: str, part: Part) -> UpdateSession:
        if part == "instructions":
            return UpdateSession(event_id=event_id, instructions=self.instructions)
        if part == "tools":
            return UpdateSession(event_id=event_id, tools=self.wanted.tools)
        return UpdateSession(event_id=event_id, turn_detection=self.session_turn_detection())

    def _send_unasked(self, update: UpdateSession) -> list[Effect]:
        if self.confirmed is None:
            return [update]  # the next session is opened with it, and confirms nothing
        self._pending.append(Change(update=update, before=self.wanted, after=self.wanted, part="turn_detection"))
        return [update]

    def _answer(self, change: Change, applied: Literal["live", "next_session"]) -> list[Effect]:
        if change.request_id is None:
            return []
        if change.part == "barge_in":
            result: dict[str, Any] = {"barge_in": asdict(self.barge_in), "applied": applied}
        elif change.part == "turn_detection":
            effective = self.effective_turn_detection
            result = {"requested": change.requested, "effective": effective, "applied": applied}
        elif change.part == "tools":
            result = {"tools": [tool.name for tool in self.wanted.tools], "applied": applied}
        else:
            result = {"instructions": self.instructions, "applied": applied}
        return [Reply(request_id=change.request_id, result=result)]
