"""What systemd is told, and what the journal is never told."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import KEY, Home, RunDaemon
from rig.notify import NotifySocket
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script


@pytest.fixture(scope="module")
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    return start_rehearsal(script(reply("assistant_idle", heard=speech.text("visitor_goodbye"))))


def ask_status(path: Path) -> Any:
    """One status.get on a new connection, with a short limit."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(str(path))
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"status.get"}\n')
        with client.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if message.get("id") == 1:
                    return message
    raise AssertionError("the daemon closed the connection")


def test_ready_is_said_when_the_control_socket_answers_and_stopping_at_the_end(
    server: Rehearsal, run_daemon: RunDaemon, home: Home
) -> None:
    answers: list[Any] = []

    def on_message(message: str) -> None:
        if "READY=1" in message.splitlines():
            try:
                answers.append(ask_status(home.socket))
            except (OSError, AssertionError) as error:
                answers.append(error)

    manager = NotifySocket(on_message)
    try:
        with run_daemon(server.url, env={"NOTIFY_SOCKET": str(manager.path)}, home=home):
            manager.wait_for("READY=1", 10)
            assert len(answers) == 1
            assert "result" in answers[0], answers[0]
        manager.wait_for("STOPPING=1", 2)
        said = [name for _, name, _ in manager.fields() if name in ("READY", "STOPPING")]
        assert said == ["READY", "STOPPING"]
        assert any(name == "STATUS" and value for _, name, value in manager.fields())
    finally:
        manager.close()


def test_ready_does_not_wait_for_the_cloud(run_daemon: RunDaemon) -> None:
    manager = NotifySocket()
    try:
        with run_daemon("wss://realtime.invalid/v1/realtime", env={"NOTIFY_SOCKET": str(manager.path)}):
            manager.wait_for("READY=1", 5)
    finally:
        manager.close()


def test_the_key_is_in_no_log_line_at_debug(server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard) -> None:
    with run_daemon(server.url, {"log": {"level": "debug"}}) as daemon:
        daemon.wait_until_linked()
        daemon.rpc.call("message.send", text="Hello")
        server.wait_for_sent("response.done")
        daemon.ctl("config", "show")
        daemon.wait_for_status(lambda status: status["state"] == "listening", 5, "end of the answer")
        log = daemon.log()
        assert "debug" in log.lower()
        assert KEY not in log
        assert KEY not in json.dumps(daemon.rpc.call("config.get"))
        assert KEY not in json.dumps(daemon.status())
        assert KEY.encode() not in Path(f"/proc/{daemon.pid}/cmdline").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_in_the_middle_of_an_answer_ends_it_cleanly(
    number: signal.Signals, server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    with run_daemon(server.url) as daemon, card.listening() as ear:
        daemon.wait_until_linked()
        daemon.rpc.call("message.send", text="Hello")
        ear.wait_for_sound(5)
        daemon.stop(number)
