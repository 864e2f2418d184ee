"""The session with the service: what is wanted, and how to ask for it.

Owns `session.update` in the GA shape (openai-python `realtime_session_create_request`) and the changes that are on
their way. Whether it was granted is `granted.py`'s question. Knows no socket and no configuration file. Pure.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal

from voicebotd.conversation.effects import (
    FunctionTool,
    UpdateSession,
)
from voicebotd.conversation.events import (
    SAMPLE_RATE_HZ,
    Modality,
    TurnDetection,
)
from voicebotd.realtime.fields import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteServer:
    """A server whose functions the service itself calls (openai-python `response_mcp`). One of `url`, `connector`."""

    label: str
    url: str | None = None
    connector: str | None = None
    authorization: str | None = field(default=None, repr=False)
    allowed: tuple[str, ...] | None = None
    approval: Literal["always", "never"] = "always"


NoiseReduction = Literal["near_field", "far_field"]
ReasoningEffort = Literal["minimal", "low", "medium", "high", "xhigh"]
ToolChoice = Literal["auto", "none", "required"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """When the conversation outgrows its limit: how much of the limit is left of it, and the limit (None: the
    model's own)."""

    ratio: float
    limit_tokens: int | None = None


Truncation = Literal["auto", "disabled"] | Retention

_REASONING_MODEL = re.compile(r"gpt-realtime-2(\.\d+)?(-mini)?(-\d{4}-\d{2}-\d{2})?")
"""The 2.x family; `gpt-realtime-2025-08-28` is not of it."""

_MOST_PENDING = 32
"""Changes that may wait for their `session.updated`. A service that answers none has the oldest taken as granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """The session as we want it. Values are in range here: the configuration checked them."""

    model: str
    instructions: str
    voice: str = "marin"
    speed: float = 1.0
    """0.25 to 1.5."""
    output: Modality = "audio"
    transcription_model: str | None = "gpt-transcribe"
    transcription_language: str | None = None
    noise_reduction: NoiseReduction | None = "far_field"
    max_output_tokens: int | Literal["inf"] = "inf"
    truncation: Truncation = "auto"
    reasoning_effort: ReasoningEffort | None = None
    """Left out for a model that does not reason: it would refuse the whole session."""
    tools: tuple[FunctionTool, ...] = ()
    remote_servers: tuple[RemoteServer, ...] = ()
    tool_choice: ToolChoice = "auto"
    turn_detection: TurnDetection = field(default_factory=TurnDetection)


def reasons(model: str) -> bool:
    """Return whether `model` takes `reasoning`."""
    return _REASONING_MODEL.fullmatch(model) is not None


def full_update(config: SessionConfig) -> JsonObject:
    """Return the `session.update` that opens a session. The model is part of the URL and cannot be changed."""
    return {"type": "session.update", "session": wire(config)}


def live_update(effect: UpdateSession, remote_servers: tuple[RemoteServer, ...] = ()) -> JsonObject:
    """Return the `session.update` for a change while the session runs: only what `effect` names.

    Other functions replace all of the tools, so the servers that the session has are named with them.

    Never the voice: once audio was output, the service drops the whole update that names one.
    """
    session: JsonObject = {"type": "realtime"}
    if effect.instructions is not None:
        session["instructions"] = effect.instructions
    if effect.turn_detection is not None:
        session["audio"] = {"input": {"turn_detection": wire_turn_detection(effect.turn_detection)}}
    if effect.tools is not None:
        session["tools"] = [*wire_tools(effect.tools), *wire_remote_servers(remote_servers)]
    return {"type": "session.update", "event_id": effect.event_id, "session": session}


def apply(config: SessionConfig, effect: UpdateSession) -> SessionConfig:
    """Return `config` with the change that `effect` asks for."""
    return replace(
        config,
        instructions=config.instructions if effect.instructions is None else effect.instructions,
        turn_detection=effect.turn_detection or config.turn_detection,
        tools=config.tools if effect.tools is None else effect.tools,
    )


def keeping_live_changes(config: SessionConfig, wanted: SessionConfig) -> SessionConfig:
    """Return `config` with what people change while a session runs as it is wanted now."""
    return replace(config, instructions=wanted.instructions, turn_detection=wanted.turn_detection, tools=wanted.tools)


class WantedSession:
    """The session that is wanted while changes to it are on their way.

    A change is kept until the service answers it: granted, it becomes part of what the next session is opened with;
    refused, it is forgotten, or every later session would be refused with it.
    """

    def __init__(self, config: SessionConfig) -> None:
        self._granted = config
        self._pending: deque[UpdateSession] = deque()

    @property
    def granted(self) -> SessionConfig:
        """What the service has said yes to, or is being opened with."""
        return self._granted

    @property
    def config(self) -> SessionConfig:
        """What is wanted now, the unanswered changes included."""
        config = self._granted
        for effect in self._pending:
            config = apply(config, effect)
        return config

    def begin(self) -> SessionConfig:
        """Return what a new session is to be opened with; nothing is unanswered after that."""
        self._granted = self.config
        self._pending.clear()
        return self._granted

    def change(self, effect: UpdateSession) -> None:
        """Want this too."""
        self._pending.append(effect)
        if len(self._pending) > _MOST_PENDING:
            self.answered()

    @property
    def unanswered(self) -> tuple[UpdateSession, ...]:
        """The changes that came since `begin()` and that the service has not answered."""
        return tuple(self._pending)

    def answered(self) -> None:
        """The service confirmed the oldest change; a confirmation that nobody waits for changes nothing."""
        if self._pending:
            self._granted = apply(self._granted, self._pending.popleft())

    def refused(self, event_id: str) -> None:
        """The service answered the message `event_id` with an error. It need not be one of ours."""
        self._pending = deque(effect for effect in self._pending if effect.event_id != event_id)


def wire(config: SessionConfig) -> JsonObject:
    """Return the whole session in the GA shape, without the model, which is part of the URL."""
    pcm = {"type": "audio/pcm", "rate": SAMPLE_RATE_HZ}
    session: JsonObject = {
        "type": "realtime",
        "instructions": config.instructions,
        "output_modalities": [config.output],
        "max_output_tokens": config.max_output_tokens,
        "truncation": wire_truncation(config.truncation),
        "tools": [*wire_tools(config.tools), *wire_remote_servers(config.remote_servers)],
        "tool_choice": config.tool_choice,
        "audio": {
            "input": {
                "format": pcm,
                "noise_reduction": None if config.noise_reduction is None else {"type": config.noise_reduction},
                "transcription": wire_transcription(config),
                "turn_detection": wire_turn_detection(config.turn_detection),
            },
            "output": {"format": pcm, "voice": config.voice, "speed": config.speed},
        },
    }
    if config.reasoning_effort is not None and reasons(config.model):
        session["reasoning"] = {"effort": config.reasoning_effort}
    return session


def wire_truncation(truncation: Truncation) -> str | JsonObject:
    """Return how the service is to forget, as it takes it (openai-python `realtime_truncation_retention_ratio`)."""
    if not isinstance(truncation, Retention):
        return truncation
    limits = {} if truncation.limit_tokens is None else {"post_instructions": truncation.limit_tokens}
    kept: JsonObject = {"type": "retention_ratio", "retention_ratio": truncation.ratio}
    return {**kept, "token_limits": limits} if limits else kept


def wire_transcription(config: SessionConfig) -> JsonObject | None:
    """Return the transcription of the visitor as the service takes it; null for none."""
    if config.transcription_model is None:
        return None
    language = {} if config.transcription_language is None else {"language": config.transcription_language}
    return {"model": config.transcription_model, **language}


def wire_tools(tools: tuple[FunctionTool, ...]) -> list[JsonObject]:
    """Return the functions as the service takes them."""
    return [
        {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters}
        for tool in tools
    ]


def wire_remote_servers(servers: tuple[RemoteServer, ...]) -> list[JsonObject]:
    """Return the servers that the service is to reach as it takes them."""
    return [_without_nothing(server) for server in servers]


def _without_nothing(server: RemoteServer) -> JsonObject:
    made: JsonObject = {
        "type": "mcp",
        "server_label": server.label,
        "server_url": server.url,
        "connector_id": server.connector,
        "authorization": server.authorization,
        "allowed_tools": None if server.allowed is None else list(server.allowed),
        "require_approval": server.approval,
    }
    return {name: value for name, value in made.items() if value is not None}


def wire_turn_detection(wanted: TurnDetection) -> JsonObject | None:
    """Return turn detection as the service takes it: each type with its own fields only.

    Null where it is not to detect turns: push to talk, and where the box does it itself.
    """
    if wanted.type in ("none", "local"):
        return None
    common = {
        "type": wanted.type,
        "create_response": wanted.create_response,
        "interrupt_response": wanted.interrupt_response,
    }
    if wanted.type == "semantic_vad":
        return {**common, "eagerness": wanted.eagerness}
    return {
        **common,
        "threshold": wanted.threshold,
        "prefix_padding_ms": wanted.prefix_padding_ms,
        "silence_duration_ms": wanted.silence_duration_ms,
        "idle_timeout_ms": wanted.idle_timeout_ms,
    }
