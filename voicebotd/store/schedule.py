"""When the next night is. Pure: the clock and the chance are given."""

from __future__ import annotations

from datetime import datetime, timedelta

NIGHT_HOUR = 3
JITTER_S = 3600.0


def seconds_to_night(now: datetime, *, random: float) -> float:
    """Return how long until 03:00 of `now`'s own zone, and up to an hour more (`random` is in [0, 1)).

    Boxes of one make do not all go to their disks, and to the one power line, in the same second.
    """
    night = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    if night.timestamp() <= now.timestamp():
        night += timedelta(days=1)  # by the calendar: the next day's 03:00, though this day may have 23 or 25 hours
    return night.timestamp() - now.timestamp() + random * JITTER_S
