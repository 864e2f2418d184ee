"""Which rung of the echo ladder works on the microphone now, and what it says of itself. Pure over arrays.

`aec` (the echo canceller) → `gate` (echo-adaptive) → `half_duplex` → `none`. Knows which rung stands in for which;
what a rung does is its own file's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from voicebotd.audio.gate import EchoStage, HalfDuplexGate, NoEchoControl
from voicebotd.audio.level import FLOOR_DBFS
from voicebotd.audio.ring import Samples
from voicebotd.errors import AudioError


def aec_installed() -> bool:
    """Whether the echo canceller's library is there. Does not load it."""
    return find_spec("livekit") is not None and find_spec("livekit.rtc") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoReport:
    """What echo control knows now. None: not known, or not yet."""

    rung: str
    """The rung in use: `aec`, `gate`, `half_duplex` or `none`. May be another than the mode asked for."""
    why: str
    """In words for `status`: why this rung."""
    gate_open: bool
    """False while what the rung gives is silence by its decision."""
    echo_dbfs: float
    """The echo's level at the microphone in the latest frame, -120…0."""
    erle_db: float | None
    """How much of the echo the canceller removes."""
    delay_ms: float | None
    """From the frame given to the device to its echo in the microphone."""
    drift_ppm: float | None
    """How fast the delay grows: the clock of the microphone against that of the loudspeaker."""


class Ladder:
    """`process` takes and gives one 10 ms frame at 24 kHz, `far` being what the device was given in the same period.

    Raises `AudioError` for a mode that does not exist.
    """

    def __init__(self, mode: str, *, tail_ms: float, round_trip_ms: float) -> None:
        self._hold_ms = round_trip_ms + tail_ms
        self._rung = "none"
        self._why = ""
        self._stage: EchoStage = NoEchoControl()
        self.set_mode(mode)

    @property
    def needs_far(self) -> bool:
        """False: `far` may be silence, whatever is played; resampling it costs as much as the microphone."""
        return self._stage.needs_far

    def set_mode(self, mode: str) -> None:
        """Change the rung between two frames."""
        if mode == "none":
            self._stage, self._rung, self._why = NoEchoControl(), "none", "as configured"
        elif mode in ("aec", "gate", "half_duplex"):
            self._stage, self._rung, self._why = HalfDuplexGate(hold_ms=self._hold_ms), "half_duplex", "as configured"
        else:
            raise AudioError(f"echo control {mode!r} is not available")

    def process(self, near: Samples, far: Samples) -> Samples:
        return self._stage.process(near, far)

    def report(self) -> EchoReport:
        return EchoReport(
            rung=self._rung,
            why=self._why,
            gate_open=True,
            echo_dbfs=FLOOR_DBFS,
            erle_db=None,
            delay_ms=None,
            drift_ppm=None,
        )
