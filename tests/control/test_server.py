"""The server: who gets in, who may do what, and that no nonsense brings it down."""

import asyncio
import errno
import json
import os
import random
import socket
from typing import Any

import pytest

from voicebotd.control.listener import open_control_socket

VALID = b'{"jsonrpc":"2.0","method":"echo","params":{},"id":17}'


@pytest.mark.asyncio
async def test_a_client_is_greeted_with_protocol_version_and_state(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        client.close()
        greeted = socket.socket(socket.AF_UNIX)
        greeted.connect(str(rig.path))
        hello = await asyncio.to_thread(greeted.recv, 4096)
        greeted.close()

    assert hello == (b'{"jsonrpc":"2.0","method":"hello","params":{"protocol":"1.0","version":"9.9","state":"idle"}}\n')


@pytest.mark.asyncio
async def test_one_client_too_many_is_told_so_and_a_place_becomes_free_again(start: Any, settle: Any) -> None:
    async with start(max_clients=2) as rig:
        first, _second = await rig.connect(), await rig.connect()
        third = await rig.connect()
        assert await third.line() == b""
        assert (await first.call("echo"))["result"] == "echo"
        first.close()
        await settle(lambda: rig.server.clients == 1)

        assert (await (await rig.connect()).call("echo"))["result"] == "echo"


@pytest.mark.asyncio
async def test_the_one_too_many_gets_a_reason(start: Any) -> None:
    async with start(max_clients=0) as rig:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(rig.path))
            refused = json.loads(await asyncio.to_thread(client.recv, 4096))

    assert (refused["id"], refused["error"]["code"]) == (None, -32001)
    assert refused["error"]["data"]["hint"] == "control.max_clients is 0"


@pytest.mark.asyncio
async def test_rights_follow_the_user_behind_the_socket(start: Any) -> None:
    asked: list[int] = []

    def nobody(uid: int) -> bool:
        asked.append(uid)
        return False

    async with start(is_admin=nobody) as rig:
        client = await rig.connect()

        assert (await client.call("echo"))["result"] == "echo"
        assert (await client.call("keep"))["result"] == "echo"
        assert (await client.call("keep", {"persist": True}))["error"]["code"] == -32003
        assert (await client.call("admin"))["error"]["data"]["kind"] == "rpc.permission"
        assert asked == [os.getuid()]


@pytest.mark.asyncio
async def test_our_own_user_may_do_everything(start: Any) -> None:
    async with start() as rig:
        assert (await (await rig.connect()).call("admin"))["result"] == "echo"


@pytest.mark.asyncio
async def test_a_full_file_table_pauses_taking_clients_in_and_costs_none_of_those_inside(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebotd.control.server._OUT_OF_FILES_PAUSE_S", 0.0)
    async with start() as rig:
        inside = await rig.connect()
        failures = [OSError(errno.EMFILE, "Too many open files")] * 2 + [ConnectionAbortedError()]
        listening = rig.listening.sock

        class Failing:
            def fileno(self) -> int:
                return listening.fileno()

            def accept(self) -> Any:
                if failures:
                    raise failures.pop()
                return listening.accept()

        object.__setattr__(rig.listening, "sock", Failing())
        late = await rig.connect()
        object.__setattr__(rig.listening, "sock", listening)

        assert (await inside.call("echo"))["result"] == "echo"
        assert (await late.call("echo"))["result"] == "echo"
        assert failures == []


@pytest.mark.asyncio
async def test_a_bug_in_one_connection_does_not_end_the_others(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as rig:
        healthy, doomed = await rig.connect(), await rig.connect()

        async def broken(*_args: Any) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr("voicebotd.control.connection.Connection._send", broken)
        await doomed.send(VALID + b"\n")
        assert await doomed.line() == b""
        monkeypatch.undo()

        assert (await healthy.call("echo"))["result"] == "echo"


@pytest.mark.asyncio
async def test_after_the_end_nobody_listens_and_the_file_is_gone(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await rig.server.close()
        await rig.server.close()

        assert await client.line() == b""
        assert not rig.path.exists()
        open_control_socket(rig.path, environ={}).close()


@pytest.mark.asyncio
async def test_cancelling_the_server_leaves_nothing_behind(start: Any) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with start() as rig:
        client = await rig.connect()
        await client.send(b'{"jsonrpc":"2.0","method":"wait","id":1}\n')
        await rig.until(lambda: rig.waiting == 1)
        rig.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rig.running

        assert (rig.cancelled, rig.server.clients) == (1, 0)
        assert not rig.path.exists()
        assert await client.line() == b""
        client.close()
        assert len(os.listdir("/proc/self/fd")) == before


def _nonsense(rng: random.Random) -> bytes:
    """A line of garbage, of cut off JSON, of JSON in the wrong shape, or a valid request with a few bytes changed."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(60)).replace(b"\n", b"")
    if kind == 1:
        return VALID[: rng.randrange(len(VALID))]
    if kind == 2:
        return rng.choice([b"[]", b"[[],{}]", b"null", b"NaN", b"[" * 3000, b'{"id":{}}', b"[1e999]", b'"\\ud800"'])
    mutated = bytearray(VALID)
    for _ in range(rng.randrange(1, 4)):
        mutated[rng.randrange(len(mutated))] = rng.choice(b'{}[]",:0aZ\\\x00\xff ')
    return bytes(mutated)


@pytest.mark.asyncio
async def test_ten_thousand_random_lines_neither_crash_the_server_nor_leak_a_descriptor(
    start: Any, settle: Any
) -> None:
    rng = random.Random(20)
    async with start() as rig:
        await (await rig.connect()).call("echo")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            client = await rig.connect()
            lines = [_nonsense(rng) for _ in range(500)]
            half_a_line = rng.random() < 0.5
            sending = asyncio.create_task(
                client.send(b"\n".join(lines) + b"\n" + VALID.replace(b"17", b'"end"') + b"\n")
            )
            while (reply := await client.read()) == [] or isinstance(reply, list) or reply.get("id") != "end":
                assert isinstance(reply, list) or {"jsonrpc", "id"} < set(reply)
            await sending
            if half_a_line:
                await client.send(VALID[:20])
            client.close()
        await settle(lambda: len(os.listdir("/proc/self/fd")) == before)

        assert (await rig.clients[0].call("echo"))["result"] == "echo"
        assert rig.server.clients == 1


@pytest.mark.asyncio
async def test_clients_that_come_and_go_leave_no_descriptor_and_no_task(start: Any, settle: Any) -> None:
    async with start() as rig:
        await (await rig.connect()).call("echo")
        fds, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        for _ in range(100):
            client = await rig.connect()
            await client.send(VALID + b"\n")
            client.close()

        await settle(lambda: (len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())) == (fds, tasks))
