"""The reference manual: every configuration key with its meaning, unit, range, default, and when a change takes effect.

Owns the shape of the settings and what may be written for each of them. Knows no file, no environment, no precedence
(`layers.py`), and nothing of those who use a value. The README's table, `config/voicebotd.yaml`'s test and the JSON
schema are all derived from here.

`applies` of a key: `live` takes effect at once, `reconnect` with the next session, which is opened for it and takes
over in a silence, `restart` when the daemon is started again.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from voicebotd.config.budget import Budget
from voicebotd.config.section import Section
from voicebotd.config.section import key as _key
from voicebotd.config.tools import OFFERED_ALLOWED, Offered, Tools

FILE_PREFIX = "file:"


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _off(value: object) -> object:
    # YAML 1.1 reads a bare `off` as false.
    return "off" if value is False else value


def _index_or_name(value: object) -> object:
    # A shell and AUDIO_INPUT_DEVICE can only write text; no device's name is a bare number.
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _octal(value: object) -> object:
    # YAML 1.1 reads 0660 as octal, "0660" and JSON arrive as text; both mean the mode that chmod would take.
    if not isinstance(value, str):
        return value
    try:
        return int(value, 8)
    except ValueError:
        return value


def file_mapping(value: object) -> object:
    """Turn `{file: PATH}`, which is how YAML reads what the manual calls `file: PATH`, into that text."""
    if isinstance(value, dict) and list(value) == ["file"] and isinstance(value["file"], str):
        return f"{FILE_PREFIX} {value['file']}"
    return value


Text = Annotated[str, Field(min_length=1)]
Device = Annotated[Annotated[int, Field(ge=0)] | Text, BeforeValidator(_index_or_name)]
SocketMode = Annotated[
    Literal[0o600, 0o660, 0o666],
    BeforeValidator(_octal),
    PlainSerializer(lambda mode: f"{mode:04o}", return_type=str, when_used="json"),
    WithJsonSchema({"enum": ["0600", "0660", "0666"], "type": "string"}),
]
Level = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lowered)]
Instructions = Annotated[Text, BeforeValidator(file_mapping)]


class Service(Section):
    """Who answers, and where."""

    provider: Literal["openai", "azure", "compatible", "rehearsal"] = _key("openai", "restart")
    """`openai`; `azure` for a deployment of it at your resource; `compatible` for another server of the same protocol
    at `base_url`; `rehearsal` for the server that is built in: no key, no network."""
    server: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$")] = _key(
        "auto", "reconnect", allowed="auto, or a server that the README lists under Providers"
    )
    """Whose server a `compatible` one is, so that it is spoken to in its own way and not asked for what it lacks:
    generic, speech-to-speech, localai, speaches, grok, qwen. `auto` knows grok and qwen by their hosts and takes
    others as generic."""
    dialect: Literal["auto", "ga", "beta"] = _key("auto", "reconnect")
    """How messages are written: `ga` or the older `beta` shape. `auto`: as the server is known to like it, else as its
    first message shows."""
    base_url: str = _key(
        "wss://api.openai.com/v1/realtime",
        "reconnect",
        pattern=r"^wss?://[^/@?#\s]+(/[^@?#\s]*)?$",
        allowed="wss://HOST/PATH or ws://HOST/PATH without query",
    )
    """Websocket address without query; the model (with azure: the deployment) is appended. `ws://` sends the key in
    clear: for this machine only."""
    model: Text = _key("gpt-realtime-2.1", "reconnect")
    """The model's name as the provider spells it, for example gpt-realtime-2.1, gpt-realtime-2.1-mini."""
    connect_timeout_s: float = _key(10.0, "restart", ge=1, le=120, unit="s")
    """How long one attempt to connect may take, from the name lookup to the confirmed session."""
    rollover_after_min: float = _key(50.0, "restart", ge=1, le=1440, unit="min")
    """A session is followed by another after so long, in a silence and unnoticed, unless the service ends it earlier
    (OpenAI: after 60 minutes)."""
    reasoning_effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = _key(None, "reconnect")
    """How much the model thinks before it speaks; more is slower and dearer. Only gpt-realtime-2 and later know it
    (values: openai-python `RealtimeReasoningEffort`); null sends nothing."""


