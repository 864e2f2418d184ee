"""One client on a real socket: slow, greedy, dead, half-closed, or with files in its hands."""

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from voicebotd.control.connection import _files
from voicebotd.control.contract import FDS_PER_LINE, IN_FLIGHT_LIMIT, LINE_LIMIT_BYTES, QUEUE_LIMIT

WAIT = b'{"jsonrpc":"2.0","method":"wait","id":%d}\n'
ECHO = b'{"jsonrpc":"2.0","method":"echo","id":%d}\n'


def _open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.asyncio
async def test_requests_run_side_by_side_and_a_quick_one_overtakes(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(WAIT % 1 + ECHO % 2)

        assert (await client.read())["id"] == 2
        rig.release.set()
        assert await client.read() == {"jsonrpc": "2.0", "result": "waited", "id": 1}


@pytest.mark.asyncio
async def test_a_parse_error_keeps_the_connection(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(b"{\n" + ECHO % 1)

        assert (await client.read())["error"]["code"] == -32700
        assert (await client.read())["result"] == "echo"


@pytest.mark.asyncio
async def test_a_hundred_quick_requests_in_one_write_are_all_answered(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(b"".join(ECHO % number for number in range(100)))

        assert [(await client.read()).get("result") for _ in range(100)] == ["echo"] * 100


@pytest.mark.asyncio
async def test_beyond_the_limit_in_flight_a_request_is_refused_and_the_others_go_on(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(b"".join(WAIT % number for number in range(IN_FLIGHT_LIMIT + 1)))

        refused = await client.read()
        assert (refused["id"], refused["error"]["code"]) == (IN_FLIGHT_LIMIT, -32001)
        assert refused["error"]["data"]["retryable"]
        other = await rig.connect()
        assert (await other.call("echo"))["result"] == "echo"
        rig.release.set()
        assert {(await client.read())["result"] for _ in range(IN_FLIGHT_LIMIT)} == {"waited"}


@pytest.mark.asyncio
async def test_a_line_beyond_the_limit_is_refused_and_the_connection_closed(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(ECHO % 1 + WAIT % 2)
        assert (await client.read())["result"] == "echo"
        await client.send(b"x" * (LINE_LIMIT_BYTES + 1))

        assert (await client.read())["error"]["code"] == -32600
        assert await client.line() == b""
        await rig.until(lambda: rig.cancelled == 1)


@pytest.mark.asyncio
async def test_a_line_at_the_limit_is_read(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        line = (ECHO % 1).strip()
        await client.send(line + b" " * (LINE_LIMIT_BYTES - len(line)) + b"\n")

        assert (await client.read())["result"] == "echo"


@pytest.mark.asyncio
async def test_the_requests_of_a_client_that_dies_are_cancelled(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(WAIT % 1 + WAIT % 2)
        await rig.until(lambda: rig.waiting == 2)
        client.close()

        await rig.until(lambda: rig.cancelled == 2)


@pytest.mark.asyncio
async def test_a_client_that_dies_with_unread_answers_is_noticed_too(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(ECHO % 1 + WAIT % 2)
        await rig.until(lambda: rig.waiting == 1)
        assert (await asyncio.to_thread(client.sock.recv, 1, socket.MSG_PEEK)) == b"{"
        client.close()  # with bytes unread, Linux resets the connection instead of ending it

        await rig.until(lambda: rig.cancelled == 1)


@pytest.mark.asyncio
async def test_a_client_that_asks_no_more_still_gets_its_answer_and_then_the_end(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(WAIT % 1)
        client.sock.shutdown(socket.SHUT_WR)
        await rig.until(lambda: rig.waiting == 1)
        rig.release.set()

        assert (await client.read())["result"] == "waited"
        assert await client.line() == b""


@pytest.mark.asyncio
async def test_half_a_line_and_no_more_is_answered_as_no_json(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        client.sock.send(b'{"jsonrpc":"2.0"')
        client.sock.shutdown(socket.SHUT_WR)

        assert (await client.read())["error"]["code"] == -32700
        assert await client.line() == b""


@pytest.mark.asyncio
async def test_a_client_that_asks_no_more_and_then_dies_is_noticed(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(WAIT % 1)
        client.sock.shutdown(socket.SHUT_WR)
        await rig.until(lambda: rig.waiting == 1)
        client.close()

        await rig.until(lambda: rig.cancelled == 1)


@pytest.mark.asyncio
async def test_a_subscriber_that_asks_no_more_is_still_told_what_happens(start: Any, settle: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        assert (await client.call("events.subscribe", {"topics": ["turn"]}))["result"]["topics"] == ["turn"]
        client.sock.shutdown(socket.SHUT_WR)
        rig.hub.publish("turn", {"item_id": "a"})
        assert (await client.read())["params"]["data"] == {"item_id": "a"}
        client.close()

        await settle(lambda: rig.server.clients == 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["unsubscribes", "hangs up", "stops asking and hangs up", "outlives the server"])
async def test_when_the_last_listener_of_a_topic_is_gone_the_hub_knows(start: Any, settle: Any, how: str) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.call("events.subscribe", {"topics": ["audio.level"]})
        assert rig.interest == [("audio.level", True)]
        if how == "unsubscribes":
            await client.call("events.unsubscribe", {"topics": ["audio.level"]})
        elif how == "outlives the server":
            await rig.server.close()
        else:
            if how == "stops asking and hangs up":
                client.sock.shutdown(socket.SHUT_WR)
            client.close()

        await settle(lambda: rig.interest == [("audio.level", True), ("audio.level", False)])


@pytest.mark.asyncio
async def test_a_client_that_is_dropped_because_it_does_not_read_listens_to_nothing_any_more(
    start: Any, settle: Any
) -> None:
    async with start(blocked_s=0.05) as rig:
        client = await rig.connect()
        await client.call("events.subscribe", {"topics": ["audio.level", "transcript"]})
        while rig.server.clients == 1:
            rig.hub.publish("transcript", {"text": "x" * 20_000})
            await asyncio.sleep(0)

        await settle(lambda: ("audio.level", False) in rig.interest)


@pytest.mark.asyncio
async def test_a_subscription_answers_before_the_first_event(start: Any) -> None:
    async with start() as rig:
        rig.hub.publish("state", {"state": "idle"})
        client = await rig.connect()
        answered = await client.call("events.subscribe", [["state"]])
        rig.hub.publish("state", {"state": "listening"})
        event = await client.read()

        assert answered["result"] == {"topics": ["state"], "snapshot": {"state": {"state": "idle"}}, "seq": 1}
        assert (event["method"], event["params"]["seq"], event["params"]["data"]) == (
            "event",
            2,
            {"state": "listening"},
        )


@pytest.mark.asyncio
async def test_a_client_that_does_not_read_is_dropped_and_the_others_notice_nothing(start: Any, settle: Any) -> None:
    async with start(blocked_s=0.05) as rig:
        slow, quick = await rig.connect(), await rig.connect()
        await slow.call("events.subscribe")
        await quick.call("events.subscribe")
        seen = 0
        while rig.server.clients == 2:
            rig.hub.publish("transcript", {"text": "x" * 20_000})
            assert (await quick.read())["params"]["topic"] == "transcript"
            seen += 1

        assert (await quick.call("echo"))["result"] == "echo"
        assert seen > 1
        await settle(lambda: rig.server.clients == 1)


@pytest.mark.asyncio
async def test_a_client_that_reads_late_is_told_how_many_events_it_missed(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.call("events.subscribe", [["turn"]])
        sent = 40 * QUEUE_LIMIT
        for _ in range(sent):
            rig.hub.publish("turn", {"text": "x" * 100})
        received, dropped = 0, 0
        while received + dropped < sent:
            message = await client.read()
            received += message["method"] == "event"
            dropped += message["params"]["dropped"] if message["method"] == "gap" else 0

        assert dropped > 0
        assert received >= QUEUE_LIMIT


@pytest.mark.asyncio
async def test_a_client_that_only_sends_is_stopped_and_then_dropped(start: Any, settle: Any) -> None:
    async with start(blocked_s=0.05) as rig:
        client = await rig.connect()

        async def flood() -> None:
            while True:
                await client.send(b"{\n" * 10_000)

        with pytest.raises(ConnectionError):
            await flood()
        await settle(lambda: rig.server.clients == 0)


@pytest.mark.asyncio
async def test_an_open_file_comes_with_its_request(start: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("what the file says")
    async with start() as rig:
        client = await rig.connect()
        before = _open_fds()
        with (tmp_path / "file").open() as file:
            client.send_fds(ECHO % 1 + b'{"jsonrpc":"2.0","method":"read_fd","id":2}\n', [file.fileno()])

        assert (await client.read())["result"] == "echo"
        assert (await client.read())["result"] == "what the file says"
        assert _open_fds() == before


@pytest.mark.parametrize(
    ("line", "files"),
    [
        (ECHO % 1, 1),
        (ECHO % 1, FDS_PER_LINE),
        (b"{\n", 2),
        (b'{"jsonrpc":"2.0","method":"no.such","id":1}\n', 2),
        (b'{"jsonrpc":"2.0","method":"keep","params":{"persist":1},"id":1}\n', 1),
    ],
)
@pytest.mark.asyncio
async def test_a_file_that_nobody_took_is_closed(start: Any, settle: Any, line: bytes, files: int) -> None:
    async with start() as rig:
        client = await rig.connect()
        before = _open_fds()
        with open("/dev/null") as file:
            client.send_fds(line, [file.fileno()] * files)
        await client.read()

        await settle(lambda: _open_fds() == before)


@pytest.mark.asyncio
async def test_more_files_than_a_line_may_bring_are_closed_unseen(start: Any, settle: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        before = _open_fds()
        with open("/dev/null") as file:
            client.send_fds(b'{"jsonrpc":"2.0",', [file.fileno()] * (FDS_PER_LINE + 3))
            client.send_fds(b'"method":"count_fds","id":1}\n', [file.fileno()])

        assert (await client.read())["result"] == FDS_PER_LINE
        await settle(lambda: _open_fds() == before)


@pytest.mark.asyncio
async def test_files_of_a_line_that_never_ends_and_of_a_request_in_flight_are_closed_with_the_client(
    start: Any, settle: Any
) -> None:
    async with start() as rig:
        await (await rig.connect()).call("echo")
        before = _open_fds()
        client = await rig.connect()
        with open("/dev/null") as file:
            client.send_fds(WAIT % 1, [file.fileno()])
            client.send_fds(b'{"jsonrpc":', [file.fileno()])
        await rig.until(lambda: rig.waiting == 1)
        client.close()

        await settle(lambda: _open_fds() == before)


@pytest.mark.asyncio
async def test_files_of_refused_requests_are_closed(start: Any, settle: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(b"".join(WAIT % number for number in range(IN_FLIGHT_LIMIT)))
        await rig.until(lambda: rig.waiting == IN_FLIGHT_LIMIT)
        before = _open_fds()
        with open("/dev/null") as file:
            client.send_fds(ECHO % 1, [file.fileno()])

        assert (await client.read())["error"]["code"] == -32001
        await settle(lambda: _open_fds() == before)


@pytest.mark.asyncio
async def test_stopping_lets_running_requests_finish_and_refuses_new_ones(start: Any) -> None:
    async with start() as rig:
        client = await rig.connect()
        await client.send(WAIT % 1)
        await rig.until(lambda: rig.waiting == 1)
        closing = asyncio.create_task(rig.server.close())
        await asyncio.sleep(0)
        await client.send(ECHO % 2)

        refused = await client.read()
        assert (refused["id"], refused["error"]["code"]) == (2, -32000)
        rig.release.set()
        assert (await client.read())["result"] == "waited"
        assert await client.line() == b""
        await closing


@pytest.mark.asyncio
async def test_a_request_that_outlasts_the_grace_is_cancelled_and_told_so(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicebotd.control.connection.GRACE_S", 0.02)
    async with start() as rig:
        client = await rig.connect()
        await client.send(WAIT % 1 + WAIT.replace(b',"id":%d', b""))
        await rig.until(lambda: rig.waiting == 2)
        await rig.server.close()

        assert json.loads(await client.line())["error"]["data"]["kind"] == "rpc.shutting_down"
        assert await client.line() == b""
        assert rig.cancelled == 2


@pytest.mark.asyncio
async def test_a_client_that_does_not_read_cannot_hold_up_the_end(
    start: Any, monkeypatch: pytest.MonkeyPatch, settle: Any
) -> None:
    monkeypatch.setattr("voicebotd.control.connection.GRACE_S", 0.02)
    async with start(blocked_s=1000) as rig:
        client = await rig.connect()
        await client.call("events.subscribe")
        for _ in range(QUEUE_LIMIT):
            rig.hub.publish("turn", {"text": "x" * 10_000})
        await rig.server.close()

        assert rig.server.clients == 0


def test_only_open_files_are_taken_for_open_files() -> None:
    credentials = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, b"\0" * 12)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, b"\7\0\0\0\x08\0\0\0\0")

    assert _files([credentials, rights]) == (7, 8)
