"""What each method answers: one dataclass per result, with the parts that it is made of.

Owns names and units of results. Times are seconds since the Unix epoch, UTC. None means unknown or not there. Standard
library only. No `from __future__ import annotations`: readers want real types.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from voicebotd.control.contract_types import Eagerness, LogLevel, Topic, TurnDetectionType, doc

OpenRpcDocument = dict
"""What rpc.discover answers: its shape is the OpenRPC specification's, not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationStatus:
    id: str = field(metadata=doc("conversation id, as history.get takes it"))
    started_at: float = field(metadata=doc("when it began", unit="Unix s"))
    turns: int = field(metadata=doc("turns of both sides so far"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    state: str = field(metadata=doc("off, connecting, ready, waiting or refused"))
    provider: str = field(metadata=doc("openai, azure, compatible or rehearsal"))
    model: str = field(metadata=doc("model of the session"))
    session_age_s: float | None = field(metadata=doc("age of the present session", unit="s"))
    rollovers: int = field(metadata=doc("sessions replaced without a pause"))
    last_error: str | None = field(metadata=doc("why the link was last lost"))
    retry_in_s: float | None = field(default=None, metadata=doc("until the next attempt", unit="s"))
    reconnects: int = field(default=0, metadata=doc("sessions opened after a loss"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStatus:
    state: str = field(metadata=doc("off, starting, running or degraded"))
    input: str = field(metadata=doc("microphone in use"))
    output: str = field(metadata=doc("loudspeaker in use"))
    streams: str = field(metadata=doc("duplex, pair or file"))
    sample_rate_hz: int | None = field(metadata=doc("rate of the device", unit="Hz"))
    latency_ms: float | None = field(metadata=doc("output latency of the stream", unit="ms"))
    echo_control: str = field(metadata=doc("rung of the echo ladder in use"))
    xruns: int = field(metadata=doc("blocks lost or invented by the device so far"))
    respawns: int = field(metadata=doc("times the audio process was started again"))
    input_level_dbfs: float | None = field(
        metadata=doc("level of the microphone; None: nothing heard yet", unit="dBFS")
    )
    muted: bool = field(metadata=doc("the microphone is muted"))
    volume_percent: int = field(default=100, metadata=doc("loudness of the assistant", unit="%"))
    reason: str = field(default="", metadata=doc("why the audio is not running"))
    input_latency_ms: float | None = field(default=None, metadata=doc("input latency of the stream", unit="ms"))
    echo_control_why: str = field(default="", metadata=doc("why this rung was chosen"))
    underruns: int = field(default=0, metadata=doc("times that a reply had to wait for its own audio"))


@dataclass(frozen=True, slots=True, kw_only=True)
class VadSettings:
    type: TurnDetectionType = field(metadata=doc("who decides; none is push to talk"))
    threshold: float | None = field(default=None, metadata=doc("how loud and clear speech must be"))
    prefix_padding_ms: int | None = field(default=None, metadata=doc("audio kept from before speech", unit="ms"))
    silence_duration_ms: int | None = field(default=None, metadata=doc("silence that ends a turn", unit="ms"))
    idle_timeout_ms: int | None = field(
        default=None, metadata=doc("silence after which the assistant speaks again; None: never", unit="ms")
    )
    eagerness: Eagerness | None = field(default=None, metadata=doc("how soon to answer (semantic_vad)"))
    create_response: bool | None = field(default=None, metadata=doc("answers by itself when a turn ends"))
    interrupt_response: bool | None = field(default=None, metadata=doc("speech stops the answer"))


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageStatus:
    today_usd: float | None = field(metadata=doc("estimated cost since midnight UTC", unit="USD"))
    session_usd: float | None = field(metadata=doc("estimated cost of this conversation", unit="USD"))
    tokens: int = field(metadata=doc("tokens of this conversation"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStatus:
    ok: bool = field(metadata=doc("well"))
    state: str = field(metadata=doc("the part's own word for it"))
    reason: str = field(default="", metadata=doc("why it is not well"))
    hint: str = field(default="", metadata=doc("what to do about it"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    state: str = field(metadata=doc("what the box is doing"))
    reason: str = field(metadata=doc("why it is not doing what it should; empty when all is well"))
    uptime_s: float = field(metadata=doc("since the daemon started", unit="s"))
    conversation: ConversationStatus | None = field(metadata=doc("the conversation in progress"))
    link: LinkStatus = field(metadata=doc("connection to the service"))
    audio: AudioStatus = field(metadata=doc("sound card and audio process"))
    vad: VadSettings | None = field(metadata=doc("turn detection in force"))
    tools: list[str] = field(metadata=doc("functions the model may call"))
    usage: UsageStatus = field(metadata=doc("what it costs"))
    health: dict[str, HealthStatus] = field(metadata=doc("each part's own answer"))
    listening: bool = field(default=False, metadata=doc("a conversation runs and the microphone is open"))
    hears: bool = field(default=False, metadata=doc("sound arrives from the microphone"))
    speaks: bool = field(default=False, metadata=doc("sound can reach the loudspeaker"))
    profile: str | None = field(default=None, metadata=doc("tuning profile in force"))
    hints: list[str] = field(default_factory=list, metadata=doc("what to do, most urgent first"))
    version: str = field(default="", metadata=doc("version of the daemon"))
    pid: int = field(default=0, metadata=doc("process id of the daemon"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationStarted:
    conversation_id: str = field(metadata=doc("as history.get takes it"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSummary:
    turns: int = field(metadata=doc("turns of both sides"))
    seconds: float = field(metadata=doc("length", unit="s"))
    usd: float | None = field(metadata=doc("estimated cost", unit="USD"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationStopped:
    summary: ConversationSummary = field(metadata=doc("what it was"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent:
    item_id: str = field(metadata=doc("the message in the conversation"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequested:
    response_id: str = field(metadata=doc("the response"))
    text: str | None = field(default=None, metadata=doc("what it says (with wait)"))
    status: str | None = field(default=None, metadata=doc("completed, cancelled, failed or incomplete (with wait)"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseInterrupted:
    heard_ms: int = field(metadata=doc("how much of it was heard", unit="ms"))
    item_id: str | None = field(metadata=doc("what was interrupted; None: nothing was being said"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    effective: str = field(metadata=doc("what the model is told"))
    runtime: str | None = field(metadata=doc("the part set at run time; None: there is none"))
    mode: Literal["append", "replace"] = field(default="append", metadata=doc("how the runtime part is used"))
    persisted: bool = field(default=False, metadata=doc("the runtime part survives a restart"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vad:
    requested: VadSettings = field(metadata=doc("what we want"))
    effective: VadSettings | None = field(metadata=doc("what the service confirmed; None: no session"))
    applied: Literal["live", "next_session"] = field(metadata=doc("when the wish takes effect"))
    profile: str | None = field(default=None, metadata=doc("profile in force"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigValue:
    value: Any = field(metadata=doc("value in force"))
    source: str = field(metadata=doc("where it comes from: default, a file, environment NAME, --set, rpc"))
    applied: Literal["live", "reconnect", "restart"] = field(metadata=doc("when a change takes effect"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    values: dict[str, ConfigValue] = field(metadata=doc("by dotted key; of set and reload: what changed"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    index: int = field(metadata=doc("as audio.select takes it"))
    name: str = field(metadata=doc("as audio.select takes it"))
    host_api: str = field(metadata=doc("ALSA, PulseAudio, JACK …"))
    input_channels: int = field(metadata=doc("0: not a microphone"))
    output_channels: int = field(metadata=doc("0: not a loudspeaker"))
    default_sample_rate_hz: int = field(metadata=doc("the device's own rate", unit="Hz"))
    selected: bool = field(default=False, metadata=doc("in use"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    devices: list[Device] = field(metadata=doc("what the sound system offers"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSelected:
    input: str = field(metadata=doc("microphone wanted"))
    output: str = field(metadata=doc("loudspeaker wanted"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioMuted:
    muted: bool = field(metadata=doc("the microphone is muted"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioVolume:
    percent: int = field(metadata=doc("loudness of the assistant", unit="%"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    talking: bool = field(metadata=doc("the talk key is held"))
    committed: bool = field(default=False, metadata=doc("what was said was long enough to be a turn"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    item_id: str = field(metadata=doc("the item in the conversation"))
    number: int = field(metadata=doc("1, 2, 3 … as they began"))
    role: Literal["user", "assistant", "system"] = field(metadata=doc("who said it"))
    text: str = field(metadata=doc("all that was said or written"))
    heard_text: str = field(metadata=doc("the part that was heard (an estimate)"))
    audio_ms: int = field(default=0, metadata=doc("its length; 0: text only", unit="ms"))
    heard_ms: int = field(default=0, metadata=doc("how much of it was heard", unit="ms"))
    interrupted: bool = field(default=False, metadata=doc("somebody spoke over it"))
    status: str = field(default="completed", metadata=doc("in_progress, completed, interrupted or failed"))
    started_at: float | None = field(default=None, metadata=doc("when it began", unit="Unix s"))
    ended_at: float | None = field(default=None, metadata=doc("when it ended", unit="Unix s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    call_id: str = field(metadata=doc("the service's id of the call"))
    name: str = field(metadata=doc("function"))
    arguments: str = field(metadata=doc("its arguments, as JSON text"))
    output: str = field(metadata=doc("what the model was told"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    input_text: int = field(default=0, metadata=doc("text tokens read"))
    input_audio: int = field(default=0, metadata=doc("audio tokens heard"))
    cached_text: int = field(default=0, metadata=doc("part of input_text that was cached"))
    cached_audio: int = field(default=0, metadata=doc("part of input_audio that was cached"))
    output_text: int = field(default=0, metadata=doc("text tokens written"))
    output_audio: int = field(default=0, metadata=doc("audio tokens spoken"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTimings:
    input_ms: int = field(metadata=doc("length of the file", unit="ms"))
    output_ms: int = field(metadata=doc("length of what the speaker would have played", unit="ms"))
    elapsed_s: float = field(metadata=doc("how long it took", unit="s"))
    first_audio_ms: list[int] = field(
        default_factory=list, metadata=doc("per answer: from the end of speech to the first sound", unit="ms")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDocument:
    conversation_id: str = field(metadata=doc("as history.get takes it"))
    turns: list[Turn] = field(metadata=doc("what both sides said, in order"))
    tool_calls: list[ToolCall] = field(metadata=doc("what the model called"))
    usage: TokenUsage = field(metadata=doc("tokens"))
    timings: FileTimings = field(metadata=doc("how long everything took"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    conversation_id: str = field(metadata=doc("as history.get takes it"))
    started_at: float | None = field(metadata=doc("when it began", unit="Unix s"))
    ended_at: float | None = field(
        metadata=doc("when it ended; None: in progress, or the daemon was killed", unit="Unix s")
    )
    source: Literal["microphone", "file"] = field(default="microphone", metadata=doc("where the visitor was heard"))
    provider: str = field(default="", metadata=doc("who answered"))
    model: str = field(default="", metadata=doc("which model answered"))
    end_reason: str = field(default="", metadata=doc("why it ended"))
    turns: int = field(default=0, metadata=doc("turns of both sides"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryList:
    conversations: list[HistoryEntry] = field(metadata=doc("newest first"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryConversation:
    conversation: HistoryEntry = field(metadata=doc("which conversation"))
    turns: list[Turn] = field(metadata=doc("what both sides said, in order"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    topics: list[Topic] = field(metadata=doc("all topics that this client gets from now on"))
    snapshot: dict[str, Any] = field(metadata=doc("topic to latest data, of the topics that describe a state"))
    seq: int = field(metadata=doc("of the last event before the snapshot: later ones will be delivered"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed:
    topics: list[Topic] = field(metadata=doc("topics that this client still gets"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLevelSet:
    level: LogLevel = field(metadata=doc("level in force"))
