"""What happens in the bench's rooms: each scenario is one box for some minutes, and what came of it as numbers.

Owns the course of events (who speaks when) and which numbers are kept; `measure.py` makes them, `report.py` adds up.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from turns.box import Box, Setup, Talker, box_in_a_room
from turns.clock import Clock, run
from turns.corpus import (
    BLURTS,
    NOISES,
    VISITOR_DBFS,
    blurt,
    hesitant,
    long_reply,
    noise,
    replies,
    visitors,
)
from turns.measure import disturbances, lost_share, replay, silent_from
from turns.process import OUTPUT_LATENCY_MS
from turns.room import Acoustics, level_dbfs
from turns.service import Ears
from voicebotd.rehearsal.vad import CHUNK_MS

Record = dict[str, Any]

MISSED_AFTER_S = 1.5
"""How long after the end of an interruption, beyond the silence that ends a turn, the reply may still go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One box for `seconds` of audio. `echo_db`: how much louder than the visitor the assistant comes back."""

    scenario: str
    rung: str = "aec"
    profile: str = "default"
    mode: str = "confirm"
    echo_db: float = 0.0
    noise: str = ""
    snr_db: float = 20.0
    turns: str = "server_vad"
    drift: bool = True
    seconds: float = 60.0
    seed: int = 0

    def setup(self, rng: np.random.Generator) -> Setup:
        acoustics = Acoustics(
            delay_ms=float(rng.uniform(20, 150)),
            rt60_s=float(rng.uniform(0.2, 0.4)),
            erl_db=reply_dbfs() - VISITOR_DBFS - self.echo_db,
            drift_ppm=float(rng.uniform(-100, 100)) if self.drift else 0.0,
            seed=self.seed,
        )
        turns = () if self.turns == "server_vad" else (f"turn_detection.type={self.turns}",)
        setup = Setup(
            rung=self.rung,
            profile=self.profile,
            mode=self.mode,
            acoustics=acoustics,
            callback_phase=float(rng.uniform(0.05, 0.95)),
            settings=turns,
        )
        return replace(setup, network_ms=0.0) if self.scenario == "sentences" else setup


def reply_dbfs() -> float:
    """How loud the assistant's clips are."""
    return level_dbfs(np.frombuffer(b"".join(replies()), dtype="<i2") / 32768)


def perform(job: Job) -> list[Record]:
    """Run one job in this process. The same job gives the same records, but for CPU time."""
    clock = Clock()
    rng = np.random.default_rng((job.seed, sum(map(ord, job.scenario))))
    records = run(clock, _SCENARIOS[job.scenario](job, rng, clock))
    gc.collect()  # a box refers to itself, and all that it heard and played stays until this is noticed
    return records


def _common(job: Job, box: Box) -> Record:
    return {"job": job, "seconds": box.seconds, "engine_cpu_s": box.engine_cpu_s}


async def speak(box: Box) -> bool:
    """Have the assistant speak, and wait until it is heard."""
    await box.command("RequestResponse")
    return await box.run(3, until=lambda: box.sounding)


async def _silence(job: Job, rng: np.random.Generator, clock: Clock) -> list[Record]:
    """The assistant speaks, nobody else does: whatever stops it is itself."""
    talker = Talker(lambda: long_reply(rng, float(rng.uniform(15, 40))))
    async with box_in_a_room(job.setup(rng), talker, clock) as box:
        while box.seconds < job.seconds:
            await speak(box)
            await box.run(60, until=lambda: not _busy(box))
            await box.run(0.5)
        spoken_s = sum(bool(block.any()) for block in box.played) / 100
        found = disturbances(box.happened)
        false_turns = len(box.service.times("input_audio_buffer.committed"))
        return [
            {
                **_common(job, box),
                "spoken_s": spoken_s,
                "ducked": found.ducked,
                "stopped": found.stopped,
                "false_turns": false_turns,
                "corrections": box.audio.status.drift_corrections,
            }
        ]


