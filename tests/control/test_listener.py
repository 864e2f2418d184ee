"""The socket's address: stale ones are replaced, live ones never, and systemd's is taken as it is."""

import errno
import grp
import os
import socket
import stat
from pathlib import Path

import pytest

from voicebotd.control.listener import PATH_LIMIT_BYTES, ControlSocket, activated_socket, open_control_socket
from voicebotd.errors import ConfigError, VoicebotError


def _open(path: Path, **options: object) -> ControlSocket:
    return open_control_socket(path, environ={}, **options)  # type: ignore[arg-type]


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.mark.parametrize("mode", [0o660, 0o600])
@pytest.mark.parametrize("umask", [0o022, 0o000, 0o077])
def test_the_mode_is_the_configured_one_whatever_the_umask_and_the_umask_stays(
    tmp_path: Path, mode: int, umask: int
) -> None:
    before = os.umask(umask)
    try:
        opened = _open(tmp_path / "s", mode=mode)
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == mode
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    opened.close()


def test_a_group_that_exists_gets_in(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    opened = _open(tmp_path / "s", group=group)

    status = (tmp_path / "s").stat()
    assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (os.getgid(), 0o660)
    opened.close()


def test_where_the_group_cannot_be_had_no_group_gets_in(tmp_path: Path) -> None:
    opened = _open(tmp_path / "s", group="no-such-group-here")

    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    opened.close()


def test_a_group_means_nothing_to_a_private_socket(tmp_path: Path) -> None:
    opened = _open(tmp_path / "s", mode=0o600, group="no-such-group-here")

    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    opened.close()


def test_the_directory_is_made(tmp_path: Path) -> None:
    opened = _open(tmp_path / "a" / "b" / "s")

    assert _connects(tmp_path / "a" / "b" / "s")
    opened.close()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert not _connects(path)

    opened = _open(path)

    assert _connects(path)
    opened.close()


def test_a_second_daemon_is_told_so_and_the_first_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = _open(path)

    with pytest.raises(VoicebotError, match="already running") as caught:
        _open(path)

    assert caught.value.hint
    assert _connects(path)
    first.close()


@pytest.mark.parametrize("backlog", [5, 0])
def test_a_living_socket_that_holds_no_lock_is_not_replaced_either(tmp_path: Path, backlog: int) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as alive, socket.socket(socket.AF_UNIX) as first:
        alive.bind(str(path))
        alive.listen(backlog)
        first.connect(str(path))  # a backlog of 0 is full now
        with pytest.raises(VoicebotError, match="already running"):
            _open(path)
        assert path.exists()


def test_after_closing_the_file_is_gone_and_the_address_free(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = _open(path)
    first.close()
    first.close()
    assert not path.exists()

    second = _open(path)
    assert _connects(path)
    second.close()


def test_a_file_that_somebody_else_made_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    opened = _open(path)
    path.unlink()
    path.write_text("not ours")
    opened.close()

    assert path.read_text() == "not ours"


def test_a_failed_start_leaves_neither_lock_nor_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "chmod", refuse)
        with pytest.raises(VoicebotError, match="Permission denied"):
            _open(path)
    assert not path.exists()

    _open(path).close()


def test_a_file_system_without_locks_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(VoicebotError, match="No locks available"):
        _open(tmp_path / "s")


def test_a_path_that_is_too_long_is_a_configuration_error(tmp_path: Path) -> None:
    longest = tmp_path / ("x" * (PATH_LIMIT_BYTES - len(os.fsencode(tmp_path)) - 1))
    _open(longest).close()

    with pytest.raises(ConfigError, match=r"control\.socket: .* is longer than the 107 bytes"):
        _open(longest.with_name(longest.name + "x"))


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")

    with pytest.raises(ConfigError, match="is not a socket"):
        _open(path)

    assert path.read_text() == "data"


def test_a_directory_that_is_none_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(VoicebotError, match=r"^cannot open the control socket .*: "):
        _open(tmp_path / "file" / "s")


def _inherited(tmp_path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "systemd"))
    sock.listen()
    return sock


def test_a_socket_from_systemd_is_taken_by_its_name_and_never_unlinked(tmp_path: Path) -> None:
    sock = _inherited(tmp_path)
    os.set_inheritable(sock.fileno(), True)
    fd = sock.detach()
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "control", "OTHER": "x"}

    opened = open_control_socket(tmp_path / "unused", environ=environ, first_fd=fd)

    assert environ == {"OTHER": "x"}
    assert (opened.sock.fileno(), os.get_inheritable(fd)) == (fd, False)
    assert not (tmp_path / "unused").exists()
    assert _connects(tmp_path / "systemd")
    opened.close()
    assert (tmp_path / "systemd").exists()


@pytest.mark.parametrize(
    "environ",
    [
        {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "control"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "other"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "-1", "LISTEN_FDNAMES": "control"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "control"},
        {},
    ],
)
def test_what_systemd_did_not_pass_to_us_by_that_name_is_not_taken(tmp_path: Path, environ: dict[str, str]) -> None:
    with _inherited(tmp_path) as sock:
        assert activated_socket(environ, first_fd=sock.fileno()) is None
        assert environ == {}
