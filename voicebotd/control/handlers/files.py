"""file.process: a conversation with an open file that the client passed. The daemon never opens a path for a client."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
import tempfile
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import FileProcessParams
from voicebotd.control.contract_results import FileDocument
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.control.jsonrpc import refusal
from voicebotd.errors import AudioError

AT_ONCE = 4
"""Files in process. Each has an audio process and a session with the service of its own; one more is refused."""
_COPY_BYTES = 256 * 1024


def file_handlers(box: Box) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""
    seats = asyncio.Semaphore(AT_ONCE)

    async def process(params: FileProcessParams, caller: Caller) -> FileDocument:
        with ExitStack() as held:
            source, target = _taken(caller, held), _taken(caller, held)
            if source is None:
                raise refusal("file.unreadable", "no file came with the request", hint="pass it open, by SCM_RIGHTS")
            _check(source, target)
            if seats.locked():
                raise refusal("rpc.overloaded", f"{AT_ONCE} files are in process already")
            async with seats:
                scratch = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="voicebotd-")))
                output = None if target is None else scratch / "output.wav"
                try:
                    document = await box.refusing(
                        box.process_file(source, str(output) if output else None, params.pace)
                    )
                except AudioError as error:
                    raise refusal("file.unreadable", error.message, hint=error.hint) from error
                if target is not None and output is not None:
                    await _hand_over(output, target, held)
                return document

    return {"file.process": process}


def _taken(caller: Caller, held: ExitStack) -> int | None:
    descriptor = caller.take_fd()
    if descriptor is not None:
        held.callback(os.close, descriptor)
    return descriptor


def _check(source: int, target: int | None) -> None:
    """Refuse what could block for ever (a pipe, a terminal) and what cannot be written, before anything is paid for."""
    if not stat.S_ISREG(os.fstat(source).st_mode):
        raise refusal("file.unreadable", "the file to process is not a regular file")
    if target is None:
        return
    if not stat.S_ISREG(os.fstat(target).st_mode):
        raise refusal("file.unwritable", "the output is not a regular file")
    if fcntl.fcntl(target, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise refusal("file.unwritable", "the output is not open for writing")


async def _hand_over(output: Path, target: int, held: ExitStack) -> None:
    # Opened here, not in the thread: that may outlive this request, and `target` then be another file's number.
    try:
        reading = held.enter_context(output.open("rb"))
        writing = held.enter_context(os.fdopen(os.dup(target), "wb", buffering=0))
        await asyncio.to_thread(_copy, reading, writing)
    except OSError as error:
        raise refusal("file.unwritable", f"the output cannot be written: {error.strerror}") from error


def _copy(reading: BinaryIO, writing: FileIO) -> None:
    # Unbuffered: a buffer that the disk has no room for would fail once more when it is closed.
    while block := reading.read(_COPY_BYTES):
        rest = memoryview(block)
        while rest:
            rest = rest[writing.write(rest) :]
