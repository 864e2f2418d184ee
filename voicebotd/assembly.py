"""From a configuration to one conversation stack: audio, link, functions and conversation, wired to each other.

Owns the translation of settings into what each room takes, and the wiring. The daemon has one stack for the box and
one more for each file that is processed. Decides nothing while a conversation runs.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import structlog

from voicebotd.audio.ladder import aec_installed
from voicebotd.audio.manager import AudioManager
from voicebotd.audio.options import AudioOptions, EchoControl, FileOptions
from voicebotd.config.credentials import find_api_key
from voicebotd.config.load import LoadedConfig
from voicebotd.config.model import Settings
from voicebotd.conversation.budget import NANO_USD, Limits
from voicebotd.conversation.core import Conversation
from voicebotd.conversation.events import BargeIn, Event, TurnDetection
from voicebotd.conversation.manager import ConversationManager, Published, Recorded
from voicebotd.conversation.policy import Policy
from voicebotd.cues import cue_pcm
from voicebotd.errors import ConfigError, Problem, ToolError
from voicebotd.pacer import Pacer
from voicebotd.realtime.endpoint import Endpoint, endpoint
from voicebotd.realtime.link import Timing
from voicebotd.realtime.pricing import PriceList
from voicebotd.realtime.service import OpenAIService
from voicebotd.realtime.session import RemoteServer, Retention, SessionConfig, Truncation
from voicebotd.secret_values import reveal
from voicebotd.system.logging import add_secret
from voicebotd.tools.runner import ToolRunner
from voicebotd.tools.toolbox import Toolbox

log = structlog.get_logger("assembly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The parts that hold one conversation after another. `run()` is one task."""

    audio: AudioManager
    link: OpenAIService
    manager: ConversationManager
    tools: ToolRunner

    async def run(self) -> None:
        """Live until cancelled; then nothing of it is left, the audio process included."""
        await self.audio.connect()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.audio.run(), name="audio")
                group.create_task(self.link.run(), name="link")
                group.create_task(self.tools.run(), name="functions")
                group.create_task(self.manager.run(), name="conversation")
        finally:
            await self.link.disconnect()
            await self.audio.disconnect()


def build(
    config: LoadedConfig,
    options: AudioOptions,
    *,
    publish: Published,
    record: Recorded,
    watch: Callable[[Event], None] = lambda _: None,
    policy: Policy | None = None,
    toolbox: Toolbox | None = None,
) -> Stack:
    """Wire a stack.

    `watch` sees every event before the conversation does; `policy`: default, as configured; `toolbox`: what the model
    may call, default nothing.

    Raises ConfigError where the service's address cannot be used.
    """
    toolbox = toolbox or Toolbox()
    policy = replace(policy or policy_of(config), tools=toolbox.function_tools)
    fast = policy.hold_input == "while_answering"

    def post(event: Event) -> None:
        watch(event)
        manager.post(event)

    def hear(pcm: bytes) -> None:
        manager.hear(pcm)
        if fast:
            pacer.sent()

    link = OpenAIService(
        endpoint_of(config.settings),
        session_of(config),
        key=find_key,
        on_event=post,
        rng=random.Random(),  # noqa: S311 - spreads retries, guards nothing
        log=structlog.get_logger("link").bind(),  # bound once: the proxy would be bound anew for each line
        timing=Timing(
            connect_timeout_s=config.settings.service.connect_timeout_s,
            rollover_after_s=config.settings.service.rollover_after_min * 60,
        ),
    )
    audio = AudioManager(options, on_event=post, on_capture=hear)
    audio.hold_input(policy.hold_input != "never")
    pacer = Pacer(audio, link)
    tools = ToolRunner(toolbox, finished=post)
    core = Conversation(policy)
    manager = ConversationManager(
        core, link=link, audio=audio, tools=tools, publish=publish, record=record, cue=cue_pcm
    )
    return Stack(audio=audio, link=link, manager=manager, tools=tools)


def find_key() -> str | None:
    """The API key as it is to be had now, and from now on in no log. Raises ConfigError for one that cannot be used."""
    found = find_api_key(os.environ, Path.cwd())
    if found is None:
        return None
    add_secret(found.secret)
    return found.secret.reveal()


def endpoint_of(settings: Settings) -> Endpoint:
    """Raises ConfigError naming what is wrong with the address, or what this server cannot be asked for."""
    service, detection = settings.service, settings.turn_detection.type
    found = endpoint(service.provider, service.base_url, service.model, server=service.server, shape=service.dialect)
    if detection in ("none", "local") and "commit" in found.dialect.lacks:
        message = f"{detection} does not work with {found.dialect.name}, which ends every turn by itself"
        raise ConfigError([Problem(key="turn_detection.type", message=message, hint="use server_vad")])
    return found


def turn_detection_of(settings: Settings) -> TurnDetection:
    return TurnDetection(**settings.turn_detection.model_dump())


def session_of(config: LoadedConfig) -> SessionConfig:
    settings, session = config.settings, config.settings.session
    return SessionConfig(
        model=settings.service.model,
        instructions=config.instructions,
        voice=session.voice,
        speed=session.speed,
        output=session.output,
        transcription_model=session.transcription.model,
        transcription_language=session.transcription.language,
        noise_reduction=session.noise_reduction,
        max_output_tokens=session.max_output_tokens,
        truncation=truncation_of(settings),
        tool_choice=session.tool_choice,
        reasoning_effort=settings.service.reasoning_effort,
        turn_detection=turn_detection_of(settings),
        remote_servers=remote_servers_of(settings),
    )


