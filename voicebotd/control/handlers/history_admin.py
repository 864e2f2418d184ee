"""history.export, history.purge: what only the owner of the history may do with it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import HistoryExportParams, HistoryPurgeParams
from voicebotd.control.contract_results import HistoryExported, HistoryPurged
from voicebotd.control.contract_types import HistoryFormat
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.control.handlers.history import not_found
from voicebotd.control.jsonrpc import refusal
from voicebotd.store.export import Exported, Place, PlaceError
from voicebotd.store.lines import line_of
from voicebotd.store.retention import DAY_S

PAGE_RECORDS = 200
PIECE_CHARACTERS = 64 * 1024
"""A client gets the history in pieces of about this, at its own pace: neither end needs the memory for all of it, and
nobody's slow disk or pipe holds anything up in the daemon."""

_log = structlog.get_logger("history")


def history_admin_handlers(box: Box) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""

    async def purge(params: HistoryPurgeParams, caller: Caller) -> HistoryPurged:
        # Also where no history is kept any more: what was kept before can only go this way.
        _log.info("history is purged", older_than_days=params.older_than_days, uid=caller.peer.uid)
        purged = await box.purge.older_than(time.time() - params.older_than_days * DAY_S, compact=params.compact)
        return HistoryPurged(
            conversations=purged.conversations,
            turns=purged.turns,
            tool_calls=purged.tool_calls,
            recordings=purged.recordings,
            copies=list(purged.copies),
            traces=purged.traces,
        )

    async def export(params: HistoryExportParams, caller: Caller) -> HistoryExported:
        try:
            place = Place.parse(params.after) if params.after else Place()
        except PlaceError as error:
            raise refusal("rpc.invalid_params", f"after {error}", hint="give what `next` said, or nothing") from error
        if params.after is None:
            _log.info("history is exported", conversation=params.conversation_id, uid=caller.peer.uid)
        records = await box.export.page(place, limit=PAGE_RECORDS, conversation_id=params.conversation_id)
        if not records and params.after is None and params.conversation_id is not None:
            raise not_found(f"no conversation {params.conversation_id}")
        return _piece(records, params.format)

    return {"history.export": export, "history.purge": purge}


def _piece(records: Sequence[Exported], form: HistoryFormat) -> HistoryExported:
    """As many of the records as make a piece: one at least, and no more once it is long enough."""
    text, next_place = "", None
    for number, (place, record) in enumerate(records, 1):
        text += line_of(record, form)
        if number == PAGE_RECORDS or len(text) >= PIECE_CHARACTERS:
            next_place = str(place)
            break
    return HistoryExported(text=text, next=next_place)
