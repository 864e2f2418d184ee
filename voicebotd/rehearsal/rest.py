"""What is left to say of a line of which the first words have been said.

Owns where its audio is cut. Pure. Nobody knows where in the audio a word ends, so the cut is where the words' share of
it ends, moved to the quietest place nearby: two words said in one breath are parted by less than `SEARCH_MS`.
"""

from __future__ import annotations

import numpy as np

from voicebotd.rehearsal.brain import Line
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS

SEARCH_MS = 60
"""How far from the share the cut may be, to either side."""
WINDOW_MS = 10


def rest_of(line: Line, said_words: int) -> Line:
    """Return the line without its first words. `said_words` is less than the line has."""
    words = line.text.split()
    return Line(text=" ".join(words[said_words:]), pcm=line.pcm[_cut(line.pcm, said_words / len(words)) :])


def _cut(pcm: bytes, share: float) -> int:
    """Where to cut, in bytes: the middle of the quietest window around that share of the audio."""
    size = WINDOW_MS * PCM_BYTES_PER_MS
    around = SEARCH_MS // WINDOW_MS
    middle = round(len(pcm) * share / size)
    windows = range(max(0, middle - around), min(len(pcm) // size, middle + around))
    if share == 0 or not windows:
        return 0
    samples = np.frombuffer(pcm[windows.start * size : windows.stop * size], dtype="<i2").astype(np.float64)
    quietest = windows.start + int(np.argmin((samples.reshape(len(windows), -1) ** 2).sum(axis=1)))
    return quietest * size + size // 2
