"""The messages between the daemon and its audio process: one datagram of a SOCK_SEQPACKET socketpair each.

Audio travels behind a binary header, the rare control messages as JSON. Pure: bytes to messages and back; knows no
socket. Anything malformed raises `AudioError`: both ends are ours and of one version, so it is a broken peer.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from voicebotd.audio.options import AudioOptions, FileOptions
from voicebotd.errors import AudioError

MAX_MESSAGE_BYTES = 65_536
"""What a receiver reads at once; a SEQPACKET datagram that is longer would be cut."""
EXIT_STREAM_ENDED = 3
"""Exit status of the audio process when PortAudio says that a stream is over: the device or the server is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Base of everything that crosses the socket."""


# --- Daemon to audio process -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust(Message):
    """All settings that can change while the sound is open, every time, so that order and loss do not matter."""

    muted: bool
    volume_percent: int
    input_gain_db: float
    echo_control: str
    hold_input: bool
    stand_still: bool = False
    duck_db: float = 0.0
    """The playout is made softer by so much, -60…0."""
    paused: bool = False
    """The playout waits where it is."""
    detect_voice: bool = False
    """Measure the probability of speech in every frame."""
    measure: bool = False
    """Send `Measured` beside every `Captured`, whose samples are then zeros."""
    both_sides: bool = False
    """Send `BothSides` beside every `Captured`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(Message):
    """Open the sound, or try again. Answered by `Opened` or `OpenFailed`.

    `epoch` numbers the present playout. A successor of a process that died resumes: it goes on at `resume_frame` of
    an input file and at the end of its recordings.
    """

    options: AudioOptions
    settings: Adjust
    epoch: int
    resume: bool
    resume_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Play(Message):
    """The next samples of the playout."""

    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush(Message):
    """Silence now and forget what was queued; positions count from zero again, in `epoch`."""

    epoch: int


