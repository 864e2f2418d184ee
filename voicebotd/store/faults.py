"""What can go wrong with the database, sorted by what to do about it and said in the words that `status` shows.

Owns `StoreError` and the reading of SQLite's and the system's error numbers. Pure: touches no file and no database.
"""

from __future__ import annotations

import errno
import sqlite3
from typing import Literal

from voicebotd.errors import StorageError

Fault = Literal[
    "disk_full",
    "locked",
    "corrupt",
    "index",
    "io",
    "denied",
    "newer_schema",
    "conflict",
    "not_found",
    "closed",
    "other",
]

_WORDS: dict[Fault, tuple[str, str]] = {
    "disk_full": ("disk full", "free some space; saving resumes by itself"),
    "locked": ("the database is locked by another process", "close the other program that has it open"),
    "corrupt": ("the database file is damaged", "it is set aside and a fresh one is begun"),
    "index": ("the index of words is damaged", "it is built anew from what was said"),
    "io": ("the disk reports an input/output error", "check the disk or card, then the kernel log"),
    "denied": ("the database cannot be written", "check owner and mode of the state directory"),
    "conflict": ("the record contradicts what is stored", ""),
}

_BY_SQLITE_CODE: dict[int, Fault] = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_CORRUPT_VTAB: "index",  # FTS5 says so of what it reads in its own tables
    sqlite3.SQLITE_IOERR: "io",
    # A full disk cannot hold the WAL index either: SQLite then reports an I/O error of this extended kind, not FULL.
    sqlite3.SQLITE_IOERR_SHMSIZE: "disk_full",
    sqlite3.SQLITE_CANTOPEN: "denied",
    sqlite3.SQLITE_PERM: "denied",
    sqlite3.SQLITE_READONLY: "denied",
    sqlite3.SQLITE_CONSTRAINT: "conflict",
}

_BY_ERRNO: dict[int, Fault] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EIO: "io",
}


class StoreError(StorageError):
    """A `StorageError` that says by `fault` which kind it is, so that nobody has to read its message."""

    def __init__(self, message: str, *, fault: Fault, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.fault: Fault = fault


def from_sqlite(error: sqlite3.Error) -> StoreError:
    """Sort by the extended result code, else by the primary one, which is its low byte (sqlite.org/rescode.html)."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return _told(_BY_SQLITE_CODE.get(code) or _BY_SQLITE_CODE.get(code & 0xFF, "other"), str(error))


def from_os(error: OSError) -> StoreError:
    """Sort what making the directory or the file ran into; whatever is not the disk is a matter of rights or paths."""
    return _told(_BY_ERRNO.get(error.errno or 0, "denied"), str(error))


def damaged(detail: str) -> StoreError:
    """The file opens, but what is in it does not hold together: by the words of quick_check, the index or the rest."""
    return _told("index" if "fts5" in detail.lower() else "corrupt", detail)


def newer_schema(*, found: int, known: int) -> StoreError:
    """The file was written by a later version of this program. It is left untouched."""
    return StoreError(
        f"the database has schema version {found}, this program knows up to {known}",
        fault="newer_schema",
        hint="install the newer program again, or move the database away to begin a fresh one",
    )


def _told(fault: Fault, detail: str) -> StoreError:
    words, hint = _WORDS.get(fault, ("the database failed", ""))
    return StoreError(f"{words} ({detail})", fault=fault, hint=hint)
