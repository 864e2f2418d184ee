"""How things look on a terminal: colour, columns, durations, levels, money, and who said what.

Owns the words and shapes that several commands share. Pure: text in, text out. What the daemon sends is shown only
after `clean`, because a model or a device name must not be able to drive somebody's terminal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this program; checkers know the name
if TYPE_CHECKING:
    from typing import Any, TextIO

_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35"}
_CONTROL = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_SPEAKERS = {"user": ("visitor", "blue"), "assistant": ("assistant", "green"), "system": ("system", "dim")}
_SILENCE_DBFS = -60.0
"""An empty level meter; a quiet room on a kiosk microphone lies near it."""


class Style:
    """Colour, or none of it."""

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str]) -> Style:
        """Colour only on a terminal that has it, and not where `NO_COLOR` is set to anything (no-color.org)."""
        return cls(colour=stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb")

    def paint(self, text: str, colour: str) -> str:
        """Return `text` in one of the colours, or as it is."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.colour and text else text


def clean(text: object) -> str:
    """Return `text` without control characters (line breaks and tabs stay)."""
    return str(text).translate(_CONTROL)


def one_line(text: object) -> str:
    """Return `text` cleaned and on one line."""
    return " ".join(clean(text).split())


def one_piece(text: object) -> str:
    """Return a part of a line cleaned, without line breaks and tabs; spaces at its ends stay."""
    return clean(text).translate({ord("\n"): " ", ord("\t"): " "})


def value_text(value: Any) -> str:
    """Return a setting as people write it: text bare, everything else as JSON."""
    return clean(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def table(rows: Iterable[Sequence[str]], *, indent: str = "") -> str:
    """Return rows as left-aligned columns, two spaces apart."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(max(map(len, rows)))]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)) for row in rows)
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def duration(seconds: float | None) -> str:
    """Return a length of time in its two largest units: `3 h 12 min`."""
    if seconds is None:
        return "?"
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    units = ((days, "d"), (hours, "h"), (minutes, "min"), (whole % 60, "s"))
    first = next((place for place, (amount, _) in enumerate(units) if amount), len(units) - 1)
    return " ".join(f"{amount} {unit}" for amount, unit in units[first : first + 2] if amount) or "0 s"


def usd(amount: float | None) -> str:
    """Return an estimated cost; below ten cents to a hundredth of a cent."""
    if amount is None:
        return "cost unknown"
    return f"${amount:.4f}" if 0 < amount < 0.1 else f"${amount:.2f}"


def level(dbfs: float | None) -> str:
    """Return a microphone level as a number and a bar of ten."""
    if dbfs is None:
        return "no sound yet"
    return f"{dbfs:.0f} dBFS {bar(fullness(dbfs))}"


def fullness(dbfs: float) -> float:
    """Return how full a meter is at this level, 0 to 1."""
    return 1 - max(_SILENCE_DBFS, min(0.0, dbfs)) / _SILENCE_DBFS


def bar(full: float) -> str:
    """Return a bar of ten for a share of 0 to 1."""
    filled = round(10 * max(0.0, min(1.0, full)))
    return f"[{'#' * filled}{'.' * (10 - filled)}]"


def moment(epoch_s: float | None) -> str:
    """Return a time of day and date in the reader's own zone."""
    return "?" if epoch_s is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_s))


def clock(epoch_s: float) -> str:
    """Return a time of day in the reader's own zone."""
    return time.strftime("%H:%M:%S", time.localtime(epoch_s))


def said(turn: Mapping[str, Any], style: Style) -> str:
    """Return one turn (of the history, or a final `transcript` event) as a line: who, what, what of it was heard."""
    name, colour = _SPEAKERS.get(str(turn.get("role")), (one_line(turn.get("role", "?")), "dim"))
    line = f"{style.paint(f'{name:>9}', colour)}: {one_line(turn.get('text') or '(nothing understood)')}"
    if turn.get("interrupted"):
        heard = one_line(turn.get("heard_text") or "") or "nothing"
        line += style.paint(f"  [interrupted; heard: {heard}]", "yellow")
    return line


def transcript(turns: Iterable[Mapping[str, Any]], style: Style) -> str:
    """Return turns as lines."""
    return "\n".join(said(turn, style) for turn in turns)
