"""What a conversation can ask for: the effects that the core returns and its shell performs, in order.

Plain data, stdlib only; this file knows no wire format and no device. Audio and positions are as in `events.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from voicebotd.conversation.events import Modality, Role, TurnDetection


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Base of everything that a conversation can ask its shell to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionTool:
    """A function that the model may call, as it is told of it. `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: dict[str, Any]


# To the link. `event_id` travels as the client event's own id, so that an `error` event can be matched to it.


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLink(Effect):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLink(Effect):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class DropLink(Effect):
    """The session is of no use any more, though nobody said that it ended: open another. `unheard_s`: for how long it
    has heard nothing already."""

    reason: str
    unheard_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSuccessor(Effect):
    """Open a second session beside the present one; `SuccessorReady` or `SuccessorFailed` tells what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed(Effect):
    """Go over to the second session; `LinkReady` says that it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSession(Effect):
    """Change the wanted session. With no link it takes effect in the next one. None leaves a field alone."""

    event_id: str
    instructions: str | None = None
    turn_detection: TurnDetection | None = None
    tools: tuple[FunctionTool, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToService(Effect):
    """Base of the messages that need a ready link; without one they are dropped and counted."""

    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMessage(ToService):
    """At the end of the conversation, or right after `previous_item_id` ("root": before everything)."""

    item_id: str
    role: Role
    text: str
    previous_item_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFunctionCall(ToService):
    """A call that was made in an earlier session: without it, this one does not know what an output belongs to."""

    item_id: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFunctionOutput(ToService):
    item_id: str
    call_id: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerApproval(ToService):
    """Whether the service may make the call that it asked for."""

    item_id: str
    approval_id: str
    approve: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateResponse(ToService):
    """`instructions` replace the session's for this one response (the service's rule), so they are complete here."""

    instructions: str | None = None
    output: Modality | None = None
    calls_functions: bool = True
    max_output_tokens: int | None = None
    """None: as the session has it."""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelResponse(ToService):
    response_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncateItem(ToService):
    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteItem(ToService):
    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitInput(ToService):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearInput(ToService):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendAudio(ToService):
    """What was heard before. Unlike the microphone's live audio it comes all at once, and none of it may be dropped."""

    pcm: bytes


# To the functions.


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTool(Effect):
    """Run a function that the model called; answered by one `ToolFinished`, unless it is cancelled before."""

    call_id: str
    conversation_id: str
    name: str
    arguments: str
    """JSON text, as the model wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTool(Effect):
    """Nobody waits for this call any more."""

    call_id: str


# To the audio.


@dataclass(frozen=True, slots=True, kw_only=True)
class Play(Effect):
    item_id: str
    content_index: int
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush(Effect):
    """Silence within one block and forget what was queued; answered by `PlayoutFlushed` with the same token."""

    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldInput(Effect):
    """Stop (or go on) reading a file that is sent faster than real time."""

    hold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """From when on something was heard: a time on the clock of `handle`'s `now_s`, or a place in what the session
    before was sent. The earlier of the two counts."""

    at_s: float | None = None
    place_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMicrophone(Effect):
    """Send (or stop sending) what the microphone hears to the service; `preroll_ms` of what came before go first.

    `again`: the session is a new one, so that also what the one before was sent goes first, from `since` on.
    """

    open: bool
    preroll_ms: int = 0
    again: bool = False
    since: Since | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapePlayout(Effect):
    """How loud the reply is (0 dB: as it came) and whether it stands still at the sample where it is."""

    gain_db: float
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRule:
    """When the local detector says that a turn began (`threshold`: probability, 0 to 1) and that it is over."""

    threshold: float
    silence_duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Detect(Effect):
    """What the local detector is to tell: `voice` the plain evidence, `turns` the turns by this rule (None: none)."""

    voice: bool
    turns: TurnRule | None


Cue = Literal["link_lost", "link_back", "trouble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayCue(Effect):
    """A short sound of the box's own, after whatever plays: there is nobody else to tell the visitor."""

    cue: Cue


# To the clock, the people and the records.


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTimer(Effect):
    """Fire `TimerFired(name)` after `delay_s`; a timer of the same name is replaced."""

    name: str
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTimer(Effect):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Effect):
    request_id: int
    result: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(Effect):
    """A command that cannot be done. `kind` is one of the contract's."""

    request_id: int
    kind: str
    message: str
    hint: str = ""
    retryable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Effect):
    """Tell whoever subscribed to `topic`."""

    topic: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Effect):
    """Keep this in the history; `record` is one of `records.py`."""

    record: Any
