"""What each method takes: one dataclass per method, its fields in the order in which they bind by position.

Owns names, defaults, ranges and units of parameters. A None default means "leave it alone" or "no wish", so `null` and
an absent key are the same, but where a field says what null means. Standard library only. No
`from __future__ import annotations`: readers want real types.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from voicebotd.control.contract_types import (
    Eagerness,
    HistoryFormat,
    LogLevel,
    Modality,
    Pace,
    Topic,
    TurnDetectionType,
    doc,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoParams:
    """For methods that take nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationStartParams:
    greeting: str | None = field(default=None, metadata=doc("first words of the assistant; it then speaks first"))
    profile: str | None = field(default=None, metadata=doc("tuning profile for this conversation only"))
    instructions: str | None = field(default=None, metadata=doc("instructions in place of the configured ones"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSendParams:
    text: str = field(metadata=doc("what to put into the conversation"))
    role: Literal["user", "system"] = field(default="user", metadata=doc("who says it"))
    respond: bool = field(default=True, metadata=doc("have the assistant answer it"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequestParams:
    instructions: str | None = field(default=None, metadata=doc("instructions for this one response"))
    output: Modality | None = field(default=None, metadata=doc("spoken or written; default: as configured"))
    wait: bool = field(default=False, metadata=doc("answer when the response is done, with its text"))


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionsSetParams:
    text: str = field(metadata=doc("standing instructions from now on"))
    mode: Literal["append", "replace"] = field(
        default="append", metadata=doc("add to the configured instructions, or take their place")
    )
    persist: bool = field(default=False, metadata=doc("keep them over a restart", admin=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionsClearParams:
    persist: bool = field(default=False, metadata=doc("forget the kept ones as well", admin=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class VadSetParams:
    type: TurnDetectionType | None = field(default=None, metadata=doc("who decides; none is push to talk"))
    threshold: float | None = field(
        default=None, metadata=doc("how loud and clear speech must be (server_vad, local)", minimum=0.0, maximum=1.0)
    )
    prefix_padding_ms: int | None = field(
        default=None, metadata=doc("audio kept from before speech began", minimum=0, maximum=5000, unit="ms")
    )
    silence_duration_ms: int | None = field(
        default=None,
        metadata=doc("silence that ends a turn (server_vad, local)", minimum=100, maximum=10_000, unit="ms"),
    )
    idle_timeout_ms: int | None = field(
        default=None,
        metadata=doc(
            "silence after which the assistant speaks again (server_vad, from 5000); 0 or null: never",
            minimum=0,
            maximum=30_000,
            unit="ms",
            null_means=0,
        ),
    )
    eagerness: Eagerness | None = field(default=None, metadata=doc("how soon to answer (semantic_vad)"))
    create_response: bool | None = field(default=None, metadata=doc("answer by itself when a turn ends"))
    interrupt_response: bool | None = field(default=None, metadata=doc("speech stops the answer"))
    profile: str | None = field(default=None, metadata=doc("start from this profile; other keys go on top"))
    persist: bool = field(default=False, metadata=doc("keep the change over a restart"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigGetParams:
    key: str | None = field(default=None, metadata=doc("dotted key or section; default: everything"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSetParams:
    values: dict[str, Any] = field(metadata=doc("dotted key to value"))
    persist: bool = field(default=False, metadata=doc("keep the change over a restart"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSelectParams:
    input: int | str | None = field(default=None, metadata=doc("microphone, by index or name"))
    output: int | str | None = field(default=None, metadata=doc("loudspeaker, by index or name"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioMuteParams:
    on: bool = field(metadata=doc("true: the microphone hears nothing"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioVolumeParams:
    percent: int = field(metadata=doc("loudness of the assistant", minimum=0, maximum=100, unit="%"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSelftestParams:
    apply: bool = field(default=False, metadata=doc("set and keep what it recommends", admin=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProcessParams:
    pace: Pace | None = field(
        default=None, metadata=doc("as in life, or as fast as the service takes it; default: as configured")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryListParams:
    limit: int = field(default=20, metadata=doc("at most so many, newest first", minimum=1, maximum=1000))
    before: str | None = field(default=None, metadata=doc("only those that began before this conversation id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryGetParams:
    conversation_id: str | None = field(default=None, metadata=doc("which conversation; default: the latest"))
    limit: int = field(default=1000, metadata=doc("at most so many turns, the last ones", minimum=1, maximum=1000))
    before: int | None = field(default=None, metadata=doc("only turns before this number", minimum=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryExportParams:
    format: HistoryFormat = field(default="jsonl", metadata=doc("a JSON document a line, or Markdown for people"))
    conversation_id: str | None = field(default=None, metadata=doc("only this conversation; default: all"))
    after: str | None = field(default=None, metadata=doc("go on here: `next` of the answer before; default: begin"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySearchParams:
    query: str = field(metadata=doc('words that must all occur; `appoint*` begins a word, `"new year"` is a phrase'))
    limit: int = field(default=20, metadata=doc("at most so many, latest first", minimum=1, maximum=200))
    before: int | None = field(
        default=None, metadata=doc("go on behind this place: `next` of the answer before", minimum=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPurgeParams:
    older_than_days: float = field(
        metadata=doc(
            "remove what was over so long ago; 0: everything that is over", minimum=0, maximum=36_500, unit="d"
        )
    )
    compact: bool = field(
        default=False,
        metadata=doc(
            "write a large file anew too, so that no trace stays; nothing is saved meanwhile (a minute or so)"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageParams:
    days: int = field(default=1, metadata=doc("how many days, today included", minimum=1, maximum=366))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsParams:
    topics: list[Topic] | None = field(default=None, metadata=doc("which topics; default: all"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLevelParams:
    level: LogLevel = field(metadata=doc("least severe line that is still written"))