# --- Audio process to daemon -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured(Message):
    """One microphone frame, and how far the playout is: 24 kHz samples handed to the device since `epoch` began.

    `captured_at_s` is CLOCK_MONOTONIC (one clock for all processes) at the callback that had the frame's last sample.
    `input_dbfs` is of the raw microphone, `voice` and `pcm` are of what echo control left of it.
    """

    captured_at_s: float
    epoch: int
    handed_samples: int
    pcm: bytes
    voice: float = -1.0
    """The latest probability of speech, 0…1; -1 while it is not measured."""
    input_dbfs: float = -120.0
    echo_dbfs: float = -120.0
    """The echo's level at the microphone, as far as echo control knows it; -120…0."""
    gate_open: bool = True
    """False: echo control made this frame silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Message):
    """The microphone before echo control, and what the device was given in the same frame period: equally long."""

    near: bytes
    far: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BothSides(Message):
    """What echo control left of the microphone, and what the device was given in the same frame period: equally long.

    For a recording: what the service can hear, and what was played, paused, ducked and all.
    """

    near: bytes
    far: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Message):
    input_name: str
    output_name: str
    streams: str
    sample_rate_hz: int
    input_latency_ms: float
    output_latency_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFailed(Message):
    reason: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Message):
    """Every 100 ms, once both callbacks have run. Counts are since this process opened.

    `silent_ms` is how long ago the less lively of the two callbacks was last called.
    """

    silent_ms: int
    input_blocks: int
    output_blocks: int
    input_frames: int
    epoch: int
    handed_samples: int
    xruns: int
    starved_blocks: int
    dropped_capture_frames: int
    drift_corrections: int
    input_level_dbfs: float
    echo_rung: str = ""
    """What echo control does now, which may be another than what was asked for; `echo_why` says why."""
    echo_why: str = ""
    erle_db: float | None = None
    echo_delay_ms: float | None = None
    drift_ppm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed(Message):
    """The playout before `epoch` is silent; `handed_samples` of it had been handed to the device."""

    epoch: int
    handed_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEnded(Message):
    """The input file is at its end; every frame of it was sent before this."""


# --- Bytes -----------------------------------------------------------------------------------------------------------

_PLAY, _CAPTURED, _MEASURED, _BOTH_SIDES, _CONTROL = b"P", b"C", b"M", b"B", b"J"
_CAPTURED_HEADER = struct.Struct("<dIQfff?")


class _Control:
    """How control messages look as JSON: their own name, and their fields."""

    BY_NAME: ClassVar[dict[str, type[Message]]] = {
        kind.__name__: kind for kind in (Open, Adjust, Flush, Opened, OpenFailed, Heartbeat, Flushed, InputEnded)
    }
    PLAIN: ClassVar[dict[str, tuple[type, ...]]] = {
        "int": (int,),
        "float": (int, float),
        "str": (str,),
        "bool": (bool,),
        "float | None": (int, float, type(None)),
    }


def encode(message: Message) -> bytes:
    """One message as one datagram, never empty (an empty datagram looks like the end of the stream)."""
    if isinstance(message, Captured):
        return _CAPTURED + _captured_header(message) + message.pcm
    if isinstance(message, Play):
        return _PLAY + message.pcm
    if isinstance(message, Measured):
        return _MEASURED + message.near + message.far
    if isinstance(message, BothSides):
        return _BOTH_SIDES + message.near + message.far
    return _CONTROL + json.dumps({"message": type(message).__name__, **asdict(message)}).encode()


def _captured_header(message: Captured) -> bytes:
    return _CAPTURED_HEADER.pack(
        message.captured_at_s,
        message.epoch,
        message.handed_samples,
        message.voice,
        message.input_dbfs,
        message.echo_dbfs,
        message.gate_open,
    )


def decode(data: bytes) -> Message:
    """The message of one datagram. Raises `AudioError` for anything that `encode` cannot have written."""
    kind, body = data[:1], data[1:]
    if kind == _CAPTURED:
        return _decode_captured(body)
    if kind == _PLAY:
        return Play(pcm=_whole_samples(body))
    if kind in (_MEASURED, _BOTH_SIDES):
        near, far = _halves(body)
        return Measured(near=near, far=far) if kind == _MEASURED else BothSides(near=near, far=far)
    if kind == _CONTROL:
        return _decode_control(body)
    raise AudioError(f"audio message of unknown kind {kind!r}")


def _decode_captured(body: bytes) -> Captured:
    if len(body) < _CAPTURED_HEADER.size:
        raise AudioError("audio message cut short")
    captured_at_s, epoch, handed, voice, input_dbfs, echo_dbfs, gate_open = _CAPTURED_HEADER.unpack_from(body)
    return Captured(
        captured_at_s=captured_at_s,
        epoch=epoch,
        handed_samples=handed,
        pcm=_whole_samples(body[_CAPTURED_HEADER.size :]),
        voice=voice,
        input_dbfs=input_dbfs,
        echo_dbfs=echo_dbfs,
        gate_open=gate_open,
    )


def _halves(body: bytes) -> tuple[bytes, bytes]:
    return _whole_samples(body[: len(body) // 2]), _whole_samples(body[len(body) // 2 :])


def _whole_samples(pcm: bytes) -> bytes:
    if len(pcm) % 2:
        raise AudioError("audio message with half a sample")
    return pcm


def _decode_control(body: bytes) -> Message:
    try:
        values = json.loads(body)
        kind = _Control.BY_NAME[values.pop("message")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AudioError(f"audio control message that is none: {error!r}") from None
    if kind is Open:
        values["options"] = _decode_options(values.get("options"))
        values["settings"] = _decode_fields(Adjust, values.get("settings"))
    return _decode_fields(kind, values)


def _decode_options(values: Any) -> AudioOptions:
    try:
        file = values.pop("file")
        return AudioOptions(file=None if file is None else FileOptions(**file), **values)
    except (TypeError, KeyError, AttributeError) as error:
        raise AudioError(f"audio options that are none: {error!r}") from None


def _decode_fields(kind: type[Message], values: Any) -> Message:
    declared = {field.name: str(field.type) for field in fields(kind)}
    if not isinstance(values, dict) or declared.keys() != values.keys():
        raise AudioError(f"audio message {kind.__name__} that is none: {values!r}")
    for name, type_name in declared.items():
        allowed = _Control.PLAIN.get(type_name)
        if allowed is not None and type(values[name]) not in allowed:
            raise AudioError(f"audio message {kind.__name__} with {name} {values[name]!r}")
    return kind(**values)
