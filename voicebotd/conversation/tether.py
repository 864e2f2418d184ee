"""How the conversation minds its link: the visitor is told when it is gone for longer, and a second session may wait.

Owns the count of failures, whether they were told, and the wish for another session. Sessions are opened by the link
and gone over to by `core.py`; this file only says when. Knows no clock.
"""

from __future__ import annotations

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.commands import RollSession

TOLD_AFTER = 2
"""Failures in a row after which the visitor is told: a single one is over before anybody notices."""
ROLL_WITHIN_S = 10.0
"""A person who asked for another session gets it after this long, silence or not: nothing is lost by it."""


class Tether:
    """One conversation's."""

    def __init__(self) -> None:
        self._failures = 0
        self._told = False
        self._rolls: list[int] = []
        self._within_s: float | None = None
        self.going_over = False
        """`Succeed` is on its way."""

    @property
    def successor_waits(self) -> bool:
        return self._within_s is not None

    @property
    def within_s(self) -> float:
        """How long it may wait for a silence."""
        return self._within_s or 0.0

    @property
    def is_awaited(self) -> bool:
        """Whether it waits and a person waits for it: then for no longer than `ROLL_WITHIN_S`."""
        return self.successor_waits and bool(self._rolls)

    @property
    def failures(self) -> int:
        return self._failures

    def lost(self, event: ev.LinkLost) -> list[fx.Effect]:
        self._failures += 1
        self._within_s, self.going_over = None, False
        message = "the link was lost before another session was there"
        effects = [*self._refuse(message)]
        if not self._told and (event.fatal or self._failures >= TOLD_AFTER):
            self._told = True
            effects.append(fx.PlayCue(cue="link_lost"))
        return effects

    @property
    def notice(self) -> str:
        """What the visitor was told of the link last."""
        return "no_connection" if self._told else ""

    def ready(self, session_id: str) -> list[fx.Effect]:
        effects: list[fx.Effect] = [
            fx.Reply(request_id=request_id, result={"session_id": session_id}) for request_id in self._rolls
        ]
        if self._told:
            effects.append(fx.PlayCue(cue="link_back"))
        self._failures, self._told = 0, False
        self._within_s, self.going_over = None, False
        self._rolls.clear()
        return effects

    def roll(self, command: RollSession) -> list[fx.Effect]:
        """A person wants another session; several are content with one."""
        self._rolls.append(command.request_id)
        return [fx.OpenSuccessor()]

    def successor_ready(self, event: ev.SuccessorReady) -> None:
        self._within_s = event.within_s

    def succeed(self) -> list[fx.Effect]:
        """Go over to it now."""
        if self._within_s is None:
            return []
        self.going_over, self._within_s = True, None
        return [fx.Succeed()]

    def successor_failed(self, event: ev.SuccessorFailed) -> list[fx.Effect]:
        self._within_s, self.going_over = None, False
        return self._refuse(f"no other session could be opened: {event.reason}")

    def end(self) -> list[fx.Effect]:
        """The conversation is over, or sleeps."""
        effects = self._refuse("there is no session any more")
        self._failures, self._told = 0, False
        self._within_s, self.going_over = None, False
        return effects

    def _refuse(self, message: str) -> list[fx.Effect]:
        refused: list[fx.Effect] = [
            fx.Refuse(request_id=request_id, kind="link.unavailable", message=message, retryable=True)
            for request_id in self._rolls
        ]
        self._rolls.clear()
        return refused
