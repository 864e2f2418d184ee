"""What is kept of conversations: the conversations, newest first, what was said and what was called in them.

Owns the three repositories and what a later version of a record may not erase. Knows no conversation in progress.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voicebotd.conversation.records import ConversationRecord, ToolCallRecord, TurnRecord
from voicebotd.store.base import DEFAULT_LIMIT
from voicebotd.store.parts import LAST_PLACE, PartRepository
from voicebotd.store.search import MARK_BEGIN, MARK_END, Snippet, match_expression, snippet_of
from voicebotd.store.sql import SqlRepository

SNIPPET_WORDS = 16


def _times(table: str) -> dict[str, str]:
    """A record written again may not know its times any more: the first beginning stays, and so does the last end."""
    return {
        "started_at": f"coalesce({table}.started_at, excluded.started_at)",
        "ended_at": f"coalesce(excluded.ended_at, {table}.ended_at)",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTurn:
    """One turn in which the words were found that were looked for."""

    turn: TurnRecord
    snippet: Snippet
    place: int
    """Where it stands among all turns, in the order of arrival: what was found is continued behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConversation:
    """One conversation with its turns and its calls, each in the order in which they began."""

    conversation: ConversationRecord
    turns: tuple[TurnRecord, ...]
    tool_calls: tuple[ToolCallRecord, ...]

    def to_dict(self) -> dict[str, Any]:
        turns = [turn.to_dict() for turn in self.turns]
        return {
            **self.conversation.to_dict(),
            "turns": turns,
            "tool_calls": [call.to_dict() for call in self.tool_calls],
        }


class TurnRepository(PartRepository[TurnRecord]):
    """Turns, identified by (conversation_id, item_id)."""

    record = TurnRecord
    table = "turns"
    key = ("conversation_id", "item_id")
    order = "conversation_id, number"
    place = "number"
    on_save = _times("turns")

    async def count(self, conversation_ids: Sequence[str]) -> dict[str, int]:
        """Return how many turns each of these conversations has; those without any are left out."""
        rows = await self._database.fetch(
            "SELECT conversation_id, count(*) AS turns FROM turns"
            " WHERE conversation_id IN (SELECT value FROM json_each(:ids)) GROUP BY conversation_id",
            {"ids": json.dumps(list(conversation_ids))},
        )
        return {row["conversation_id"]: row["turns"] for row in rows}

    async def search(self, query: str, *, limit: int = 20, before: int | None = None) -> list[FoundTurn]:
        """Return up to `limit` turns with every word of `query` (see `search.py`), the latest first.

        By time and not by rank, because then a word that half of a million turns have costs no more than a rare one.
        Raises `QueryError` for a query that cannot find anything.
        """
        rows = await self._database.fetch(
            f"SELECT turns.*, snippet(turn_words, 0, :begin, :end, '…', {SNIPPET_WORDS}) AS snippet"  # noqa: S608
            " FROM turn_words JOIN turns ON turns.turn_id = turn_words.rowid"
            " WHERE turn_words MATCH :expression AND turn_words.rowid < :before"
            " ORDER BY turn_words.rowid DESC LIMIT :limit",
            {
                "begin": MARK_BEGIN,
                "end": MARK_END,
                "expression": match_expression(query),
                "before": LAST_PLACE if before is None else before,
                "limit": limit,
            },
        )
        return [
            FoundTurn(turn=self._decode(row), snippet=snippet_of(row["snippet"]), place=row["turn_id"]) for row in rows
        ]

    def _decode(self, row: sqlite3.Row) -> TurnRecord:
        fields = {name: row[name] for name in self.columns}
        return TurnRecord(**{**fields, "interrupted": bool(row["interrupted"])})


class ToolCallRepository(PartRepository[ToolCallRecord]):
    """Function calls of the model, identified by (conversation_id, call_id)."""

    record = ToolCallRecord
    table = "tool_calls"
    key = ("conversation_id", "call_id")
    order = "sequence DESC"
    place = "sequence"
    on_save = _times("tool_calls")


class ConversationRepository(SqlRepository[ConversationRecord]):
    """Conversations, identified by conversation_id; deleting one deletes its turns and its calls."""

    record = ConversationRecord
    table = "conversations"
    key = ("conversation_id",)
    order = "sequence DESC"
    on_save = _times("conversations")

    async def page(self, *, limit: int = 20, before: str | None = None) -> list[ConversationRecord]:
        """Return up to `limit` conversations, newest first, starting after (older than) the conversation `before`.

        Raises `StoreError` (fault `not_found`) where there is no conversation `before`.
        """
        if before is None:
            return await self.get_all(limit=limit)
        if await self.get_by_id(before) is None:
            raise self._not_found((before,))
        return await self._select(
            "WHERE sequence < (SELECT sequence FROM conversations WHERE conversation_id = :before)"
            " ORDER BY sequence DESC LIMIT :limit",
            {"before": before, "limit": limit},
        )

    async def at_or_behind(
        self, sequence: int, conversation_id: str | None = None
    ) -> tuple[int, ConversationRecord] | None:
        """Return the first conversation from the `sequence`th on, in the order of arrival, with its own number; only
        that of a certain id, if one is given. None where there is none."""
        rows = await self._database.fetch(
            "SELECT * FROM conversations WHERE sequence >= :sequence AND (:id IS NULL OR conversation_id = :id)"
            " ORDER BY sequence LIMIT 1",
            {"sequence": sequence, "id": conversation_id},
        )
        return (rows[0]["sequence"], self._decode(rows[0])) if rows else None

    async def get_whole(
        self, conversation_id: str, *, limit: int = DEFAULT_LIMIT, before: int | None = None
    ) -> StoredConversation | None:
        """Return a conversation with its last `limit` turns (before the turn of that number) and calls, or None where
        there is none: one that lasted for months does not fit into one answer."""
        conversation = await self.get_by_id(conversation_id)
        if conversation is None:
            return None
        turns = await TurnRepository(self._database).of_conversation(conversation_id, limit=limit, before=before)
        calls = await ToolCallRepository(self._database).of_conversation(conversation_id, limit=limit)
        return StoredConversation(conversation=conversation, turns=tuple(turns), tool_calls=tuple(calls))
