from __future__ import annotations

import json
from dataclasses import replace

import pytest

from voicebotd.audio.options import AudioOptions, FileOptions
from voicebotd.audio.playout import CHUNK_SAMPLES
from voicebotd.audio.protocol import (
    MAX_MESSAGE_BYTES,
    Adjust,
    BothSides,
    Captured,
    Flush,
    Flushed,
    Heartbeat,
    InputEnded,
    Measured,
    Message,
    Open,
    Opened,
    OpenFailed,
    Play,
    decode,
    encode,
)
from voicebotd.errors import AudioError

ADJUST = Adjust(muted=True, volume_percent=80, input_gain_db=-3.5, echo_control="half_duplex", hold_input=False)
BEAT = Heartbeat(
    silent_ms=3,
    input_blocks=1,
    output_blocks=2,
    input_frames=3,
    epoch=4,
    handed_samples=5,
    xruns=6,
    starved_blocks=7,
    dropped_capture_frames=8,
    drift_corrections=9,
    input_level_dbfs=-40.5,
)
OPEN = Open(options=AudioOptions(input_device="USB"), settings=ADJUST, epoch=1, resume=False, resume_frame=0)


@pytest.mark.parametrize(
    "message",
    [
        OPEN,
        Open(
            options=AudioOptions(backend="file", file=FileOptions(input=7, pace="fast")),
            settings=ADJUST,
            epoch=0,
            resume=True,
            resume_frame=44_100,
        ),
        ADJUST,
        Play(pcm=b"\x01\x02" * 2400),
        Flush(epoch=3),
        Captured(captured_at_s=12.5, epoch=3, handed_samples=2**40, pcm=bytes(480)),
        Captured(
            captured_at_s=12.5,
            epoch=3,
            handed_samples=4,
            pcm=b"",
            voice=0.75,
            input_dbfs=-20.5,
            echo_dbfs=-30.25,
            gate_open=False,
        ),
        Measured(near=b"\x01\x02" * 240, far=bytes(480)),
        BothSides(near=b"\x01\x02" * 240, far=bytes(480)),
        Opened(
            input_name="mic",
            output_name="Lautsprecher ü",
            streams="pair",
            sample_rate_hz=48_000,
            input_latency_ms=20.0,
            output_latency_ms=30.0,
        ),
        OpenFailed(reason="no sound device", hint="plug one in"),
        BEAT,
        replace(BEAT, echo_rung="aec", echo_why="as configured", erle_db=31.5, echo_delay_ms=80, drift_ppm=-12.5),
        Flushed(epoch=4, handed_samples=12_345),
        InputEnded(),
    ],
    ids=lambda message: type(message).__name__,
)
def test_every_message_comes_out_as_it_went_in(message: Message) -> None:
    assert decode(encode(message)) == message


def test_the_longest_chunk_fits_into_what_is_read_at_once() -> None:
    assert len(encode(Play(pcm=bytes(2 * CHUNK_SAMPLES)))) < MAX_MESSAGE_BYTES


def control(**values: object) -> bytes:
    return b"J" + json.dumps(values).encode()


def open_with(**changes: object) -> bytes:
    values = json.loads(encode(OPEN)[1:])
    return control(**{**values, **changes})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"?",
        b"C\x00\x00",
        encode(Captured(captured_at_s=0, epoch=0, handed_samples=0, pcm=b"\0"))[:-1] + b"\0",
        b"P\x01",
        b"M\x01\x01",
        b"M\x01\x01\x01",
        encode(BEAT).replace(b'"erle_db": null', b'"erle_db": true'),
        b"J{",
        b"J\xff",
        b"J[]",
        b"J3",
        control(message="Bogus"),
        control(epoch=3),
        control(message="Flush"),
        control(message="Flush", epoch="3"),
        control(message="Flush", epoch=True),
        control(message="Flush", epoch=3, more=4),
        control(message=["Flush"], epoch=3),
        open_with(options=None),
        open_with(options={}),
        open_with(options={"file": {"bogus": 1}}),
        open_with(options={"file": None, "bogus": 1}),
        open_with(options={"file": None, "block_ms": 1}),
        open_with(settings=None),
    ],
)
def test_what_encode_cannot_have_written_is_refused(data: bytes) -> None:
    with pytest.raises(AudioError):
        decode(data)
