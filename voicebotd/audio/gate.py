"""Doors between the microphone and the service, over paired 10 ms frames at 24 kHz: open, half-duplex, echo-adaptive.

`far` is what the device was given in the same frame period, silence included. Knows what each rung of the ladder does
to a frame, not which one is used. Pure over arrays.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from voicebotd.audio.canceller import LinearCanceller
from voicebotd.audio.delay import EchoMeter
from voicebotd.audio.evidence import Evidence
from voicebotd.audio.level import to_int16
from voicebotd.audio.options import FRAME_SAMPLES, SAMPLE_RATE_HZ
from voicebotd.audio.ring import Samples

SHORT_FRAMES = 4
"""Through the strict door everything is 40 ms late while nothing plays: more would be felt after the end of speech."""
LONG_FRAMES = 15
"""While something plays it is 150 ms late, so that a door that opens lets out what made it open."""
HANGOVER_FRAMES = 30
"""A door once opened stays so for 300 ms, which bridges the pauses inside words."""
OPENS_AT_DB = 6.5
"""Evidence for somebody near where only the linear canceller stands before the door. In ten simulated rooms (delay 20
to 150 ms, RT60 0.2 to 0.4 s, drift) with an echo as loud as a visitor, 40 s each, Silero never heard a voice while
nobody spoke; 79 % of visitors were let through within 700 ms. At 4 dB all of them, and 20 false voices."""
OPENS_BEHIND_AEC_AT_DB = 3.0
"""Evidence where WebRTC's canceller has silenced most of the echo already. In the same ten rooms: no false voice, all
visitors within 700 ms (median 192 ms, 95 % within 398), a third of the first half second of their words lost. With no
door at all it was 160 ms and 23 %, and nine false voices, one of them 39 s into a reply: so the door stays for good.
WebRTC's canceller by itself let 72 % of visitors through in time and lost 56 % of their first half second."""
QUIET_POWER = 100.0**2
"""-50 dBFS: nobody misses such a frame."""
SecondCanceller = Callable[[Samples, Samples], Samples | None]
"""What the linear canceller left and what was played → what is left then; None where it failed."""
_FADE_IN = np.linspace(0.0, 1.0, FRAME_SAMPLES, dtype=np.float32)


class EchoStage(Protocol):
    """One rung of the echo ladder. Frames in and out have equal length."""

    @property
    def needs_far(self) -> bool:
        """False: `far` may be silence, whatever is played; resampling it costs as much as the microphone."""

    @property
    def is_open(self) -> bool:
        """False while what comes out is silence because the rung decided so."""

    @property
    def meter(self) -> EchoMeter | None:
        """What the rung knows of the echo."""

    def process(self, near: Samples, far: Samples) -> Samples: ...


class NoEchoControl:
    """The microphone as it is: headphones, or hardware that cancels by itself."""

    needs_far = False
    is_open = True
    meter = None

    def process(self, near: Samples, far: Samples) -> Samples:
        return near


class HalfDuplexGate:
    """The microphone is zeros while the loudspeaker plays, and until `hold_ms` after its last audible sample.

    `hold_ms` = the stream's round trip (a sample handed over now is heard, and then captured, that much later) plus
    the room's tail. The gate closes at the hand-over, a round trip early: a device that overstates its latency would
    otherwise let the first syllable back in.
    """

    needs_far = True
    meter = None

    def __init__(self, *, hold_ms: float) -> None:
        self._hold_samples = round(hold_ms * SAMPLE_RATE_HZ / 1000)
        self._closed_samples = 0

    @property
    def is_open(self) -> bool:
        return self._closed_samples <= 0

    def process(self, near: Samples, far: Samples) -> Samples:
        if far.any():
            self._closed_samples = self._hold_samples + len(near)
        if self._closed_samples <= 0:
            return near
        self._closed_samples -= len(near)
        return np.zeros_like(near)


class PairingGate:
    """Half-duplex for as long as `far` is no true picture of what the device was given; behind each rung that needs it.

    A rung would take the echo of what it was never told of for a visitor, and what it was told as silence for a
    loudspeaker at rest. Whether something sounds is therefore known here from the device itself, unpaired. It stays
    closed for the hold, and for as long as the strict door's line is, after `far` is known again.
    """

    def __init__(self, *, hold_ms: float) -> None:
        self._hold_frames = math.ceil(hold_ms * SAMPLE_RATE_HZ / 1000 / FRAME_SAMPLES) + LONG_FRAMES
        self._sounding_frames = self._unknown_frames = 0
        self.is_open = True

    def process(self, out: Samples, *, sounds: bool, known: bool) -> Samples:
        """`out` is what a rung gives. `sounds`: the device was given something audible since the last frame."""
        self._sounding_frames = self._hold_frames if sounds else max(0, self._sounding_frames - 1)
        self._unknown_frames = max(0, self._unknown_frames - 1) if known else self._hold_frames
        before, self.is_open = self.is_open, not (self._sounding_frames and self._unknown_frames)
        if before and self.is_open:
            return out
        if before:
            return to_int16(out * _FADE_IN[::-1])
        return to_int16(out * _FADE_IN) if self.is_open else np.zeros_like(out)


