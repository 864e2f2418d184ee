"""A blocking JSON-RPC 2.0 client over the control socket: one connection, one request at a time.

Owns the bytes: framing, the greeting, deadlines, and which failure of a socket is which `CommandError`. Knows no
method and prints nothing. Blocking, because a command does one thing and must start fast: asyncio alone would double
the start-up time.
"""

from __future__ import annotations

import json
import socket
import time
from collections import deque
from collections.abc import Sequence

from voicebotctl.errors import (
    DaemonError,
    NotPermittedError,
    ProtocolError,
    TimedOutError,
    UnreachableError,
    UsageError,
)

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this program; checkers know the name
if TYPE_CHECKING:
    from typing import Any

PROTOCOL_MAJOR = "1"
MAX_REQUEST_BYTES = 256 * 1024
"""The contract's LINE_LIMIT_BYTES, newline not counted: the daemon refuses a longer line and closes."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""A bound on what a broken peer can make us hold; far above the longest document of a day-long recording."""
_MAX_WAITING_NOTIFICATIONS = 256
"""The contract's QUEUE_LIMIT, what the daemon queues for one client: ours is never the queue that overflows first."""


class Client:
    """One connection whose greeting was checked. Use as a context manager.

    Every wait is bounded by `timeout_s` of that wait; None waits for ever.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._received = bytearray()
        self._notifications: deque[dict[str, Any]] = deque(maxlen=_MAX_WAITING_NOTIFICATIONS)
        self._last_id = 0
        self.hello: dict[str, Any] = {}
        """The `params` of the greeting: protocol, version, state."""

    @classmethod
    def connect(cls, path: str, *, timeout_s: float | None) -> Client:
        """Connect to the socket at `path` and check the greeting.

        Raises `UnreachableError` (no socket, nobody listens), `NotPermittedError`, `TimedOutError` or `ProtocolError`.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(timeout_s)
            _open(connection, path)
            client = cls(connection)
            client.hello = _checked_hello(client._read(_deadline(timeout_s)))
        except BaseException:
            connection.close()
            raise
        return client

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor to wait on with `select`."""
        return self._socket.fileno()

    def call(self, method: str, params: dict[str, Any], *, fds: Sequence[int] = (), timeout_s: float | None) -> Any:
        """Send one request and return its result; `fds` travel with it by SCM_RIGHTS and stay open here.

        Raises `DaemonError` for an answered error, else as `connect` does; `UsageError` when the request itself
        cannot be written as JSON in UTF-8 or is longer than a line may be.
        """
        deadline = _deadline(timeout_s)
        self._last_id += 1
        self._send(_encoded(method, params, self._last_id), fds, deadline)
        while True:
            message = self._read(deadline)
            if "method" in message:
                self._notifications.append(message)
            elif message.get("id") == self._last_id or (message.get("id") is None and "error" in message):
                return _result(message)

    def notification(self, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Return the next notification (`method` and `params`); `TimedOutError` when none came in time."""
        deadline = _deadline(timeout_s)
        while not self._notifications:
            message = self._read(deadline)
            if "method" in message:
                self._notifications.append(message)
        return self._notifications.popleft()

    def _send(self, line: bytes, fds: Sequence[int], deadline: float | None) -> None:
        # MSG_NOSIGNAL: SIGPIPE is for our stdout; a daemon that went away must be exit 69, not a silent death.
        unsent = memoryview(line)
        try:
            if fds:
                self._socket.settimeout(_remaining(deadline))
                unsent = unsent[socket.send_fds(self._socket, [unsent], list(fds), socket.MSG_NOSIGNAL) :]
            while unsent:
                self._socket.settimeout(_remaining(deadline))
                unsent = unsent[self._socket.send(unsent, socket.MSG_NOSIGNAL) :]
        except TimeoutError:
            raise _no_answer() from None
        except OSError:
            # The daemon may have said why before it closed; what it said is still to be read.
            return

    def _read(self, deadline: float | None) -> dict[str, Any]:
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched > MAX_ANSWER_BYTES:
                raise ProtocolError(f"the daemon sent a line of more than {MAX_ANSWER_BYTES} bytes")
            self._received += self._receive(deadline)
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return _decoded(line)

    def _receive(self, deadline: float | None) -> bytes:
        try:
            self._socket.settimeout(_remaining(deadline))
            chunk = self._socket.recv(256 * 1024)
        except TimeoutError:
            raise _no_answer() from None
        except OSError as error:
            raise UnreachableError(f"the connection to the daemon broke: {error.strerror or error}") from None
        if not chunk:
            raise UnreachableError(
                "the daemon closed the connection", hint="it may be stopping: see `systemctl status voicebotd`"
            )
        return chunk


