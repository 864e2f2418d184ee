"""The states of a conversation and the table of what may happen in each. The table is the law: `core.py` obeys it.

Every event that exists has a cell in every state. A cell says one of three things: the event is `Handled`, and which
states may follow; it comes `LATE`, from a session or a reply that is gone (the link, the audio process and the people
are asynchronous, so that is normal), and changes nothing; or it is a command that is `Refused`, and why.
An event without a cell is our own bug: it raises, and nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import events as ev


class State(StrEnum):
    OFF = "off"
    """No conversation."""
    CONNECTING = "connecting"
    """A conversation is wanted; there is no session (yet, or any more)."""
    LISTENING = "listening"
    """Nobody speaks; the visitor may."""
    HEARING = "hearing"
    """The visitor speaks."""
    THINKING = "thinking"
    """An answer is due or being made, and nothing of it sounds yet."""
    SPEAKING = "speaking"
    """The assistant is audible."""
    DOZING = "dozing"
    """Nobody spoke for long: the session is closed, the box listens by itself, and a voice opens it again."""


@dataclass(frozen=True, slots=True)
class Handled:
    """`then`: the states that may follow."""

    then: frozenset[State]


@dataclass(frozen=True, slots=True)
class Late:
    """Legal, and without consequence."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that makes no sense in this state; `kind` is one of the contract's."""

    kind: str
    message: str
    hint: str
    retryable: bool = False


Cell = Handled | Late | Refused
LATE = Late()

OFF, CONNECTING, LISTENING, HEARING, THINKING, SPEAKING, DOZING = State
LIVE = frozenset({LISTENING, HEARING, THINKING, SPEAKING})

FROM_SESSION: tuple[type[ev.Event], ...] = (
    ev.SessionUpdated,
    ev.SpeechStarted,
    ev.SpeechStopped,
    ev.InputCommitted,
    ev.InputTimedOut,
    ev.UserTranscriptDelta,
    ev.UserTranscriptDone,
    ev.UserTranscriptFailed,
    ev.ItemAdded,
    ev.ItemTruncated,
    ev.ItemDeleted,
    ev.ResponseCreated,
    ev.OutputItemAdded,
    ev.AudioDelta,
    ev.AudioDone,
    ev.AssistantTextDelta,
    ev.AssistantTextDone,
    ev.FunctionCalled,
    ev.RemoteCalled,
    ev.RemoteCallEnded,
    ev.ApprovalRequested,
    ev.RemoteToolsListed,
    ev.ResponseDone,
    ev.RateLimited,
    ev.ServerError,
    ev.SuccessorReady,
    ev.SuccessorFailed,
)
SIGNS_OF_LIFE = frozenset(FROM_SESSION) - {ev.SuccessorReady, ev.SuccessorFailed}
"""What the present session said."""
FROM_AUDIO: tuple[type[ev.Event], ...] = (
    ev.VoiceStarted,
    ev.VoiceStopped,
    ev.LocalTurnStarted,
    ev.LocalTurnStopped,
    ev.PlayoutStarted,
    ev.PlayoutProgressed,
    ev.PlayoutIdle,
    ev.PlayoutFlushed,
    ev.AudioLost,
    ev.AudioReady,
    ev.AudioInputEnded,
    ev.TimerFired,
)
FROM_ACCOUNTS: tuple[type[ev.Event], ...] = (ev.DayBegan, ev.SpentElsewhere, cmd.SetBudget)
FROM_TOOLS: tuple[type[ev.Event], ...] = (ev.ToolFinished,)
STANDING: tuple[type[ev.Event], ...] = (
    cmd.SetInstructions,
    cmd.SetTurnDetection,
    cmd.SetBargeIn,
    cmd.SetTools,
)
NEEDS_SESSION: tuple[type[ev.Event], ...] = (
    cmd.SendMessage,
    cmd.RequestResponse,
    cmd.TalkBegin,
    cmd.TalkEnd,
    cmd.RollSession,
)
NEEDS_CONVERSATION: tuple[type[ev.Event], ...] = (
    *NEEDS_SESSION,
    cmd.InterruptResponse,
    cmd.StopConversation,
    cmd.DecideApproval,
)

