"""What was used and what it cost, kept apart from conversations: it outlives them, and is kept where they are not.

Owns the repository and the sums: by response and conversation, by local day and model. Knows no price and no cap.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from voicebotd.conversation.budget import REHEARSED
from voicebotd.conversation.records import UsageRecord
from voicebotd.store.parts import PartRepository

_COUNTED = [field.name for field in fields(UsageRecord) if field.type == "int"]
_SUMS = ", ".join(
    [*(f"coalesce(sum({name}), 0) AS {name}" for name in _COUNTED), "total(audio_s) AS audio_s", "total(usd) AS usd"]
)

_NANO_USD = "coalesce(sum(CAST(round(usd * 1e9) AS INTEGER)), 0)"
"""A sum of whole numbers, which is exact, as one of REAL would not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """What one model used on one day for responses, or for transcriptions."""

    day: str
    """ISO 8601, local time."""
    model: str
    kind: Literal["response", "transcription"]
    count: int
    input_text: int
    input_audio: int
    cached_text: int
    cached_audio: int
    output_text: int
    output_audio: int
    audio_s: float
    nano_usd: int


class UsageRepository(PartRepository[UsageRecord]):
    """Usage, identified by (conversation_id, source_id): the same response is paid once however often it is told."""

    record = UsageRecord
    table = "usage"
    key = ("conversation_id", "source_id")
    order = "sequence DESC"
    place = "sequence"

    async def total(self, conversation_id: str) -> UsageRecord:
        """Return all that one conversation used, summed; its `source_id` is empty."""
        [row] = await self._database.fetch(
            f"SELECT {_SUMS} FROM usage WHERE conversation_id = :id",  # noqa: S608 - made from the record's own fields
            {"id": conversation_id},
        )
        return UsageRecord(conversation_id=conversation_id, source_id="", **dict(row))

    async def between(self, since: float, until: float) -> list[UsageRecord]:
        """Return what was used from `since` on and before `until` (Unix seconds), oldest first."""
        return await self._select(
            "WHERE started_at >= :since AND started_at < :until ORDER BY started_at, sequence",
            {"since": since, "until": until},
        )

    async def spent(self, since: float, until: float, *, rehearsed: bool) -> int:
        """Return what was spent from `since` on and before `until` (Unix seconds), in nano-dollars.

        Only in play money where `rehearsed`, else only what is really paid.
        """
        [row] = await self._database.fetch(
            f"SELECT {_NANO_USD} AS nano_usd FROM usage"  # noqa: S608 (all of it is in the source)
            " WHERE started_at >= :since AND started_at < :until AND (model LIKE :stage) = :rehearsed",
            {"since": since, "until": until, "stage": f"{REHEARSED}%", "rehearsed": rehearsed},
        )
        return int(row["nano_usd"])

    async def by_day(self, since: float) -> list[DayUsage]:
        """Return what was used from `since` on, added up by local day, model and kind, in this order."""
        rows = await self._database.fetch(
            "SELECT date(started_at, 'unixepoch', 'localtime') AS day, model, kind, count(*) AS count,"  # noqa: S608
            " sum(input_text) AS input_text, sum(input_audio) AS input_audio, sum(cached_text) AS cached_text,"
            " sum(cached_audio) AS cached_audio, sum(output_text) AS output_text, sum(output_audio) AS output_audio,"
            f" total(audio_s) AS audio_s, {_NANO_USD} AS nano_usd"
            " FROM usage WHERE started_at >= :since GROUP BY day, model, kind ORDER BY day, model, kind",
            {"since": since},
        )
        return [DayUsage(**dict(row)) for row in rows]
