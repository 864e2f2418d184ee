"""The server as a process."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

DEADLINE_S = 30


async def start(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "voicebotd.rehearsal", *arguments, stdout=PIPE, stderr=PIPE
    )


async def ended(process: Process) -> tuple[int | None, str]:
    async with asyncio.timeout(DEADLINE_S):
        _, errors = await process.communicate()
    return process.returncode, errors.decode()


@pytest.mark.asyncio
async def test_it_says_where_it_listens_keeps_a_journal_and_ends_when_asked(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    process = await start("--port", "0", "--brain", "parrot", "--speed", "100", "--journal", str(journal))
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        line = (await process.stdout.readline()).decode()
        assert line.startswith("listening on ws://127.0.0.1:")
        async with connect(line.split()[-1]) as link:
            created = json.loads(await link.recv())
    process.terminate()
    assert await ended(process) == (0, "")
    assert created["type"] == "session.created"
    assert json.loads(journal.read_text().splitlines()[0])["event"]["type"] == "opened"


@pytest.mark.asyncio
async def test_a_wrong_script_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("turns: []")
    code, errors = await ended(await start("--port", "0", "--script", str(tmp_path / "wrong.yaml")))
    assert code == 78
    assert errors.count("\n") == 1
    assert "turns" in errors
    assert "wrong.yaml" in errors


@pytest.mark.asyncio
async def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, errors = await ended(await start("--port", str(taken.getsockname()[1])))
    assert code == 1
    assert errors.count("\n") == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("speed", ["0", "-1", "nan", "fast"])
async def test_a_speed_that_is_none_is_a_usage_error(speed: str) -> None:
    code, _ = await ended(await start("--speed", speed))
    assert code == 2


@pytest.mark.asyncio
async def test_faults_act_and_the_seed_is_taken() -> None:
    process = await start("--port", "0", "--fault", "status=503", "--seed", "7")
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        url = (await process.stdout.readline()).decode().split()[-1]
    with pytest.raises(InvalidStatus):
        await connect(url)
    process.terminate()
    assert await ended(process) == (0, "")


@pytest.mark.asyncio
async def test_an_unknown_fault_is_a_usage_error_with_the_nearest_name_and_a_list_can_be_had() -> None:
    code, errors = await ended(await start("--fault", "rts"))
    assert code == 2
    assert "did you mean rst?" in errors
    process = await start("--fault", "list")
    async with asyncio.timeout(DEADLINE_S):
        listed, _ = await process.communicate()
    assert process.returncode == 0
    assert b"half-open" in listed