def _open(connection: socket.socket, path: str) -> None:
    hint = (
        "is it running? `systemctl status voicebotd`, or start it with `voicebotd`; --socket PATH names another socket"
    )
    try:
        connection.connect(path)
    except (TimeoutError, BlockingIOError):
        raise TimedOutError(f"the daemon at {path} does not accept connections: it is busy or stuck") from None
    except PermissionError:
        raise NotPermittedError(
            f"not permitted to use {path}", hint="become a member of the socket's group (see `ls -l`) or use sudo"
        ) from None
    except FileNotFoundError:
        raise UnreachableError(f"no daemon: there is no socket at {path}", hint=hint) from None
    except ConnectionRefusedError:
        raise UnreachableError(f"no daemon: nobody listens at {path}", hint=hint) from None
    except (OSError, ValueError) as error:
        # ValueError is a NUL in the path; OSError without errno is a path of more than 107 bytes.
        raise UnreachableError(f"cannot connect to {path!r}: {error}", hint=hint) from None


def _deadline(timeout_s: float | None) -> float | None:
    return None if timeout_s is None else time.monotonic() + timeout_s


def _remaining(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    remaining_s = deadline - time.monotonic()
    if remaining_s <= 0:
        raise TimeoutError
    return remaining_s


def _no_answer() -> TimedOutError:
    return TimedOutError("the daemon did not answer in time", hint="--timeout SECONDS waits longer")


def _encoded(method: str, params: dict[str, Any], request_id: int) -> bytes:
    request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    try:
        line = json.dumps(request, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        # NaN has no JSON, and an argument that is not UTF-8 reaches us as lone surrogates.
        raise UsageError(f"{method}: cannot be sent as JSON in UTF-8: {error}") from None
    if len(line) > MAX_REQUEST_BYTES:
        raise UsageError(f"{method}: the request has {len(line)} bytes; a line may have {MAX_REQUEST_BYTES}")
    return line + b"\n"


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError(f"what answers is not JSON-RPC: {line[:60]!r}") from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise ProtocolError(f"what answers is not JSON-RPC 2.0: {line[:60]!r}")
    return message


def _result(message: dict[str, Any]) -> Any:
    error = message.get("error")
    if error is None and "result" in message:
        return message["result"]
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        raise ProtocolError("the daemon's answer has neither a result nor an error")
    data = error.get("data")
    data = data if isinstance(data, dict) else {}
    raise DaemonError(
        error["code"],
        str(data.get("kind", "")),
        str(error.get("message", "")) or "the daemon gave no reason",
        hint=str(data.get("hint") or ""),
    )


def _checked_hello(message: dict[str, Any]) -> dict[str, Any]:
    if "error" in message:
        # A daemon with no room for another client says so instead of greeting.
        _result(message)
    params = message.get("params")
    if message.get("method") != "hello" or not isinstance(params, dict):
        raise ProtocolError("what answers at the socket does not greet like voicebotd")
    protocol = str(params.get("protocol", ""))
    if protocol.partition(".")[0] != PROTOCOL_MAJOR:
        raise ProtocolError(
            f"the daemon speaks protocol {protocol or 'unknown'}, this client speaks {PROTOCOL_MAJOR}.x",
            hint="install the same version of voicebotd and voicebotctl, and restart the daemon",
        )
    return params
