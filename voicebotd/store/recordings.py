"""The sound of conversations, where somebody wants it kept: FLAC, the visitor left, the assistant right.

Owns the directory (0700) and its files (0600), how much they may take, and the thread that writes them: the event loop
only hands over what it was told. A disk that is full or fails ends the recording and says so, never the conversation;
it is tried again every minute. Knows no database.

A file is called `.part` while it is written, since FLAC says its length at the beginning: what a killed daemon left is
made whole at the next start. A new file is begun every `PART_S`, so that the oldest can go while a conversation lasts
for months.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile
import structlog

from voicebotd.service import BaseService, Health

_log = structlog.get_logger("recordings")

RATE_HZ = 24_000
FRAME_S = 0.01
PART_S = 600.0
CHUNK_FRAMES = 100
"""Written at once: a second."""
WAITING_FRAMES = 3000
"""That wait for the disk at most: thirty seconds, 3 MB. What comes then is lost, counted and told."""
RETRY_S = 60.0
DISCONNECT_S = 2.0
_MB = 1_000_000
_UNFINISHED = ".part"

Frame = tuple[str, bytes, bytes]
"""The conversation, and what was heard and played in 10 ms of it."""
OVER: Frame = ("", b"", b"")
"""The conversation before it is over."""


class Recordings(BaseService):
    """Records one conversation at a time into `directory`, which may take `max_mb`.

    `begin`, `hear` and `end` never wait and never raise.
    """

    def __init__(self, directory: Path, *, max_mb: int) -> None:
        self.directory = directory
        self._max_bytes = max_mb * _MB
        self._conversation = ""
        self._waiting: asyncio.Queue[Frame] = asyncio.Queue()  # bounded by `hear`: an end must always fit
        self._part: _Part | None = None
        self._reason = ""
        self._again_at_s = 0.0
        self._stopping = False
        self._ended = asyncio.Event()
        self.lost_frames = 0

    def begin(self, conversation_id: str) -> None:
        """Record what is heard from now on as this conversation's."""
        self._conversation = conversation_id

    def end(self) -> None:
        """Record no more, until the next `begin`."""
        if self._conversation:
            self._conversation = ""
            self._waiting.put_nowait(OVER)

    def hear(self, near: bytes, far: bytes) -> None:
        """10 ms of both sides, 24 kHz mono s16le, equally long."""
        if not self._conversation or (self._reason and asyncio.get_running_loop().time() < self._again_at_s):
            return
        if self._waiting.qsize() >= WAITING_FRAMES:
            self.lost_frames += 1
            if self.lost_frames == 1:
                _log.warning("the disk is too slow for the recording: some of it is lost")
            return
        self._waiting.put_nowait((self._conversation, near, far))

    async def connect(self) -> None:
        """Make the directory, and whole what a killed daemon left there."""
        try:
            await asyncio.to_thread(_prepare, self.directory)
        except OSError as error:
            self._fail(error)

    async def run(self) -> None:
        # One thread: what is being written when this is cancelled is written before the file is closed.
        thread = ThreadPoolExecutor(1, thread_name_prefix="recordings")
        try:
            while not (self._stopping and self._waiting.empty()):
                await self._store(thread, await self._next_chunk())
        finally:
            try:
                await asyncio.get_running_loop().run_in_executor(thread, self._finish)
            finally:
                thread.shutdown(wait=False)
                self._ended.set()

    async def disconnect(self) -> None:
        """Write what waits, and make the file whole."""
        self._stopping = True
        self._conversation = ""
        self._waiting.put_nowait(OVER)
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCONNECT_S):
                await self._ended.wait()

    def health_check(self) -> Health:
        if self._reason:
            hint = "free some space, or see to the disk; it is tried again every minute"
            return Health(ok=False, state="stopped", reason=f"nothing is recorded: {self._reason}", hint=hint)
        lost = f"{self.lost_frames * FRAME_S:.1f} s were lost: the disk is too slow" if self.lost_frames else ""
        return Health(ok=True, state="recording" if self._conversation else "ready", reason=lost)

    async def _next_chunk(self) -> list[Frame]:
        """What waits, a second of it, or less where a conversation ends."""
        frames = [await self._waiting.get()]
        while len(frames) < CHUNK_FRAMES and frames[-1] is not OVER:
            frames.append(await self._waiting.get())
        return frames

    async def _store(self, thread: ThreadPoolExecutor, frames: list[Frame]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(thread, self._write, frames)
        except (OSError, soundfile.LibsndfileError) as error:
            await asyncio.get_running_loop().run_in_executor(thread, self._finish)
            self._fail(error)
        else:
            if frames != [OVER]:
                self._reason = ""

    def _fail(self, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if reason != self._reason:
            _log.warning("the recording stopped", reason=reason)
        self._reason = reason
        self._again_at_s = asyncio.get_running_loop().time() + RETRY_S

    # In the thread.

    def _write(self, frames: list[Frame]) -> None:
        for conversation_id, group in groupby(frames, key=lambda frame: frame[0]):
            if self._part is not None and (self._part.conversation_id != conversation_id or self._part.full):
                self._close()
            if conversation_id:
                self._part = self._part or _Part(self.directory, conversation_id)
                self._part.write(list(group))
        self._make_room()

    def _close(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            part.close()

    def _finish(self) -> None:
        """Save what can be saved of the file, where it cannot go on or shall not."""
        try:
            self._close()
        except (OSError, soundfile.LibsndfileError) as error:
            _log.warning("the end of a recording is lost", reason=str(error))

    def _make_room(self) -> None:
        """Remove the oldest recordings until the rest fits; the one that is being written stays."""
        written = self._part.path if self._part else None
        sizes = {path: path.stat().st_size for path in _recordings(self.directory, unfinished=True)}
        excess = sum(sizes.values()) - self._max_bytes
        for path, size in sizes.items():
            if excess > 0 and path != written:
                path.unlink()
                excess -= size
                _log.info("the oldest recording was removed to make room", file=path.name)


class _Part:
    """One file that is being written."""

    def __init__(self, directory: Path, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        self.path = directory / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.{conversation_id}.flac{_UNFINISHED}"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # it may have been impossible at the start
        descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._file = soundfile.SoundFile(descriptor, "w", RATE_HZ, 2, "PCM_16", format="FLAC", closefd=True)
        self._frames = 0

    @property
    def full(self) -> bool:
        return self._frames >= PART_S * RATE_HZ

    def write(self, frames: list[Frame]) -> None:
        near = np.frombuffer(b"".join(near for _, near, _ in frames), "<i2")
        far = np.frombuffer(b"".join(far for _, _, far in frames), "<i2")
        self._file.write(np.column_stack((near, far)))
        self._file.flush()
        self._frames += len(near)

    def close(self) -> None:
        self._file.close()
        self.path.rename(self.path.with_suffix(""))


def files_of(directory: Path, conversation_id: str) -> list[str]:
    """The paths of a conversation's recordings, oldest first. Blocking."""
    return [str(path) for path in _recordings(directory) if conversation_id in path.name.split(".")]


def recordings_beside(database: Path) -> Path:
    """The directory of the recordings that belong to a database."""
    return database.parent / "recordings"


def remove_older(directory: Path, limit: float) -> int:
    """Delete the recordings that ended before `limit` (Unix seconds); return how many that were. Blocking.

    One that is being written goes when it is whole; one that a failing disk left unfinished goes like the others.
    """
    removed = 0
    for path in _recordings(directory, unfinished=True):
        touched = path.stat().st_mtime
        left_behind = path.suffix != _UNFINISHED or touched < time.time() - PART_S
        if left_behind and touched < limit:
            path.unlink()
            removed += 1
    return removed


def _recordings(directory: Path, *, unfinished: bool = False) -> list[Path]:
    """Oldest first: their names begin with their time."""
    found = [*directory.glob("*.flac"), *(directory.glob(f"*.flac{_UNFINISHED}") if unfinished else ())]
    return sorted(found, key=lambda path: path.name)


def _prepare(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in directory.glob(f"*.flac{_UNFINISHED}"):
        _make_whole(path)


class _CutOff(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file that does not say its length: it can only be read from its beginning to its end."""

    def seekable(self) -> bool:
        return False


def _make_whole(path: Path) -> None:
    """Write what a killed daemon left once more, now that its length is known; what cannot be read is removed."""
    whole = path.with_suffix("")
    try:
        with (
            _CutOff(path) as left,
            soundfile.SoundFile(whole, "w", RATE_HZ, channels=2, format="FLAC", subtype="PCM_16") as copy,
        ):
            while len(block := left.read(RATE_HZ, dtype="int16")):
                copy.write(block)
    except soundfile.LibsndfileError as error:
        _log.warning("a recording that was cut off cannot be read and is removed", file=path.name, reason=str(error))
        whole.unlink(missing_ok=True)
    else:
        os.utime(whole, (path.stat().st_atime, path.stat().st_mtime))
        whole.chmod(0o600)
    path.unlink()
