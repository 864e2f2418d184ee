"""A voice without words, for text that nobody has recorded.

Owns the sound of it: a soft vowel-like tone that swells once per syllable and lasts as long as speaking the text would
take, up to `LONGEST_S`. It is honest about not being speech; it is there so that whatever plays, measures or interrupts
speech has some.
"""

from __future__ import annotations

import numpy as np

SAMPLE_RATE_HZ = 24_000
CHARACTERS_PER_S = 15.0
"""An unhurried speaker."""
SYLLABLES_PER_S = 4.5
PITCH_HZ = 140.0
FORMANTS_HZ = (500.0, 1500.0)
"""The first two resonances of a neutral vowel."""
PEAK = 0.12
SHORTEST_S = 0.3
LONGEST_S = 20.0
"""Bounds what one long message can cost, in memory and in time on the event loop (a third of a second)."""


def murmur(text: str) -> bytes:
    """Return 24 kHz s16le mono; the same text always sounds the same."""
    samples = int(min(LONGEST_S, max(SHORTEST_S, len(text) / CHARACTERS_PER_S)) * SAMPLE_RATE_HZ)
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * PITCH_HZ * time_s + 0.8 * np.sin(2 * np.pi * 0.7 * time_s)
    tone = np.zeros(samples)
    for harmonic in range(1, 15):
        distance = min(abs(harmonic * PITCH_HZ - formant) / 250.0 for formant in FORMANTS_HZ)
        tone += np.exp(-(distance**2)) / harmonic * np.sin(harmonic * phase)
    syllables = np.sin(np.pi * SYLLABLES_PER_S * time_s) ** 2
    fade = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.02)
    shaped = tone * syllables * fade
    return np.asarray(shaped / np.abs(shaped).max() * PEAK * 32767).astype("<i2").tobytes()
