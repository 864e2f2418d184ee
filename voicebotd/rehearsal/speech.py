"""The bundled recordings: who says what, and the samples of it.

Owns the reading of `speech/` and of audio files that a script names. Everything that leaves here is 24 kHz s16le mono.
How the recordings were made, and their licence: speech/README.md.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import yaml

from voicebotd.errors import AudioError

SAMPLE_RATE_HZ = 24_000
_DIRECTORY = Path(__file__).parent / "speech"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    name: str
    text: str
    pcm: bytes

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / 2 / SAMPLE_RATE_HZ


@functools.cache
def clip_texts() -> dict[str, str]:
    """Every bundled clip's name, and its words."""
    manifest = yaml.safe_load((_DIRECTORY / "manifest.yaml").read_text(encoding="utf-8"))
    return {name: entry["text"] for name, entry in manifest.items()}


@functools.cache
def clip(name: str) -> Clip:
    """Return a bundled clip; KeyError if there is none of that name."""
    return Clip(name=name, text=clip_texts()[name], pcm=read_audio(_DIRECTORY / f"{name}.ogg"))


def clip_of_text(text: str) -> Clip | None:
    """The recording of exactly these words, if there is one."""
    for name, words in clip_texts().items():
        if words == text:
            return clip(name)
    return None


def read_audio(path: Path) -> bytes:
    """Read any file that soundfile can, of any rate and number of channels; AudioError says why not."""
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioError(f"cannot read audio from {path}: {error}") from error
    mono = soxr.resample(samples.mean(axis=1), rate_hz, SAMPLE_RATE_HZ)
    return np.asarray(np.clip(mono, -1.0, 1.0) * 32767).astype("<i2").tobytes()
