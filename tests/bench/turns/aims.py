"""What the bench is run for: each aim, what was measured, and whether that reaches it."""

from __future__ import annotations

import numpy as np

from turns.report import CONFIRM_MARGIN_MS, IMMEDIATE_MS, NOTHING, Results, alone, caught, sentences


def aims(results: Results) -> list[tuple[str, str, str]]:
    """Each aim, what was measured, and `reached`, `missed` or `not run`."""
    found: list[tuple[str, str, str]] = []

    def judge(aim: str, measured: str | None, reached: bool) -> None:
        found.append((aim, measured or NOTHING, "not run" if measured is None else "reached" if reached else "missed"))

    for rung, mode, most in (("aec", "confirm", 0.0), ("gate", "confirm", 1.0), ("half_duplex", "off", 0.0)):
        lone = alone(results.of(scenario="silence", rung=rung, mode=mode))
        told = f"{lone.stopped_per_hour:.1f} in {lone.hours * 60:.0f} min" if lone else None
        judge(
            f"{rung}: at most {most:g} self-interruptions per hour", told, bool(lone) and lone.stopped_per_hour <= most
        )  # type: ignore[union-attr]
    for mode in ("immediate", "confirm"):
        met = caught(results.of(scenario="interruptions", mode=mode))
        within = f"{IMMEDIATE_MS} ms" if mode == "immediate" else f"confirm_after_ms + {CONFIRM_MARGIN_MS} ms"
        text = f"aec, {mode}: 95 % of interruptions silent within {within}"
        told = f"{met.caught:.1%} of {met.number}" if met else None
        judge(text, told, met is not None and met.caught >= 0.95)
        if mode == "confirm":  # the pause is due so long after the service's word, which is what the key promises
            after = None if met is None else met.after_notice
            told = None if met is None or after is None else f"{after:.1%} of {met.number}"
            judge(f"{text} of speech_started", told, after is not None and after >= 0.95)
    blurts = [record for record in results.of(scenario="blurts") if "blurt" in record and not record["cut"]]
    wrong = sum(not record["exact"] for record in blurts)
    paused = sum(record["paused"] for record in blurts)
    told = f"{wrong} of {len(blurts)}, {paused} of them paused" if blurts else None
    judge("resumed replies that skip or repeat a sample: 0", told, wrong == 0)
    patient = sentences(results.of(scenario="sentences", profile="patient"))
    told = f"{patient.cut_off_short} of {patient.short}" if patient else None
    reached = patient is not None and not patient.cut_off_short
    judge("patient never cuts off a pause of 1.4 s", told, reached)
    quick = sentences(results.of(scenario="sentences", profile="responsive"))
    for aim, values in (
        ("responsive: less than 60 ms beyond silence_duration_ms (median)", quick.extra_ms if quick else []),
        ("responsive: of that less than 60 ms by the box (median)", quick.box_ms if quick else []),
    ):
        extra = float(np.median(values)) if values else None
        judge(aim, None if extra is None else f"{extra:.0f} ms", extra is not None and extra < 60)
    return found
