"""Doors between the microphone and the service, over paired 10 ms frames at 24 kHz: open, half-duplex, echo-adaptive.

`far` is what the device was given in the same frame period, silence included. Knows what each rung of the ladder does
to a frame, not which one is used. Pure over arrays.
"""

from __future__ import annotations

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

LOOK_AHEAD_FRAMES = 4
"""Everything that passes is 40 ms late; more would be felt as waiting after the end of speech. A door that opens lets
out 30 ms of the past, and it fades out in the 10 ms before it closes."""
HANGOVER_FRAMES = 30
"""A door once opened stays so for 300 ms, which bridges the pauses inside words."""
OPENS_AT_DB = 8.0
"""Evidence for somebody near where only the linear canceller stands before the door. It keeps everything in, in nine
random rooms (loss 0 to 20 dB) and in the six worst of 30 (loss 0 dB or less, tails of 0.5 s, drift), but in five others
only 40 % of interruptions as loud as the echo passed within 700 ms. 4 dB: 83 %, and six false words in 240 s."""
OPENS_BEHIND_AEC_AT_DB = 3.0
"""Evidence where WebRTC's canceller has silenced the echo already, and the door only has to keep its mistakes in. In
the same rooms: nothing false in the nine, 7 false words in 240 s in the worst six, 97 % of interruptions in 700 ms,
median 160 ms. At 4 dB it is 83 % and 3."""
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


class EchoGate:
    """While the loudspeaker can be heard, passes the microphone only on evidence that somebody is near.

    Closed is digital zeros: detectors of speech adapt to the level, and the server's is not known. What comes out is
    40 ms late, open or closed, and without what a canceller could take off. `second` is asked for what is left behind
    the linear canceller; it makes the door less strict.
    """

    needs_far = True

    def __init__(self, *, hold_ms: float, second: SecondCanceller | None = None) -> None:
        self._second = second
        self._playing = HalfDuplexGate(hold_ms=hold_ms)
        self._canceller = LinearCanceller()
        self._evidence = Evidence()
        self._open_frames = 0
        self._waiting: deque[tuple[Samples, bool]] = deque(
            [(np.zeros(FRAME_SAMPLES, dtype=np.int16), True)] * LOOK_AHEAD_FRAMES
        )
        self._was_open = True
        self.meter = EchoMeter()

    @property
    def is_open(self) -> bool:
        return self._was_open

    def go_on_without_second(self) -> None:
        self._second = None

    def forget(self) -> None:
        """The pairing of the two sides has shifted: what was learned of the room is no longer so."""
        self._evidence.forget()

    def process(self, near: Samples, far: Samples) -> Samples:
        self._playing.process(near, far)
        left = self._canceller.process(near, far)
        evidence_db = self._evidence.feed(self._canceller.residual_power, self._canceller.far_power)
        cleaned = self._second(left, far) if self._second is not None else None
        enough_db = OPENS_AT_DB if cleaned is None else OPENS_BEHIND_AEC_AT_DB
        self._open_frames = HANGOVER_FRAMES if evidence_db > enough_db else self._open_frames - 1
        wanted = self._playing.is_open or self._open_frames > 0
        out = left if cleaned is None else cleaned
        self.meter.feed(near, out, self._canceller, echo_alone=not wanted)
        return self._through_the_door(out, wanted)

    def _through_the_door(self, frame: Samples, wanted: bool) -> Samples:
        self._waiting.append((frame, wanted))
        late, was_wanted = self._waiting.popleft()
        ahead = [wanted for _, wanted in self._waiting]
        before, self._was_open = self._was_open, was_wanted or any(ahead[:-1])
        if not self._was_open:
            return np.zeros_like(late)
        if not before:
            return to_int16(late * _FADE_IN)
        # The last frame before a closed one fades out, so that nothing of the closed one is heard.
        return late if any(ahead) else to_int16(late * _FADE_IN[::-1])