NOT_RUNNING = Refused("conversation.not_running", "no conversation is running", "start one: voicebotctl start")
ALREADY_RUNNING = Refused(
    "conversation.already_running", "a conversation is running already", "voicebotctl stop ends it"
)
NO_LINK = Refused(
    "link.unavailable", "there is no session with the service", "voicebotctl status says why", retryable=True
)
DOZED = Refused(
    "link.unavailable", "the box dozed and opens a session only now", "try again in a moment", retryable=True
)
"""What a command is told that needs a session and finds the box dozing."""


def _cells(kinds: tuple[type[ev.Event], ...], cell: Cell) -> dict[type[ev.Event], Cell]:
    return dict.fromkeys(kinds, cell)


def _to(*states: State) -> Handled:
    return Handled(frozenset(states))


def _live(state: State) -> dict[type[ev.Event], Cell]:
    """The cells of a state with a session. Most events can end a reply or begin one, so any live state may follow.

    The end of the last reply, of which the caps allow no more, is the end of the conversation.
    """
    anywhere = Handled(LIVE | {OFF})
    return {
        **_cells(FROM_SESSION, anywhere),
        **_cells(FROM_AUDIO, anywhere),
        **_cells(FROM_ACCOUNTS, anywhere),
        **_cells(FROM_TOOLS, anywhere),
        **_cells(STANDING, anywhere),
        cmd.SetInstructions: _to(state),
        cmd.SetTools: _to(state),
        ev.LinkReady: anywhere,
        ev.LinkLost: _to(CONNECTING, OFF),
        ev.AudioLost: _to(state),
        ev.AudioReady: _to(state),
        ev.TimerFired: Handled(LIVE | {OFF, DOZING}),
        cmd.StartConversation: ALREADY_RUNNING,
        cmd.StopConversation: _to(OFF),
        cmd.RollSession: anywhere,
        cmd.SendMessage: anywhere,
        cmd.RequestResponse: anywhere,
        cmd.InterruptResponse: anywhere,
        cmd.DecideApproval: anywhere,
        cmd.TalkBegin: _to(HEARING, state),
        cmd.TalkEnd: anywhere,
    }


TABLE: dict[State, dict[type[ev.Event], Cell]] = {
    OFF: {
        **_cells(FROM_SESSION, LATE),
        **_cells(FROM_AUDIO, _to(OFF)),
        **_cells(FROM_TOOLS, LATE),
        ev.AudioInputEnded: LATE,
        **_cells(FROM_ACCOUNTS, _to(OFF)),
        **_cells(STANDING, _to(OFF)),
        **_cells(NEEDS_CONVERSATION, NOT_RUNNING),
        ev.LinkReady: LATE,
        ev.LinkLost: LATE,
        cmd.StartConversation: _to(CONNECTING, OFF),
    },
    CONNECTING: {
        **_cells(FROM_SESSION, LATE),
        **_cells(FROM_AUDIO, _to(CONNECTING)),
        **_cells(FROM_ACCOUNTS, _to(CONNECTING, OFF)),
        **_cells(FROM_TOOLS, _to(CONNECTING)),
        **_cells(STANDING, _to(CONNECTING)),
        **_cells(NEEDS_SESSION, NO_LINK),
        cmd.DecideApproval: NO_LINK,
        ev.LinkReady: Handled(LIVE),
        ev.LinkLost: _to(CONNECTING, OFF),
        cmd.StartConversation: ALREADY_RUNNING,
        cmd.TalkEnd: _to(CONNECTING),
        cmd.InterruptResponse: _to(CONNECTING),
        cmd.StopConversation: _to(OFF),
    },
    LISTENING: _live(LISTENING),
    HEARING: _live(HEARING),
    THINKING: _live(THINKING),
    SPEAKING: _live(SPEAKING),
    DOZING: {
        **_cells(FROM_SESSION, LATE),
        **_cells(FROM_AUDIO, _to(DOZING)),
        **_cells(FROM_ACCOUNTS, _to(DOZING, OFF)),
        **_cells(FROM_TOOLS, _to(DOZING)),
        **_cells(STANDING, _to(DOZING)),
        **_cells(NEEDS_SESSION, _to(CONNECTING)),
        cmd.DecideApproval: NO_LINK,
        ev.VoiceStarted: _to(CONNECTING, DOZING),
        ev.LocalTurnStarted: _to(CONNECTING, DOZING),
        ev.TimerFired: _to(DOZING, OFF),
        ev.LinkReady: LATE,
        ev.LinkLost: LATE,
        cmd.StartConversation: ALREADY_RUNNING,
        cmd.InterruptResponse: _to(DOZING),
        cmd.StopConversation: _to(OFF),
    },
}
