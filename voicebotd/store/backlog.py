"""What is recorded but not yet on the disk: bounded, in order, the newest version of each record only.

Owns the overflow policy and the rules by which two versions of a record become one. Pure: no I/O, no clock.

Overflow: a record that is new when `limit` records wait is refused and counted as lost; a new version of one that waits
is always taken. The beginning is kept rather than the end, because turns without their conversation cannot be stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from voicebotd.conversation.records import ConversationRecord, TurnRecord

HistoryRecord = ConversationRecord | TurnRecord
_Key = tuple[str, str]


class Backlog:
    """The records that wait, oldest first."""

    def __init__(self, *, limit: int) -> None:
        self.lost = 0
        """Records that will never be stored: refused when full, or given up with `give_up`."""
        self._limit = limit
        self._waiting: dict[_Key, HistoryRecord] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, record: HistoryRecord) -> bool:
        """Take a record; one that waits under the same ids gives its place to this version. False: full, and lost."""
        key = _key(record)
        older = self._waiting.get(key)
        if older is None and len(self._waiting) >= self._limit:
            self.lost += 1
            return False
        self._waiting[key] = record if older is None else _merged(older, record)
        return True

    def oldest(self, count: int) -> tuple[HistoryRecord, ...]:
        """Return up to `count` records to be stored next. They wait on until `settle` says that they are."""
        return tuple(islice(self._waiting.values(), count))

    def settle(self, stored: Iterable[HistoryRecord]) -> None:
        """Forget what is stored, except where a newer version came meanwhile: that one waits on."""
        for record in stored:
            if self._waiting.get(_key(record)) is record:
                del self._waiting[_key(record)]

    def give_up(self, refused: Iterable[HistoryRecord]) -> None:
        """Forget, and count as lost, what the database will never take."""
        before = len(self._waiting)
        self.settle(refused)
        self.lost += before - len(self._waiting)


def without_words(record: HistoryRecord) -> HistoryRecord:
    """Return the record as it is kept where transcripts are switched off: who, when and how long, but not what."""
    if isinstance(record, TurnRecord):
        return replace(record, generated_text="", heard_text="")
    return record


def retry_delay_s(failures: int, *, first_s: float, cap_s: float, random: float) -> float:
    """How long to wait after that many failures in a row (1, 2, …): doubling up to the cap, less up to half at random.

    `random` is in [0, 1).
    """
    doubled = first_s * 2.0 ** min(failures - 1, 30)
    return min(doubled, cap_s) * (1.0 - random / 2)


def _key(record: HistoryRecord) -> _Key:
    return (record.conversation_id, record.item_id if isinstance(record, TurnRecord) else "")


def _merged(older: HistoryRecord, newer: HistoryRecord) -> HistoryRecord:
    """The newer version, with the times that only the older one knew."""
    return replace(
        newer,
        started_at=newer.started_at if older.started_at is None else older.started_at,
        ended_at=older.ended_at if newer.ended_at is None else newer.ended_at,
    )
