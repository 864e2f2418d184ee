"""What can stop a command, and the exit code that each stop means to a script.

Owns the client's own errors. The daemon's errors arrive as data and become a `DaemonError`; the daemon's error tree
is not imported, because a client must start fast and must work against a newer daemon.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 69
EXIT_TEMPORARY = 75
EXIT_PROTOCOL = 76
EXIT_NOT_PERMITTED = 77
EXIT_INTERRUPTED = 130
"""The contract's `ExitCode`, written again because loading the contract takes longer than a whole run; a test compares.

69 to 77 are sysexits.h's EX_UNAVAILABLE, EX_TEMPFAIL, EX_PROTOCOL and EX_NOPERM.
"""

_RPC_EXIT = {-32000: EXIT_TEMPORARY, -32001: EXIT_TEMPORARY, -32002: EXIT_TEMPORARY, -32003: EXIT_NOT_PERMITTED}
"""Stopping, overloaded and starting are "busy"; every other answered error is a plain failure."""


class CommandError(Exception):
    """A command cannot be done: what happened, what to do about it, and how a script sees it.

    `code` is the JSON-RPC code where the daemon gave one and the exit code otherwise, as in `--json`'s error document.
    """

    exit_code = EXIT_FAILURE
    kind = "client.failed"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def code(self) -> int:
        return self.exit_code

    def document(self) -> dict[str, object]:
        """Return the error as `--json` prints it."""
        return {"error": {"code": self.code, "kind": self.kind, "message": self.message, "hint": self.hint}}


class UsageError(CommandError):
    """The command line cannot be understood; nothing was sent."""

    exit_code = EXIT_USAGE
    kind = "client.usage"


class UnreachableError(CommandError):
    """No daemon answers at the socket, or it went away before it answered."""

    exit_code = EXIT_UNREACHABLE
    kind = "client.unreachable"


class TimedOutError(CommandError):
    """The daemon is there and did not answer in time."""

    exit_code = EXIT_TEMPORARY
    kind = "client.timed_out"


class ProtocolError(CommandError):
    """What answers at the socket does not speak our protocol."""

    exit_code = EXIT_PROTOCOL
    kind = "client.protocol"


class NotPermittedError(CommandError):
    """The socket's permissions keep us out."""

    exit_code = EXIT_NOT_PERMITTED
    kind = "client.not_permitted"


class InterruptedByUserError(CommandError):
    """Ctrl-C."""

    exit_code = EXIT_INTERRUPTED
    kind = "client.interrupted"


class DaemonError(CommandError):
    """The daemon answered with an error: its own code, kind, message and hint, unchanged."""

    def __init__(self, code: int, kind: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self._code = code
        self.kind = kind
        self.exit_code = _RPC_EXIT.get(code, EXIT_FAILURE)

    @property
    def code(self) -> int:
        return self._code
