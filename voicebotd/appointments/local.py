"""Wall clock and instants: which moments a clock on the wall shows a time at, on the two odd days of a year too.

Owns the reading of gaps (the clock jumps forward: a time that never comes) and folds (it goes back: one that comes
twice). Pure; times are seconds since the epoch, minutes are counted from midnight on the wall.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60
_DAY_S = MINUTES_A_DAY * 60


def instants(day: date, minute: int, zone: ZoneInfo) -> tuple[int, ...]:
    """The moments at which the wall clock shows this minute of this day: one, none in a gap, two in a fold."""
    wall = _wall(day, minute)
    moments = (_epoch(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    return tuple(sorted({moment for moment in moments if local(moment, zone).replace(tzinfo=None) == wall}))


def earliest(day: date, minute: int, zone: ZoneInfo) -> int:
    """When something begins that is to begin at this time: in a fold the first time, in a gap after it."""
    return _epoch(_wall(day, minute).replace(tzinfo=zone, fold=0))


def latest(day: date, minute: int, zone: ZoneInfo) -> int:
    """When something ends that is to end at this time: in a fold the second time, in a gap before it."""
    return _epoch(_wall(day, minute).replace(tzinfo=zone, fold=1))


def is_even(day: date, zone: ZoneInfo) -> bool:
    """Whether the clocks stay as they are all day, so that every minute comes once and follows from midnight."""
    return earliest(day, MINUTES_A_DAY, zone) - earliest(day, 0, zone) == _DAY_S


def local(moment: int, zone: ZoneInfo) -> datetime:
    """What the wall shows at this moment."""
    return datetime.fromtimestamp(moment, UTC).astimezone(zone)


def offset_minutes(moment: int, zone: ZoneInfo) -> int:
    """How far the wall is ahead of UTC then."""
    offset = local(moment, zone).utcoffset()
    assert offset is not None, "a time in a zone has an offset"
    return round(offset.total_seconds() / 60)


def _wall(day: date, minute: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minute)


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())
