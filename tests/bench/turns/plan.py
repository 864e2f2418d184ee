"""Which boxes the bench runs, and for how long: the cells of its tables, cut into jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from turns.corpus import NOISES
from turns.scenarios import Job

FULL_HOURS = 4.0
QUICK_HOURS = 0.14
LONGEST_JOB_S = 150.0
"""Each job is a room of its own: many rooms say more than a long stay in one."""
SHORTEST_JOB_S = 15.0
PROFILES = ("default", "noisy", "responsive", "patient")
SNRS_DB = (20.0, 10.0, 5.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One place in a table. `share`: of the whole run. `essential`: also part of a quick run."""

    job: Job
    share: float
    essential: bool = False


def cells() -> Iterator[Cell]:
    yield from _alone()
    yield from _interrupted()
    yield Cell(job=Job(scenario="blurts"), share=0.06, essential=True)
    yield Cell(job=Job(scenario="blurts", rung="gate"), share=0.02)
    yield Cell(job=Job(scenario="blurts", mode="immediate"), share=0.01)
    for profile in PROFILES:
        yield Cell(job=Job(scenario="sentences", profile=profile), share=0.025, essential=True)
        yield Cell(job=Job(scenario="sentences", rung="gate", profile=profile), share=0.005)
        yield from _noises(Job(scenario="noise", profile=profile), share=0.003)
    yield from _noises(Job(scenario="noise", rung="gate"), share=0.001)
    yield Cell(job=Job(scenario="sentences", rung="half_duplex", mode="off"), share=0.005)
    yield Cell(job=Job(scenario="sentences", turns="local"), share=0.01)


def _noises(job: Job, *, share: float) -> Iterator[Cell]:
    """Nobody is there, but it is not quiet."""
    for kind in NOISES:
        for snr_db in SNRS_DB:
            essential = job.rung == "aec" and job.profile == "default" and snr_db == 10.0
            yield Cell(job=replace(job, noise=kind, snr_db=snr_db), share=share, essential=essential)


def _alone() -> Iterator[Cell]:
    """The assistant speaks, nobody else."""
    yield Cell(job=Job(scenario="silence"), share=0.2, essential=True)
    yield Cell(job=Job(scenario="silence", mode="immediate"), share=0.05)
    for profile in PROFILES[1:]:
        yield Cell(job=Job(scenario="silence", profile=profile), share=0.02)
        yield Cell(job=Job(scenario="silence", rung="gate", profile=profile), share=0.01)
    yield Cell(job=Job(scenario="silence", rung="gate"), share=0.1, essential=True)
    yield Cell(job=Job(scenario="silence", rung="gate", mode="immediate"), share=0.03)
    yield Cell(job=Job(scenario="silence", rung="half_duplex", mode="off"), share=0.03, essential=True)
    yield Cell(job=Job(scenario="silence", rung="none"), share=0.01, essential=True)
    for echo_db in (-9.0, 6.0, 11.0):
        yield Cell(job=Job(scenario="silence", echo_db=echo_db), share=0.012)


def _interrupted() -> Iterator[Cell]:
    """A visitor talks into the assistant's replies."""
    for mode in ("confirm", "immediate"):
        yield Cell(job=Job(scenario="interruptions", mode=mode), share=0.065, essential=True)
        yield Cell(job=Job(scenario="interruptions", rung="gate", mode=mode), share=0.03, essential=mode == "confirm")
    for profile in PROFILES[1:]:
        yield Cell(job=Job(scenario="interruptions", profile=profile), share=0.015)
        yield Cell(job=Job(scenario="interruptions", rung="gate", profile=profile), share=0.008)
    yield Cell(job=Job(scenario="interruptions", rung="half_duplex", mode="off"), share=0.006)
    yield Cell(job=Job(scenario="interruptions", rung="none", mode="immediate", echo_db=-9.0), share=0.006)
    yield Cell(job=Job(scenario="interruptions", turns="local", mode="immediate"), share=0.015)
    for echo_db in (-9.0, 6.0, 11.0):
        yield Cell(job=Job(scenario="interruptions", echo_db=echo_db, mode="immediate"), share=0.012)
    for kind in ("pink", "tones"):
        yield Cell(job=Job(scenario="interruptions", noise=kind, snr_db=10.0, mode="immediate"), share=0.008)


def jobs(*, hours: float, seed: int, quick: bool, rung: str = "", profile: str = "") -> list[Job]:
    """The jobs of a run, longest first; the same arguments give the same jobs."""
    chosen = [
        cell
        for cell in cells()
        if (cell.essential or not quick)
        and (not rung or cell.job.rung == rung)
        and (not profile or cell.job.profile == profile)
    ]
    whole = sum(cell.share for cell in chosen)
    found: list[Job] = []
    for number, cell in enumerate(chosen):
        seconds = max(SHORTEST_JOB_S, hours * 3600 * cell.share / whole)
        rooms = -(-seconds // LONGEST_JOB_S)
        found += [
            replace(cell.job, seconds=seconds / rooms, seed=seed * 1_000_000 + number * 1000 + room)
            for room in range(int(rooms))
        ]
    return sorted(found, key=lambda job: -job.seconds)


def cell_of(job: Job) -> Job:
    """The job without what tells the rooms of one cell apart."""
    return replace(job, seconds=0.0, seed=0)
