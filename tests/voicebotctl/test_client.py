import json
import os
import socket
from pathlib import Path

import pytest

from voicebotctl import client as client_module
from voicebotctl.client import Client
from voicebotctl.errors import (
    DaemonError,
    NotPermittedError,
    ProtocolError,
    TimedOutError,
    UnreachableError,
    UsageError,
)
from voicebotd.control import contract

SOON_S = 0.05
DEADLINE_S = 10.0


@pytest.fixture
def connected(daemon):
    with Client.connect(str(daemon.path), timeout_s=DEADLINE_S) as client:
        yield client


def connect(path, timeout_s=DEADLINE_S):
    Client.connect(str(path), timeout_s=timeout_s)


def test_the_clients_numbers_are_the_contracts():
    assert contract.PROTOCOL_VERSION.partition(".")[0] == client_module.PROTOCOL_MAJOR
    assert client_module.MAX_REQUEST_BYTES == contract.LINE_LIMIT_BYTES
    assert client_module._MAX_WAITING_NOTIFICATIONS == contract.QUEUE_LIMIT


# Reaching the daemon.


def test_the_greeting_is_kept(connected):
    assert connected.hello == {"protocol": "1.0", "version": "0.1.0", "state": "off"}


def test_no_socket_is_unreachable(tmp_path):
    with pytest.raises(UnreachableError, match="there is no socket at"):
        connect(tmp_path / "nothing")


def test_a_socket_that_nobody_listens_at_is_unreachable(tmp_path):
    path = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with pytest.raises(UnreachableError, match="nobody listens"):
        connect(path)


@pytest.mark.parametrize("path", ["/tmp/" + "x" * 200, "/tmp/nul\0byte", "/dev/null/x"])
def test_an_impossible_path_is_unreachable(path):
    with pytest.raises(UnreachableError):
        connect(path)


def test_a_socket_that_keeps_us_out_is_not_permitted(tmp_path, monkeypatch):
    # As root nothing keeps us out, so the kernel's answer is played.
    monkeypatch.setattr(socket.socket, "connect", _refuse_permission)
    with pytest.raises(NotPermittedError, match="not permitted"):
        connect(tmp_path / "control.sock")


def _refuse_permission(*_):
    raise PermissionError(13, "Permission denied")


def test_a_daemon_that_does_not_accept_is_timed_out(tmp_path):
    path = tmp_path / "busy.sock"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            with pytest.raises(TimedOutError, match="does not accept"):
                connect(path, SOON_S)


def test_a_daemon_that_does_not_greet_is_timed_out(daemon):
    daemon.greeting = b""
    with pytest.raises(TimedOutError, match="did not answer in time"):
        connect(daemon.path, SOON_S)


@pytest.mark.parametrize(
    ("greeting", "message"),
    [
        (b"220 smtp.example.com\n", "is not JSON-RPC"),
        (b"[" * 100_000 + b"\n", "is not JSON-RPC"),
        (b"\xff\xfe\n", "is not JSON-RPC"),
        (b"{}\n", "is not JSON-RPC 2.0"),
        (b"[]\n", "is not JSON-RPC 2.0"),
        (b'{"jsonrpc":"2.0","method":"event","params":{}}\n', "does not greet"),
        (b'{"jsonrpc":"2.0","method":"hello"}\n', "does not greet"),
        (b'{"jsonrpc":"2.0","method":"hello","params":{"protocol":"2.0"}}\n', "speaks protocol 2.0"),
        (b'{"jsonrpc":"2.0","method":"hello","params":{}}\n', "speaks protocol unknown"),
    ],
)
def test_whatever_greets_otherwise_is_a_protocol_mismatch(greeting, message, daemon):
    daemon.greeting = greeting
    with pytest.raises(ProtocolError, match=message):
        connect(daemon.path)


def test_a_newer_daemon_of_the_same_major_protocol_is_welcome(daemon):
    daemon.greeting = b'{"jsonrpc":"2.0","method":"hello","params":{"protocol":"1.7"}}\n'
    with Client.connect(str(daemon.path), timeout_s=DEADLINE_S) as client:
        assert client.hello["protocol"] == "1.7"


def test_a_daemon_that_has_no_room_says_so_instead_of_greeting(daemon):
    daemon.greeting = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"too many clients"}}\n'
    with pytest.raises(DaemonError, match="too many clients") as refused:
        connect(daemon.path)
    assert refused.value.exit_code == 75


# Asking.


def test_requests_are_numbered_and_answered(connected, daemon):
    assert connected.call("audio.mute", {"on": True}, timeout_s=DEADLINE_S) == {"muted": True}
    assert connected.call("audio.volume", {"percent": 50}, timeout_s=DEADLINE_S) == {"percent": 50}
    assert [request["id"] for request in daemon.requests] == [1, 2]


def test_a_result_may_be_null(connected, daemon):
    daemon.greeting = b""
    answers = b'{"jsonrpc":"2.0","id":1,"result":null}\n'
    ours, theirs = socket.socketpair()
    with Client(ours) as client, theirs:
        theirs.sendall(answers)
        assert client.call("x", {}, timeout_s=DEADLINE_S) is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":1}\n',
        b'{"jsonrpc":"2.0","id":1,"error":"no"}\n',
        b'{"jsonrpc":"2.0","id":1,"error":{"message":"no"}}\n',
    ],
)
def test_an_answer_that_is_neither_result_nor_error_is_a_protocol_mismatch(line):
    ours, theirs = socket.socketpair()
    with Client(ours) as client, theirs:
        theirs.sendall(line)
        with pytest.raises(ProtocolError, match="neither a result nor an error"):
            client.call("x", {}, timeout_s=DEADLINE_S)


