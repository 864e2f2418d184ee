"""Awaiting what a connection's thread does, when whoever awaits is cancelled meanwhile.

Owns the two ways: to wait until it is done all the same, or to stop it and wait until it has stopped. Knows no table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import aiosqlite

_T = TypeVar("_T")


async def unbroken(operation: Coroutine[Any, Any, _T]) -> _T:
    """Await to the end though the caller be cancelled meanwhile, then let the cancellation through.

    aiosqlite's thread finishes a statement whether anybody waits or not: to go on without it is to go on without
    knowing what it did. Bounded, as every statement is, by the busy timeout and the disk.
    """
    task = asyncio.ensure_future(operation)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation from task.exception()
    return task.result()


async def interruptible(writer: aiosqlite.Connection, operation: Coroutine[Any, Any, _T]) -> _T:
    """Await what may take long; a cancellation stops it and waits until it has stopped."""
    task = asyncio.ensure_future(operation)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await writer.interrupt()
        await unbroken(_outcome(task))
        raise


async def _outcome(task: asyncio.Future[Any]) -> None:
    """Wait for what was interrupted; that it fails is what was wanted."""
    await asyncio.wait({task})
    task.exception()
