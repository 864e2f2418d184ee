"""process: a conversation with an audio file as the visitor.

The client opens the files and passes them open, so that the daemon never touches a path of somebody else's choice.
"""

from __future__ import annotations

import os
import stat
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.errors import UsageError
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import clean, transcript


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="what the visitor says: WAV, FLAC, OGG or MP3")
    parser.add_argument("--output", metavar="OUT.wav", help="write what the loudspeaker would have played")
    Parameters("file.process").option(parser, "pace")


def _process(context: Context, args: Namespace) -> int:
    output: str | None = getattr(args, "output", None)
    # In this order: an existing output may be emptied only when there is a daemon to fill it.
    with _opened(args.file) as source, context.connect() as client, _created(output, source) as files:
        patience_s = context.patience_s(default_s=None)
        result = client.call("file.process", given(args, "pace"), fds=files, timeout_s=patience_s)
    written = f"\nwritten: {clean(output)}" if output else ""
    context.show(result, lambda document: transcript(document["turns"], context.style) + written)
    return 0


@contextmanager
def _opened(path: str) -> Iterator[int]:
    try:
        # O_NONBLOCK: a named pipe without a writer must be refused, not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"cannot read {path}: not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _created(path: str | None, source: int) -> Iterator[list[int]]:
    """Yield the files to pass: the source and, where one is wanted, the emptied output."""
    if path is None:
        yield [source]
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        if os.path.samestat(os.fstat(descriptor), os.fstat(source)):
            raise UsageError(f"cannot write {path}: it is the input")
        os.ftruncate(descriptor, 0)
        yield [source, descriptor]
    finally:
        os.close(descriptor)


COMMANDS: Commands = {"process": Command(_process, method="file.process", arguments=_arguments)}
