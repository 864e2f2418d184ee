"""What is said, coughed and played in the bench's rooms: all of it made here, from bundled clips and from numbers.

Owns the sounds, each trimmed, at a known level, the same for the same seed. Where espeak-ng is installed its voices
come in addition. Knows no room and no engine.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr

from turns.room import RATE_HZ, Signal, factor, level_dbfs
from voicebotd.rehearsal.speech import clip, clip_texts

VISITOR_DBFS = -26.0
"""A person at half a metre into a microphone with ordinary gain (ITU-T P.56's nominal level of speech)."""
MS = RATE_HZ // 1000

_TEMPI = (0.9, 1.0, 1.1)
"""Pitch and tempo together: three people out of each recorded one."""
_ESPEAK = (("en-us", 150, 45), ("en-gb", 165, 70), ("en-us+f3", 160, 60), ("en-gb+m5", 140, 30))
_ESPEAK_WORDS = (
    "Excuse me, I would rather come on Thursday afternoon, if that is possible.",
    "Wait a moment please, how much does the premium service cost?",
    "Can you move my appointment from Monday to Wednesday at eleven o'clock?",
    "No, that is not what I meant, I only want to know where you are.",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Utterance:
    """Something said. It begins at sample 0 and ends at the last one, without any silence around it."""

    name: str
    samples: Signal
    pauses_ms: tuple[int, ...] = ()
    """Silences inside that were put there."""

    @property
    def duration_s(self) -> float:
        return len(self.samples) / RATE_HZ


def at_level(samples: Signal, dbfs: float) -> Signal:
    return samples * factor(dbfs - level_dbfs(samples))


def trimmed(samples: Signal, *, below_db: float = 40.0) -> Signal:
    """Without what is that much below the level at either end (in frames of 5 ms)."""
    frames = samples[: len(samples) // 120 * 120].reshape(-1, 120)
    loud = np.flatnonzero(10 * np.log10((frames**2).mean(axis=1) + 1e-12) > level_dbfs(samples) - below_db)
    return samples[loud[0] * 120 : (loud[-1] + 1) * 120]


def _bundled(name: str) -> Signal:
    return np.frombuffer(clip(name).pcm, dtype="<i2") / 32768


def _at_tempo(samples: Signal, tempo: float) -> Signal:
    return samples if tempo == 1.0 else np.asarray(soxr.resample(samples, RATE_HZ * tempo, RATE_HZ))


@functools.cache
def visitors() -> tuple[Utterance, ...]:
    """Everything that a visitor can say, of 1.3 s and longer."""
    said = []
    for name in clip_texts():
        if name.startswith("visitor_"):
            said += [(f"{name}@{tempo}", _at_tempo(_bundled(name), tempo)) for tempo in _TEMPI]
    said += _espeak()
    return tuple(Utterance(name=name, samples=at_level(trimmed(sound), VISITOR_DBFS)) for name, sound in said)


def _espeak() -> list[tuple[str, Signal]]:
    program = shutil.which("espeak-ng")
    if program is None:
        return []
    said = []
    with tempfile.TemporaryDirectory(prefix="bench-voices-") as directory:
        for number, (voice, speed, pitch) in enumerate(_ESPEAK):
            path = Path(directory) / f"{number}.wav"
            command = [program, "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(path), _ESPEAK_WORDS[number]]
            subprocess.run(command, check=True, capture_output=True)
            sound, rate_hz = soundfile.read(path, dtype="float64")
            said.append((f"espeak {voice}", np.asarray(soxr.resample(sound, rate_hz, RATE_HZ))))
    return said


@functools.cache
def replies() -> tuple[bytes, ...]:
    """What the assistant can say, each clip as it is bundled."""
    return tuple(clip(name).pcm for name in clip_texts() if name.startswith("assistant_"))


def long_reply(rng: np.random.Generator, seconds: float) -> bytes:
    """Clips of the assistant one after another, without more silence than they bring, about `seconds` long."""
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < seconds * RATE_HZ * 2:
        pieces.append(replies()[rng.integers(len(replies()))])
    whole = b"".join(pieces)
    return whole[: len(whole) // 480 * 480]


def hesitant(said: Utterance, pauses_ms: tuple[int, ...]) -> Utterance:
    """The same words with pauses put where they are quietest, spread over the sentence: at boundaries of words.

    What the speaker's own breath between two words was is taken out, so that a pause is as long as it says.
    """
    cuts = [0, *(_quiet_place(said.samples, (n + 1) / (len(pauses_ms) + 1)) for n in range(len(pauses_ms)))]
    parts: list[Signal] = []
    for number, (start, end) in enumerate(pairwise([*cuts, len(said.samples)])):
        part = trimmed(said.samples[start:end], below_db=30).copy()
        fade = np.linspace(0, 1, 5 * MS)
        part[: len(fade)] *= fade
        part[-len(fade) :] *= fade[::-1]
        parts += [part] if not number else [np.zeros(pauses_ms[number - 1] * MS), part]
    return Utterance(name=f"{said.name}, pauses", samples=np.concatenate(parts), pauses_ms=pauses_ms)


def _quiet_place(samples: Signal, share: float) -> int:
    """The middle of the quietest 30 ms within 250 ms around `share` of the whole."""
    centre = round(share * len(samples))
    around = samples[max(0, centre - 250 * MS) : centre + 250 * MS]
    power = np.convolve(around**2, np.ones(30 * MS), mode="valid")
    return int(max(0, centre - 250 * MS) + power.argmin() + 15 * MS)


Blurt = Literal["cough", "hm", "word"]
BLURTS: tuple[Blurt, ...] = ("cough", "hm", "word")


def blurt(rng: np.random.Generator, kind: Blurt) -> Utterance:
    """What a person utters that is no turn, 200 to 400 ms: a cough, a hummed "hm", or a first syllable and no more.

    Silero tells the first two from speech nearly always (it gives them 0.1 to 0.7), the third never.
    """
    count = int(rng.integers(200, 401)) * MS
    sound = {"cough": _cough, "hm": _hm, "word": _word}[kind](rng, count)
    return Utterance(name=kind, samples=at_level(sound, VISITOR_DBFS + (0 if kind == "word" else 6)))


def _word(rng: np.random.Generator, count: int) -> Signal:
    sound = visitors()[rng.integers(len(visitors()))].samples[:count].copy()
    sound[-40 * MS :] *= np.linspace(1, 0, 40 * MS)
    return sound


def _cough(rng: np.random.Generator, count: int) -> Signal:
    """A burst of air through a throat: noise with resonances, sharp at the front, voiced a little at its end."""
    time_s = np.arange(count) / RATE_HZ
    share = time_s / time_s[-1]
    air = _shaped(rng.normal(0, 1, count), ((600, 250), (1500, 400), (3200, 900)))
    air *= np.minimum(1, time_s / 0.004) * np.exp(-4.0 * share)
    voice = _shaped(_pulses(time_s, 110 - 20 * share), ((500, 200), (1300, 300)))
    voice *= 0.35 * np.exp(-(((share - 0.65) / 0.2) ** 2)) / (np.abs(voice).max() + 1e-9) * np.abs(air).max()
    return air + voice


def _hm(rng: np.random.Generator, count: int) -> Signal:
    time_s = np.arange(count) / RATE_HZ
    share = time_s / time_s[-1]
    pitch_hz = float(rng.uniform(100, 200)) * (1 + 0.15 * np.sin(np.pi * share))
    hum = _shaped(_pulses(time_s, pitch_hz), ((280, 120), (1100, 300), (2300, 500)))
    return hum * np.sin(np.pi * share) ** 0.5


def _pulses(time_s: Signal, pitch_hz: Signal) -> Signal:
    phase = np.cumsum(np.broadcast_to(pitch_hz, time_s.shape)) / RATE_HZ
    return np.diff(np.floor(phase), prepend=0.0)


def _shaped(samples: Signal, resonances: tuple[tuple[float, float], ...]) -> Signal:
    """Through resonances, each (centre, width) in Hz."""
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    shape = sum(np.exp(-(((hz - centre) / width) ** 2)) / (n + 1) for n, (centre, width) in enumerate(resonances))
    return np.asarray(np.fft.irfft(np.fft.rfft(samples) * shape, len(samples)))


Noise = Literal["pink", "babble", "tones"]
NOISES: tuple[Noise, ...] = ("pink", "babble", "tones")


def noise(rng: np.random.Generator, kind: Noise, seconds: float, dbfs: float) -> Signal:
    """Noise of a room: rain and fans, many people who talk at once, or something like music."""
    count = round(seconds * RATE_HZ)
    sound = {"pink": _pink, "babble": _babble, "tones": _tones}[kind](rng, count)
    return sound * factor(dbfs) / np.sqrt((sound**2).mean())


def _pink(rng: np.random.Generator, count: int) -> Signal:
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    shape = 1 / np.sqrt(np.maximum(hz, 20))
    return np.asarray(np.fft.irfft(np.fft.rfft(rng.normal(0, 1, count)) * shape, count))


_TALKERS = 8


def _babble(rng: np.random.Generator, count: int) -> Signal:
    sound = np.zeros(count)
    everything = [said.samples for said in visitors()]
    everything += [at_level(np.frombuffer(pcm, dtype="<i2") / 32768, VISITOR_DBFS) for pcm in replies()]
    for _ in range(_TALKERS):
        at = -int(rng.integers(3 * RATE_HZ))
        while at < count:
            words = everything[rng.integers(len(everything))]
            part = words[max(0, -at) : count - at]
            sound[max(0, at) : max(0, at) + len(part)] += part
            at += len(words) + int(rng.uniform(0.1, 1.0) * RATE_HZ)
    return sound


def _tones(rng: np.random.Generator, count: int) -> Signal:
    """Chords that change twice a second over a bass, each note with harmonics that fade."""
    sound = np.zeros(count)
    for start in range(0, count, RATE_HZ // 2):
        time_s = np.arange(min(RATE_HZ, count - start)) / RATE_HZ
        for note in rng.choice(36, 3, replace=False):
            hz = 110 * 2 ** (note / 12)
            for harmonic in range(1, 5):
                swell = np.minimum(1, time_s / 0.01) * np.exp(-3 * harmonic * time_s)
                sound[start : start + len(time_s)] += np.sin(2 * np.pi * hz * harmonic * time_s) * swell / harmonic
    return sound
