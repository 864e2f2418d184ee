"""Errors of SQLite and of the system become faults that status can show and code can tell apart."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from voicebotd.errors import StorageError
from voicebotd.store.faults import damaged, from_os, from_sqlite, newer_schema


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite words it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (sqlite3.SQLITE_FULL, "disk_full"),
        (sqlite3.SQLITE_BUSY, "locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "locked"),
        (sqlite3.SQLITE_CORRUPT, "corrupt"),
        (sqlite3.SQLITE_NOTADB, "corrupt"),
        (sqlite3.SQLITE_CORRUPT_VTAB, "index"),
        (sqlite3.SQLITE_IOERR_FSYNC, "io"),
        (sqlite3.SQLITE_IOERR_SHMSIZE, "disk_full"),
        (sqlite3.SQLITE_CANTOPEN, "denied"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "denied"),
        (sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, "conflict"),
        (sqlite3.SQLITE_INTERRUPT, "other"),
    ],
)
def test_every_sqlite_code_has_its_fault(code: int, fault: str) -> None:
    assert from_sqlite(sqlite_error(code)).fault == fault


def test_an_error_that_carries_no_code_is_a_fault_too() -> None:
    assert from_sqlite(sqlite3.ProgrammingError("misuse")).fault == "other"


@pytest.mark.parametrize(
    ("number", "fault"),
    [(errno.ENOSPC, "disk_full"), (errno.EIO, "io"), (errno.EACCES, "denied"), (errno.ENOTDIR, "denied")],
)
def test_every_system_error_has_its_fault(number: int, fault: str) -> None:
    assert from_os(OSError(number, "as the system words it")).fault == fault


def test_a_system_error_without_a_number_is_a_matter_of_rights() -> None:
    assert from_os(OSError("no number")).fault == "denied"


def test_a_full_disk_is_told_in_words_with_the_remedy_and_sqlites_own_detail() -> None:
    error = from_sqlite(sqlite_error(sqlite3.SQLITE_FULL))
    assert error.message == "disk full (as SQLite words it)"
    assert "free some space" in error.hint
    assert isinstance(error, StorageError)


def test_a_newer_schema_names_both_versions() -> None:
    error = newer_schema(found=7, known=3)
    assert error.fault == "newer_schema"
    assert "version 7" in error.message
    assert "up to 3" in error.message


def test_damage_is_corruption_but_of_the_index_which_can_be_built_anew() -> None:
    assert damaged("page 3 is never used").fault == "corrupt"
    assert damaged("malformed inverted index for FTS5 table main.turn_words").fault == "index"