def _busy(box: Box) -> bool:
    """Whether the assistant speaks, is about to, or waits for what it took for a visitor."""
    return box.state not in ("listening", "dozing", "off")


async def _interruptions(job: Job, rng: np.random.Generator, clock: Clock) -> list[Record]:
    """The assistant speaks at length; again and again a visitor begins to talk into it."""
    talker = Talker(lambda: long_reply(rng, 25))
    records: list[Record] = []
    async with box_in_a_room(job.setup(rng), talker, clock) as box:
        if job.noise:
            box.say(noise(rng, job.noise, job.seconds + 60, VISITOR_DBFS - job.snr_db))  # type: ignore[arg-type]
        while box.seconds < job.seconds:
            if not box.sounding and not await box.run(2, until=lambda: box.sounding):
                await speak(box)
            before = len(box.happened)
            await box.run(float(rng.uniform(1.5, 8)))
            if disturbances(box.happened[before:]).stopped or not _speaks(box):
                continue  # interrupted by itself, or at its end: no interruption to judge
            records.append(await _one_interruption(job, rng, box))
        records.append(_common(job, box))
    return records


def _speaks(box: Box) -> bool:
    return box.state == "speaking"


async def _one_interruption(job: Job, rng: np.random.Generator, box: Box) -> Record:
    said = visitors()[rng.integers(len(visitors()))]
    first = len(box.happened)
    onset_s = box.say(said.samples)
    end_s = onset_s + said.duration_s
    settings = box.config.settings
    silence_s = settings.turn_detection.silence_duration_ms / 1000

    def flushed() -> bool:
        return any(each.what == "flush" for each in box.happened[first:])

    answered = await box.run(
        said.duration_s + silence_s + MISSED_AFTER_S,
        until=lambda: box.now_s > end_s and bool(box.service.times("response.created", end_s)),
    )
    silent_s = silent_from(box.played, box.played_at_s, onset_s) if flushed() else None
    started = box.service.times("input_audio_buffer.speech_started", onset_s)
    ducked = [each.at_s for each in box.happened[first:] if each.what in ("duck", "pause", "flush")]
    items = [item for item in box.service.items() if item.role == "user"]
    arrived = np.frombuffer(bytes(items[-1].parts[0].pcm), dtype="<i2") / 32768 if items and answered else np.zeros(0)
    return {
        "job": job,
        "interruption": said.name,
        "confirm_after_ms": settings.barge_in.confirm_after_ms,
        "flushed": flushed(),
        "silent_ms": None if silent_s is None else (silent_s - onset_s) * 1000 + OUTPUT_LATENCY_MS,
        "noticed_ms": (started[0] - onset_s) * 1000 if started else None,
        "ducked_ms": (ducked[0] - onset_s) * 1000 if ducked else None,
        "answered": answered,
        "lost": lost_share(said.samples, arrived) if flushed() and answered else None,
    }


async def _blurts(job: Job, rng: np.random.Generator, clock: Clock) -> list[Record]:
    """Into each reply somebody coughs, hums or utters a syllable."""
    talker = Talker(lambda: long_reply(rng, float(rng.uniform(8, 12))))
    records: list[Record] = []
    async with box_in_a_room(job.setup(rng), talker, clock) as box:
        while box.seconds < job.seconds:
            users = sum(item.role == "user" for item in box.service.items())
            first_block, first = len(box.played), len(box.happened)
            if not await speak(box):
                continue
            await box.run(float(rng.uniform(1, 6)))
            kind = BLURTS[rng.integers(len(BLURTS))]
            box.say(blurt(rng, kind).samples)
            await box.run(40, until=lambda: not _busy(box))
            await box.run(1.5)
            found = disturbances(box.happened[first:])
            said = talker.said[-1]
            played = replay(np.frombuffer(said, dtype="<i2"), np.concatenate(box.played[first_block:]))
            records.append(
                {
                    "job": job,
                    "blurt": kind,
                    "ducked": found.ducked > 0,
                    "paused": found.stopped > 0 and not found.cut,
                    "cut": found.cut > 0,
                    "exact": played.exact,
                    "why": played.why,
                    "pauses_ms": played.pauses_ms,
                    "items_left": sum(item.role == "user" for item in box.service.items()) - users,
                }
            )
        records.append(_common(job, box))
    return records


