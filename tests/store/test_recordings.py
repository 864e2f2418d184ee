"""Both sides of a conversation are kept as sound, in bounds; what the disk does is never the conversation's."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from faulty_disk import no_tmpfs, small_disk

from voicebotd.store import recordings as module
from voicebotd.store.recordings import Recordings, files_of, recordings_beside, remove_older

DEADLINE_S = 20.0
FRAME = 240
needs_tmpfs = pytest.mark.skipif(bool(no_tmpfs()), reason=no_tmpfs())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return recordings_beside(tmp_path / "voicebotd.db")


@asynccontextmanager
async def running(directory: Path, *, max_mb: int = 100) -> AsyncIterator[Recordings]:
    recordings = Recordings(directory, max_mb=max_mb)
    await recordings.connect()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        task = group.create_task(recordings.run())
        yield recordings
        await recordings.disconnect()
        await task


def tone(value: int) -> bytes:
    return np.full(FRAME, value, "<i2").tobytes()


def talk(recordings: Recordings, frames: int, *, near: int = 5, far: int = 7) -> None:
    for _ in range(frames):
        recordings.hear(tone(near), tone(far))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0.005))})


def kept(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.flac"))


@pytest.mark.asyncio
async def test_the_visitor_is_left_and_the_assistant_right_and_every_sample_is_there(directory: Path) -> None:
    async with running(directory) as recordings:
        recordings.begin("c1")
        talk(recordings, 150)
        talk(recordings, 57, near=-3, far=0)
        recordings.end()
    [file] = kept(directory)
    sound, rate = soundfile.read(file, dtype="int16")
    assert rate == 24_000
    assert sound.shape == (207 * FRAME, 2)
    assert np.unique(sound[: 150 * FRAME], axis=0).tolist() == [[5, 7]]
    assert np.unique(sound[150 * FRAME :], axis=0).tolist() == [[-3, 0]]


@pytest.mark.asyncio
async def test_nobody_else_may_read_it(directory: Path) -> None:
    async with running(directory) as recordings:
        recordings.begin("c1")
        talk(recordings, 1)
        recordings.end()
    [file] = kept(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.asyncio
async def test_every_conversation_has_files_of_its_own_and_what_is_heard_between_them_is_kept_nowhere(
    directory: Path,
) -> None:
    async with running(directory) as recordings:
        talk(recordings, 10)
        for name in ("c1", "c2"):
            recordings.begin(name)
            talk(recordings, 110)
            recordings.end()
            talk(recordings, 10)
    assert [len(files_of(directory, name)) for name in ("c1", "c2", "c")] == [1, 1, 0]
    assert [soundfile.info(file).frames for file in kept(directory)] == [110 * FRAME] * 2


@pytest.mark.asyncio
async def test_a_conversation_that_lasts_gets_a_new_file_now_and_then(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_S", 2.0)
    async with running(directory) as recordings:
        recordings.begin("c1")
        talk(recordings, 500)
        recordings.end()
    files = [Path(file) for file in files_of(directory, "c1")]
    assert [soundfile.info(file).frames for file in files] == [200 * FRAME, 200 * FRAME, 100 * FRAME]


@pytest.mark.asyncio
async def test_the_oldest_go_when_the_room_is_used_up(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MB", 1000)
    directory.mkdir()
    for name in ("20200101.old.flac", "20200102.old.flac"):
        (directory / name).write_bytes(bytes(9000))
    async with running(directory, max_mb=16) as recordings:
        recordings.begin("c1")
        talk(recordings, 300)
        await until(lambda: len(kept(directory)) == 1)
        recordings.end()
    assert kept(directory)[0].name == "20200102.old.flac"
    assert len(files_of(directory, "c1")) == 1


@needs_tmpfs
@pytest.mark.asyncio
async def test_a_full_disk_stops_the_recording_with_a_word_and_room_lets_it_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    noise = np.random.default_rng(1)
    with small_disk(tmp_path / "disk", "1m") as disk:
        directory = disk / "recordings"
        (disk / "ballast").write_bytes(bytes(800 * 1024))
        async with running(directory) as recordings:
            recordings.begin("c1")
            while recordings.health_check().ok:
                loud = noise.integers(-30_000, 30_000, FRAME).astype("<i2").tobytes()
                recordings.hear(loud, loud)
                await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0))})
            health = recordings.health_check()
            assert "nothing is recorded: " in health.reason
            assert "free some space" in health.hint
            (disk / "ballast").unlink()
            await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0.02))})
            talk(recordings, 200)
            await until(lambda: recordings.health_check().ok)
            recordings.end()
        assert any(soundfile.info(file).frames >= 100 * FRAME for file in kept(directory))


@pytest.mark.asyncio
async def test_a_directory_that_cannot_be_made_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    (tmp_path / "state").write_text("a file")
    directory = tmp_path / "state" / "recordings"
    async with running(directory) as recordings:
        assert not recordings.health_check().ok
        recordings.begin("c1")
        talk(recordings, 100)
        await until(recordings._waiting.empty)
        assert not recordings.health_check().ok
        (tmp_path / "state").unlink()
        talk(recordings, 100)
        await until(lambda: recordings.health_check().ok)
        recordings.end()
    assert len(kept(directory)) == 1


@pytest.mark.asyncio
async def test_what_a_slow_disk_cannot_take_is_lost_and_counted(directory: Path) -> None:
    recordings = Recordings(directory, max_mb=100)
    recordings.begin("c1")
    talk(recordings, module.WAITING_FRAMES + 50)
    assert recordings.lost_frames == 50
    assert "0.5 s were lost" in recordings.health_check().reason


@pytest.mark.asyncio
async def test_what_a_killed_daemon_left_is_made_whole_at_the_next_start(directory: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from voicebotd.store.recordings import _Part, _prepare;"
        "d = Path(sys.argv[1]); _prepare(d); p = _Part(d, 'c1');"
        "[p.write([('c1', bytes([7, 0] * 240), bytes([9, 0] * 240))] * 100) for _ in range(5)]; os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(directory)], check=False)
    assert killed.returncode == -9
    assert kept(directory) == []
    (directory / "20200101.broken.flac.part").write_bytes(b"rubbish")
    async with running(directory):
        pass
    [file] = kept(directory)
    sound, _ = soundfile.read(file, dtype="int16")
    assert 300 * FRAME <= len(sound) <= 500 * FRAME, "what was flushed, but for the encoder's last block"
    assert np.unique(sound, axis=0).tolist() == [[7, 9]]
    assert list(directory.glob("*.part")) == []


@pytest.mark.asyncio
async def test_run_that_is_cancelled_leaves_a_whole_file(directory: Path) -> None:
    recordings = Recordings(directory, max_mb=100)
    await recordings.connect()
    task = asyncio.create_task(recordings.run())
    recordings.begin("c1")
    talk(recordings, 300)
    await until(lambda: bool(list(directory.glob("*.part"))))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [file] = kept(directory)
    assert soundfile.info(file).frames >= 100 * FRAME


def test_what_ended_before_a_moment_is_removed_but_not_what_is_being_written(tmp_path: Path) -> None:
    now = time.time()
    for name, age_s in (("1.a.flac", 10), ("2.b.flac", 0), ("3.c.flac.part", 10), ("4.d.flac.part", 10_000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now - age_s, now - age_s))
    assert remove_older(tmp_path, now - 5) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.b.flac", "3.c.flac.part"]
    assert remove_older(tmp_path / "nowhere", now) == 0


@pytest.mark.asyncio
async def test_that_nothing_is_recorded_stays_told_when_the_conversation_ends(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    async with running(tmp_path / "state" / "recordings") as recordings:
        for name in ("c1", "c2"):
            recordings.begin(name)
            recordings.end()
        await until(recordings._waiting.empty)
        assert not recordings.health_check().ok
