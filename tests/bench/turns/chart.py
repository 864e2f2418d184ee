"""The same results as a picture. Needs matplotlib; who has none gets the tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from turns.corpus import NOISES
from turns.plan import PROFILES, SNRS_DB
from turns.report import Results, alone, caught, false_turns_per_hour, sentences

RUNGS = (("aec", "confirm"), ("gate", "confirm"), ("half_duplex", "off"), ("none", "confirm"))


def draw(results: Results, path: Path) -> bool:
    """Write the PNG; False where there is no matplotlib."""
    try:
        import matplotlib  # noqa: PLC0415
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, ((top_left, top_right), (low_left, low_right)) = plt.subplots(2, 2, figsize=(13, 9))
    _self_interruptions(top_left, results)
    _silences(top_right, results)
    _false_turns(low_left, results)
    _waits(low_right, results)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True


def _self_interruptions(axes, results: Results) -> None:
    found = {rung: alone(results.of(scenario="silence", rung=rung, mode=mode)) for rung, mode in RUNGS}
    for place, lone in enumerate(found.values()):
        if lone is not None:
            bars = axes.bar([place], [lone.stopped_per_hour], color="tab:red")
            axes.bar_label(bars, [f"{lone.stopped_per_hour:.1f}"])
    axes.set_xticks(range(len(found)), list(found))
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, 10_000)
    axes.set_title("self-interruptions per hour of assistant speech")


def _silences(axes, results: Results) -> None:
    for cell in results.cells("interruptions"):
        met = caught(results.by_cell[cell])
        if met is None or cell.noise or cell.turns != "server_vad" or cell.profile != "default" or not met.silent_ms:
            continue
        times = np.sort(met.silent_ms)
        shares = np.arange(1, len(times) + 1) / met.number
        axes.step(times, shares, where="post", label=f"{cell.rung}, {cell.mode}, echo {cell.echo_db:+.0f} dB")
    axes.set_xlim(0, 2500)
    axes.set_ylim(0, 1.02)
    axes.axhline(0.95, color="grey", lw=0.5)
    axes.set_title("share of interruptions after which the loudspeaker is silent")
    axes.set_xlabel("ms after the visitor's first sound")
    if axes.lines[1:]:
        axes.legend(fontsize=7)


def _false_turns(axes, results: Results) -> None:
    for kind in NOISES:
        for profile in PROFILES:
            rates = [
                false_turns_per_hour(results.of(scenario="noise", profile=profile, noise=kind, snr_db=snr_db))
                for snr_db in SNRS_DB
            ]
            told = [(snr_db, rate) for snr_db, rate in zip(SNRS_DB, rates, strict=True) if rate is not None]
            if told and any(rate for _, rate in told):
                axes.plot(*zip(*told, strict=True), marker="o", label=f"{kind}, {profile}")
    axes.invert_xaxis()
    axes.set_title("false turns per hour of noise (noises without any are left out)")
    axes.set_xlabel("visitor's level over the noise, dB")
    if axes.lines:
        axes.legend(fontsize=7)
    else:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center")


def _waits(axes, results: Results) -> None:
    for place, profile in enumerate(PROFILES):
        said = sentences(results.of(scenario="sentences", profile=profile))
        if said is None:
            continue
        if said.extra_ms:
            axes.boxplot([said.extra_ms], positions=[place], widths=0.5)
        axes.annotate(f"{said.cut_off} of {said.number}\ncut off", (place, 5), ha="center", fontsize=8)
    axes.set_xticks(range(len(PROFILES)), PROFILES)
    axes.set_ylim(0, 250)
    axes.axhline(60, color="grey", lw=0.5)
    axes.set_title("extra wait after the end of speech, ms")
