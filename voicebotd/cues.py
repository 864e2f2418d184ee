"""The box's own sounds, for when there is nobody else to tell the visitor what goes on.

Owns their notes. Made of sine tones with soft edges, so that they need no file and no language. Pure.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from voicebotd.conversation.effects import Cue
from voicebotd.conversation.events import SAMPLE_RATE_HZ

LEVEL = 0.15
"""Of full scale: -16 dBFS, about as loud as quiet speech."""
EDGE_MS = 12
"""Of each note; a shorter one clicks."""

NOTES: dict[Cue, tuple[tuple[float, int], ...]] = {
    "link_lost": ((659.3, 140), (523.3, 140), (392.0, 260)),
    "link_back": ((392.0, 140), (523.3, 140), (659.3, 260)),
    "trouble": ((392.0, 180), (0.0, 60), (392.0, 180)),
}
"""Each cue's notes: Hz (0: silence) and ms. Down for what is gone, up for what is back, twice the same for an answer
that could not be given."""


@cache
def cue_pcm(cue: Cue) -> bytes:
    """Return the cue as 24 kHz s16le mono."""
    return b"".join(_note(hz, ms) for hz, ms in NOTES[cue])


def _note(hz: float, ms: int) -> bytes:
    count = ms * SAMPLE_RATE_HZ // 1000
    edge = EDGE_MS * SAMPLE_RATE_HZ // 1000
    shape = np.minimum(1.0, np.minimum(np.arange(count), np.arange(count)[::-1]) / edge)
    tone = np.sin(2 * np.pi * hz * np.arange(count) / SAMPLE_RATE_HZ)
    return bytes((LEVEL * 32767 * shape * tone).astype("<i2").tobytes())
