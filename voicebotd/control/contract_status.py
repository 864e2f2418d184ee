"""What status.get answers, with the parts that it is made of; two of them are answered elsewhere too.

Owns names and units, as contract_results.py does. Standard library only. No `from __future__ import annotations`:
readers want real types.
"""

from dataclasses import dataclass, field

from voicebotd.control.contract_types import BargeInMode, CapName, Eagerness, TurnDetectionType, doc


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
    server: str = field(default="", metadata=doc("whose server it is, as service.server names them"))
    shape: str = field(default="", metadata=doc("ga or beta: how messages are written; empty: not known yet"))
    missing: list[str] = field(default_factory=list, metadata=doc("what this server lacks, and what follows"))
    unsent: int = field(default=0, metadata=doc("messages not sent because this server lacks them"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoStatus:
    rung: str = field(metadata=doc("aec, gate, half_duplex or none: what is done now"))
    why: str = field(metadata=doc("why this rung"))
    delay_ms: float | None = field(default=None, metadata=doc("from the loudspeaker to the microphone", unit="ms"))
    drift_ppm: float | None = field(default=None, metadata=doc("clock of the microphone against it", unit="ppm"))
    erle_db: float | None = field(default=None, metadata=doc("how much of the echo is removed", unit="dB"))
    aec_installed: bool = field(default=False, metadata=doc("the echo canceller's library is there"))


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
    echo: EchoStatus | None = field(default=None, metadata=doc("what is done about the echo, and how well"))


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
class BargeInSettings:
    mode: BargeInMode = field(metadata=doc("what speech over the assistant does"))
    confirm_after_ms: int = field(metadata=doc("speech that pauses the assistant (confirm)", unit="ms"))
    min_speech_ms: int = field(metadata=doc("shorter speech was a noise (confirm)", unit="ms"))
    resume_delay_ms: int = field(metadata=doc("quiet before it goes on after a noise (confirm)", unit="ms"))
    duck_db: float = field(metadata=doc("how it softens until that is clear (confirm)", unit="dB"))


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageStatus:
    today_usd: float | None = field(metadata=doc("estimated cost of the box since midnight, local time", unit="USD"))
    session_usd: float | None = field(metadata=doc("estimated cost of this conversation, or the last", unit="USD"))
    tokens: int = field(metadata=doc("tokens of this conversation"))
    cap: CapName | None = field(
        default=None, metadata=doc("the cap that is nearest to being reached; None: there is none")
    )
    cap_usd: float | None = field(default=None, metadata=doc("its amount", unit="USD"))
    fraction: float | None = field(default=None, metadata=doc("how much of it is spent; 1: all"))
    exhausted: bool = field(default=False, metadata=doc("a cap is reached: nothing more is paid for"))
    unpriced: list[str] = field(
        default_factory=list, metadata=doc("models that were used and cost nothing here, as no price is known")
    )
    hint: str = field(default="", metadata=doc("what to do about it"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStatus:
    ok: bool = field(metadata=doc("well"))
    state: str = field(metadata=doc("the part's own word for it"))
    reason: str = field(default="", metadata=doc("why it is not well"))
    hint: str = field(default="", metadata=doc("what to do about it"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    state: str = field(
        metadata=doc(
            "off, connecting, listening, hearing, thinking, speaking, or dozing (a voice opens the link again)"
        )
    )
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
    barge_in: BargeInSettings | None = field(default=None, metadata=doc("what happens when somebody speaks over it"))
