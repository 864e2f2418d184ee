"""What the audio room is asked to do (`AudioOptions`) and what it says of itself (`AudioStatus`).

Plain data, stdlib only, because the audio process imports it too and must start fast. Knows no configuration file:
whoever builds the options has validated them; here only what would break the audio process is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voicebotd.errors import AudioError

SAMPLE_RATE_HZ = 24_000
"""The rate of everything that crosses this room's border, the same as `conversation.events.SAMPLE_RATE_HZ` (a test
holds them together). Not imported from there: those sixty dataclasses would add 15 ms to every respawn."""
FRAME_SAMPLES = SAMPLE_RATE_HZ // 100
"""One microphone frame: 10 ms, the unit that WebRTC's echo canceller takes."""
BYTES_PER_SAMPLE = 2

Backend = Literal["portaudio", "file"]
Streams = Literal["auto", "duplex", "pair"]
EchoControl = Literal["aec", "gate", "half_duplex", "none"]
Pace = Literal["real_time", "fast"]
AudioState = Literal["starting", "running", "degraded", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """A file in the place of the microphone. `input` is a path or an open, seekable file descriptor."""

    input: str | int
    output_path: str | None = None
    """WAV (24 kHz mono) of what the loudspeaker would have played, in time with the microphone."""
    pace: Pace = "real_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioOptions:
    """How to open the sound, and the settings that can change while it is open.

    Raises `AudioError` where a value could not be carried out: `block_ms` 5…100, `volume_percent` 0…200,
    `input_gain_db` -60…60, `echo_tail_ms` 0…5000, `sample_rate_hz` 8000…192000.
    """

    backend: Backend = "portaudio"
    input_device: int | str | None = None
    output_device: int | str | None = None
    sample_rate_hz: int | None = None
    """None: the device's own default rate."""
    block_ms: int = 10
    streams: Streams = "auto"
    echo_control: EchoControl = "none"
    echo_tail_ms: int = 300
    volume_percent: int = 100
    """Percent of full amplitude; above 100 the loudest samples saturate."""
    input_gain_db: float = 0.0
    muted: bool = False
    file: FileOptions | None = None
    record_both_sides_path: str | None = None
    """WAV, 24 kHz, left the microphone, right the loudspeaker; with either back-end."""

    def __post_init__(self) -> None:
        _within("block_ms", self.block_ms, 5, 100)
        _within("volume_percent", self.volume_percent, 0, 200)
        _within("input_gain_db", self.input_gain_db, -60, 60)
        _within("echo_tail_ms", self.echo_tail_ms, 0, 5000)
        if self.sample_rate_hz is not None:
            _within("sample_rate_hz", self.sample_rate_hz, 8_000, 192_000)
        if self.backend == "file" and self.file is None:
            raise AudioError("audio backend `file` needs an input file")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise AudioError(f"{name} {value} is out of range {low}…{high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What is heard, as a meter shows it. Levels in dBFS, -120…0."""

    input_dbfs: float
    """The microphone before echo control."""
    echo_dbfs: float
    """The echo in it, as far as echo control knows."""
    voice: float | None
    """The probability of speech in what is left, 0…1; None while it is not measured."""
    gate: Literal["open", "closed"]
    """`closed` while echo control lets nothing through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStatus:
    """The truth about the sound right now, also while there is none. Latencies are the stream's own, in ms."""

    state: AudioState = "off"
    reason: str = ""
    hint: str = ""
    input: str = ""
    output: str = ""
    streams: str = ""
    """`duplex`, `pair` or `file`; empty while nothing is open."""
    sample_rate_hz: int = 0
    input_latency_ms: float = 0.0
    output_latency_ms: float = 0.0
    capture_delay_ms: float = 0.0
    """Beyond the stream's latency: from the callback that had the last sample of a frame to the daemon."""
    echo_control: EchoControl = "none"
    """What was asked for."""
    echo_rung: str = ""
    """What is done, empty while nothing is open; `echo_why` says why it is this."""
    echo_why: str = ""
    erle_db: float | None = None
    """How much of the echo is removed; None while it is not known, as the two that follow."""
    echo_delay_ms: float | None = None
    drift_ppm: float | None = None
    """How much faster the loudspeaker's clock runs than the microphone's."""
    muted: bool = False
    volume_percent: int = 100
    input_level_dbfs: float = -120.0
    xruns: int = 0
    """Blocks that PortAudio flagged as lost, over all respawns."""
    underruns: int = 0
    """Times that a reply had to pause in its middle: its audio came too late from the network or from us."""
    respawns: int = 0
    dropped_capture_frames: int = 0
    """10 ms microphone frames lost because the daemon did not read in time."""
    dropped_playback_ms: int = 0
    """Assistant audio that did not fit into the ten-minute backlog."""
    played_ms: int = 0
    drift_corrections: int = 0
    """Times that input and output streams had to be paired anew; drift alone is followed without that."""
