"""What a visitor says: questions of which each has a sound of its own, and where in a recording they are said back.

Owns the sound (noise in syllables, so that any piece of it can be told from any other piece) and the search, which is
exact to the sample: a parrot's answer is the question itself. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from voicebotd.conversation.events import SAMPLE_RATE_HZ, SAMPLES_PER_MS

QUESTION_MS = 1800
SYLLABLE_MS = 160
GAP_MS = 60
LEVEL = 3000.0
PROBE = 48
"""Samples that are looked for as a whole: no two places of any question agree in so many."""


@cache
def question(number: int, *, ms: int = QUESTION_MS) -> bytes:
    """Return 24 kHz s16le mono; loud from its first sample to its last."""
    rng = np.random.default_rng(number)
    samples = ms * SAMPLES_PER_MS
    sound = rng.normal(0.0, LEVEL, samples)
    at_ms = np.arange(samples) / SAMPLES_PER_MS
    in_gap = (at_ms % (SYLLABLE_MS + GAP_MS)) > SYLLABLE_MS
    sound[in_gap] *= 0.02
    return np.clip(sound, -32768, 32767).astype("<i2").tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One run of a question in a recording: from `start_ms` of the question, at `at_ms` of the recording."""

    number: int
    start_ms: int
    length_ms: int
    at_ms: int


class Ear:
    """Knows the questions by heart, and finds them in what a loudspeaker played."""

    def __init__(self, numbers: range, *, ms: int = QUESTION_MS) -> None:
        self._index: dict[bytes, tuple[int, int]] = {}
        self._pcm = {number: question(number, ms=ms) for number in numbers}
        for number, pcm in self._pcm.items():
            for at in range(0, len(pcm) - 2 * PROBE + 1, 2 * PROBE):
                self._index[pcm[at : at + 2 * PROBE]] = (number, at)

    def find(self, played: bytes) -> list[Said]:
        """Every run of a question, in the order of the recording. What was made softer or cut is not found."""
        runs: list[Said] = []
        at = 0
        while at + 2 * PROBE <= len(played):
            if not any(played[at : at + 2 * PROBE]):
                at += 2 * PROBE - 2 if at % (2 * PROBE) else 2 * PROBE
                continue
            found = self._index.get(played[at : at + 2 * PROBE])
            if found is None:
                at += 2
                continue
            number, start = found
            back, length = self._extend(played, at, number, start)
            runs.append(
                Said(
                    number=number,
                    start_ms=_ms(start - back),
                    length_ms=_ms(length + back),
                    at_ms=_ms(at - back),
                )
            )
            at += length
        return runs

    def _extend(self, played: bytes, at: int, number: int, start: int) -> tuple[int, int]:
        """How far the agreement reaches, in bytes: before, and from there on."""
        pcm = self._pcm[number]
        one, other = np.frombuffer(played, "<i2"), np.frombuffer(pcm, "<i2")
        forward = min(len(one) - at // 2, len(other) - start // 2)
        differs = np.flatnonzero(one[at // 2 : at // 2 + forward] != other[start // 2 : start // 2 + forward])
        length = int(differs[0]) if len(differs) else forward
        backward = min(at // 2, start // 2)
        before = one[at // 2 - backward : at // 2] != other[start // 2 - backward : start // 2]
        differs = np.flatnonzero(before)
        return 2 * (backward - 1 - int(differs[-1]) if len(differs) else backward), 2 * length


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How a question came back: what of it is missing, and what was said more than once."""

    number: int
    missing_ms: int
    repeated_ms: int


def answered(number: int, said: list[Said], *, ms: int) -> Answered:
    """Judge one question by all its runs."""
    times = np.zeros(ms, dtype=int)
    for run in (run for run in said if run.number == number):
        times[run.start_ms : run.start_ms + run.length_ms] += 1
    return Answered(
        number=number,
        missing_ms=int((times == 0).sum()),
        repeated_ms=int(np.maximum(times - 1, 0).sum()),
    )


def _ms(size: int) -> int:
    return size // 2 * 1000 // SAMPLE_RATE_HZ
