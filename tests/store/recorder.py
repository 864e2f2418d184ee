"""Records turns and prints the number of each one once it is said to be safe: `recorder.py PATH FIRST [COUNT]`.

Without COUNT for ever, to be killed by its test. With it, it ends in good order when so many are recorded, or when one
cannot be made safe. Each turn is written twice, as turns are: begun, and with its words.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import structlog

from voicebotd.conversation.records import ConversationRecord, TurnRecord
from voicebotd.store.database import Database
from voicebotd.store.history import HistoryService, HistorySettings

PATIENCE_S = 0.5
FAILURES = 6
"""So often a turn may be waited for while the disk is said to fail. A machine that is merely slow is waited for."""
SETTINGS = HistorySettings(first_retry_s=0.01, retry_cap_s=0.05)


async def main(path: Path, first: int, count: int | None) -> None:
    database = Database(path)
    history = HistoryService(database, SETTINGS)
    await history.connect()
    async with asyncio.TaskGroup() as group:
        group.create_task(history.run())
        history.record(ConversationRecord(conversation_id="c"))
        for number in itertools.count(first) if count is None else range(first, first + count):
            turn = TurnRecord(conversation_id="c", item_id=f"i{number}", number=number, role="user")
            history.record(turn)
            if number % 4 == 0:  # sometimes both in one transaction
                await safe(history)
            history.record(replace(turn, generated_text="word " * 60))
            if not await safe(history):
                break
            print(number, flush=True)
        await history.disconnect()
    await database.close()


async def safe(history: HistoryService) -> bool:
    """Wait until everything is safe. False: it cannot be made so."""
    failures = 0
    while not await history.flush(deadline_s=PATIENCE_S):
        failures += not history.health_check().ok
        if failures == FAILURES:
            return False
    return True


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None))
