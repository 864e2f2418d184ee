"""Who asks: the peer behind a request, what it may do, and the open files that came with the request.

Owns the life of received file descriptors. Knows no method.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from voicebotd.control.client_queue import ClientQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The process at the other end, as the kernel knew it when it connected (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int
    admin: bool


@dataclass(slots=True, kw_only=True, eq=False)
class Caller:
    """One line's sender. The connection closes whatever open files no handler took."""

    peer: Peer
    queue: ClientQueue = field(default_factory=ClientQueue)
    """The client's own queue: what events.subscribe subscribes."""
    fds: list[int] = field(default_factory=list)

    def take_fd(self) -> int | None:
        """Take the next open file that came with the request; None when there is none (left).

        It is the taker's from now on: close it, on cancellation too (`with os.fdopen(fd, "rb")`).
        """
        return self.fds.pop(0) if self.fds else None

    def close_fds(self) -> None:
        while (fd := self.take_fd()) is not None:
            os.close(fd)