def remote_servers_of(settings: Settings) -> tuple[RemoteServer, ...]:
    """The servers that the service is to call. One whose secret is missing is left out, and the rest works."""
    found = []
    for server in settings.tools.remote_mcp:
        try:
            authorization = None if server.authorization is None else reveal(server.authorization)
        except ToolError as error:
            log.error("a remote server is left out", server=server.server_label, reason=error.message)  # noqa: TRY400
            continue
        found.append(
            RemoteServer(
                label=server.server_label,
                url=server.server_url,
                connector=server.connector_id,
                authorization=authorization,
                allowed=None if server.allowed_tools is None else tuple(server.allowed_tools),
                approval="never" if server.require_approval == "never" else "always",
            )
        )
    return tuple(found)


KEEPS_THE_CACHE = 0.8
"""OpenAI's own example, and what its cost guide advises against truncating, and so emptying the cache, at each turn."""


def truncation_of(settings: Settings) -> Truncation:
    """How the service is to forget. A compatible server that nobody asked for more is sent the plain word."""
    wanted, limit = settings.session.truncation, settings.session.context_tokens
    if wanted == "disabled":
        return "disabled"
    if wanted == "auto" and limit is None and settings.service.provider == "compatible":
        return "auto"
    return Retention(ratio=KEEPS_THE_CACHE if wanted == "auto" else wanted, limit_tokens=limit)


def limits_of(settings: Settings) -> Limits:
    budget = settings.budget
    return Limits(
        daily_nano_usd=_nano_usd(budget.daily_usd),
        session_nano_usd=_nano_usd(budget.session_usd),
        warn_fraction=budget.warn_fraction,
    )


def tariff_of(settings: Settings) -> PriceList:
    return PriceList(
        {model: {str(kind): usd for kind, usd in own.items()} for model, own in settings.budget.prices.items()}
    )


def _nano_usd(amount: float | None) -> int | None:
    return None if amount is None else round(amount * NANO_USD)


BUDGET_KEYS = frozenset({"budget.daily_usd", "budget.session_usd", "budget.warn_fraction", "budget.prices"})


BEGINS_WITHIN_S = {None: 12.0, "minimal": 12.0, "low": 12.0, "medium": 20.0, "high": 40.0, "xhigh": 90.0}
"""How long a model may think before it says anything, by its `service.reasoning_effort`; after that it is stuck."""


def policy_of(config: LoadedConfig) -> Policy:
    settings = config.settings
    return Policy(
        instructions=config.instructions,
        turn_detection=turn_detection_of(settings),
        barge_in=BargeIn(**settings.barge_in.model_dump()),
        speaks_first=settings.conversation.speaks_first,
        greeting=settings.conversation.greeting,
        provider=settings.service.provider,
        longest_speech_s=settings.conversation.max_utterance_s,
        idle_hangup_s=settings.conversation.idle_hangup_s,
        limits=limits_of(settings),
        tariff=tariff_of(settings),
        context_turns=settings.conversation.context_turns,
        begins_within_s=BEGINS_WITHIN_S[settings.service.reasoning_effort],
        approve_within_s=settings.tools.approval_timeout_s,
        hold_input="until_connected" if settings.audio.backend == "file" else "never",
    )


def file_policy_of(config: LoadedConfig, pace: Literal["real_time", "fast"]) -> Policy:
    """A file speaks for itself: it is greeted only where the box would greet anybody, and waits when it is fast."""
    return replace(
        policy_of(config), source="file", hold_input="while_answering" if pace == "fast" else "until_connected"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """The rung of the echo ladder in use, and why."""

    echo_control: EchoControl
    why: str


AEC_REMEDY = "pip install 'voicebotd[aec]'"
RUNG_KEYS = frozenset({"audio.echo_control", "barge_in.mode"})
"""A change of one of these may change the rung. So would the back-end, but that needs a restart."""


def rung_of(settings: Settings) -> Rung:
    """Choose how the box avoids hearing itself.

    A box that nobody may interrupt closes its microphone while it speaks, whatever else is configured. The echo
    canceller is an extra of the installation; without it the gate stands in.
    """
    wanted = settings.audio.echo_control
    if settings.barge_in.mode == "off":
        return Rung(echo_control="half_duplex", why="barge_in.mode is off: nobody may interrupt it")
    if wanted == "aec" and not aec_installed():
        return Rung(echo_control="gate", why=f"aec is configured and not installed: {AEC_REMEDY}")
    if wanted != "auto":
        return Rung(echo_control=wanted, why="as configured")
    if settings.audio.backend == "file":
        return Rung(echo_control="none", why="auto: a file cannot hear the loudspeaker")
    if aec_installed():
        return Rung(echo_control="aec", why="auto: the echo canceller is installed")
    return Rung(echo_control="gate", why=f"auto: the echo canceller is not installed ({AEC_REMEDY})")


def audio_options_of(settings: Settings, **more: Any) -> AudioOptions:
    """`more` goes to `AudioOptions` as it is. Raises AudioError where the file back-end has no file."""
    audio = settings.audio
    options: dict[str, Any] = {
        "backend": audio.backend,
        "sample_rate_hz": None if audio.sample_rate == "auto" else audio.sample_rate,
        "block_ms": audio.block_ms,
        "streams": audio.streams,
        "echo_control": rung_of(settings).echo_control,
        "volume_percent": audio.volume_percent,
        "input_gain_db": audio.input_gain_db,
    }
    if audio.backend == "file":
        output = None if audio.output_device == "default" else str(audio.output_device)
        options["file"] = FileOptions(input=str(audio.input_device), output_path=output)
    else:
        options["input_device"] = None if audio.input_device == "default" else audio.input_device
        options["output_device"] = None if audio.output_device == "default" else audio.output_device
    return AudioOptions(**{**options, **more})
