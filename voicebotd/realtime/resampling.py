"""The microphone's and the server's sample rates, where they are not the same.

Owns the conversion of one stream of 16-bit mono PCM, in pieces of any size. Pure: no I/O, the same output for the same
input.
"""

from __future__ import annotations

import numpy as np
import soxr


class RateConverter:
    """One stream from one rate to another; equal rates pass through untouched.

    soxr's variable-rate engine with a fixed ratio delays evenly, where the default one works in blocks. Float inside:
    soxr dithers int16, and silence must stay digital silence.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._stream = self._new_stream()

    def push(self, pcm: bytes) -> bytes:
        """Take the next piece; return what is ready of it and of the pieces before."""
        if self._stream is None:
            return pcm
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        return _to_pcm(self._stream.resample_chunk(samples))

    def finish(self) -> bytes:
        """Return what is still inside, complete to the last sample; after this another stream begins."""
        if self._stream is None:
            return b""
        tail = _to_pcm(self._stream.resample_chunk(np.empty(0, dtype=np.float32), last=True))
        self._stream = self._new_stream()
        return tail

    def _new_stream(self) -> soxr.ResampleStream | None:
        if self._from_hz == self._to_hz:
            return None
        return soxr.ResampleStream(self._from_hz, self._to_hz, 1, dtype="float32", vr=True)


def _to_pcm(samples: np.ndarray) -> bytes:
    pcm: bytes = np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
    return pcm
