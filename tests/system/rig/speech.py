"""The recorded voices that the rehearsal server carries, as samples at 24 kHz, and what they say."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from rig.sound import RATE_HZ, Samples

import voicebotd.rehearsal

FOLDER = Path(voicebotd.rehearsal.__file__).parent / "speech"


@cache
def clip(name: str) -> Samples:
    """The samples of one clip, exactly as the server plays them."""
    samples, rate_hz = soundfile.read(FOLDER / f"{name}.ogg", dtype="int16")
    assert rate_hz == RATE_HZ
    return np.asarray(samples)


@cache
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "manifest.yaml").read_text(encoding="utf-8"))
    return found


@cache
def cough() -> Samples:
    """300 ms that are no words and yet a voice: what makes a speech detector begin a turn (Silero gives it 0.99).

    A vowel cut out of a visitor's word, with a burst of noise in front as a throat makes it.
    """
    size, rise = round(0.3 * RATE_HZ), round(0.02 * RATE_HZ)
    voice = clip("visitor_goodbye")[RATE_HZ : RATE_HZ + size].astype(np.float64)
    ramp = np.minimum(1.0, np.minimum(np.arange(size), np.arange(size)[::-1]) / rise)
    burst = np.random.default_rng(26).standard_normal(size) * 600 * np.exp(-np.arange(size) / (0.03 * RATE_HZ))
    return np.asarray((voice + burst) * ramp, dtype=np.int16)


def text(name: str) -> str:
    """What the clip says."""
    said: str = manifest()[name]["text"]
    return said


def seconds(name: str) -> float:
    """How long the clip is."""
    return len(clip(name)) / RATE_HZ
