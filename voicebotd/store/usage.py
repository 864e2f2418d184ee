"""What was used and what it cost, kept apart from conversations: it outlives them, and is kept where they are not.

Owns the repository and the sum of what was spent. Knows no price, no cap and no calendar: `since` is a moment.
"""

from __future__ import annotations

from voicebotd.conversation.records import UsageRecord
from voicebotd.store.sql import SqlRepository


class UsageRepository(SqlRepository[UsageRecord]):
    """Usage, identified by (conversation_id, source_id): the same response is paid once however often it is told."""

    record = UsageRecord
    table = "usage"
    key = ("conversation_id", "source_id")
    order = "sequence DESC"

    async def of_conversation(self, conversation_id: str) -> list[UsageRecord]:
        """Return what one conversation used, in the order in which it came."""
        return await self._select("WHERE conversation_id = :id ORDER BY sequence", {"id": conversation_id})

    async def between(self, since: float, until: float) -> list[UsageRecord]:
        """Return what was used from `since` on and before `until` (Unix seconds), oldest first."""
        return await self._select(
            "WHERE started_at >= :since AND started_at < :until ORDER BY started_at, sequence",
            {"since": since, "until": until},
        )

    async def spent_usd(self, since: float) -> float:
        """Return what was spent from `since` (Unix seconds) until now."""
        [row] = await self._database.fetch(
            "SELECT total(usd) AS usd FROM usage WHERE started_at >= :since", {"since": since}
        )
        return float(row["usd"])
