"""What is recorded but not yet on the disk: bounded, in order, the newest version of each record only.

Owns the overflow policy and the rules by which two versions of a record become one. Pure: no I/O, no clock.

Overflow: a record that is new when `limit` records wait is refused and counted as lost; a new version of one that waits
is always taken. The beginning is kept rather than the end, because turns without their conversation cannot be stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from voicebotd.conversation.records import AnyRecord, ToolCallRecord, TurnRecord, UsageRecord

_Key = tuple[str, ...]


class Backlog:
    """The records that wait, oldest first."""

    def __init__(self, *, limit: int) -> None:
        self.lost = 0
        """Records that will never be stored: refused when full, or given up with `give_up`."""
        self._limit = limit
        self._waiting: dict[_Key, AnyRecord] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, record: AnyRecord) -> bool:
        """Take a record; one that waits under the same ids gives its place to this version. False: full, and lost."""
        key = _key(record)
        older = self._waiting.get(key)
        if older is None and len(self._waiting) >= self._limit:
            self.lost += 1
            return False
        self._waiting[key] = record if older is None else _merged(older, record)
        return True

    def oldest(self, count: int) -> tuple[AnyRecord, ...]:
        """Return up to `count` records to be stored next. They wait on until `settle` says that they are."""
        return tuple(islice(self._waiting.values(), count))

    def settle(self, stored: Iterable[AnyRecord]) -> None:
        """Forget what is stored, except where a newer version came meanwhile: that one waits on."""
        for record in stored:
            if self._waiting.get(_key(record)) is record:
                del self._waiting[_key(record)]

    def give_up(self, refused: Iterable[AnyRecord]) -> None:
        """Forget, and count as lost, what the database will never take."""
        before = len(self._waiting)
        self.settle(refused)
        self.lost += before - len(self._waiting)


def without_words(record: AnyRecord) -> AnyRecord:
    """Return the record as it is kept where transcripts are switched off: who, when and how long, but not what."""
    match record:
        case TurnRecord():
            return replace(record, generated_text="", heard_text="")
        case ToolCallRecord():
            return replace(record, arguments="", output="")
        case _:
            return record


def retry_delay_s(failures: int, *, first_s: float, cap_s: float, random: float) -> float:
    """How long to wait after that many failures in a row (1, 2, …): doubling up to the cap, less up to half at random.

    `random` is in [0, 1).
    """
    doubled = first_s * 2.0 ** min(failures - 1, 30)
    return min(doubled, cap_s) * (1.0 - random / 2)


def _key(record: AnyRecord) -> _Key:
    match record:
        case TurnRecord():
            return ("turn", record.conversation_id, record.item_id)
        case ToolCallRecord():
            return ("call", record.conversation_id, record.call_id)
        case UsageRecord():
            return ("usage", record.conversation_id, record.source_id)
        case _:
            return ("conversation", record.conversation_id)


def _merged(older: AnyRecord, newer: AnyRecord) -> AnyRecord:
    """The newer version, with the times that only the older one knew."""
    merged = replace(newer, started_at=newer.started_at if older.started_at is None else older.started_at)
    if isinstance(merged, UsageRecord) or isinstance(older, UsageRecord):
        return merged  # used in a moment
    return replace(merged, ended_at=older.ended_at if merged.ended_at is None else merged.ended_at)
