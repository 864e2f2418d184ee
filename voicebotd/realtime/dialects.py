"""The servers of the Realtime protocol and how each differs: a table, so that another one is another entry.

Owns every difference between them, as data: where they are, who is let in, how they like the session to be written,
at what rate they hear, what they lack. How a message is put into such a shape is in `shapes.py` and `wire.py`. Pure.

Where an entry says that a server lacks something, it is left out by its documentation or its source; a doubt is
settled against it, because a message too many is an error at every interruption.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from voicebotd.conversation.events import SAMPLE_RATE_HZ

Shape = Literal["ga", "beta"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What is particular to one family of servers."""

    name: str
    provider: Literal["openai", "azure", "compatible", "rehearsal"]
    """Under which `service.provider` it is found."""
    address: str
    """What `service.base_url` looks like, for people."""
    key: Literal["required", "optional", "never"]
    """`never`: the key is not even shown to it."""
    key_header: Literal["Authorization", "api-key"] = "Authorization"
    hosts: tuple[str, ...] = ()
    """Domains where certainly nothing else answers."""
    loopback_only: bool = False
    longest_session_s: float | None = 3600.0
    """None: it sets no limit of its own."""
    shape: Shape | None = "ga"
    """None: as its `session.created` shows."""
    opens_with: tuple[str, ...] = ("session.created",)
    """Its first event is one of these."""
    confirms: Literal["always", "perhaps"] = "always"
    """Whether a session may begin although no `session.updated` came."""
    input_rate_hz: int = SAMPLE_RATE_HZ
    output_rate_hz: int = SAMPLE_RATE_HZ
    beta_pcm: str | None = "pcm16"
    """What the beta shape calls the audio format; None: it must not be named."""
    at_the_top: tuple[tuple[str, ...], ...] = ()
    """Settings of the GA session that stand at its top level here."""
    nested_tools: bool = False
    """Tools are written as chat completions write them, inside a `function`."""
    own_names: bool = False
    """Its voices and its transcription models are not OpenAI's, whose names it would refuse."""
    lacks: frozenset[str] = frozenset()
    """Names of `features.FEATURES`."""


def _lacking(names: str) -> frozenset[str]:
    """Only OpenAI's own service reaches servers of functions by itself, so no other is asked to."""
    return frozenset({*names.split(), "remote_mcp"})


_VOICE = ("audio", "output", "voice")
_TURN_DETECTION = ("audio", "input", "turn_detection")

_TABLE = (
    Dialect(
        name="openai",
        provider="openai",
        address="wss://api.openai.com/v1/realtime",
        key="required",
        hosts=("api.openai.com",),
    ),
    Dialect(
        name="azure",
        provider="azure",
        address="wss://RESOURCE.openai.azure.com/openai/v1/realtime",
        key="required",
        key_header="api-key",
    ),
    Dialect(
        name="rehearsal",
        provider="rehearsal",
        address="ws://127.0.0.1:8765/v1/realtime",
        key="never",
        loopback_only=True,
    ),
    Dialect(
        name="generic",
        provider="compatible",
        address="wss://HOST/v1/realtime",
        key="optional",
        shape=None,
        confirms="perhaps",
        lacks=_lacking(""),
    ),
    # By the source of 1.1.0: its detector goes on whatever it is told, so nobody else can end a turn; it takes a
    # truncate and does nothing; a clear is an unknown event. An answer that is asked for at the end of a turn can come
    # before the transcription and not know the question (seen), so it answers by itself, as do the two after it.
    Dialect(
        name="speech-to-speech",
        provider="compatible",
        address="ws://127.0.0.1:8765/v1/realtime",
        key="optional",
        longest_session_s=None,
        own_names=True,
        lacks=_lacking(
            "truncate clear commit semantic_vad create_response idle_timeout prefix_padding noise_reduction speed"
        ),
    ),
    Dialect(
        name="localai",
        provider="compatible",
        address="ws://127.0.0.1:8080/v1/realtime",
        key="optional",
        longest_session_s=None,
        confirms="perhaps",
        own_names=True,
        lacks=_lacking("create_response idle_timeout noise_reduction speed truncation"),
    ),
    # Naming an audio format or a padding is an error there; its truncate is not in its documentation.
    Dialect(
        name="speaches",
        provider="compatible",
        address="ws://127.0.0.1:8000/v1/realtime",
        key="optional",
        longest_session_s=None,
        shape="beta",
        beta_pcm=None,
        own_names=True,
        lacks=_lacking("truncate semantic_vad create_response interrupt_response prefix_padding noise_reduction speed"),
    ),
    Dialect(
        name="grok",
        provider="compatible",
        address="wss://api.x.ai/v1/realtime",
        key="required",
        hosts=("api.x.ai",),
        opens_with=("conversation.created", "session.created"),
        at_the_top=(_VOICE, _TURN_DETECTION),
        own_names=True,
        lacks=_lacking(
            "truncate delete semantic_vad create_response interrupt_response noise_reduction text_output "
            "max_output_tokens truncation tool_choice"
        ),
    ),
    # The padding is fixed. Written words are not in its list of client events, outputs of functions are.
    Dialect(
        name="qwen",
        provider="compatible",
        address="wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime",
        key="required",
        hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "maas.aliyuncs.com"),
        longest_session_s=7200.0,
        shape="beta",
        input_rate_hz=16_000,
        beta_pcm="pcm",
        nested_tools=True,
        own_names=True,
        lacks=_lacking(
            "truncate delete messages create_response interrupt_response prefix_padding noise_reduction "
            "speed max_output_tokens tool_choice"
        ),
    ),
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _TABLE})

SERVERS = tuple(dialect.name for dialect in _TABLE if dialect.provider == "compatible")
"""What `service.server` may name, beside `auto`."""

PROVIDERS = tuple(dict.fromkeys(dialect.provider for dialect in _TABLE))


def recognised(host: str) -> Dialect | None:
    """Return whose server certainly answers at `host`."""
    for dialect in _TABLE:
        if any(host == known or host.endswith(f".{known}") for known in dialect.hosts):
            return dialect
    return None
