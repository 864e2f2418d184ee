"""Database files are private, and damaged ones are kept, up to a number."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from voicebotd.store import files
from voicebotd.store.faults import StoreError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_missing_directory_and_file_are_made_private(tmp_path: Path) -> None:
    database = tmp_path / "state" / "history.db"
    os.close(files.take_turn(database, 0))
    files.prepare(database)
    assert (mode(database.parent), mode(database)) == (0o700, 0o600)


def test_one_process_at_a_time_opens_a_database_and_leaves_no_lock_behind(tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    turn = files.take_turn(database, 0)
    with pytest.raises(StoreError, match="another process has been opening") as raised:
        files.take_turn(database, 0.03)
    assert raised.value.fault == "locked"
    with ThreadPoolExecutor() as other:
        waiting = other.submit(files.take_turn, database, 10)
        os.close(turn)
        os.close(waiting.result())
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_locked_is_the_systems_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: os.listdir(tmp_path / "missing"))
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        files.take_turn(tmp_path / "history.db", 0)
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_what_exists_keeps_its_content_and_its_mode(tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    database.write_bytes(b"content")
    database.chmod(0o640)
    files.prepare(database)
    assert (mode(database), database.read_bytes()) == (0o640, b"content")


def test_a_damaged_database_is_renamed_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").write_text(f"content{suffix}")
    aside = files.quarantine(database)
    assert aside.name.startswith("history.db.damaged-")
    assert aside.read_text() == "content"
    assert Path(f"{aside}-wal").read_text() == "content-wal"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [aside.name, f"{aside.name}-wal", f"{aside.name}-shm"]
    )


def test_a_dying_card_is_not_filled_with_damaged_databases(tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    for _ in range(files.MAX_DAMAGED):
        Path(f"{database}-wal").touch()
        database.touch()
        files.quarantine(database)
    database.touch()
    with pytest.raises(StoreError, match="damaged ones lie beside it") as raised:
        files.quarantine(database)
    assert raised.value.fault == "corrupt"
    assert database.exists()


def test_copies_are_deleted_by_what_they_hold_or_by_their_age(tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    for name, moment in (("v1.bak", 500.0), ("v2.bak", 1500.0)):
        with closing(sqlite3.connect(f"{database}.{name}")) as backup:
            backup.execute("CREATE TABLE turns (started_at REAL)")
            backup.execute("INSERT INTO turns VALUES (?)", (moment,))
            backup.commit()
    old, young = (tmp_path / f"history.db.damaged-{year}0101T000000.000000Z" for year in (2001, 2002))
    for damaged in (old, young, tmp_path / "history.db.v3.bak"):
        damaged.write_text("rubbish")
    Path(f"{old}-wal").touch()
    os.utime(old, (900, 900))
    database.touch()
    assert files.remove_copies(database, 1000.0) == (old.name, "history.db.v1.bak")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "history.db", young.name, "history.db.v2.bak", "history.db.v3.bak"
    ]  # fmt: skip
    assert "history.db.v3.bak" in files.remove_copies(database, time.time() + 1)


def test_a_backup_is_private_and_replaces_the_older_one_of_its_version(tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    (tmp_path / "history.db.bak-unfinished").write_text("of a life that ended in the middle of it")
    for content in ("first", "second"):
        unfinished = files.begin_backup(database)
        assert unfinished.read_bytes() == b""
        unfinished.write_text(content)
        backup = files.finish_backup(unfinished, database, 3)
    assert (backup.name, backup.read_text(), mode(backup)) == ("history.db.v3.bak", "second", 0o600)
    assert list(tmp_path.iterdir()) == [backup]
