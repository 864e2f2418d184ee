"""history.purge: what only the owner of the history may do with it."""

from __future__ import annotations

import time

import structlog

from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import HistoryPurgeParams
from voicebotd.control.contract_results import HistoryPurged
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.store.retention import DAY_S

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
            copies=list(purged.copies),
            traces=purged.traces,
        )

    return {"history.purge": purge}
