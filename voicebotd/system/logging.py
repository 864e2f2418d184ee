"""The log: structlog and the standard library's loggers on one road to stderr, and no secret ever on it.

Owns the format (journal, console, JSON), the level, and the redaction of every finished line, tracebacks included.
Knows nobody who logs. Writes no file.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from voicebotd.config.credentials import MASK, Secret, redact

Format = Literal["journal", "console", "json"]

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""sd-daemon(3)'s prefixes, which are syslog's severities."""
_CAPPED = dict.fromkeys(("websockets", "aiosqlite", "httpx2", "httpcore2", "mcp"), logging.WARNING)
"""Below these levels websockets logs every frame, aiosqlite every statement with what the visitor said, and those of
MCP every message and header."""


def setup(
    *,
    level: str,
    format: Literal["auto", "journal", "console", "json"] = "auto",  # noqa: A002 - the configuration key's name
    secrets: Iterable[Secret] = (),
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
    words: bool = True,
) -> None:
    """Send all logging of this process to `stream` (default: stderr). May be called again; the last call holds.

    `secrets` are masked wherever they appear, on top of what looks like a secret by itself. `add_secret` names more.
    Without `words` no line has what was said, also not at debug.
    """
    target = sys.stderr if stream is None else stream
    chosen = choose_format(format, environ.get("JOURNAL_STREAM", ""), target)
    shared = _shared_processors()
    if not words:
        shared.append(_without_words)
    handler = _Handler(target)
    handler.setFormatter(
        _Formatter(
            secrets=secrets,
            journal=chosen == "journal",
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(chosen, target)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    set_level(level)


def set_level(level: str) -> None:
    """Change the level at once: debug, info, warning or error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(number)
    for name, least in _CAPPED.items():
        logging.getLogger(name).setLevel(max(number, least))


def add_secret(secret: Secret) -> None:
    """Mask this one as well from now on: a key that was put in place, or changed, after the start."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _Formatter):
            handler.formatter.add_secret(secret)


def get_level() -> str:
    """The level in force, as the configuration spells it."""
    return logging.getLevelName(logging.getLogger().level).lower()


def choose_format(wanted: Literal["auto", "journal", "console", "json"], journal_stream: str, stream: TextIO) -> Format:
    """Decide `auto`: journal where the stream is the one that systemd connected to the journal, else console.

    systemd.exec(5): $JOURNAL_STREAM is `device:inode`. A child whose stderr was redirected inherits it all the same, so
    only the comparison tells.
    """
    if wanted != "auto":
        return wanted
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return "console"  # closed, or a stream in memory
    return "journal" if journal_stream == f"{status.st_dev}:{status.st_ino}" else "console"


def mask(text: str, secrets: Iterable[Secret]) -> str:
    """Mask these secrets, in every spelling in which they could be printed, and whatever looks like one."""
    for secret in secrets:
        plain = secret.reveal()
        for spelling in (plain, json.dumps(plain)[1:-1], repr(plain)[1:-1]):
            text = text.replace(spelling, MASK)
    return redact(text)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Finishes a line: the last place that every line passes, whoever wrote it."""

    def __init__(self, *, secrets: Iterable[Secret], journal: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._secrets: list[Secret] = []
        for secret in secrets:
            self.add_secret(secret)
        self._journal = journal

    def add_secret(self, secret: Secret) -> None:
        # The longest first: a secret that contains another one leaves no rest behind.
        self._secrets = sorted({*self._secrets, secret}, key=lambda each: -len(each.reveal()))

    def format(self, record: logging.LogRecord) -> str:
        text = mask(super().format(record), self._secrets)
        if not self._journal:
            return text
        # The journal takes every line for an entry of its own.
        prefix = f"<{_PRIORITIES.get(record.levelname.lower(), 6)}>"
        return "\n".join(prefix + line for line in text.splitlines())


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        # The inherited one prints the message's raw arguments, past the redaction. stderr itself may be what is broken.
        with suppress(OSError, ValueError):
            self.stream.write(f"a log line of {record.name} was lost: {type(sys.exception()).__name__}\n")


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
    ]


_WORDY = ("message", "data")
"""Under these names debug lines show messages of the service and events, with what was said in them."""


def _without_words(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave out what may hold words: messages, and what an exception says of the value that it could not take."""
    for name in _WORDY:
        if name in event:
            event[name] = "(no words are kept)"
    if event.pop("exc_info", None):
        error = sys.exception()
        event["exception"] = "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__ if error else ""
    return event


def _renderers(chosen: Format, target: TextIO) -> list[Processor]:
    if chosen == "json":
        return [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    if chosen == "journal":
        # The journal knows time and level by itself.
        return [_drop_level, _console(colors=False)]
    colors = target.isatty() and not os.environ.get("NO_COLOR")
    return [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False), _console(colors=colors)]


def _console(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    # The other formatters print the local variables of every frame: too long, and full of what nobody should read.
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def _drop_level(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.pop("level", None)
    return event
