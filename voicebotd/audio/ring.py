"""A ring of int16 samples between exactly one writing and one reading thread, without a lock.

Each index is written by one side only and published after the samples it covers, which the interpreter's lock makes
visible in that order. Nothing is allocated after construction. Knows nothing of what the samples mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]


class Ring:
    """Holds at most `capacity` samples. What does not fit is refused whole; the caller counts it."""

    def __init__(self, capacity: int) -> None:
        self._data: Samples = np.zeros(capacity, dtype=np.int16)
        self._capacity = capacity
        self._written = 0
        self._read = 0

    @property
    def readable(self) -> int:
        return self._written - self._read

    @property
    def free(self) -> int:
        return self._capacity - self.readable

    def write(self, samples: Samples) -> bool:
        """Append all of `samples`, or nothing and return False. The writing side's."""
        count = len(samples)
        if count > self.free:
            return False
        start = self._written % self._capacity
        head = min(count, self._capacity - start)
        self._data[start : start + head] = samples[:head]
        self._data[: count - head] = samples[head:]
        self._written += count
        return True

    def read_into(self, out: Samples) -> int:
        """Move as many samples as there are into the front of `out`; return how many. The reading side's."""
        count = min(len(out), self.readable)
        start = self._read % self._capacity
        head = min(count, self._capacity - start)
        out[:head] = self._data[start : start + head]
        out[head:count] = self._data[: count - head]
        self._read += count
        return count

    def read(self, limit: int) -> Samples:
        """At most `limit` samples, as a copy. The reading side's."""
        out: Samples = np.empty(min(limit, self.readable), dtype=np.int16)
        self.read_into(out)
        return out

    def drop_all(self) -> None:
        """Forget everything readable now. The reading side's."""
        self._read = self._written