class EchoGate:
    """While the loudspeaker can be heard, passes the microphone only on strong evidence that somebody is near.

    Closed is digital zeros: detectors of speech adapt to the level, and the server's is not known. What comes out has
    no linear echo. It is 40 ms late, and 150 ms from the first closed door until nothing plays and it is quiet.
    """

    needs_far = True

    def __init__(self, *, hold_ms: float) -> None:
        self._playing = HalfDuplexGate(hold_ms=hold_ms)
        self._canceller = LinearCanceller()
        self._evidence = Evidence()
        self._open_frames = 0
        self._line = _Line()
        self.meter = EchoMeter()

    @property
    def is_open(self) -> bool:
        return self._line.was_open

    def disturbed(self) -> None:
        """The pairing of the two sides has shifted: what was learned of the room is no longer so."""
        self._evidence.forget()
        self._open_frames = 0

    def process(self, near: Samples, far: Samples) -> Samples:
        self._playing.process(near, far)
        left = self._canceller.process(near, far)
        evidence_db = self._evidence.feed(self._canceller.residual_power, self._canceller.far_power)
        self._open_frames = HANGOVER_FRAMES if evidence_db > OPENS_AT_DB else self._open_frames - 1
        wanted = self._playing.is_open or self._open_frames > 0
        self.meter.feed(near, left, self._canceller, echo_alone=not wanted)
        return self._line.through(left, wanted=wanted, playing=not self._playing.is_open)


class _Line:
    """Frames that wait at the door. One goes in, one comes out, always; how many wait differs.

    It grows where zeros come out anyway, and shrinks where zeros or quiet frames can be left out.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Samples, bool]] = deque(
            [(np.zeros(FRAME_SAMPLES, dtype=np.int16), True)] * SHORT_FRAMES
        )
        self.was_open = True

    def through(self, frame: Samples, *, wanted: bool, playing: bool) -> Samples:
        self._waiting.append((frame, wanted))
        if not playing:
            self._shrink()
        opens = any(wanted for _, wanted in self._waiting)
        if playing and not opens and len(self._waiting) <= LONG_FRAMES:
            return self._closed()
        late, was_wanted = self._waiting.popleft()
        ahead = [wanted for _, wanted in self._waiting]
        before, self.was_open = self.was_open, was_wanted or any(ahead[:-1])
        if not self.was_open:
            return self._closed()
        if not before:
            return to_int16(late * _FADE_IN)
        # The last frame before a closed one fades out, so that nothing of the closed one is heard.
        return late if any(ahead) else to_int16(late * _FADE_IN[::-1])

    def _closed(self) -> Samples:
        self.was_open = False
        return np.zeros(FRAME_SAMPLES, dtype=np.int16)

    def _shrink(self) -> None:
        if len(self._waiting) <= SHORT_FRAMES + 1:
            return
        if not self.was_open:
            while len(self._waiting) > SHORT_FRAMES + 1 and not self._waiting[0][1]:
                self._waiting.popleft()
        elif all(_power(frame) < QUIET_POWER for frame, _ in list(self._waiting)[:2]):
            self._waiting.popleft()


class EchoCanceller:
    """Passes the microphone without its echo, at once; while something plays, only on evidence that somebody is near.

    `second` is asked for what is left behind the linear canceller; the door keeps their mistakes in. Frames that
    `second` spoils are silence while something plays.
    """

    needs_far = True

    def __init__(self, second: SecondCanceller, *, hold_ms: float) -> None:
        self._second = second
        self._playing = HalfDuplexGate(hold_ms=hold_ms)
        self._canceller = LinearCanceller()
        self._evidence = Evidence()
        self._open_frames = 0
        self.is_open = True
        self.meter = EchoMeter()

    def disturbed(self) -> None:
        """The pairing of the two sides has shifted: the cancellers have to find the echo again."""
        self._evidence.forget()
        self._open_frames = 0

    def process(self, near: Samples, far: Samples) -> Samples:
        self._playing.process(near, far)
        left = self._canceller.process(near, far)
        cleaned = self._second(left, far)
        near_by = self._somebody_is_near()
        before, self.is_open = self.is_open, self._playing.is_open or near_by
        if cleaned is None:
            cleaned = left if self._playing.is_open else np.zeros_like(near)
        # A visitor as loud as the echo is half of what is heard and all that is left.
        echo_alone = not near_by and _power(left) < _power(near) / 4
        self.meter.feed(near, cleaned, self._canceller, echo_alone=echo_alone)
        if before and self.is_open:
            return cleaned
        if before:
            return to_int16(cleaned * _FADE_IN[::-1])
        return to_int16(cleaned * _FADE_IN) if self.is_open else np.zeros_like(near)

    def _somebody_is_near(self) -> bool:
        evidence_db = self._evidence.feed(self._canceller.residual_power, self._canceller.far_power)
        self._open_frames = HANGOVER_FRAMES if evidence_db > OPENS_BEHIND_AEC_AT_DB else self._open_frames - 1
        return self._open_frames > 0


def _power(frame: Samples) -> float:
    wide = frame.astype(np.float32)
    return float(np.dot(wide, wide)) / len(frame)
