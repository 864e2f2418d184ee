"""How long the store takes with a million turns in it: `python tests/bench/store/run.py [--turns N]`. Judges nothing.

Everything goes through the code that the daemon runs, from one event loop; only the filling is done by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # table

import table
from store.fill import DAYS, TURNS_PER_CONVERSATION, conversation_id, fill, vocabulary

from voicebotd.conversation.records import ConversationRecord, TurnRecord
from voicebotd.store.conversations import ConversationRepository, TurnRepository
from voicebotd.store.database import Database
from voicebotd.store.history import HistoryService
from voicebotd.store.purge import Purge

ROUNDS = 200
AIM_MS = 20
HEAD = ("what", "times", "p50 ms", "p95 ms", "longest ms")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
WRITE_EVERY_S = 0.05
TICK_S = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-store-") as directory:
        asyncio.run(bench(Path(directory) / "voicebotd.db", arguments.turns))


async def bench(path: Path, turns: int) -> None:
    database = Database(path)
    await database.open()
    await database.close()
    took_s = await asyncio.to_thread(fill, path, turns=turns, now=time.time())
    print(
        f"{turns} turns in {turns // TURNS_PER_CONVERSATION} conversations, made in {took_s:.0f} s: {megabytes(path)}"
    )
    await start(path)
    await database.open()
    try:
        await questions(database, turns)
        await purge(database)
    finally:
        await database.close()


async def start(path: Path) -> None:
    """Opening, as at every start of the daemon; and the look at the whole file, which goes on beside it."""
    rows = []
    for what, cold in (("warm", False), ("cold", True)):
        if cold and not dropped():
            print("the disk's cache cannot be emptied here: no cold start")
            continue
        database = Database(path)
        opening = await timed(database.open)
        checking = await timed(database.check)
        await database.close()
        rows.append((f"{what}: open", opening))
        rows.append((f"{what}: check, beside", checking))
    table.show("Start", HEAD, [row(what, [took]) for what, took in rows])


def dropped() -> bool:
    """Have the disk's cache emptied, where the machine allows it."""
    try:
        DROP_CACHES.write_text("3")
    except OSError:
        return False
    return True


async def questions(database: Database, turns: int) -> None:
    seeded = random.Random(3)
    conversations, said = ConversationRepository(database), TurnRepository(database)
    ids = [conversation_id(seeded.randrange(turns // TURNS_PER_CONVERSATION)) for _ in range(ROUNDS)]

    async def list_page(before: str | None) -> None:
        page = await conversations.page(limit=20, before=before)
        await said.count([one.conversation_id for one in page])

    rows = [
        row("list, the first page", [await timed(lambda: list_page(None)) for _ in range(ROUNDS)]),
        row("list, any page", [await timed(lambda name=name: list_page(name)) for name in ids]),
        row("get", [await timed(lambda name=name: conversations.get_whole(name)) for name in ids]),
    ]
    every: list[float] = []
    for what, queries in asked(seeded).items():
        took = [await timed(lambda query=query: said.search(query)) for query in queries]
        every += took
        rows.append(row(f"search, {what}", took))
    rows.append(row("search, all of these", every))
    table.show(f"Questions (aim: p95 of {AIM_MS} ms for list and search)", HEAD, rows)


def asked(seeded: random.Random) -> dict[str, list[str]]:
    """What people look for."""
    words = vocabulary()
    common, usual, rare = words[:30], words[200:3000], words[10_000:]

    def some(make: Callable[[], str]) -> list[str]:
        return [make() for _ in range(ROUNDS)]

    beginning = [word for word in words if len(word) >= 6]
    return {
        "a common word": some(lambda: seeded.choice(common)),
        "a usual word": some(lambda: seeded.choice(usual)),
        "a rare word": some(lambda: seeded.choice(rare)),
        "a word nobody said": some(lambda: f"q{seeded.randrange(10**6)}q"),
        "two usual words": some(lambda: f"{seeded.choice(usual)} {seeded.choice(usual)}"),
        "a common and a rare one": some(lambda: f"{seeded.choice(common)} {seeded.choice(rare)}"),
        "a phrase": some(lambda: f'"{seeded.choice(common)} {seeded.choice(usual)}"'),
        **{
            f"the first {letters} letters": some(lambda letters=letters: seeded.choice(beginning)[:letters] + "*")
            for letters in (1, 2, 3, 4, 5, 6)
        },
    }


async def purge(database: Database) -> None:
    """Half of it goes while a conversation is recorded: how long its turns wait for the disk, and the loop is late."""
    half = time.time() - DAYS / 2 * 86_400
    waits, late, what_was_left = await purge_beside(database, half, compact=False)
    rows = [row("purge of half: a turn until it is on the disk", waits), row("purge of half: delay of the loop", late)]
    if what_was_left:
        waits, late, _ = await purge_beside(database, half, compact=True)
        rows += [row("compacting: a turn until it is on the disk", waits), row("compacting: delay of the loop", late)]
    table.show("Purge, beside a conversation", HEAD, rows)


async def purge_beside(database: Database, half: float, *, compact: bool) -> tuple[list[float], list[float], str]:
    waits: list[float] = []
    late: list[float] = []
    history = HistoryService(database)
    await history.connect()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(history.run())
        tasks = [group.create_task(write(history, f"compact {compact}", waits)), group.create_task(tick(late))]
        began_s = time.monotonic()
        purged = await Purge(database).older_than(half, compact=compact)
        took_s = time.monotonic() - began_s
        for task in tasks:
            task.cancel()
        await history.disconnect()
        await running
    size, traces = megabytes(database.path), purged.traces or "none"
    print(f"\n{purged.turns} turns removed in {took_s:.1f} s, {size}; traces: {traces}")
    return waits, late, purged.traces


async def write(history: HistoryService, conversation: str, waits: list[float]) -> None:
    history.record(ConversationRecord(conversation_id=conversation, started_at=time.time()))
    for number in itertools.count(1):
        turn = TurnRecord(conversation_id=conversation, item_id=f"i{number}", number=number, role="user")
        history.record(turn)
        began_s = time.monotonic()
        await history.flush(deadline_s=600)
        waits.append(time.monotonic() - began_s)
        await asyncio.sleep(WRITE_EVERY_S)


async def tick(late: list[float]) -> None:
    while True:
        due_s = time.monotonic() + TICK_S
        await asyncio.sleep(TICK_S)
        late.append(time.monotonic() - due_s)


async def timed(deed: Callable[[], Awaitable[object]]) -> float:
    began_s = time.monotonic()
    await deed()
    return time.monotonic() - began_s


def row(what: str, took_s: Iterable[float]) -> tuple[str, int, float, float, float]:
    ordered = sorted(took_s)
    p50, p95, longest = (1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 1))
    return (what, len(ordered), p50, p95, longest)


def megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