async def _noise(job: Job, rng: np.random.Generator, clock: Clock) -> list[Record]:
    """Nobody is there, but it is not quiet."""
    talker = Talker(lambda: replies()[-1])
    async with box_in_a_room(job.setup(rng), talker, clock) as box:
        kind: Any = job.noise or NOISES[0]
        box.say(noise(rng, kind, job.seconds, VISITOR_DBFS - job.snr_db))
        await box.run(job.seconds)
        started = len(box.service.times("input_audio_buffer.speech_started"))
        answered = len(box.service.times("response.created"))
        return [{**_common(job, box), "started": started, "answered": answered}]


async def _sentences(job: Job, rng: np.random.Generator, clock: Clock) -> list[Record]:
    """A visitor asks one thing after another, and stops to think in the middle of each."""
    shortest = min(replies(), key=len)
    talker = Talker(lambda: shortest)
    records: list[Record] = []
    async with box_in_a_room(job.setup(rng), talker, clock) as box:
        while box.seconds < job.seconds:
            records.append(await _one_sentence(job, rng, box))
            await box.run(30, until=lambda: not _busy(box))
            await box.run(0.7)
        records.append(_common(job, box))
    return records


async def _one_sentence(job: Job, rng: np.random.Generator, box: Box) -> Record:
    pauses_ms = tuple(int(pause) for pause in rng.integers(300, 1501, int(rng.integers(1, 3))))
    said = hesitant(visitors()[rng.integers(len(visitors()))], pauses_ms)
    silence_ms = box.config.settings.turn_detection.silence_duration_ms
    onset_s = box.say(said.samples)
    end_s = onset_s + said.duration_s
    await box.run(
        said.duration_s + silence_ms / 1000 + 2,
        until=lambda: box.now_s > end_s and bool(box.service.times("response.created", end_s)),
    )
    commits = box.service.times("input_audio_buffer.committed", onset_s)
    answers = box.service.times("response.created", end_s)
    early = [at_s for at_s in commits if at_s < end_s]
    whole = bool(answers) and not early
    return {
        "job": job,
        "pauses_ms": pauses_ms,
        "cut_off": bool(early),
        "extra_ms": (answers[0] - end_s) * 1000 - silence_ms if whole else None,
        "box_ms": (answers[0] - _would_answer_s(box, onset_s, end_s)) * 1000 if whole else None,
        "unheard": not commits,
    }


def _would_answer_s(box: Box, onset_s: float, end_s: float) -> float:
    """When a server that heard the microphone itself, without any box between, would have ended the turn."""
    rule = box.config.settings.turn_detection
    first = max(0, round((onset_s - 0.5 - box.began_s) * 100))
    ears, heard_s, ends_s = Ears(), box.began_s + first / 100, math.inf
    silent_ms = 0
    for block in box.recorded[first:]:
        heard_s += 0.01
        for probability in ears.feed(block.tobytes()):
            silent_ms = 0 if probability >= rule.threshold else silent_ms + CHUNK_MS
            if heard_s > end_s and silent_ms >= rule.silence_duration_ms:
                ends_s = min(ends_s, heard_s)
    return ends_s


_SCENARIOS: dict[str, Callable[[Job, np.random.Generator, Clock], Any]] = {
    "silence": _silence,
    "interruptions": _interruptions,
    "blurts": _blurts,
    "noise": _noise,
    "sentences": _sentences,
}
