"""What stands behind the engine: the `Source` interface that PortAudio, a file or a test implements.

A source calls one `Exchange` from its own threads and knows nothing else of the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voicebotd.audio.callback import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFormat:
    """What a source is about to open. Blocks are mono, `block_ms` long, at each side's own rate."""

    input_name: str
    output_name: str
    streams: str
    """`duplex`, `pair` or `file`."""
    input_hz: int
    output_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """What the opened streams say of themselves."""

    input_ms: float
    output_ms: float


class Source(Protocol):
    """One way to hear and be heard."""

    def open(self, connect: Callable[[StreamFormat], Exchange]) -> Latency:
        """Settle the format, get the exchange for it, and call that until the process ends.

        Whoever opens a source keeps it: a callback that is called from outside of Python keeps nothing alive.

        Raises `AudioError`, and may then be tried again. May block for as long as a sound server is frozen.
        """