class Transcription(Section):
    """The written record of what the visitor says; a separate recognition, billed separately."""

    model: Text | None = _key("gpt-transcribe", "reconnect")
    """Model that transcribes the visitor, or null for no transcripts of the visitor."""
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] | None = _key(
        None, "reconnect", allowed="a language code of two or three small letters, or null"
    )
    """Language of the visitor as ISO 639 code (`en`, `de`), which makes transcripts better and faster; null: any."""


class Session(Section):
    """What the model is told and how it speaks. Ranges are those of openai-python `RealtimeSessionCreateRequest`."""

    instructions: Instructions = _key("appointment_scheduler", "live")
    """The name of built-in instructions (`appointment_scheduler`), or `file: PATH` (relative to the file that says
    so), or the instructions themselves."""
    voice: Text = _key("marin", "reconnect")
    """marin, cedar, alloy, ash, ballad, coral, echo, sage, shimmer, verse, or what a compatible server offers.
    A voice cannot change once it has spoken in a session."""
    speed: float = _key(1.0, "reconnect", ge=0.25, le=1.5, unit="times normal")
    """Pace of the voice."""
    output: Literal["audio", "text"] = _key("audio", "reconnect")
    """`audio` speaks (with a transcript), `text` only writes."""
    transcription: Transcription = Field(default_factory=Transcription)
    noise_reduction: Literal["far_field", "near_field"] | None = _key("far_field", "reconnect")
    """The service's filter before it listens: `far_field` for a microphone in a box or on a desk, `near_field` for a
    headset, null for none."""
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] = _key("inf", "reconnect", unit="tokens")
    """Longest single answer; one second of speech is 20 tokens. `inf`: the model's own limit."""
    truncation: Literal["auto", "disabled"] | Annotated[float, Field(ge=0, le=1)] = _key("auto", "reconnect")
    """What is left of a conversation that outgrows its limit, as a share of the limit; the oldest turns are forgotten
    first. `auto`: 0.8 (with compatible servers, as they like). After each forgetting the service reads all of the rest
    anew, so a fifth at a time is far cheaper than a little before every answer. `disabled`: it fails instead."""
    context_tokens: Annotated[int, Field(ge=1000, le=120_000)] | None = _key(None, "reconnect", unit="tokens")
    """The limit: how much of a conversation is kept behind the instructions. All of it is read, and paid for, with
    each answer; 10 minutes of talk are about 10 000. The 1.x models take up to 28 000. null: the model's own limit."""
    tools: Offered = _key(["appointments"], "live", allowed=OFFERED_ALLOWED)
    """What the model may call (`voicebotctl tools` lists all there is), and besides whatever is in `tools.directory`.
    An empty list: nothing at all."""
    tool_choice: Literal["auto", "none"] = _key("auto", "reconnect")
    """Whether the model calls functions when it sees fit (`auto`) or never (`none`)."""


class TurnDetection(Section):
    """How the service notices that the visitor begins and ends to speak (openai-python
    `RealtimeAudioInputTurnDetection`; where it states no range, ours keeps out what no conversation can use)."""

    type: Literal["server_vad", "semantic_vad", "none", "local"] = _key("server_vad", "live")
    """`server_vad` goes by loudness and silence, `semantic_vad` by whether the sentence sounds finished, `none` is
    push to talk (`voicebotctl talk`), `local` decides in the box itself, for services that detect speech badly."""
    threshold: float = _key(0.85, "live", ge=0, le=1)
    """How certain or loud speech must be (server_vad, local). Higher is deafer: up to 0.95 in a noisy room, 0.6 in a
    quiet one."""
    prefix_padding_ms: int = _key(500, "live", ge=0, le=5000, unit="ms")
    """Audio kept from before speech was noticed, so that the first syllable is not lost (server_vad, local)."""
    silence_duration_ms: int = _key(1200, "live", ge=100, le=10_000, unit="ms")
    """Silence that ends the visitor's turn (server_vad, local). 800 answers quickly, 1500 to 2000 waits for slow
    talkers."""
    create_response: bool = _key(True, "live")
    """Answer by itself when the visitor's turn ends; false: only when asked (`voicebotctl respond`)."""
    interrupt_response: bool = _key(True, "live")
    """The service stops answering when the visitor begins to speak (with `barge_in.mode` immediate; the other modes
    decide in the box)."""
    idle_timeout_ms: Annotated[int, Field(ge=5000, le=30_000)] | None = _key(None, "live", unit="ms")
    """After this much silence behind an answer the assistant speaks up by itself (server_vad); null: it waits."""
    eagerness: Literal["auto", "low", "medium", "high"] = _key("auto", "live")
    """How soon semantic_vad takes a turn as ended: waits at most 8 s (low), 4 s (medium, auto), 2 s (high)."""


