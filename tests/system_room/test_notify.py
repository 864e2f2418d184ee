import socket

import pytest

from voicebotd.system.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """A service manager's end: the address as $NOTIFY_SOCKET gives it, and the socket behind it."""
    if request.param == "path":
        address = bound = str(tmp_path / "notify")
    else:
        address = f"@voicebotd-test-{tmp_path.name}-{id(tmp_path)}"
        bound = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.bind(bound)
        yield address, sock


def test_each_state_is_one_datagram(manager):
    address, sock = manager
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    notifier.ready("Listening")
    notifier.status("Reconnecting")
    notifier.stopping()
    assert [sock.recv(4096) for _ in range(3)] == [b"READY=1\nSTATUS=Listening", b"STATUS=Reconnecting", b"STOPPING=1"]


def test_a_line_break_in_a_status_does_not_begin_another_assignment(manager):
    address, sock = manager
    Notifier(address).status("bad\nREADY=1\r\n text")
    assert sock.recv(4096) == b"STATUS=bad READY=1 text"


def test_text_beyond_ascii_is_sent(manager):
    address, sock = manager
    Notifier(address).status("hört zu")
    assert sock.recv(4096).decode() == "STATUS=hört zu"


def test_without_a_service_manager_nothing_happens():
    notifier = Notifier.from_environment({})
    notifier.ready()
    notifier.status("x")
    notifier.stopping("x")


@pytest.mark.parametrize("address", ["/nowhere/notify", "@nobody-listens-here", "/" + "x" * 200, "vsock:2:1", "a\0b"])
def test_an_address_where_nobody_listens_is_ignored(address):
    Notifier(address).ready()


def test_a_service_manager_that_does_not_read_is_not_waited_for(manager):
    address, sock = manager
    notifier = Notifier(address)
    for _ in range(2000):
        notifier.status("x" * 1000)
    assert sock.recv(4096).startswith(b"STATUS=")
