"""Which rung of the echo ladder works on the microphone now, and what it says of itself. Pure over arrays.

`aec` (two cancellers and a lenient door) → `gate` (one canceller and a strict door) →
`half_duplex` → `none`. Knows which rung stands in for which and when the library is not to be trusted; what a rung
does is its own file's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from voicebotd.audio.echo import WebRtcCanceller, aec_installed
from voicebotd.audio.gate import EchoCanceller, EchoGate, EchoStage, HalfDuplexGate, NoEchoControl, PairingGate
from voicebotd.audio.level import FLOOR_DBFS, to_int16
from voicebotd.audio.options import FRAME_SAMPLES
from voicebotd.audio.ring import Samples
from voicebotd.errors import AudioError

__all__ = ["EchoReport", "Ladder", "aec_installed"]

FAILURES = 3
FAILURES_WITHIN_FRAMES = 1000
"""Three failures in ten seconds, and the library is done with until the rung is chosen anew."""
TOO_LOUD = 2.0
"""3 dB more than it was given, over a second: a canceller takes away. Shorter times say nothing, since its output is
late, filtered, and made from more than the latest frames."""
JUDGED_FRAMES = 100
QUIET_POWER = 100.0**2
"""-50 dBFS. Below that an output is never absurd: comfort noise, the filter's ringing."""
DEAF_FRAMES = 50
_FADE_OUT = np.linspace(1.0, 0.0, FRAME_SAMPLES, dtype=np.float32)


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
    """The echo's level at the microphone in the latest frame, -120…0; -120 on a rung that does not measure."""
    erle_db: float | None
    """How much of the echo is removed before the door."""
    delay_ms: float | None
    """From the frame given to the device to its echo in the microphone, 0…240."""
    drift_ppm: float | None
    """How fast the delay grows: the clock of the loudspeaker against that of the microphone."""


class Canceller(Protocol):
    def process(self, near: Samples, far: Samples) -> Samples: ...


class Ladder:
    """`process` takes and gives one 10 ms frame at 24 kHz, `far` being what the device was given in the same period.

    `round_trip_ms` is the stream's latency in both directions, `tail_ms` how long the room sounds on. Raises
    `AudioError` for a mode that does not exist. `load` makes the library's canceller.
    """

    def __init__(
        self,
        mode: str,
        *,
        tail_ms: float,
        round_trip_ms: float,
        load: Callable[..., Canceller] = WebRtcCanceller,
    ) -> None:
        self._load = load
        self._round_trip_ms = round_trip_ms
        self._hold_ms = round_trip_ms + tail_ms
        self._pairing = PairingGate(hold_ms=self._hold_ms)
        self._trial: _Trial | None = None
        self._next: EchoStage | None = None
        self._stage = self._made(mode)
        self._fade_in = self._began = False

    @property
    def needs_far(self) -> bool:
        """False: `far` may be silence, whatever is played; resampling it costs as much as the microphone."""
        return self._stage.needs_far or (self._next is not None and self._next.needs_far)

    def set_mode(self, mode: str) -> None:
        """Change the rung. The old one fades out in the next frame; the new one, knowing nothing, fades in after it."""
        made = self._made(mode)
        if self._began:
            self._next = made
        else:
            self._stage = made

    def disturbed(self) -> None:
        """Samples were lost or repeated on one side: the echo's delay has jumped, and doors are to be careful."""
        if isinstance(self._stage, EchoCanceller | EchoGate):
            self._stage.disturbed()

    def _made(self, mode: str) -> EchoStage:
        self._trial = None
        self._mode, self._why = mode, "as configured"
        if mode == "none":
            return NoEchoControl()
        if mode == "half_duplex":
            return HalfDuplexGate(hold_ms=self._hold_ms)
        if mode == "gate":
            return EchoGate(hold_ms=self._hold_ms)
        if mode != "aec":
            raise AudioError(f"echo control {mode!r} is not available")
        try:
            self._trial = _Trial(self._load(delay_ms=self._round_trip_ms))
        except AudioError as error:
            self._mode, self._why = "gate", f"instead of aec: {error.message}"
            return EchoGate(hold_ms=self._hold_ms)
        return EchoCanceller(self._trial.process, hold_ms=self._hold_ms)

    def process(self, near: Samples, far: Samples, *, sounds: bool = False, known: bool = True) -> Samples:
        """`sounds`: since the last frame the device was given something audible, whenever it may be in `far`. `known`:
        `far` is what it is said to be. Where it is not, everything but `none` is half-duplex."""
        out = self._climbed(near, far)
        return self._pairing.process(out, sounds=sounds and self.needs_far, known=known)

    def _climbed(self, near: Samples, far: Samples) -> Samples:
        self._began = True
        out = self._stage.process(near, far)
        if self._next is not None:
            self._stage, self._next, self._fade_in = self._next, None, True
            return to_int16(out * _FADE_OUT)
        if self._fade_in:
            self._fade_in = False
            return to_int16(out * _FADE_OUT[::-1])
        if self._trial is not None and self._trial.given_up:
            self._mode, self._why = "gate", f"instead of aec: {self._trial.given_up}"
            self._trial, self._next = None, EchoGate(hold_ms=self._hold_ms)
        return out

    def report(self) -> EchoReport:
        meter = self._stage.meter
        return EchoReport(
            rung=self._mode,
            why=self._why,
            gate_open=self._stage.is_open and self._pairing.is_open,
            echo_dbfs=meter.echo_dbfs if meter else FLOOR_DBFS,
            erle_db=meter.erle_db if meter else None,
            delay_ms=meter.delay_ms if meter else None,
            drift_ppm=meter.drift_ppm if meter else None,
        )


class _Trial:
    """The library's canceller, believed until it has failed often enough. None for a frame that it spoiled."""

    def __init__(self, canceller: Canceller) -> None:
        self._canceller = canceller
        self._given = self._got = 0.0
        self._too_loud = False
        self._failures: list[int] = []
        self._deaf_frames = 0
        self._frames = 0
        self.given_up = ""
        """Why, as soon as it is."""

    def process(self, left: Samples, far: Samples) -> Samples | None:
        self._frames += 1
        try:
            cleaned = self._canceller.process(left, far)
        except AudioError as error:
            self._failed(error.message)
            return None
        given = _power(left)
        self._judge(given, _power(cleaned))
        deaf = not (cleaned.any() or far.any()) and given > QUIET_POWER
        self._deaf_frames = self._deaf_frames + 1 if deaf else 0
        if self._deaf_frames > DEAF_FRAMES:
            self._failed("the echo canceller gave only silence")
            return None
        return None if self._too_loud else cleaned

    def _judge(self, given: float, got: float) -> None:
        self._given += given
        self._got += got
        if self._frames % JUDGED_FRAMES:
            return
        self._too_loud = self._got > TOO_LOUD * self._given + JUDGED_FRAMES * QUIET_POWER
        self._given = self._got = 0.0
        if self._too_loud:
            self._failed("the echo canceller made its input louder")

    def _failed(self, why: str) -> None:
        self._failures = [at for at in self._failures if at > self._frames - FAILURES_WITHIN_FRAMES]
        self._failures.append(self._frames)
        if len(self._failures) >= FAILURES:
            self.given_up = why


def _power(samples: Samples) -> float:
    wide = samples.astype(np.float32)
    return float(np.dot(wide, wide)) / len(samples)
