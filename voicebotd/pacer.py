"""Keeps a file that is sent faster than real time from outrunning the link.

The link drops the oldest audio when a second of it waits, which is right for a microphone and wrong for a file: a file
can wait. Stands between the conversation and the audio and holds the file while either asks for it.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

BACKLOG_LIMIT_MS = 500
"""Half of what the link keeps before it drops."""
LOOK_AGAIN_S = 0.02


class Audio(Protocol):
    """What is paced."""

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None: ...
    def flush(self, token: int) -> None: ...
    def hold_input(self, hold: bool) -> None: ...


class Link(Protocol):
    """What must not be outrun."""

    @property
    def backlog_ms(self) -> int: ...


class Pacer:
    """An audio manager to the conversation; call `sent()` after each microphone frame."""

    def __init__(self, audio: Audio, link: Link) -> None:
        self._audio = audio
        self._link = link
        self._answering = False
        self._behind = False

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        self._audio.play(item_id, content_index, pcm)

    def flush(self, token: int) -> None:
        self._audio.flush(token)

    def hold_input(self, hold: bool) -> None:
        self._answering = hold
        self._audio.hold_input(self._answering or self._behind)

    def sent(self) -> None:
        """A frame went to the link: hold the file if too much waits there, and look again until it does not."""
        if not self._behind and self._link.backlog_ms > BACKLOG_LIMIT_MS:
            self._look()

    def _look(self) -> None:
        self._behind = self._link.backlog_ms > BACKLOG_LIMIT_MS
        self._audio.hold_input(self._answering or self._behind)
        if self._behind:
            asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look)