def test_an_error_without_data_or_message_is_still_an_error():
    ours, theirs = socket.socketpair()
    with Client(ours) as client, theirs:
        theirs.sendall(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"data":"?"}}\n')
        with pytest.raises(DaemonError, match="gave no reason") as failed:
            client.call("x", {}, timeout_s=DEADLINE_S)
    assert (failed.value.code, failed.value.kind, failed.value.hint) == (-32600, "", "")


def test_an_answer_to_somebody_else_is_passed_over():
    ours, theirs = socket.socketpair()
    with Client(ours) as client, theirs:
        theirs.sendall(b'{"jsonrpc":"2.0","id":99,"result":0}\n{"jsonrpc":"2.0","id":1,"result":1}\n')
        assert client.call("x", {}, timeout_s=DEADLINE_S) == 1


def test_a_request_that_is_not_answered_times_out(connected, daemon):
    daemon.answers["status.get"] = None
    with pytest.raises(TimedOutError, match="did not answer in time"):
        connected.call("status.get", {}, timeout_s=SOON_S)


def test_a_deadline_that_has_passed_is_a_timeout_and_not_a_wait_for_ever(connected):
    with pytest.raises(TimedOutError):
        connected.call("status.get", {}, timeout_s=-1.0)
    with pytest.raises(TimedOutError):
        connected.call("status.get", {}, fds=[0], timeout_s=-1.0)


def test_a_daemon_that_hangs_up_is_unreachable(connected, daemon):
    daemon.answers["status.get"] = daemon.HANG_UP
    with pytest.raises(UnreachableError, match="closed the connection"):
        connected.call("status.get", {}, timeout_s=DEADLINE_S)


def test_what_the_daemon_said_before_it_closed_is_read_although_we_can_no_longer_write():
    ours, theirs = socket.socketpair()
    with Client(ours) as client:
        theirs.sendall(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"stopping"}}\n')
        theirs.close()
        with pytest.raises(DaemonError, match="stopping"):
            client.call("x", {}, timeout_s=DEADLINE_S)


def test_a_connection_that_breaks_is_unreachable():
    ours, theirs = socket.socketpair()
    with Client(ours) as client:
        theirs.send(b"{")
        ours.send(b"unread")
        theirs.close()
        with pytest.raises(UnreachableError):
            client.call("x", {}, timeout_s=DEADLINE_S)


def test_an_answer_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(client_module, "MAX_ANSWER_BYTES", 1000)
    ours, theirs = socket.socketpair()
    with Client(ours) as client, theirs:
        theirs.sendall(b"x" * 1001)
        with pytest.raises(ProtocolError, match="more than 1000 bytes"):
            client.call("x", {}, timeout_s=DEADLINE_S)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\udcff"])
def test_what_has_no_json_is_not_sent(value, connected, daemon):
    with pytest.raises(UsageError, match="cannot be sent"):
        connected.call("message.send", {"text": value}, timeout_s=DEADLINE_S)
    assert daemon.requests == []


def test_a_line_that_is_too_long_is_not_sent(connected, daemon):
    with pytest.raises(UsageError, match="a line may have 262144"):
        connected.call("message.send", {"text": "x" * 262_144}, timeout_s=DEADLINE_S)
    assert daemon.requests == []


def test_the_longest_line_that_is_allowed_arrives_whole(connected, daemon):
    room = 262_144 - len('{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"text":""}}')
    connected.call("message.send", {"text": "x" * room}, timeout_s=DEADLINE_S)
    assert len(daemon.lines[0]) == 262_144


# Open files.


def test_open_files_travel_with_the_request_and_stay_open_here(connected, daemon, tmp_path):
    seen = []
    daemon.hear = lambda request, fds: seen.append([os.fstat(fd).st_ino for fd in fds])
    paths = [tmp_path / "in", tmp_path / "out"]
    with open(paths[0], "w+b") as source, open(paths[1], "w+b") as output:
        fds = [source.fileno(), output.fileno()]
        connected.call("file.process", {"pace": "fast"}, fds=fds, timeout_s=DEADLINE_S)
        assert seen == [[os.fstat(fd).st_ino for fd in fds]]
    assert daemon.sent() == [("file.process", {"pace": "fast"})]


# Being told.


def event(number):
    return {"jsonrpc": "2.0", "method": "event", "params": {"seq": number}}


def test_notifications_come_in_order_also_those_that_overtook_the_answer():
    ours, theirs = socket.socketpair()
    answer = {"jsonrpc": "2.0", "id": 1, "result": {}}
    with Client(ours) as client, theirs:
        theirs.sendall("".join(json.dumps(line) + "\n" for line in (event(1), answer, event(2))).encode())
        client.call("events.subscribe", {}, timeout_s=DEADLINE_S)
        heard = [client.notification(timeout_s=DEADLINE_S)["params"]["seq"] for _ in range(2)]
    assert heard == [1, 2]


def test_a_line_in_pieces_is_put_together():
    ours, theirs = socket.socketpair()
    with Client(ours) as client, theirs:
        line = json.dumps(event(1)).encode()
        theirs.sendall(line[:10])
        with pytest.raises(TimedOutError):
            client.notification(timeout_s=SOON_S)
        theirs.sendall(line[10:] + b"\n")
        assert client.notification(timeout_s=DEADLINE_S) == event(1)


def test_a_stray_answer_is_no_notification():
    ours, theirs = socket.socketpair()
    with Client(ours) as client, theirs:
        theirs.sendall(b'{"jsonrpc":"2.0","id":9,"result":0}\n' + json.dumps(event(1)).encode() + b"\n")
        assert client.notification(timeout_s=DEADLINE_S) == event(1)


def test_the_descriptor_is_the_sockets(connected):
    assert Path(f"/proc/self/fd/{connected.fileno()}").readlink().name.startswith("socket:")
