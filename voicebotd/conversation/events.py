"""What can happen to a conversation: the events that the core takes, and the plain words that they are made of.

They come from the service, the playout clock, timers and people; what is done about them is in `effects.py`. Plain
data, stdlib only; this file knows no wire format and no device. Audio is always signed 16-bit little-endian mono at
24 kHz (`SAMPLE_RATE_HZ`), positions are samples at that rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SAMPLE_RATE_HZ = 24_000
"""The Realtime API's only PCM rate (openai-python `realtime_audio_formats.AudioPCM`)."""
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
BYTES_PER_SAMPLE = 2
BYTES_PER_MS = SAMPLES_PER_MS * BYTES_PER_SAMPLE

Role = Literal["user", "assistant", "system"]
Modality = Literal["audio", "text"]
TurnDetectionType = Literal["server_vad", "semantic_vad", "none", "local"]
Eagerness = Literal["auto", "low", "medium", "high"]
BargeInMode = Literal["immediate", "confirm", "off"]
Speaker = Literal["user", "assistant"]
ResponseStatus = Literal["completed", "cancelled", "failed", "incomplete"]
ToolStatus = Literal["completed", "failed", "timed_out", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnDetection:
    """Who decides that the visitor's turn began and ended, and how.

    The service does (`server_vad`, `semantic_vad`), a person with a key (`none`), or the box itself (`local`).
    """

    type: TurnDetectionType = "server_vad"
    threshold: float = 0.85
    prefix_padding_ms: int = 500
    silence_duration_ms: int = 1200
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: int | None = None
    eagerness: Eagerness = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class BargeIn:
    """How the visitor may interrupt; `barge_in.py` says what each mode means. Only `confirm` uses the numbers."""

    mode: BargeInMode = "confirm"
    confirm_after_ms: int = 500
    """Speech that lasts so long pauses the reply; until then it is only made quieter."""
    min_speech_ms: int = 1000
    """Shorter speech was a noise, and the reply goes on."""
    resume_delay_ms: int = 800
    duck_db: float = -12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """The session as the service confirmed it. `turn_detection` None means that the service has none (push to talk)."""

    instructions: str
    turn_detection: TurnDetection | None
    voice: str = ""
    output: Modality = "audio"
    transcription_model: str = ""
    """Empty: the visitor is not transcribed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one response or one transcription used; cached tokens are part of the input tokens."""

    input_text: int = 0
    input_audio: int = 0
    cached_text: int = 0
    cached_audio: int = 0
    output_text: int = 0
    output_audio: int = 0
    audio_s: float = 0.0
    """Transcribed audio, where that is what is paid for."""

    @property
    def total(self) -> int:
        return self.input_text + self.input_audio + self.output_text + self.output_audio


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """How much of one piece of assistant audio was handed to the device."""

    item_id: str
    content_index: int
    heard_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of everything that can happen to a conversation."""


# What the link says.


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReady(Event):
    """The service confirmed our session: microphone audio may flow."""

    session_id: str
    model: str
    session: SessionView
    unheard_s: float = 0.0
    """For how long before that a session that this one follows may have heard nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLost(Event):
    """There is no link (any more). `retry_in_s` None: nothing is tried again by itself."""

    reason: str
    code: str = ""
    hint: str = ""
    fatal: bool = False
    retry_in_s: float | None = None
    unheard_s: float = 0.0
    """For how long before that the service may have heard nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessorReady(Event):
    """A second session is there and waits for `Succeed`; the present one ends in `within_s` at the latest."""

    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessorFailed(Event):
    """There is no second session; it is tried again by itself where the present one nears its end."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUpdated(Event):
    session: SessionView


# What the accounts say.


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBegan(Event):
    """It is another day, or the box has just begun. `spent_nano_usd`: of that day, by the box, already."""

    spent_nano_usd: int
    until: str
    """When the day is over, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentElsewhere(Event):
    """Another conversation of the box cost this."""

    nano_usd: int


# What the service hears.


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(Event):
    item_id: str
    audio_start_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStopped(Event):
    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputCommitted(Event):
    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputTimedOut(Event):
    """`idle_timeout_ms` passed: the service commits the silence and answers it."""

    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTranscriptDelta(Event):
    item_id: str
    delta: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTranscriptDone(Event):
    item_id: str
    transcript: str
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTranscriptFailed(Event):
    item_id: str
    message: str


# What the conversation holds.


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAdded(Event):
    """`conversation.item.added` (or its older name `.created`)."""

    item_id: str
    item_type: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTruncated(Event):
    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDeleted(Event):
    item_id: str


# What the model says.


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCreated(Event):
    response_id: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputItemAdded(Event):
    response_id: str
    item_id: str
    output_index: int
    item_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioDelta(Event):
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioDone(Event):
    response_id: str
    item_id: str
    content_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantTextDelta(Event):
    """A piece of the spoken transcript, or of the text where the output is text."""

    response_id: str
    item_id: str
    content_index: int
    delta: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantTextDone(Event):
    response_id: str
    item_id: str
    content_index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCalled(Event):
    """A complete function call, taken from `response.output_item.done` only."""

    response_id: str
    item_id: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCalled(Event):
    """A call that the service itself made on a server (`mcp_call`), as its item tells it; `output`: or its error."""

    response_id: str
    item_id: str
    server: str
    name: str
    arguments: str
    output: str = ""
    status: Literal["completed", "failed", "running"] = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCallEnded(Event):
    """Such a call came to its end, which may be after its response."""

    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(Event):
    """The service asks whether it may make such a call."""

    approval_id: str
    server: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteToolsListed(Event):
    """The service asked a server what functions it has."""

    item_id: str
    ok: bool
    server: str = ""
    functions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseDone(Event):
    """Always the last event of a response. `error_code` is set where status is failed.

    `calls`: the complete function calls of its output, for services that tell them nowhere else.
    """

    response_id: str
    status: ResponseStatus
    reason: str = ""
    error_code: str = ""
    error_message: str = ""
    retry_after_s: float = 0.0
    """Where the service says when the same may be asked again."""
    usage: Usage | None = None
    calls: tuple[FunctionCalled, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError(Event):
    """An `error` event that left the session open. `event_id` names our message that caused it."""

    code: str
    message: str
    type: str = ""
    param: str = ""
    event_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimited(Event):
    """`rate_limits.updated`: nothing is left of one of the limits for so long."""

    reset_s: float


# What the functions say.


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished(Event):
    """The answer to `RunTool`, in every case. `output`: what the model is told, of a failure too."""

    call_id: str
    output: str
    status: ToolStatus
    duration_ms: int = 0


# What the audio process says.


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceStarted(Event):
    """The local detector hears a voice (probability at least 0.5). Plain evidence, only where `Detect` asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceStopped(Event):
    """The local detector has heard no voice for 200 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTurnStarted(Event):
    """The local turn rule: the visitor's turn began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTurnStopped(Event):
    """The local turn rule: the turn is over. `speech_ms`: from its onset to its last speech, without the silence."""

    speech_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayoutStarted(Event):
    """The first sample of this piece was handed to the device."""

    item_id: str
    content_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayoutProgressed(Event):
    """How far the device is; sent about ten times a second while something plays."""

    heard: Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayoutIdle(Event):
    """Everything that was given to play has been audible to its end (the stream's output latency included)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayoutFlushed(Event):
    """The answer to `Flush`: what had been handed to the device of each piece that was still unfinished."""

    token: int
    heard: tuple[Heard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioLost(Event):
    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioReady(Event):
    input_name: str
    output_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInputEnded(Event):
    """The file that plays the microphone is at its end; silence follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired(Event):
    name: str
