"""Records turns for ever and prints the number of each one once it is said to be safe. Killed by its test."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import structlog

from voicebotd.conversation.records import ConversationRecord, TurnRecord
from voicebotd.store.database import Database
from voicebotd.store.history import HistoryService


async def main(path: Path, number: int) -> None:
    history = HistoryService(Database(path))
    await history.connect()
    async with asyncio.TaskGroup() as group:
        group.create_task(history.run())
        history.record(ConversationRecord(conversation_id="c"))
        while True:
            history.record(
                TurnRecord(
                    conversation_id="c", item_id=f"i{number}", number=number, role="user", generated_text="x" * 300
                )
            )
            if await history.flush():
                print(number, flush=True)
            number += 1


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