class BargeIn(Section):
    """What happens when the visitor speaks over the assistant."""

    mode: Annotated[Literal["immediate", "confirm", "off"], BeforeValidator(_off)] = _key("confirm", "live")
    """`immediate` falls silent at the first sign of speech. `confirm` speaks more softly, pauses, and goes on where it
    paused if it was only a noise. `off` does not listen while the assistant is audible."""
    confirm_after_ms: int = _key(500, "live", ge=0, le=5000, unit="ms")
    """confirm: speech that lasts so long pauses the assistant; until then it only speaks more softly."""
    min_speech_ms: int = _key(1000, "live", ge=0, le=10_000, unit="ms")
    """confirm: speech shorter than this was a noise (a cough, a door), longer speech is a turn and is answered. At
    least `confirm_after_ms`."""
    resume_delay_ms: int = _key(800, "live", ge=0, le=10_000, unit="ms")
    """confirm: quiet after a noise before the assistant goes on. 500 is brisk; longer for those who speak haltingly."""
    duck_db: float = _key(-12.0, "live", ge=-60, le=0, unit="dB")
    """confirm: how much softer the assistant speaks while it is not clear yet whether somebody speaks; 0: not."""


class Conversation(Section):
    """How a conversation begins, and what ends it."""

    autostart: bool = _key(True, "restart")
    """Begin a conversation when the daemon starts; false: wait for `voicebotctl start`."""
    speaks_first: Literal["user", "assistant"] = _key("user", "restart")
    """`user` waits for the visitor, `assistant` opens with the greeting."""
    greeting: str = _key(
        "Hello and welcome! I am the appointment assistant. I can tell you about a consultation, a basic service or a "
        "premium service. How may I help you today?",
        "restart",
    )
    """What the assistant is to open with, where it speaks first."""
    max_utterance_s: float = _key(60.0, "restart", ge=5, le=600, unit="s")
    """The longest turn of a visitor. What lasts longer is a radio or a crowd: it is answered as if it had ended, so
    that it cannot hold the box."""
    idle_hangup_s: Annotated[float, Field(ge=10, le=3600)] | None = _key(None, "restart", unit="s")
    """After so long without a word from anybody the box hangs up on the service, which costs nothing then; the next
    speech opens the link again. null: never."""
    context_turns: int = _key(20, "restart", ge=0, le=200, unit="turns")
    """What a new session is told of the conversation, after a lost connection or before the end of the old one. More is
    remembered longer and dearer."""
    profile: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]*$")] | None = _key(
        None, "live", allowed="the name of a profile (small letters, digits, - and _), or null"
    )
    """A named set of values: default, noisy, responsive, patient, or `profiles/NAME.yaml` beside the configuration
    file. It beats the file that names it; a value given live, in the environment or by --set beats it."""


