"""What each method answers: one dataclass per result, with the parts that it is made of.

Owns names and units of results. Times are seconds since the Unix epoch, UTC. None means unknown or not there. Standard
library only. No `from __future__ import annotations`: readers want real types.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from voicebotd.control import contract_status
from voicebotd.control.contract_status import BargeInSettings, UsageStatus, VadSettings
from voicebotd.control.contract_types import EchoControl, LogLevel, Topic, doc

Status = contract_status.Status
"""In a file of its own, because it is long."""
OpenRpcDocument = dict
"""What rpc.discover answers: its shape is the OpenRPC specification's, not ours."""


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
class ConversationRolled:
    session_id: str = field(metadata=doc("the new session, by the service's name"))


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
    barge_in: BargeInSettings | None = field(default=None, metadata=doc("what happens when somebody speaks over it"))
    notes: list[str] = field(default_factory=list, metadata=doc("what was set and has no effect now, and why"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigValue:
    value: Any = field(metadata=doc("value in force"))
    source: str = field(metadata=doc("where it comes from: default, a file, environment NAME, --set, rpc"))
    applied: Literal["live", "reconnect", "restart"] = field(metadata=doc("when a change takes effect"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    values: dict[str, ConfigValue] = field(metadata=doc("by dotted key; of set and reload: what changed"))
    functions: list[str] | None = field(
        default=None, metadata=doc("what the model may call now, where a reload changed that")
    )
    broken: list[str] = field(default_factory=list, metadata=doc("sources of functions that a reload could not load"))


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
class SelftestRecommendation:
    echo_control: EchoControl = field(metadata=doc("for audio.echo_control"))
    volume_percent: int = field(metadata=doc("for audio.volume_percent", unit="%"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selftest:
    latency_ms: float | None = field(metadata=doc("from the loudspeaker to the microphone; None: not heard", unit="ms"))
    echo_return_loss_db: float | None = field(
        metadata=doc("how much softer the echo is than what was played; None: not heard", unit="dB")
    )
    noise_floor_dbfs: float | None = field(metadata=doc("the room's own noise; None: not measured", unit="dBFS"))
    verdict: str = field(metadata=doc("what it means, in one sentence"))
    clipping: bool = field(default=False, metadata=doc("the microphone was overdriven"))
    problems: list[str] = field(default_factory=list, metadata=doc("what is wrong with the sound"))
    advice: list[str] = field(default_factory=list, metadata=doc("what to do about it"))
    recommended: SelftestRecommendation | None = field(
        default=None, metadata=doc("settings for this room; None: not while it is so")
    )
    applied: bool = field(default=False, metadata=doc("the recommended settings are in force and kept"))
    noise_floor_a_dbfs: float | None = field(default=None, metadata=doc("the same, as an ear hears it", unit="dBFS(A)"))
    clipped_share: float | None = field(default=None, metadata=doc("share of overdriven samples", unit="0..1"))
    distortion_percent: float | None = field(default=None, metadata=doc("what the loudspeaker adds", unit="%"))
    echo_dbfs: float | None = field(
        default=None, metadata=doc("the assistant at the microphone, at the present volume", unit="dBFS")
    )
    drift_ppm: float | None = field(default=None, metadata=doc("clock of the microphone against it", unit="ppm"))
    input: str = field(default="", metadata=doc("microphone measured"))
    output: str = field(default="", metadata=doc("loudspeaker measured"))


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
    status: str = field(default="completed", metadata=doc("running, completed, failed, timed_out or cancelled"))
    duration_ms: int = field(default=0, metadata=doc("how long it took", unit="ms"))
    started_at: float | None = field(default=None, metadata=doc("when it began", unit="Unix s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    input_text: int = field(default=0, metadata=doc("text tokens read"))
    input_audio: int = field(default=0, metadata=doc("audio tokens heard"))
    cached_text: int = field(default=0, metadata=doc("part of input_text that was cached"))
    cached_audio: int = field(default=0, metadata=doc("part of input_audio that was cached"))
    output_text: int = field(default=0, metadata=doc("text tokens written"))
    output_audio: int = field(default=0, metadata=doc("audio tokens spoken"))
    audio_s: float = field(default=0.0, metadata=doc("audio that was transcribed by its length", unit="s"))
    usd: float = field(default=0.0, metadata=doc("estimated cost", unit="USD"))


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
    usage: TokenUsage = field(metadata=doc("tokens and their cost"))
    timings: FileTimings = field(metadata=doc("how long everything took"))
    end_reason: str = field(default="", metadata=doc("why it ended"))
    unpriced: list[str] = field(
        default_factory=list, metadata=doc("models whose use is not in the cost, as no price is known")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage(TokenUsage):
    model: str = field(metadata=doc("which model; rehearsal/… was only rehearsed, and nothing of it is paid"))
    kind: Literal["response", "transcription"] = field(metadata=doc("what it was used for"))
    count: int = field(metadata=doc("how many of them"))
    priced: bool = field(metadata=doc("its price is known now; otherwise nothing of it is in the cost"))


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDay:
    date: str = field(metadata=doc("day in local time, ISO 8601"))
    usd: float = field(metadata=doc("estimated cost of the day", unit="USD"))
    models: list[ModelUsage] = field(metadata=doc("by model and kind"))


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    days: list[UsageDay] = field(metadata=doc("oldest first; the last is today"))
    status: UsageStatus = field(metadata=doc("the present conversation, today, and the nearest cap"))
    daily_cap_usd: float | None = field(metadata=doc("budget.daily_usd; None: no cap", unit="USD"))
    session_cap_usd: float | None = field(metadata=doc("budget.session_usd; None: no cap", unit="USD"))


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
    tool_calls: list[ToolCall] = field(default_factory=list, metadata=doc("what the model called, in order"))
    usage: TokenUsage | None = field(default=None, metadata=doc("tokens, all responses together"))
    usd: float = field(default=0.0, metadata=doc("estimated cost", unit="USD"))
    recordings: list[str] = field(
        default_factory=list, metadata=doc("its sound: FLAC files of the daemon's, visitor left, assistant right")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryHit:
    conversation_id: str = field(metadata=doc("as history.get takes it"))
    item_id: str = field(metadata=doc("the turn in the conversation"))
    number: int = field(metadata=doc("which turn: 1, 2, 3 …"))
    role: Literal["user", "assistant", "system"] = field(metadata=doc("who said it"))
    started_at: float | None = field(metadata=doc("when it began", unit="Unix s"))
    snippet: str = field(metadata=doc("the piece of the turn around the words"))
    marks: list[list[int]] = field(
        default_factory=list, metadata=doc("where in the snippet the words are: first character, one after the last")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFound:
    hits: list[HistoryHit] = field(metadata=doc("latest first"))
    next: int | None = field(default=None, metadata=doc("give it as `before` for more; None: there is no more"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryExported:
    text: str = field(metadata=doc("the next piece of the export, whole records, oldest first"))
    next: str | None = field(metadata=doc("give it as `after` for the next piece; None: that was all"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPurged:
    conversations: int = field(metadata=doc("conversations removed"))
    turns: int = field(metadata=doc("turns removed"))
    tool_calls: int = field(metadata=doc("calls removed"))
    recordings: int = field(metadata=doc("files of sound removed"))
    copies: list[str] = field(metadata=doc("backups and damaged databases removed, by name"))
    traces: str = field(metadata=doc("where something of it may still be read, and why; empty: nowhere"))


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
