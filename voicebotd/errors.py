"""The error tree. Every error that this project raises on purpose is one of these.

    VoicebotError                 what happened (message), and what to do about it (hint)
    ├── ConfigError               one or more Problems in the configuration; exit 78
    ├── AudioError                a device, a stream or the audio process
    ├── RealtimeError             the link or the provider; says whether a retry can help
    ├── StorageError              the database
    ├── ToolError                 a function the model called
    ├── CommandRefusedError       what a person asked cannot be done now; with a stable kind
    └── RpcError                  an answer to a control client: JSON-RPC code plus a stable kind

This file knows no other file. Our own bugs are not in this tree: they raise what Python raises.
"""

from __future__ import annotations

from dataclasses import dataclass


class VoicebotError(Exception):
    """Base of the tree: a message for people and, where there is one, the remedy."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with the configuration, complete enough to mend it without a manual."""

    key: str
    """Dotted key, `turn_detection.threshold`."""
    message: str
    """What is wrong, with the value as given and the allowed range."""
    source: str = ""
    """Where the value came from: a file path, `environment NAME`, `--set`, `rpc`."""
    hint: str = ""
    """What to do; for an unknown key, the nearest known one."""

    def __str__(self) -> str:
        where = f" ({self.source})" if self.source else ""
        remedy = f"; {self.hint}" if self.hint else ""
        return f"{self.key}: {self.message}{where}{remedy}"


class ConfigError(VoicebotError):
    """The configuration cannot be used. `problems` holds every error found, never only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class AudioError(VoicebotError):
    """A sound device, a stream or the audio process failed."""


class RealtimeError(VoicebotError):
    """The link to the Realtime service failed.

    `retryable` is False where trying again at once cannot help (wrong key, no quota); `code` is the service's
    own error code where it gave one.
    """

    def __init__(self, message: str, *, retryable: bool = True, code: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable
        self.code = code


class StorageError(VoicebotError):
    """The database cannot do what was asked."""


class ToolError(VoicebotError):
    """A tool failed; its message is fit for the model to read."""


class CommandRefusedError(VoicebotError):
    """A command makes no sense at present, or the service refused it. `kind` is stable and fit for programs."""

    def __init__(self, kind: str, message: str, *, hint: str = "", retryable: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.retryable = retryable


class RpcError(VoicebotError):
    """An answer to a control client. Codes: JSON-RPC 2.0 §5.1, ours from 1001; `kind` never changes its meaning."""

    def __init__(self, code: int, kind: str, message: str, *, retryable: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.kind = kind
        self.retryable = retryable
