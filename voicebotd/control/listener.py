"""The control socket's address: bound by us or handed over by systemd, replaced when stale, never stolen when alive.

Owns the socket file, its lock, mode and group. Knows no client and no protocol.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import io
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from voicebotd.errors import ConfigError, Problem, VoicebotError

PATH_LIMIT_BYTES = 107
"""unix(7): sun_path has 108 bytes, one of them for the final NUL."""
_BACKLOG = 64
_FIRST_ACTIVATED_FD = 3
"""sd_listen_fds(3): SD_LISTEN_FDS_START."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSocket:
    """A listening socket, and what has to be cleared away after it. `path` None: it belongs to systemd."""

    sock: socket.socket
    path: Path | None = None
    identity: tuple[int, int] | None = None
    """Device and inode of the file that we made, so that nobody else's is ever removed."""
    lock: io.FileIO | None = None

    def close(self) -> None:
        """Stop listening; remove the file if it is ours. Idempotent, never raises."""
        self.sock.close()
        if self.path is None or self.lock is None or self.lock.closed:
            return
        with contextlib.suppress(OSError):
            if _identity(self.path) == self.identity:
                self.path.unlink()
        # Closing gives the lock back; its file stays, because removing it would let two daemons hold "the" lock.
        self.lock.close()


def open_control_socket(
    path: Path,
    *,
    mode: int = 0o660,
    group: str | None = None,
    environ: MutableMapping[str, str] = os.environ,
    first_fd: int = _FIRST_ACTIVATED_FD,
) -> ControlSocket:
    """Return the listening control socket: systemd's, where it hands one over by the name `control`, else our own.

    Raise ConfigError for a path that cannot be one, VoicebotError where another daemon lives there or the system
    refuses.
    """
    inherited = activated_socket(environ, first_fd=first_fd)
    if inherited is not None:
        return ControlSocket(sock=inherited)
    if len(os.fsencode(path)) > PATH_LIMIT_BYTES:
        message = f"{path} is longer than the {PATH_LIMIT_BYTES} bytes that a socket's path may have"
        raise ConfigError([Problem(key="control.socket", message=message, hint="choose a shorter path")])
    try:
        return _bind(path, mode=mode, group=group)
    except OSError as error:
        message = f"cannot open the control socket {path}: {error.strerror or error}"
        raise VoicebotError(message, hint="choose another with --socket PATH or control.socket") from error


def activated_socket(environ: MutableMapping[str, str], *, first_fd: int = _FIRST_ACTIVATED_FD) -> socket.socket | None:
    """Take over the socket named `control` that systemd passed (sd_listen_fds(3)), or return None.

    The variables are removed, so that no child process takes the sockets for its own.
    """
    pid, count, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()) or not count.isdecimal():
        return None
    fds = range(first_fd, first_fd + int(count))
    for fd in fds:
        os.set_inheritable(fd, False)
    for fd, name in zip(fds, names.split(":"), strict=False):
        if name == "control":
            sock = socket.socket(fileno=fd)
            sock.setblocking(False)
            return sock
    return None


def _bind(path: Path, *, mode: int, group: str | None) -> ControlSocket:
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(_lock(path))
        _clear_away_stale(path)
        sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC))
        # 0600 until the group is right: nobody else gets in meanwhile.
        with _umask(0o177):
            sock.bind(str(path))
        undo.callback(path.unlink)
        _admit(path, mode=mode, group=group)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        opened = ControlSocket(sock=sock, path=path, identity=_identity(path), lock=lock)
        undo.pop_all()
    return opened


def _lock(path: Path) -> io.FileIO:
    """Hold `path.lock` for as long as we live: it closes the gap between looking for a live daemon and binding."""
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    lock = io.FileIO(fd, "r+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if isinstance(error, BlockingIOError):
            raise _already_running(path) from error
        raise
    return lock


def _clear_away_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            message = f"{path} exists and is not a socket"
            raise ConfigError([Problem(key="control.socket", message=message, hint="choose another path")])
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # its backlog is full: somebody listens
    raise _already_running(path)


def _already_running(path: Path) -> VoicebotError:
    return VoicebotError(f"already running: a daemon listens on {path}", hint="stop it, or choose another --socket")


def _admit(path: Path, *, mode: int, group: str | None) -> None:
    """Give the file its group and mode. Where the group cannot be had, no group gets in: ours could be anybody's."""
    if group is not None and mode & 0o070:
        try:
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
        except (KeyError, PermissionError):
            mode &= ~0o070
            _log.warning("control socket is for its owner only", path=str(path), group=group, reason="no such group")
    path.chmod(mode)


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
