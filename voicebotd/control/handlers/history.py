"""history.*: what was said in earlier conversations."""

from __future__ import annotations

import asyncio
from dataclasses import fields

from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import (
    HistoryGetParams,
    HistoryListParams,
    HistorySearchParams,
)
from voicebotd.control.contract_results import (
    HistoryConversation,
    HistoryEntry,
    HistoryFound,
    HistoryHit,
    HistoryList,
    TokenUsage,
    ToolCall,
)
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box, Repositories
from voicebotd.control.jsonrpc import refusal
from voicebotd.conversation.records import ConversationRecord, ToolCallRecord
from voicebotd.errors import RpcError
from voicebotd.file_conversation import turn_result
from voicebotd.store.conversations import ConversationRepository, FoundTurn
from voicebotd.store.faults import StoreError
from voicebotd.store.recordings import files_of
from voicebotd.store.search import QueryError

QUERY_HINT = 'words that must all occur; `appoint*` for the beginning of a word, `"new year"` for words in a row'


def history_handlers(box: Box) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""

    def kept() -> Repositories:
        if box.history is None:
            raise refusal("history.unavailable", "no history is kept", hint="set history.enabled", retryable=False)
        return box.history

    async def list_(params: HistoryListParams, _caller: Caller) -> HistoryList:
        try:
            page = await kept().conversations.page(limit=params.limit, before=params.before)
        except StoreError as error:
            if error.fault == "not_found":
                raise not_found(f"no conversation {params.before}") from error
            raise
        turns = await kept().turns.count([one.conversation_id for one in page])
        return HistoryList(conversations=[_entry(one, turns.get(one.conversation_id, 0)) for one in page])

    async def get(params: HistoryGetParams, _caller: Caller) -> HistoryConversation:
        return await _whole(kept(), params)

    async def search(params: HistorySearchParams, _caller: Caller) -> HistoryFound:
        try:
            found = await kept().turns.search(params.query, limit=params.limit, before=params.before)
        except QueryError as error:
            raise refusal("rpc.invalid_params", f"query {error}", hint=QUERY_HINT) from error
        more = found[-1].place if len(found) == params.limit else None
        return HistoryFound(hits=[_hit(each) for each in found], next=more)

    return {"history.list": list_, "history.get": get, "history.search": search}


async def _whole(kept: Repositories, params: HistoryGetParams) -> HistoryConversation:
    conversation_id = params.conversation_id or await _latest(kept.conversations)
    if conversation_id is None:
        raise not_found("there was no conversation yet")
    stored = await kept.conversations.get_whole(conversation_id, limit=params.limit, before=params.before)
    if stored is None:
        raise not_found(f"no conversation {conversation_id}")
    turns = await kept.turns.count([conversation_id])
    used = await kept.usage.total(conversation_id)
    return HistoryConversation(
        conversation=_entry(stored.conversation, turns.get(conversation_id, 0)),
        turns=[turn_result(turn) for turn in stored.turns],
        tool_calls=[_call(call) for call in stored.tool_calls],
        usage=TokenUsage(**{kind.name: getattr(used, kind.name) for kind in fields(TokenUsage)}),
        usd=used.usd,
        recordings=await asyncio.to_thread(files_of, kept.recordings, conversation_id),
    )


def not_found(message: str) -> RpcError:
    return refusal("history.not_found", message, hint="voicebotctl history list shows them")


async def _latest(conversations: ConversationRepository) -> str | None:
    newest = await conversations.get_all(limit=1)
    return newest[0].conversation_id if newest else None


def _call(record: ToolCallRecord) -> ToolCall:
    return ToolCall(
        call_id=record.call_id,
        name=record.name,
        arguments=record.arguments,
        output=record.output,
        status=record.status,
        duration_ms=record.duration_ms,
        started_at=record.started_at,
    )


def _hit(found: FoundTurn) -> HistoryHit:
    turn = found.turn
    return HistoryHit(
        conversation_id=turn.conversation_id,
        item_id=turn.item_id,
        number=turn.number,
        role=turn.role,
        started_at=turn.started_at,
        snippet=found.snippet.text,
        marks=[list(mark) for mark in found.snippet.marks],
    )


def _entry(record: ConversationRecord, turns: int) -> HistoryEntry:
    return HistoryEntry(
        conversation_id=record.conversation_id,
        started_at=record.started_at,
        ended_at=record.ended_at,
        source=record.source,
        provider=record.provider,
        model=record.model,
        end_reason=record.end_reason,
        turns=turns,
    )
