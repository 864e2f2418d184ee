"""usage: what the box used and what it cost, by model and kind; with --days, one bar for each day."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import Style, bar, one_line, table, usd

BAR = 40
"""Characters of the longest bar. `#`, because every terminal has it."""
_REHEARSED = "rehearsal/"
_COUNTS = ("input_text", "cached_text", "output_text", "input_audio", "cached_audio", "output_audio")
_HEAD = ("model", "for", "times", "text in", "cached", "out", "audio in", "cached", "out", "minutes", "USD")


def _arguments(parser: ArgumentParser) -> None:
    Parameters("usage.get").option(parser, "days")


def _usage(context: Context, args: Namespace) -> int:
    report = context.call("usage.get", given(args, "days"))
    context.show(report, lambda document: screen(document, context.style))
    return 0


def screen(report: Mapping[str, Any], style: Style) -> str:
    """Return everything for a `usage.get` result: the caps, the days, the models."""
    days = report["days"]
    lines = [style.paint("what it cost", "bold"), *_summary(report)]
    if len(days) > 1:
        lines += ["", *_bars(days)]
    models = _added_up(model for day in days for model in day["models"])
    when = "today" if len(days) == 1 else f"in these {len(days)} days"
    lines += ["", table([_HEAD, *map(_row, models)], indent="  ") if models else f"  nothing was used {when}"]
    if any(model["model"].startswith(_REHEARSED) for model in models):
        lines.append(f"  {_REHEARSED}… was only rehearsed: nothing of it is paid")
    if hint := report["status"]["hint"]:
        lines.append(f"  {style.paint('to do', 'yellow')}  {one_line(hint)}")
    return "\n".join(lines)


def _summary(report: Mapping[str, Any]) -> Iterable[str]:
    status = report["status"]
    amounts = (
        ("today", status["today_usd"], report["daily_cap_usd"]),
        ("conversation", status["session_usd"], report["session_cap_usd"]),
    )
    for what, spent, cap in amounts:
        yield f"  {what:12}  {usd(spent)}{_of(spent, cap)}"


def _of(spent: float, cap: float | None) -> str:
    if cap is None:
        return ", no cap"
    share = spent / cap if cap else 1.0
    return f" of {usd(cap)}, {share:.0%} {bar(share)}"


def _bars(days: Iterable[Mapping[str, Any]]) -> list[str]:
    days = list(days)
    most = max(day["usd"] for day in days)
    lines = [
        (day["date"], usd(day["usd"]), "#" * (round(BAR * day["usd"] / most) or 1) if day["usd"] else "")
        for day in days
    ]
    total = usd(sum(day["usd"] for day in days))
    return [table([*lines, ("together", total)], indent="  ")]


def _added_up(models: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each model and kind, over all days."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for model in models:
        row = rows.setdefault((model["model"], model["kind"]), {**model, **dict.fromkeys(_SUMS, 0), "priced": True})
        for name in _SUMS:
            row[name] += model[name]
        row["priced"] = row["priced"] and model["priced"]
    return [rows[key] for key in sorted(rows)]


_SUMS = ("count", *_COUNTS, "audio_s", "usd")


def _row(model: Mapping[str, Any]) -> tuple[str, ...]:
    minutes = f"{model['audio_s'] / 60:.1f}" if model["audio_s"] else ""
    cost = f"{model['usd']:.6f}" if model["priced"] else "no price known"
    counts = (str(model[name]) if model[name] else "" for name in _COUNTS)
    return (model["model"] or "(unnamed)", model["kind"], str(model["count"]), *counts, minutes, cost)


COMMANDS: Commands = {"usage": Command(_usage, method="usage.get", arguments=_arguments)}
