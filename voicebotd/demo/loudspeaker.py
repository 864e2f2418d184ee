"""Makes a conversation with a file audible while it is held: plays its recording of both sides as it grows.

Owns how far behind the recording the loudspeaker is. The sound card's own microphone frames, which nobody listens to
here, are the clock: a file that grows cannot be waited for. Decides nothing; without the file there is silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from voicebotd.audio.manager import AudioManager
from voicebotd.audio.options import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ, AudioOptions

LEAD_S = 0.4
"""The recording reaches the disk in pieces of a tenth of a second; this much in hand bridges them."""
HEADER_BYTES = 44
FRAME_BYTES = 2 * BYTES_PER_SAMPLE


@asynccontextmanager
async def playing_along(options: AudioOptions, recording: Path) -> AsyncIterator[None]:
    """Play `recording` (24 kHz, two channels, still to be written) for the length of the block."""
    follower = Follower(recording)
    audio = AudioManager(options, on_event=lambda _event: None, on_capture=lambda _frame: follow())

    def follow() -> None:
        if pcm := follower.read():
            audio.play("both sides", 0, pcm)

    await audio.connect()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(audio.run(), name="loudspeaker")
        try:
            yield
        finally:
            await audio.disconnect()
            running.cancel()
            follower.close()


class Follower:
    """Reads what was added to a growing stereo WAV, as mono."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._started = False

    def read(self) -> bytes:
        """What is new: 24 kHz mono s16le; nothing while there is no file, or less than the lead."""
        if self._file is None:
            with suppress(FileNotFoundError):
                self._file = self._path.open("rb")
                self._file.seek(HEADER_BYTES)
        if self._file is None:
            return b""
        self._rest += self._file.read()
        if not self._started and len(self._rest) < LEAD_S * SAMPLE_RATE_HZ * FRAME_BYTES:
            return b""
        self._started = True
        whole = len(self._rest) // FRAME_BYTES * FRAME_BYTES
        frames = np.frombuffer(self._rest[:whole], dtype="<i2").reshape(-1, 2).astype(np.int32)
        self._rest = self._rest[whole:]
        mono = np.clip(frames.sum(axis=1), -32768, 32767).astype("<i2")
        return bytes(mono)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
