"""Names for what we send. Counted, not random: the core stays repeatable, and nobody else uses our session."""

from __future__ import annotations


class Ids:
    """Unique for as long as the daemon runs."""

    def __init__(self) -> None:
        self._count = 0

    def event(self) -> str:
        return f"evt_{self._next()}"

    def item(self) -> str:
        return f"msg_{self._next()}"

    def token(self) -> int:
        return self._next()

    def _next(self) -> int:
        self._count += 1
        return self._count
