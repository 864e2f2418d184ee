"""A history of as many turns as wanted, made fast: what a box would have after so long.

Owns the words (some thousands, as often as in a language: the k-th commonest is said once in k times) and the rows.
The same seed gives the same history.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

WORDS = 30_000
TURNS_PER_CONVERSATION = 20
DAYS = 60
_ONSETS = ("b", "br", "c", "d", "dr", "f", "g", "h", "k", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "tr", "v", "w")
_ENDS = ("", "n", "r", "s", "t", "l", "nd", "ng", "rt")


def vocabulary(seed: int = 1) -> list[str]:
    """The words, the commonest first; the commonest are the shortest, as in any language."""
    seeded = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < WORDS:
        syllables = 1 + len(words) // 4000 // 2 + seeded.randrange(2)
        word = "".join(seeded.choice(_ONSETS) + seeded.choice("aeiou") + seeded.choice(_ENDS) for _ in range(syllables))
        words[word] = None
    return list(words)


def fill(path: Path, *, turns: int, now: float) -> float:
    """Fill a migrated, empty database; return how long it took. The newest conversation ended at `now`."""
    began_s = time.monotonic()
    seeded = random.Random(2)
    words = vocabulary()
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    conversations = turns // TURNS_PER_CONVERSATION
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        [(trigger,)] = database.execute("SELECT sql FROM sqlite_master WHERE name = 'turn_words_added'").fetchall()
        database.execute("BEGIN")
        database.execute("DROP TRIGGER turn_words_added")
        for number in range(conversations):
            moment = now - DAYS * 86_400 * (1 - number / conversations)
            rows = list(_turns(number, moment, seeded, words, weights))
            database.execute(
                "INSERT INTO conversations (conversation_id, source, provider, model, started_at, ended_at, end_reason)"
                " VALUES (?, 'microphone', 'openai', 'gpt-realtime-2.1', ?, ?, 'requested')",
                (conversation_id(number), moment, moment + 200),
            )
            database.executemany(f"INSERT INTO turns VALUES (NULL{', ?' * 13})", rows)
        database.execute("INSERT INTO turn_words (turn_words) VALUES ('rebuild')")
        database.execute(trigger)
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return time.monotonic() - began_s


def conversation_id(number: int) -> str:
    return f"{number:032x}"


def _turns(
    number: int, moment: float, seeded: random.Random, words: list[str], weights: list[float]
) -> Iterator[tuple[object, ...]]:
    for turn in range(1, TURNS_PER_CONVERSATION + 1):
        said = " ".join(seeded.choices(words, cum_weights=weights, k=seeded.randint(3, 25)))
        role = "assistant" if turn % 2 == 0 else "user"
        began = moment + turn * 10
        yield (
            conversation_id(number), f"item_{number:08x}{turn:08x}", turn, role, said, said, 3000, 3000, 0, "completed",
            f"resp_{number:08x}{turn:08x}", began, began + 5,
        )  # fmt: skip
