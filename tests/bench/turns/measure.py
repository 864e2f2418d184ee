"""From recordings to numbers: when it fell silent, what was lost, whether a reply went on at the very sample. Pure.

Judges by waveforms and by what the server holds, not by what the code under test says of itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from turns.room import BLOCK, RATE_HZ, Signal

SILENT_BLOCKS = 50
"""Half a second of digital silence: no clip of the assistant has so much inside, nor between two of them."""
ATTENDED_MS = 500
"""Of an interruption the beginning is judged: that is where words get lost."""
_LOST_DB = -12.0
"""A stretch of speech that arrives weaker than this is taken for lost."""

Samples = npt.NDArray[np.int16]


def silent_from(blocks: Sequence[Samples], at_s: Sequence[float], since_s: float) -> float | None:
    """When the loudspeaker fell silent for half a second or longer, at `since_s` or after; None if it did not.

    `at_s`: when the device took each block. One that was silent already fell silent at `since_s`.
    """
    quiet = 0
    for index in range(int(np.searchsorted(at_s, since_s)), len(blocks)):
        quiet = 0 if blocks[index].any() else quiet + 1
        if quiet == SILENT_BLOCKS:
            return at_s[index - SILENT_BLOCKS + 1]
    return None


class Shaped(Protocol):
    """One thing that was asked of the loudspeaker: see `box.Happened`."""

    @property
    def at_s(self) -> float: ...
    @property
    def what(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbances:
    """How often a reply was made softer, and how often it was stopped (paused, or cut without a pause before)."""

    ducked: int
    stopped: int
    cut: int
    """Of those stopped, the ones that did not go on."""


def disturbances(happened: Iterable[Shaped]) -> Disturbances:
    ducked = stopped = cut = 0
    soft = paused = False
    for each in happened:
        if each.what == "flush":
            stopped += not paused
            cut += 1
            soft = paused = False
        elif each.what in ("duck", "pause", "loud"):
            ducked += not soft and each.what != "loud"
            stopped += each.what == "pause" and not paused
            soft, paused = each.what != "loud", each.what == "pause"
    return Disturbances(ducked=ducked, stopped=stopped, cut=cut)


def lost_share(said: Signal, arrived: Signal) -> float:
    """How much of the first 500 ms of what was `said` is not in what `arrived`, by its energy-bearing 20 ms frames.

    The two are laid over each other where they fit best; a frame is lost where what arrived of its spectrum is 12 dB
    too weak. Spectra, because an echo canceller's high-pass turns phases; from 300 Hz up, because it takes the rest.
    """
    if len(arrived) < RATE_HZ // 10:
        return 1.0
    wanted_sound, arrived_sound = _speech_band(said), _speech_band(arrived)
    at = _best_place(wanted_sound, arrived_sound)
    padded = np.concatenate((np.zeros(len(said)), arrived_sound, np.zeros(len(said))))
    found_sound = padded[len(said) + at : len(said) + at + ATTENDED_MS * RATE_HZ // 1000]
    wanted, found = _spectra(wanted_sound[: len(found_sound)]), _spectra(found_sound)
    energy = (wanted**2).sum(axis=1)
    counts = energy > energy.max() / 300
    gain = (wanted * found).sum(axis=1)[counts] / energy[counts]
    return float((gain < 10 ** (_LOST_DB / 20)).mean())


def _speech_band(sound: Signal) -> Signal:
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    spectrum[(hz < 300) | (hz > 4000)] = 0
    return np.asarray(np.fft.irfft(spectrum, len(sound)))


def _spectra(sound: Signal) -> Signal:
    frames = sound[: len(sound) // 480 * 480].reshape(-1, 480)
    return np.abs(np.fft.rfft(frames * np.hanning(480), axis=1))


def _best_place(said: Signal, arrived: Signal) -> int:
    """Where in `arrived` the first sample of `said` is; negative where it was before its beginning."""
    size = 1 << (len(said) + len(arrived)).bit_length()
    match = np.fft.irfft(np.fft.rfft(arrived, size) * np.conj(np.fft.rfft(said, size)), size)
    place = int(match.argmax())
    return place if place < len(arrived) else place - size


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """How a reply was played: `exact` where every sample came once, in order, whatever its loudness."""

    exact: bool
    pauses_ms: tuple[float, ...]
    why: str = ""


_ROUNDING = 1.5
_AUDIBLE = 100.0
"""Power of a frame below which it is hardly a sound: nothing to tell a place by."""
_LONGEST_PAUSE_S = 8.0


def replay(reply: Samples, recording: Samples) -> Replay:
    """Compare what was to be said with a recording at the same rate that has it once, as a whole or in parts.

    A pause that is not of whole blocks skipped or repeated something: it counts as lost.
    """
    sounds = np.flatnonzero(reply)
    if not len(sounds) or not recording.any():
        return Replay(exact=False, pauses_ms=(), why="nothing was played")
    shift = int(np.flatnonzero(recording)[0]) - int(sounds[0])
    reply_f, recording_f = reply.astype(np.float64), recording.astype(np.float64)
    pauses: list[float] = []
    frame, frames = 0, len(reply) // BLOCK
    while frame < frames:
        if _fits(reply_f, recording_f, frame, shift):
            frame += 1
            continue
        gone_on = _place_after(reply_f, recording_f, frame, shift)
        if gone_on is None:
            return Replay(exact=False, pauses_ms=tuple(pauses), why=f"lost at {frame * 10} ms")
        if not _joined(reply, recording, frame, shift, gone_on):
            return Replay(exact=False, pauses_ms=tuple(pauses), why=f"not whole at {frame * 10} ms")
        pauses.append((gone_on - shift) * 1000 / RATE_HZ)
        shift = gone_on
        frame += _STRADDLED
    return Replay(exact=True, pauses_ms=tuple(pauses))


_STRADDLED = 3
"""Frames that a pause may touch: the fades last one block, and need not begin with a frame of the reply."""


def _power(reply: Signal, frame: int) -> float:
    return float((reply[frame * BLOCK : (frame + 1) * BLOCK] ** 2).mean())


def _fits(reply: Signal, recording: Signal, frame: int, shift: int) -> bool:
    """Whether this frame is there, at any loudness that changes in a straight line."""
    start = frame * BLOCK
    wanted = reply[start : start + BLOCK]
    found = recording[max(0, start + shift) : start + shift + BLOCK]
    power = _power(reply, frame)
    if power < _AUDIBLE:
        return True
    if len(found) < BLOCK:
        return False
    basis = np.stack((wanted, wanted * np.linspace(0, 1, BLOCK)))
    weights, *_ = np.linalg.lstsq(basis.T, found, rcond=None)
    error = float(np.sqrt(((found - weights @ basis) ** 2).mean()))
    return error < _ROUNDING + 0.01 * power**0.5 and float(weights[0]) + float(weights[1]) / 2 > 0.02


def _place_after(reply: Signal, recording: Signal, frame: int, shift: int) -> int | None:
    """Where the reply goes on after a pause that begins around `frame`. The device stands still for whole blocks."""
    first = frame + _STRADDLED
    loud = [at for at in range(first, min(first + 60, len(reply) // BLOCK)) if _power(reply, at) >= _AUDIBLE][:8]
    places = range(shift + BLOCK, shift + round(_LONGEST_PAUSE_S * RATE_HZ), BLOCK)
    return next((place for place in places if loud and all(_fits(reply, recording, at, place) for at in loud)), None)


def _joined(reply: Samples, recording: Samples, frame: int, before: int, after: int) -> bool:
    """Whether each loud sample around the pause is there exactly once: before it or after it."""
    start, end = (frame - 1) * BLOCK, (frame + _STRADDLED) * BLOCK
    index = np.arange(max(0, start), min(end, len(reply)))
    index = index[np.abs(reply[index].astype(np.int32)) > 200]
    there = recording[np.clip(index + before, 0, len(recording) - 1)] != 0
    again = recording[np.clip(index + after, 0, len(recording) - 1)] != 0
    # A fade begins and ends with samples that round to nothing.
    return bool((there & again).sum() == 0 and (~there & ~again).sum() <= BLOCK // 10)
