"""The database as files: made private, set aside when damaged, kept when migrated.

Owns names and modes on the disk. Blocking: called from a worker thread, never from the event loop.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from voicebotd.store.faults import StoreError

MAX_DAMAGED = 5
"""Damaged databases kept beside the present one."""

_POLL_S = 0.02
_COMPANIONS = ("", "-wal", "-shm")
"""A database in WAL mode is these files together; SQLite gives the later two the mode of the first."""


def take_turn(path: Path, within_s: float) -> int:
    """Wait until no other process is opening a database in this directory. Closing what it returns ends the turn.

    Two that make one file into a database at the same time delete each other's journals and backups: the second was
    told of an input/output error. The lock is flock(2)'s on the directory, so that no other file is left behind; on the
    database itself, closing the descriptor would drop SQLite's own locks (sqlite.org/howtocorrupt.html §2.2).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline_s = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < deadline_s:
                time.sleep(_POLL_S)  # flock waits for ever or not at all
                continue
            os.close(descriptor)
            raise StoreError(
                "another process has been opening the database for too long", fault="locked", hint="end that process"
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def prepare(path: Path) -> None:
    """Make the file (0600) where it is missing, as the directory was (0700): transcripts are nobody else's business.

    What exists keeps the mode that its administrator gave it.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def quarantine(path: Path) -> Path:
    """Rename a damaged database with all that belongs to it, so that it can still be studied. Return its new name.

    Raises `StoreError` (fault `corrupt`) when `MAX_DAMAGED` lie there already: nothing is ever deleted, and a dying
    card must not fill itself with its victims.
    """
    if len(list(path.parent.glob(f"{path.name}.damaged-*Z"))) >= MAX_DAMAGED:
        raise StoreError(
            f"the database file is damaged, and {MAX_DAMAGED} damaged ones lie beside it already",
            fault="corrupt",
            hint=f"the disk or card is failing; once it is replaced, remove {path.name}.damaged-*",
        )
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    for companion in _COMPANIONS:
        part = Path(f"{path}{companion}")
        if part.exists():
            part.rename(f"{aside}{companion}")
    return aside


def begin_backup(path: Path) -> Path:
    """Create the empty, private file that a backup is written into before it gets its name."""
    unfinished = path.with_name(f"{path.name}.bak-unfinished")
    unfinished.unlink(missing_ok=True)  # from a life that ended in the middle of it
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    return unfinished


def finish_backup(unfinished: Path, path: Path, version: int) -> Path:
    """Put the backup of schema `version` on the disk under its own name. Return that; an older one is replaced."""
    backup = path.with_name(f"{path.name}.v{version}.bak")
    _sync(unfinished)
    unfinished.replace(backup)
    _sync(backup.parent)
    return backup


def remove_copies(path: Path, limit: float) -> tuple[str, ...]:
    """Delete the copies of the database that hold what is older than `limit` (Unix seconds); return their names.

    A backup is asked what it holds. A damaged database can only go by the time of its last change.
    """
    removed = []
    for copy in [*path.parent.glob(f"{path.name}.v*.bak"), *path.parent.glob(f"{path.name}.damaged-*Z")]:
        if copy.stat().st_mtime < limit or (copy.suffix == ".bak" and _begins_before(copy, limit)):
            for companion in _COMPANIONS:
                Path(f"{copy}{companion}").unlink(missing_ok=True)
            removed.append(copy.name)
    return tuple(sorted(removed))


def _begins_before(backup: Path, limit: float) -> bool:
    with closing(sqlite3.connect(f"{backup.as_uri()}?immutable=1", uri=True)) as database:
        try:
            [found] = database.execute("SELECT EXISTS (SELECT 1 FROM turns WHERE started_at < ?)", (limit,)).fetchone()
        except sqlite3.Error:
            return False  # not readable: it goes by its time, like a damaged one
    return bool(found)


def _sync(target: Path) -> None:
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
