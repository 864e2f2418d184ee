"""The whole history page by page, the oldest first, so that neither end ever holds more than a page of it.

Owns the order (a conversation, its turns, its calls, what it used; then the next one) and the place at which the next
page goes on. Knows no format: `lines.py` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from voicebotd.conversation.records import AnyRecord
from voicebotd.store.conversations import ConversationRepository, ToolCallRepository, TurnRepository
from voicebotd.store.database import Database
from voicebotd.store.parts import PartRepository
from voicebotd.store.usage import UsageRepository

Exported = tuple["Place", AnyRecord]


class PlaceError(ValueError):
    """The text is no place in the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One record: which conversation, which of its parts (0: itself), and where in that. An export goes on behind it.

    It stays valid when something is purged or recorded between two pages.
    """

    sequence: int = 0
    part: int = 0
    position: int = 0

    def __str__(self) -> str:
        return f"{self.sequence}.{self.part}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Raises `PlaceError` for what `str` cannot have written."""
        if re.fullmatch(r"[0-9]{1,18}\.[0-9]\.[0-9]{1,18}", text) is None:
            raise PlaceError(f"{text!r} is no place in the history")
        sequence, part, position = map(int, text.split("."))
        return cls(sequence=sequence, part=part, position=position)


class Export:
    """Reads a database from beginning to end."""

    def __init__(self, database: Database) -> None:
        self._conversations = ConversationRepository(database)
        self._parts: tuple[PartRepository[Any], ...] = (
            TurnRepository(database),
            ToolCallRepository(database),
            UsageRepository(database),
        )

    async def page(self, after: Place, *, limit: int, conversation_id: str | None = None) -> list[Exported]:
        """Return up to `limit` records behind `after`, of one conversation only if one is named. Fewer are the last."""
        found: list[Exported] = []
        place = after
        while len(found) < limit:
            over = place.part > len(self._parts)
            next_one = await self._conversations.at_or_behind(place.sequence + over, conversation_id)
            if next_one is None:
                break
            sequence, conversation = next_one
            if over or sequence != place.sequence:
                place = Place(sequence=sequence)
                found.append((place, conversation))
            found += await self._parts_behind(place, conversation.conversation_id, limit - len(found))
            place = Place(sequence=sequence, part=len(self._parts) + 1)
        return found

    async def _parts_behind(self, place: Place, conversation_id: str, limit: int) -> list[Exported]:
        found: list[Exported] = []
        for part, repository in enumerate(self._parts, 1):
            if part < place.part or len(found) == limit:
                continue
            position = place.position if part == place.part else 0
            rows = await repository.behind(conversation_id, position, limit=limit - len(found))
            found += [(replace(place, part=part, position=position), record) for position, record in rows]
        return found
