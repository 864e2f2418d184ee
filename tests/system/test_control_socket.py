"""Nonsense on the control socket harms nobody: not the daemon, not its other clients, not its descriptors."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig.daemon import Daemon, MakeSettings
from rig.waiting import SCALE, wait_for

LINES = 10_000
CONNECTIONS = 50

NOISE = (
    b'{"jsonrpc":"2.0","id":1,"method":"status.get"}',
    b'{"jsonrpc":"2.0","id":null,"method":"vad.get","params":[1,2,3]}',
    b'{"jsonrpc":"2.0","method":"events.subscribe","params":{"topics":["turn",7]}}',
    b'[{"jsonrpc":"2.0","id":"a","method":"history.list","params":{"limit":-1}},1,[],null]',
    b'{"jsonrpc":"2.0","id":1e400,"method":"rpc.discover"}',
    b'{"jsonrpc":"2.0","id":{"a":"\\ud800"},"method":"\\ud800"}',
    b"[" * 5000,
    b"\xff\xfe\x00\x80",
    b"NaN",
    b"",
)


def nonsense(dice: random.Random) -> bytes:
    """One line: sometimes a request, mostly a damaged one."""
    line = bytearray(dice.choice(NOISE))
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(line) + 1)
        line[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(4))
    return bytes(line).replace(b"\n", b" ") + b"\n"


@pytest.fixture(scope="module")
def daemon(conversation_settings: MakeSettings) -> Iterator[Daemon]:
    settings = {**conversation_settings("ws://127.0.0.1:9/v1/realtime"), "conversation": {"autostart": False}}
    with Daemon(settings, env={"ALSA_CONFIG_PATH": "/dev/null", "PULSE_SERVER": "unix:/nonexistent"}) as daemon:
        yield daemon


def descriptors(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def pour(path: Path, dice: random.Random, lines: int) -> None:
    """Write `lines` lines of nonsense on one connection, read what comes, and leave in the middle of a line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10 * SCALE)
        client.connect(str(path))
        for _ in range(lines // 20):
            client.sendall(b"".join(nonsense(dice) for _ in range(20)))
            client.sendall(b'{"jsonrpc":"2.0","id":"fence","method":"vad.get"}\n')
            answers = b""
            while b'"fence"' not in answers:
                got = client.recv(65536)
                assert got, "the daemon closed the connection"
                answers = answers[-100:] + got
        client.sendall(b'{"jsonrpc":"2.0","id":1,')


def test_10000_random_lines_neither_crash_the_daemon_nor_leak_a_descriptor(daemon: Daemon) -> None:
    daemon.status()
    before = descriptors(daemon)
    dice = random.Random(20_26)
    for _ in range(CONNECTIONS):
        pour(daemon.home.socket, dice, LINES // CONNECTIONS)
    assert daemon.status()["pid"] == daemon.pid
    wait_for(lambda: descriptors(daemon) <= before, 5, lambda: f"return to {before} descriptors: {descriptors(daemon)}")


def test_a_second_daemon_on_the_same_socket_ends_and_harms_nothing(
    daemon: Daemon, conversation_settings: MakeSettings
) -> None:
    second = Daemon(conversation_settings("ws://127.0.0.1:9/v1/realtime"), env={}, home=daemon.home)
    second.start(wait=False)
    try:
        assert second.process
        assert second.process.wait(10 * SCALE) == 1
    finally:
        second.close()
    assert daemon.ctl("status").returncode == 0
