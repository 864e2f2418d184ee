"""A clock that runs fast, for everything in this process: a conversation of minutes takes seconds.

Owns the pace. All of asyncio's time and every `time.monotonic()` go by it, the client's and the server's alike, so that
whatever is timed stays in proportion; only the network and the processor are not faster, and so seem slower.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")


class _HurriedSelector(selectors.DefaultSelector):
    def __init__(self, pace: float) -> None:
        super().__init__()
        self._pace = pace

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / self._pace if timeout else timeout)


def hurried(main: Callable[[], Coroutine[Any, Any, T]], *, pace: float) -> T:
    """Run a coroutine to its end, `pace` times as fast as real time."""
    real, start_s = time.monotonic, time.monotonic()

    def monotonic() -> float:
        return start_s + (real() - start_s) * pace

    with (
        patch("time.monotonic", monotonic),
        asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_HurriedSelector(pace))) as runner,
    ):
        return runner.run(main())
