"""WebRTC's echo canceller (AEC3 with its high-pass filter, no noise suppression, no gain control), from `livekit`.

The only file that knows the library. Loading it takes about 95 ms, 26 MB and four threads (measured), so it is loaded
when it is chosen, and only in the audio process. It says nothing on stderr that anybody could use.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec

import numpy as np

from voicebotd.audio.options import BYTES_PER_SAMPLE, FRAME_SAMPLES, SAMPLE_RATE_HZ
from voicebotd.audio.ring import Samples
from voicebotd.errors import AudioError

HINT = "pip install 'voicebotd[aec]'"
LONGEST_HINT_MS = 500
"""The library refuses more."""


def aec_installed() -> bool:
    """Whether the library is there. Does not load it."""
    return find_spec("livekit") is not None and find_spec("livekit.rtc") is not None


class WebRtcCanceller:
    """`process` takes paired 10 ms frames and returns the first without the echo of the second, 9 ms late.

    `delay_ms` is what the stream says of its round trip. It is told once: from 20 to 500 ms of true delay the canceller
    found it by itself, whatever the hint (measured). Raises `AudioError` where the library is missing or fails.
    """

    def __init__(self, *, delay_ms: float) -> None:
        logging.getLogger("livekit").setLevel(logging.CRITICAL)
        try:
            from livekit import rtc  # noqa: PLC0415
        except ImportError as error:
            raise AudioError(f"the echo canceller cannot be loaded: {error}", hint=HINT) from None
        try:
            self._module = rtc.AudioProcessingModule(echo_cancellation=True, high_pass_filter=True)
            self._module.set_stream_delay_ms(min(LONGEST_HINT_MS, max(0, round(delay_ms))))
        except Exception as error:  # noqa: BLE001 - a foreign library's: whatever it is, there are other rungs
            raise AudioError(f"the echo canceller does not start: {error}") from None
        near, far = (bytearray(FRAME_SAMPLES * BYTES_PER_SAMPLE) for _ in range(2))
        # The library works in place. Frames made once, seen through arrays, halve what a call costs.
        self._near, self._far = (rtc.AudioFrame(data, SAMPLE_RATE_HZ, 1, FRAME_SAMPLES) for data in (near, far))
        self._near_samples, self._far_samples = (np.frombuffer(data, dtype=np.int16) for data in (near, far))

    def process(self, near: Samples, far: Samples) -> Samples:
        self._far_samples[:] = far
        self._near_samples[:] = near
        try:
            self._module.process_reverse_stream(self._far)
            self._module.process_stream(self._near)
        except Exception as error:  # noqa: BLE001 - as above
            raise AudioError(f"the echo canceller failed: {error}") from None
        return self._near_samples.copy()
