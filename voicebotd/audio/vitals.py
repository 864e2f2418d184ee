"""What is known of the sound, over all audio processes there were: the source of `AudioStatus`. PURE."""

from __future__ import annotations

from voicebotd.audio.options import AudioOptions, AudioState, AudioStatus
from voicebotd.audio.playback import Playback
from voicebotd.audio.protocol import Heartbeat, Opened

_NO_BEAT = Heartbeat(
    silent_ms=0,
    input_blocks=0,
    output_blocks=0,
    input_frames=0,
    epoch=0,
    handed_samples=0,
    xruns=0,
    starved_blocks=0,
    dropped_capture_frames=0,
    drift_corrections=0,
    input_level_dbfs=-120.0,
)


class Vitals:
    """Counts add up over respawns; everything else is of the present process."""

    def __init__(self) -> None:
        self.state: AudioState = "off"
        self.reason = ""
        self.hint = ""
        self.capture_delay_ms = 0.0
        self.opened: Opened | None = None
        self.beat = _NO_BEAT
        self.input_frames = 0
        """Where an input file is, kept over respawns."""
        self._xruns = 0
        self._starved = 0
        self._dropped = 0
        self._corrections = 0

    def beats(self, beat: Heartbeat) -> None:
        self.beat = beat
        self.input_frames = beat.input_frames

    def ended(self) -> None:
        """The process is gone: its counts are history, its stream is none."""
        self._xruns += self.beat.xruns
        self._starved += self.beat.starved_blocks
        self._dropped += self.beat.dropped_capture_frames
        self._corrections += self.beat.drift_corrections
        self.beat = _NO_BEAT
        self.opened = None
        self.capture_delay_ms = 0.0

    @property
    def output_latency_s(self) -> float:
        return self.opened.output_latency_ms / 1000 if self.opened else 0.0

    def status(self, options: AudioOptions, playback: Playback, *, respawns: int) -> AudioStatus:
        opened, beat = self.opened, self.beat
        return AudioStatus(
            state=self.state,
            reason=self.reason,
            hint=self.hint,
            input=opened.input_name if opened else "",
            output=opened.output_name if opened else "",
            streams=opened.streams if opened else "",
            sample_rate_hz=opened.sample_rate_hz if opened else 0,
            input_latency_ms=opened.input_latency_ms if opened else 0.0,
            output_latency_ms=opened.output_latency_ms if opened else 0.0,
            capture_delay_ms=self.capture_delay_ms,
            echo_control=options.echo_control,
            echo_rung=beat.echo_rung,
            echo_why=beat.echo_why,
            erle_db=beat.erle_db,
            echo_delay_ms=beat.echo_delay_ms,
            drift_ppm=beat.drift_ppm,
            muted=options.muted,
            volume_percent=options.volume_percent,
            input_level_dbfs=beat.input_level_dbfs,
            xruns=self._xruns + beat.xruns,
            underruns=self._starved + beat.starved_blocks + playback.gaps,
            respawns=respawns,
            dropped_capture_frames=self._dropped + beat.dropped_capture_frames,
            dropped_playback_ms=playback.dropped_ms,
            played_ms=playback.played_ms,
            drift_corrections=self._corrections + beat.drift_corrections,
        )
