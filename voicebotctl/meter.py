"""What the microphone hears, as one line at the foot of a terminal that is drawn again and again.

Owns the line and its place: everything else is printed above it. Only on a terminal that can move its cursor.
"""

from __future__ import annotations

import os

from voicebotctl.render import bar, fullness

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this program; checkers know the name
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO

_COLUMNS = 80
_WIPE = "\r\x1b[K"
"""To the first column, and erase to the end of the line (ECMA-48, EL)."""
_UNHEARD_DBFS = -119.0


class Meter:
    """Of nothing, on anything but a terminal: then `shows` is False and the rest does nothing."""

    def __init__(self, out: TextIO, environ: Mapping[str, str], *, wanted: bool = True) -> None:
        self._out = out
        self.shows = wanted and out.isatty() and environ.get("TERM") != "dumb"
        self._drawn = False

    def draw(self, data: Mapping[str, Any]) -> None:
        """Show the data of an `audio.level` event."""
        if self.shows:
            # A longer line would wrap, and could not be wiped any more.
            self._out.write(_WIPE + line(data)[: self._columns() - 1])
            self._out.flush()
            self._drawn = True

    def wipe(self) -> None:
        """Make room for something else."""
        if self._drawn:
            self._out.write(_WIPE)
            self._out.flush()
            self._drawn = False

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or _COLUMNS
        except (OSError, ValueError):
            return _COLUMNS


def line(data: Mapping[str, Any]) -> str:
    """Return level, speech, echo and gate as text. What a daemon of another version leaves out is left out."""
    parts = []
    if (level := _number(data.get("input_dbfs"))) is not None:
        parts.append(f"mic {bar(fullness(level))} {level:4.0f} dBFS")
    if (voice := _number(data.get("voice"))) is not None:
        parts.append(f"speech {bar(voice)} {100 * voice:3.0f} %")
    echo = _number(data.get("echo_dbfs"))
    if echo is not None and echo > _UNHEARD_DBFS:
        parts.append(f"echo {echo:.0f} dBFS")
    if data.get("gate") == "closed":
        parts.append("gate closed")
    return "  ".join(parts)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
