"""Keeps a file that is sent faster than real time from outrunning the link.

The link drops the oldest audio when a second of it waits, which is right for a microphone and wrong for a file: a file
can stand still. Silence in its place would be wrong too: it would be heard in the middle of a word.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

BACKLOG_LIMIT_MS = 200
"""Of the 1000 ms that the link keeps before it drops. What is under way when the file is told to stand still must fit
into the rest."""
LOOK_AGAIN_S = 0.02


class Audio(Protocol):
    """What is paced."""

    def stand_still(self, on: bool) -> None: ...


class Link(Protocol):
    """What must not be outrun."""

    @property
    def backlog_ms(self) -> int: ...


class Pacer:
    """Call `sent()` after each microphone frame."""

    def __init__(self, audio: Audio, link: Link) -> None:
        self._audio = audio
        self._link = link
        self._behind = False

    def sent(self) -> None:
        """A frame went to the link: stop the file if too much waits there, and look again until it does not."""
        if not self._behind and self._link.backlog_ms > BACKLOG_LIMIT_MS:
            self._behind = True
            self._audio.stand_still(True)
            self._look_again()

    def _look_again(self) -> None:
        asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look)

    def _look(self) -> None:
        if self._link.backlog_ms > BACKLOG_LIMIT_MS:
            self._look_again()
        else:
            self._behind = False
            self._audio.stand_still(False)
