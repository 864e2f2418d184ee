"""history.*: what was said in earlier conversations."""

from __future__ import annotations

from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import HistoryGetParams, HistoryListParams
from voicebotd.control.contract_results import HistoryConversation, HistoryEntry, HistoryList
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box, Repositories
from voicebotd.control.jsonrpc import refusal
from voicebotd.conversation.records import ConversationRecord
from voicebotd.errors import RpcError
from voicebotd.file_conversation import turn_result
from voicebotd.store.conversations import ConversationRepository
from voicebotd.store.faults import StoreError


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
                raise _not_found(f"no conversation {params.before}") from error
            raise
        turns = await kept().turns.count([one.conversation_id for one in page])
        return HistoryList(conversations=[_entry(one, turns.get(one.conversation_id, 0)) for one in page])

    async def get(params: HistoryGetParams, _caller: Caller) -> HistoryConversation:
        conversation_id = params.conversation_id or await _latest(kept().conversations)
        stored = await kept().conversations.get_whole(conversation_id) if conversation_id else None
        if stored is None:
            message = f"no conversation {conversation_id}" if conversation_id else "there was no conversation yet"
            raise _not_found(message)
        return HistoryConversation(
            conversation=_entry(stored.conversation, len(stored.turns)),
            turns=[turn_result(turn) for turn in stored.turns],
        )

    return {"history.list": list_, "history.get": get}


def _not_found(message: str) -> RpcError:
    return refusal("history.not_found", message, hint="voicebotctl history list shows them")


async def _latest(conversations: ConversationRepository) -> str | None:
    newest = await conversations.get_all(limit=1)
    return newest[0].conversation_id if newest else None


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
