from __future__ import annotations

from dataclasses import replace

from voicebotd.audio.options import AudioOptions, AudioStatus
from voicebotd.audio.playback import Playback
from voicebotd.audio.protocol import Heartbeat, Opened
from voicebotd.audio.vitals import Vitals

BEAT = Heartbeat(
    silent_ms=3,
    input_blocks=100,
    output_blocks=100,
    input_frames=4410,
    epoch=0,
    handed_samples=0,
    xruns=1,
    starved_blocks=2,
    dropped_capture_frames=3,
    drift_corrections=4,
    input_level_dbfs=-42.0,
    echo_rung="aec",
    echo_why="as configured",
    erle_db=30.0,
    echo_delay_ms=80.0,
    drift_ppm=1.5,
)
OPENED = Opened(
    input_name="mic",
    output_name="speaker",
    streams="pair",
    sample_rate_hz=48_000,
    input_latency_ms=20.0,
    output_latency_ms=30.0,
)


def status(vitals: Vitals) -> AudioStatus:
    return vitals.status(AudioOptions(muted=True, volume_percent=70), Playback(), respawns=2)


def test_before_anything_opened_there_is_nothing_to_tell() -> None:
    vitals = Vitals()
    assert status(vitals) == AudioStatus(muted=True, volume_percent=70, respawns=2)
    assert vitals.output_latency_s == 0.0


def test_a_running_stream_tells_its_names_latency_and_counts() -> None:
    vitals = Vitals()
    vitals.state = "running"
    vitals.opened = OPENED
    vitals.capture_delay_ms = 0.4
    vitals.beats(BEAT)
    assert vitals.output_latency_s == 0.03
    assert status(vitals) == AudioStatus(
        state="running",
        input="mic",
        output="speaker",
        streams="pair",
        sample_rate_hz=48_000,
        input_latency_ms=20.0,
        output_latency_ms=30.0,
        capture_delay_ms=0.4,
        echo_rung="aec",
        echo_why="as configured",
        erle_db=30.0,
        echo_delay_ms=80.0,
        drift_ppm=1.5,
        muted=True,
        volume_percent=70,
        input_level_dbfs=-42.0,
        xruns=1,
        underruns=2,
        respawns=2,
        dropped_capture_frames=3,
        drift_corrections=4,
    )


def test_counts_add_up_over_processes_and_the_stream_is_forgotten() -> None:
    vitals = Vitals()
    vitals.opened = OPENED
    vitals.beats(BEAT)
    vitals.ended()
    assert status(vitals).streams == ""
    assert (status(vitals).echo_rung, status(vitals).erle_db) == ("", None)
    assert status(vitals).xruns == 1
    vitals.beats(replace(BEAT, input_frames=8820))
    told = status(vitals)
    assert (told.xruns, told.underruns, told.dropped_capture_frames, told.drift_corrections) == (2, 4, 6, 8)
    assert vitals.input_frames == 8820
