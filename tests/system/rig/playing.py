"""What became of a reply on the loudspeaker: how loud it was when, where it paused, and whether all of it was played.

Arrays in, numbers out; a reply is one clip in a recording. Knows no sound card and no conversation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from rig.sound import ALIKE, FLOOR, RATE_HZ, Samples, Window, as_recorded, find, first_sound, last_sound, windows

STEP = RATE_HZ // 50
"""Loudness is judged in steps of 20 ms."""

LOUD = 300
"""RMS of a step of the clip in which its gain can be measured, even ducked by 12 dB."""

FADE = RATE_HZ // 100
"""A pause fades out and in over this much, so that it does not click."""

SHORTEST_PAUSE = RATE_HZ // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """How loud 20 ms of the clip were in the recording; 0 dB is as loud as the clip."""

    clip_at: int
    recorded_at: int
    gain_db: float
    coherence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Samples `[began, ended)` of the recording are silent, and all that follows in the clip comes `shift` later."""

    began: int
    ended: int
    clip_stopped: int
    clip_resumed: int
    shift: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One clip as a recording holds it."""

    lag: int
    pauses: tuple[Pause, ...]
    loudness: tuple[Loudness, ...]

    def gains_db(self, first_recorded: int, last_recorded: int) -> list[float]:
        """The loudness of the steps that lie wholly between two samples of the recording."""
        return [
            step.gain_db
            for step in self.loudness
            if step.recorded_at >= first_recorded and step.recorded_at + STEP <= last_recorded
        ]


def played(clip: Samples, recording: Samples) -> Played:
    """Follow the clip through the recording, over its pauses, to the end of either."""
    lag = find(clip[: RATE_HZ // 2], recording).lag
    clip = as_recorded(clip, recording, lag)
    pauses = tuple(_pauses(clip, recording, lag))
    parts = _parts(clip, lag, pauses)
    loudness = tuple(step for first, last, part in parts for step in _loudness(clip, recording, first, last, part))
    return Played(lag=lag, pauses=pauses, loudness=loudness)


def _parts(clip: Samples, lag: int, pauses: tuple[Pause, ...]) -> list[tuple[int, int, int]]:
    """The clip's stretches between pauses: first and last sample of the clip, and the lag that is true there."""
    parts, first = [], 0
    for pause in pauses:
        parts.append((first, pause.clip_stopped, lag))
        first, lag = pause.clip_resumed, lag + pause.shift
    return [*parts, (first, len(clip), lag)]


def _pauses(clip: Samples, recording: Samples, lag: int) -> Iterator[Pause]:
    last = last_sound(recording)
    if last is None:
        return
    loud = np.flatnonzero(np.abs(recording[lag : last + 1].astype(np.int32)) > FLOOR) + lag
    for index in np.flatnonzero(np.diff(loud) >= SHORTEST_PAUSE):
        before, after = loud[index], loud[index + 1]
        if before - lag >= len(clip) - 1:
            return  # what follows is another clip
        piece = recording[after + FADE : after + FADE + RATE_HZ // 2]
        resumed = find(piece, clip).lag - FADE
        shift = int(after - resumed - lag)
        if abs(shift) > 1:
            yield Pause(
                began=int(before) + 1,
                ended=int(after),
                clip_stopped=int(before) + 1 - lag,
                clip_resumed=resumed,
                shift=shift,
            )
            lag += shift


def _loudness(clip: Samples, recording: Samples, first: int, last: int, lag: int) -> Iterator[Loudness]:
    for at in range(first, min(last, len(recording) - lag) - STEP + 1, STEP):
        said = clip[at : at + STEP].astype(np.float64)
        heard = recording[lag + at : lag + at + STEP].astype(np.float64)
        power, product = float(said @ said), float(said @ heard)
        if power < LOUD**2 * STEP or product <= 0:
            continue
        yield Loudness(
            clip_at=at,
            recorded_at=lag + at,
            gain_db=20 * float(np.log10(product / power)),
            coherence=product / float(np.sqrt(power * max(heard @ heard, 1.0))),
        )


def steepest(clip: Samples, recording: Samples, lag: int, first: int, last: int) -> float:
    """How much the gain changes within one millisecond at most, between two samples of the recording; 1.0 is a click.

    Judged where the clip is loud enough, so over neighbouring milliseconds only.
    """
    size = RATE_HZ // 1000
    gains: list[tuple[int, float]] = []
    for at in range(first - lag, last - lag - size + 1, size):
        said = clip[at : at + size].astype(np.float64)
        heard = recording[lag + at : lag + at + size].astype(np.float64)
        if float(said @ said) > LOUD**2 * size:
            gains.append((at, float(said @ heard) / float(said @ said)))
    changes = [abs(gain - before) for (was, before), (at, gain) in pairwise(gains) if at - was == size]
    assert changes, "nothing is loud enough here to be judged"
    return max(changes)


def never_heard(clip: Samples, pause: Pause) -> int:
    """How many samples of the clip a pause swallowed (negative: played twice), less what is too quiet to tell.

    That is what a duck by 12 dB and all but the last tenth of a fade bring below the floor.
    """
    if pause.clip_resumed < pause.clip_stopped:
        return pause.clip_resumed - pause.clip_stopped
    between: npt.NDArray[np.int32] = np.abs(clip[pause.clip_stopped : pause.clip_resumed].astype(np.int32))
    return int(np.count_nonzero(between > 40 * FLOOR))


def heard_bounds_ms(clip: Samples, recording: Samples) -> tuple[float, float]:
    """Return where in the clip the recording fell silent: behind its last sound, before the next one of the clip.

    Judged by the 300 ms before the end (less the fade), so that a gap in the playing does not count as heard, and what
    was ducked is not compared with what was not.
    """
    first, last = first_sound(recording), last_sound(recording)
    assert first is not None
    assert last is not None
    fade_began = last - 2 * FADE
    tail = recording[max(first, fade_began - 3 * RATE_HZ // 10) : fade_began]
    match = find(tail, clip)
    assert match.coherence > 0.95
    ended = match.lag + len(tail) + 2 * FADE
    still_to_come = np.flatnonzero(np.abs(clip[ended + 1 :].astype(np.int32)) > FLOOR)
    assert len(still_to_come), "the reply was not interrupted"
    return ended / RATE_HZ * 1000, (ended + 1 + int(still_to_come[0])) / RATE_HZ * 1000


def ducked(clip: Samples, recording: Samples) -> list[Window]:
    """The tenths of a second in which the clip was at less than two thirds of its loudness, and undamaged."""
    lag = find(clip[: RATE_HZ // 2], recording).lag
    return [window for window in windows(clip, recording, lag) if window.coherence > ALIKE and window.gain < 2 / 3]
