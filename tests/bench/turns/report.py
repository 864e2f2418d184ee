"""The tables that people read: records added up per cell.

Owns what counts as caught, late and missed. Judges nothing (`aims.py`), draws nothing (`chart.py`) and runs nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from turns.plan import PROFILES, SNRS_DB, cell_of
from turns.scenarios import Job, Record

IMMEDIATE_MS = 700
CONFIRM_MARGIN_MS = 100
NOTHING = "-"


class Results:
    """All records of a run, by cell."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.by_cell: dict[Job, list[Record]] = defaultdict(list)
        for record in records:
            self.by_cell[cell_of(record["job"])].append(record)

    def of(self, **fields: object) -> list[Record]:
        """The records of the cell with these fields, the rest as `Job` has it by itself."""
        return self.by_cell.get(cell_of(Job(**fields)), [])  # type: ignore[arg-type]

    def cells(self, scenario: str) -> list[Job]:
        return [cell for cell in self.by_cell if cell.scenario == scenario]

    @property
    def hours(self) -> float:
        return sum(record.get("seconds", 0.0) for records in self.by_cell.values() for record in records) / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    hours: float
    stopped_per_hour: float
    ducked_per_hour: float


def alone(records: list[Record]) -> Alone | None:
    hours = sum(record["spoken_s"] for record in records) / 3600
    if not hours:
        return None
    stopped, ducked = (sum(record[name] for record in records) for name in ("stopped", "ducked"))
    return Alone(hours=hours, stopped_per_hour=stopped / hours, ducked_per_hour=ducked / hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """Shares of all interruptions. `within_ms`: what the mode allows, counted from the visitor's first sound."""

    number: int
    within_ms: int
    caught: float
    late: float
    missed: float
    after_notice: float | None
    """Share silent within the mode's own time after the service told of speech (a network's way later, here). None
    where the box detects turns by itself."""
    silent_ms: list[float]
    ducked_ms: list[float]
    noticed_ms: list[float]
    lost: float


def caught(records: list[Record]) -> Caught | None:
    tries = [record for record in records if "interruption" in record]
    if not tries:
        return None
    confirms = tries[0]["job"].mode == "confirm"
    within_ms = tries[0]["confirm_after_ms"] + CONFIRM_MARGIN_MS if confirms else IMMEDIATE_MS
    silent = [record["silent_ms"] for record in tries if record["silent_ms"] is not None]
    in_time = sum(ms <= within_ms for ms in silent)
    after = [
        record["silent_ms"] - record["noticed_ms"] <= within_ms
        for record in tries
        if record["silent_ms"] is not None and record["noticed_ms"] is not None
    ]
    lost = [record["lost"] for record in tries if record["lost"] is not None]
    return Caught(
        number=len(tries),
        within_ms=within_ms,
        caught=in_time / len(tries),
        late=(len(silent) - in_time) / len(tries),
        missed=(len(tries) - len(silent)) / len(tries),
        after_notice=sum(after) / len(tries) if any(record["noticed_ms"] for record in tries) else None,
        silent_ms=silent,
        ducked_ms=[record["ducked_ms"] for record in tries if record["ducked_ms"] is not None],
        noticed_ms=[record["noticed_ms"] for record in tries if record["noticed_ms"] is not None],
        lost=float(np.mean(lost)) if lost else float("nan"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    number: int
    cut_off: int
    cut_off_short: int
    """Of those whose pauses are all of 1.4 s or shorter."""
    short: int
    extra_ms: list[float]
    box_ms: list[float]
    """Of that, what the box adds to a server that hears the microphone itself."""


def sentences(records: list[Record]) -> Sentences | None:
    said = [record for record in records if "cut_off" in record]
    if not said:
        return None
    short = [record for record in said if max(record["pauses_ms"]) <= 1400]
    return Sentences(
        number=len(said),
        cut_off=sum(record["cut_off"] for record in said),
        cut_off_short=sum(record["cut_off"] for record in short),
        short=len(short),
        extra_ms=[record["extra_ms"] for record in said if record["extra_ms"] is not None],
        box_ms=[record["box_ms"] for record in said if record["box_ms"] is not None],
    )


def cpu_ms(records: Iterable[Record]) -> float | None:
    """CPU milliseconds of the engine per second of audio."""
    told = [record for record in records if "engine_cpu_s" in record]
    seconds = sum(record["seconds"] for record in told)
    return sum(record["engine_cpu_s"] for record in told) / seconds * 1000 if seconds else None


def false_turns_per_hour(records: list[Record], what: str = "answered") -> float | None:
    """Turns that were `answered`, or those that `started`: one that noise keeps up for ever is never answered."""
    hours = sum(record["seconds"] for record in records) / 3600
    return sum(record[what] for record in records) / hours if hours else None


# --- Tables ----------------------------------------------------------------------------------------------------------

Table = tuple[str, tuple[str, ...], list[tuple[object, ...]]]


def _rank(values: list[float], share: float) -> str:
    return f"{np.percentile(values, share):.0f}" if values else NOTHING


def _percent(share: float | None) -> str:
    return NOTHING if share is None or np.isnan(share) else f"{share:.0%}"


def _number(value: float | None, form: str = "{:.1f}") -> str:
    return NOTHING if value is None else form.format(value)


def summary(results: Results) -> Table:
    """One row per rung, mode and profile, with the echo as loud as the visitor."""
    head = ("rung", "mode", "profile", "self/h", "caught", "missed", "silent ms", "p95", "lost")
    head += ("false turns/h", "cut off", "extra ms", "p95", "CPU ms/s")
    rows = []
    places = dict.fromkeys((cell.rung, cell.mode, cell.profile) for cell in results.by_cell)
    for rung, mode, profile in sorted(places, key=_order):
        where = {"rung": rung, "mode": mode, "profile": profile}
        lone, met = (
            alone(results.of(scenario="silence", **where)),
            caught(results.of(scenario="interruptions", **where)),
        )
        said = sentences(results.of(scenario="sentences", **where))
        noisy = [r for cell in results.cells("noise") if _is_at(cell, where) for r in results.by_cell[cell]]
        every = [r for cell, records in results.by_cell.items() if _is_at(cell, where) for r in records]
        rows.append(
            (
                rung,
                mode,
                profile,
                _number(lone and lone.stopped_per_hour),
                _percent(met and met.caught),
                _percent(met and met.missed),
                _rank(met.silent_ms if met else [], 50),
                _rank(met.silent_ms if met else [], 95),
                _percent(met and met.lost),
                _number(false_turns_per_hour(noisy)),
                f"{said.cut_off}/{said.number}" if said else NOTHING,
                _rank(said.extra_ms if said else [], 50),
                _rank(said.extra_ms if said else [], 95),
                _number(cpu_ms(every)),
            )
        )
    return "all of it, echo as loud as the visitor", head, rows


def _is_at(cell: Job, where: dict[str, str]) -> bool:
    return (cell.rung, cell.mode, cell.profile) == (where["rung"], where["mode"], where["profile"])


def _order(place: tuple[str, str, str]) -> tuple[int, str, int]:
    rung, mode, profile = place
    return ("aec", "gate", "half_duplex", "none").index(rung), mode, PROFILES.index(profile)


def silence_table(results: Results) -> Table:
    head = ("rung", "mode", "profile", "echo dB", "speech min", "stopped/h", "ducked/h", "false turns", "drift fixes")
    rows = []
    for cell in results.cells("silence"):
        records = results.by_cell[cell]
        found = alone(records)
        if found is None:
            continue
        more = tuple(sum(record[name] for record in records) for name in ("false_turns", "corrections"))
        numbers = (f"{found.hours * 60:.0f}", f"{found.stopped_per_hour:.1f}", f"{found.ducked_per_hour:.1f}", *more)
        rows.append((cell.rung, cell.mode, cell.profile, f"{cell.echo_db:+.0f}", *numbers))
    return "nobody speaks but the assistant (echo against the visitor's level)", head, rows


def interruption_table(results: Results) -> Table:
    head = ("rung", "mode", "profile", "turns", "echo dB", "noise", "n", "within ms", "caught", "late", "missed")
    head += ("after notice", "noticed ms", "ducked ms", "silent ms", "p95", "words lost")
    rows = []
    for cell in results.cells("interruptions"):
        met = caught(results.by_cell[cell])
        if met is None:
            continue
        noise = f"{cell.noise} {cell.snr_db:.0f} dB" if cell.noise else NOTHING
        rows.append(
            (
                cell.rung,
                cell.mode,
                cell.profile,
                cell.turns,
                f"{cell.echo_db:+.0f}",
                noise,
                met.number,
                met.within_ms,
                _percent(met.caught),
                _percent(met.late),
                _percent(met.missed),
                _percent(met.after_notice),
                _rank(met.noticed_ms, 50),
                _rank(met.ducked_ms, 50),
                _rank(met.silent_ms, 50),
                _rank(met.silent_ms, 95),
                _percent(met.lost),
            )
        )
    return "a visitor talks into the reply (times from the visitor's first sound)", head, rows


def blurt_table(results: Results) -> Table:
    head = ("rung", "mode", "what", "n", "ducked", "paused", "cut", "not exact", "items left", "pause ms")
    rows = []
    for cell in results.cells("blurts"):
        for kind in ("cough", "hm", "word"):
            found = [record for record in results.by_cell[cell] if record.get("blurt") == kind]
            if not found:
                continue
            counts = tuple(sum(bool(record[name]) for record in found) for name in ("ducked", "paused", "cut"))
            wrong = sum(not record["exact"] and not record["cut"] for record in found)
            pauses = [ms for record in found for ms in record["pauses_ms"]]
            left = sum(record["items_left"] for record in found if not record["cut"])
            rows.append((cell.rung, cell.mode, kind, len(found), *counts, wrong, left, _rank(pauses, 50)))
    return "a cough, a hum or a syllable into the reply (200-400 ms)", head, rows


def noise_table(results: Results) -> Table:
    head = ("rung", "profile", "noise", *(f"SNR {snr_db:.0f} dB" for snr_db in SNRS_DB), "minutes each")
    rows = []
    for place in dict.fromkeys((cell.rung, cell.profile, cell.noise) for cell in results.cells("noise")):
        where = dict(zip(("rung", "profile", "noise"), place, strict=True))
        found = [results.of(scenario="noise", snr_db=snr_db, **where) for snr_db in SNRS_DB]
        minutes = max(sum(record["seconds"] for record in records) for records in found) / 60
        numbers = tuple(
            f"{_number(false_turns_per_hour(records, 'started'), '{:.0f}')} / "
            f"{_number(false_turns_per_hour(records), '{:.0f}')}"
            for records in found
        )
        rows.append((*place, *numbers, f"{minutes:.1f}"))
    return "nobody there: false turns begun / answered per hour of noise (SNR against a visitor)", head, rows


def sentence_table(results: Results) -> Table:
    head = (
        "rung",
        "profile",
        "turns",
        "n",
        "cut off",
        "pauses <= 1.4 s",
        "cut off of those",
        "extra ms",
        "p95",
        "by the box",
        "p95",
    )
    rows = []
    for cell in results.cells("sentences"):
        said = sentences(results.by_cell[cell])
        if said:
            extra = [_rank(values, share) for values in (said.extra_ms, said.box_ms) for share in (50, 95)]
            counts = (said.number, said.cut_off, said.short, said.cut_off_short)
            rows.append((cell.rung, cell.profile, cell.turns, *counts, *extra))
    return (
        "questions with pauses of 300-1500 ms inside (extra: beyond silence_duration_ms, without the network)",
        head,
        rows,
    )


TABLES: tuple[Callable[[Results], Table], ...] = (
    silence_table,
    interruption_table,
    blurt_table,
    noise_table,
    sentence_table,
    summary,
)
