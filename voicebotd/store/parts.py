"""Repositories of what belongs to a conversation: turns, calls, usage.

Owns reading them conversation by conversation, whole or from a place on. Knows no particular record.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from voicebotd.store.base import DEFAULT_LIMIT
from voicebotd.store.sql import SqlRepository

LAST_PLACE = 2**63 - 1
R = TypeVar("R")  # a dataclass with a conversation_id


class PartRepository(SqlRepository[R]):
    """A repository whose records belong to conversations and have a place in them."""

    place: ClassVar[str]
    """The column that says where in its conversation a record stands: whole numbers from 1."""

    async def of_conversation(
        self, conversation_id: str, *, limit: int = DEFAULT_LIMIT, before: int | None = None
    ) -> list[R]:
        """Return the last `limit` of one conversation (that stand before a place), in the order in which they began."""
        latest = await self._select(
            f"WHERE conversation_id = :id AND {self.place} < :before ORDER BY {self.place} DESC LIMIT :limit",
            {"id": conversation_id, "before": LAST_PLACE if before is None else before, "limit": limit},
        )
        return latest[::-1]

    async def behind(self, conversation_id: str, place: int, *, limit: int) -> list[tuple[int, R]]:
        """Return up to `limit` of one conversation that stand behind `place`, in order, each with its own place."""
        rows = await self._database.fetch(
            f"SELECT *, {self.place} AS place FROM {self.table}"  # noqa: S608 - put together from the source alone
            f" WHERE conversation_id = :id AND {self.place} > :place ORDER BY {self.place} LIMIT :limit",
            {"id": conversation_id, "place": place, "limit": limit},
        )
        return [(row["place"], self._decode(row)) for row in rows]
