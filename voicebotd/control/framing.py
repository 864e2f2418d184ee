"""Bytes into lines: one JSON document per line, with the open files that came along.

Owns the line limit and the rule that says which line an open file belongs to. Knows no socket and no JSON; a file is
a number here, and whoever gets it back must close it.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebotd.control.contract import FDS_PER_LINE, LINE_LIMIT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    data: bytes
    """Without its newline."""
    fds: tuple[int, ...] = ()
    """Open files that came with it, in the order in which they were sent."""


class LineBuffer:
    """Collects what arrives. After every `feed` the caller must close `surplus_fds`, and stop when `too_long`."""

    def __init__(self, *, limit_bytes: int = LINE_LIMIT_BYTES, fds_per_line: int = FDS_PER_LINE) -> None:
        self.too_long = False
        """A line exceeded the limit: there is no telling where the next one begins."""
        self.surplus_fds: list[int] = []
        """Files beyond the allowance of their line, and those of a line that was too long."""
        self._limit_bytes = limit_bytes
        self._fds_per_line = fds_per_line
        self._partial = bytearray()
        self._fds: list[int] = []

    def feed(self, data: bytes, fds: tuple[int, ...] = ()) -> list[Line]:
        """Take what one read returned (at least one byte); return the lines that it completed.

        The files belong to the line of the last byte: Linux ends a read after the segment that carried files, but may
        put earlier segments without files in front of it (unix(7), SCM_RIGHTS on stream sockets).
        """
        pieces = data.split(b"\n")
        last = len(pieces) - 1
        owner = last - 1 if data.endswith(b"\n") else last
        lines: list[Line] = []
        for index, piece in enumerate(pieces):
            self._partial += piece
            if index == owner:
                self._keep(fds)
            if len(self._partial) > self._limit_bytes:
                self.too_long = True
                self.surplus_fds.extend(fds if index < owner else ())
                self.drop()
                break
            if index < last:
                lines.append(Line(data=bytes(self._partial), fds=tuple(self._fds)))
                self._partial.clear()
                self._fds.clear()
        return lines

    @property
    def unfinished(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._partial)

    def drop(self) -> None:
        """Forget the unfinished line; its files become surplus."""
        self._partial.clear()
        self.surplus_fds.extend(self._fds)
        self._fds.clear()

    def _keep(self, fds: tuple[int, ...]) -> None:
        room = self._fds_per_line - len(self._fds)
        self._fds.extend(fds[:room])
        self.surplus_fds.extend(fds[room:])