class Audio(Section):
    """The sound card."""

    backend: Literal["portaudio", "file"] = _key("portaudio", "restart")
    """`portaudio` is the sound card. `file` needs none: it plays the sound file whose path is `input_device` into the
    microphone and writes what would be heard to the WAV file whose path is `output_device` (`default`: nowhere)."""
    input_device: Device = _key("default", "restart")
    """Microphone: `default`, an index or a part of the name as `voicebotctl devices` lists them."""
    output_device: Device = _key("default", "restart")
    """Loudspeaker: likewise."""
    sample_rate: Annotated[int, Field(ge=8000, le=192_000)] | Literal["auto"] = _key("auto", "restart", unit="Hz")
    """Rate of the device; `auto` asks the device for its own. The service always gets 24 kHz."""
    block_ms: int = _key(10, "restart", ge=5, le=100, unit="ms")
    """Audio per callback: smaller reacts sooner, larger survives a slower machine."""
    streams: Literal["auto", "duplex", "pair"] = _key("auto", "restart")
    """One `duplex` stream (both directions share a clock) or a `pair` of streams; `auto` knows which suits."""
    echo_control: Literal["auto", "aec", "gate", "half_duplex", "none"] = _key("auto", "live")
    """Against hearing itself: `aec` takes its own voice out of the microphone (`pip install 'voicebotd[aec]'`), `gate`
    opens only for what is louder than the echo can be, `half_duplex` closes while the loudspeaker sounds, `none` trusts
    a headset. `auto`: half_duplex where `barge_in.mode` is off, else aec where it is installed, else gate; with the
    file back-end none."""
    volume_percent: int = _key(100, "live", ge=0, le=100, unit="%")
    """Loudness of the voice, as a share of what the service sends."""
    input_gain_db: float = _key(0.0, "live", ge=-40, le=40, unit="dB")
    """Amplification of the microphone before anything listens to it."""


class AudioFile(Section):
    """`voicebotd --audio-file` and `voicebotctl process`."""

    pace: Literal["real_time", "fast"] = _key("real_time", "live")
    """`real_time` sends as a visitor would speak, `fast` as fast as the service takes it."""


class History(Section):
    """What is kept of conversations."""

    enabled: bool = _key(True, "restart")
    """Write conversations, turns and calls to the database; false: only what was used and what it cost."""
    path: Text = _key("auto", "restart", unit="path")
    """The database file; `auto` is `voicebotd.db` in the state directory."""
    transcripts: bool = _key(True, "restart")
    """Keep the words that were said; false keeps only that and when something was said."""
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = _key(30, "live", unit="days")
    """What was said longer ago is removed for good, when the daemon starts and every night; null: never. What it cost
    stays."""
    recordings: bool = _key(False, "restart")
    """Keep the sound of conversations as FLAC, what the service can hear on the left and what was played on the right,
    in `recordings` beside the database; it goes with the words by `retention_days`. Neither without `enabled` nor
    without `transcripts`. Tell your visitors."""
    recordings_max_mb: int = _key(1024, "restart", ge=16, le=100_000, unit="MB")
    """How much the recordings may take; the oldest go first. An hour takes 50 to 150 MB."""


class Control(Section):
    """The socket that voicebotctl and scripts talk to."""

    socket: Text = _key("auto", "restart", unit="path")
    """The socket's path; `auto` is `control.sock` in the runtime directory. At most 107 bytes (unix(7))."""
    mode: SocketMode = _key(0o660, "restart", unit="octal")
    """Who may connect: "0600" only the daemon's own user, "0660" also its group, "0666" everybody on the machine.
    A user service where nothing else is said uses "0600"."""
    group: Text | None = _key("voicebot", "restart")
    """The group that owns the socket; null leaves the daemon's own."""
    max_clients: int = _key(32, "restart", ge=1, le=1024)
    """Connections at the same time; one more is refused."""


class Log(Section):
    """What the daemon says about itself, on stderr."""

    level: Level = _key("info", "live")
    """debug, info, warning or error, in any case. Transcripts appear at debug only."""
    format: Literal["auto", "journal", "console", "json"] = _key("auto", "restart")
    """`journal` prefixes priorities for systemd, `console` is for people, `json` one document per line; `auto` is
    journal under systemd and console elsewhere."""


class Settings(Section):
    """Everything that can be configured."""

    service: Service = Field(default_factory=Service)
    session: Session = Field(default_factory=Session)
    turn_detection: TurnDetection = Field(default_factory=TurnDetection)
    barge_in: BargeIn = Field(default_factory=BargeIn)
    conversation: Conversation = Field(default_factory=Conversation)
    audio: Audio = Field(default_factory=Audio)
    audio_file: AudioFile = Field(default_factory=AudioFile)
    tools: Tools = Field(default_factory=Tools)
    history: History = Field(default_factory=History)
    budget: Budget = Field(default_factory=Budget)
    control: Control = Field(default_factory=Control)
    log: Log = Field(default_factory=Log)
