"""What is saved from a damaged database before a fresh one takes its place: appointments, and what was spent.

A history that is lost is a pity; the time of an appointment that is lost is given to somebody else, and a cap that has
forgotten what was spent is none. So each row of these that can still be read is taken over. Blocking: called from a
worker thread, never from the event loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

TABLES = {"appointments": "appointment_id", "appointment_changes": "conversation_id, call_id", "usage": "sequence"}
"""By name the order of their rows, so that what lies behind a damaged page can be read from the other end."""


def salvage(damaged: Path, fresh: Path) -> int:
    """Take over what can be read; return how many appointments that were.

    Raises `sqlite3.Error` where the fresh database cannot be written.
    """
    taken = {table: _take(damaged, fresh, table, order) for table, order in TABLES.items()}
    return taken["appointments"]


def _take(damaged: Path, fresh: Path, table: str, order: str) -> int:
    taken = 0
    with closing(sqlite3.connect(fresh)) as target, target:
        target.execute("PRAGMA foreign_keys = ON")  # a change without its appointment is none
        for direction in ("ASC", "DESC"):
            keys = ", ".join(f"{key} {direction}" for key in order.split(", "))
            for row in _readable(damaged, f"SELECT * FROM {table} ORDER BY {keys}"):  # noqa: S608 - names of ours
                taken += _put(target, table, row)
    return taken


def _readable(damaged: Path, query: str) -> Iterator[sqlite3.Row]:
    """The rows up to the first that cannot be read."""
    try:
        with closing(sqlite3.connect(f"{damaged.as_uri()}?mode=ro", uri=True)) as source:
            source.row_factory = sqlite3.Row
            yield from source.execute(query)
    except sqlite3.Error:
        return  # the table is missing, or this is where the damage begins


def _put(target: sqlite3.Connection, table: str, row: sqlite3.Row) -> int:
    names = ", ".join(row.keys())
    values = ", ".join("?" * len(row))
    try:
        done = target.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({values})", tuple(row))  # noqa: S608
    except sqlite3.IntegrityError:
        return 0  # what is read from a damaged page may be no appointment
    return done.rowcount
