"""file.process: a conversation with an open file that the client passed. The daemon never opens a path for a client."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import FileProcessParams
from voicebotd.control.contract_results import FileDocument
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.control.jsonrpc import refusal
from voicebotd.errors import AudioError


def file_handlers(box: Box) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""

    async def process(params: FileProcessParams, caller: Caller) -> FileDocument:
        source, target = caller.take_fd(), caller.take_fd()
        try:
            if source is None:
                raise refusal("file.unreadable", "no file came with the request", hint="pass it open, by SCM_RIGHTS")
            with tempfile.TemporaryDirectory(prefix="voicebotd-") as scratch:
                output = None if target is None else Path(scratch) / "output.wav"
                try:
                    document = await box.process_file(source, str(output) if output else None, params.pace)
                except AudioError as error:
                    raise refusal("file.unreadable", error.message, hint=error.hint) from error
                if target is not None and output is not None:
                    await asyncio.to_thread(_copy, output, target)
                return document
        finally:
            for descriptor in (source, target):
                if descriptor is not None:
                    os.close(descriptor)

    return {"file.process": process}


def _copy(source: Path, target: int) -> None:
    with source.open("rb") as reading, os.fdopen(os.dup(target), "wb") as writing:
        shutil.copyfileobj(reading, writing)
