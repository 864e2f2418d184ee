"""What people can ask of a conversation. Every command is answered by exactly one `Reply` or `Refuse`.

Commands are events like any other; `request_id` names who asked. Plain data, stdlib only; values are validated here
already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from voicebotd.conversation.budget import Limits, Tariff
from voicebotd.conversation.effects import FunctionTool
from voicebotd.conversation.events import Event, Modality, Speaker


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Event):
    request_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConversation(Command):
    conversation_id: str
    speaks_first: Speaker | None = None
    greeting: str | None = None
    instructions: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopConversation(Command):
    reason: str = "requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage(Command):
    text: str
    role: Literal["user", "system"] = "user"
    respond: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResponse(Command):
    """`wait`: answer when the response is done, with its text; otherwise as soon as the service accepted it."""

    instructions: str | None = None
    output: Modality | None = None
    wait: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptResponse(Command):
    """A person's hard stop: works in every barge-in mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollSession(Command):
    """Go on in another session of the service, with what was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInstructions(Command):
    """Standing runtime instructions; `text` None clears them. `configured` changes what they stand behind."""

    text: str | None
    mode: Literal["append", "replace", "configured"] = "append"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTurnDetection(Command):
    """`changes` maps field names of `TurnDetection` to validated values."""

    changes: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBargeIn(Command):
    """`changes` maps field names of `BargeIn` to validated values."""

    changes: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBudget(Command):
    """Other caps and prices."""

    limits: Limits
    tariff: Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTools(Command):
    """Which functions the model may call from now on."""

    tools: tuple[FunctionTool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideApproval(Command):
    """Whether the service may make a call that waits for that word."""

    approval_id: str
    approve: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkBegin(Command):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkEnd(Command):
    pass
