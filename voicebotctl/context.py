"""What every command is given: where the daemon is, how long to wait, and the one way to print.

Owns the choice of the socket and the promise of `--json` (one document, or one per line of a stream). Knows no verb
and no method.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from voicebotctl.client import Client
from voicebotctl.errors import CommandError, InterruptedByUserError, ProtocolError, UsageError
from voicebotctl.render import Style, clean

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this program; checkers know the name
if TYPE_CHECKING:
    from typing import Any, TextIO

SYSTEM_SOCKET = "/run/voicebotd/control.sock"
DEFAULT_TIMEOUT_S = 10.0


class Context:
    """One run of voicebotctl. `timeout_s` is what `--timeout` said, None where it said nothing."""

    def __init__(
        self, out: TextIO, *, socket_path: str = "", json_output: bool = False, timeout_s: float | None = None
    ) -> None:
        self.out = out
        self.socket_path = socket_path
        self.json_output = json_output
        self.timeout_s = timeout_s
        self.style = Style.of(out, os.environ)

    def connect(self) -> Client:
        """Open a connection; the caller closes it."""
        return Client.connect(self.socket_path, timeout_s=self.patience_s())

    def patience_s(self, default_s: float | None = DEFAULT_TIMEOUT_S) -> float | None:
        """Return how long to wait for an answer: `--timeout`, else `default_s` (None: for ever)."""
        return default_s if self.timeout_s is None else self.timeout_s

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        fds: Sequence[int] = (),
        default_s: float | None = DEFAULT_TIMEOUT_S,
    ) -> Any:
        """Make one request on a connection of its own and return the result."""
        with self.connect() as client:
            return client.call(method, params or {}, fds=fds, timeout_s=self.patience_s(default_s))

    def show(self, document: Any, text: Callable[[Any], str]) -> None:
        """Print the one answer of a command: `document` under `--json`, else `text` of it (nothing when empty).

        Raises `ProtocolError` when `text` cannot read the document: a daemon of another version sent it.
        """
        if self.json_output:
            self.out.write(self._json(document) + "\n")
        elif lines := self._readable(document, text):
            self.out.write(lines.rstrip("\n") + "\n")
        self.out.flush()

    def fail(self, error: CommandError) -> int:
        """Print why the command stopped (the error document under `--json`, else on stderr); return its exit code."""
        if self.json_output:
            self.show(error.document(), str)
        elif not isinstance(error, InterruptedByUserError):
            hint = f"; {error.hint}" if error.hint else ""
            sys.stderr.write(clean(f"voicebotctl: {error.message}{hint}") + "\n")
        return error.exit_code

    def _readable(self, document: Any, text: Callable[[Any], str]) -> str:
        try:
            return text(document)
        except (KeyError, TypeError, AttributeError) as error:
            raise ProtocolError(
                f"the daemon's answer has not the shape that this client knows ({type(error).__name__}: {error})",
                hint="--json prints it as it is",
            ) from None

    def _json(self, document: Any) -> str:
        # Readable where the terminal can show it; a stream that is not UTF-8 gets escapes, which are JSON as well.
        utf8 = (self.out.encoding or "").lower().replace("-", "") == "utf8"
        return json.dumps(document, ensure_ascii=not utf8)


def socket_path(named: str | None, *, user: bool, system: bool, environ: Mapping[str, str]) -> str:
    """Return the socket to use: `--socket`, `--user` or `--system`, `$VOICEBOTD_SOCKET`, then whichever is present.

    Raises `UsageError` for `--user` without `$XDG_RUNTIME_DIR`.
    """
    runtime_directory = environ.get("XDG_RUNTIME_DIR")
    of_user = os.path.join(runtime_directory, "voicebotd", "control.sock") if runtime_directory else ""
    if named:
        return named
    if user and system:
        raise UsageError("--user and --system exclude each other")
    if user:
        if not of_user:
            raise UsageError("--user needs XDG_RUNTIME_DIR, which is not set", hint="--socket PATH names the socket")
        return of_user
    if system:
        return SYSTEM_SOCKET
    if environ.get("VOICEBOTD_SOCKET"):
        return environ["VOICEBOTD_SOCKET"]
    return of_user if of_user and os.path.exists(of_user) else SYSTEM_SOCKET
