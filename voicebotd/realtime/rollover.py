"""When a session is to be followed by another: well before its end, so that a silence can be waited for.

Owns the rule and its numbers. Knows no socket and no clock. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAD_S = 60.0
"""How long before its known end a session gets a successor, at most: half the pauses of a conversation are shorter than
a second, but a long answer may go on for a minute."""
LEAD_SHARE = 0.25
"""Of a session that is short, no more than this part is spent with a successor waiting."""
MARGIN_S = 2.0
"""The successor takes over this long before the end, silence or not."""
PATIENCE_S = 300.0
"""Where nobody knows an end: how long the successor waits for a silence."""
LONGEST_KNOWN_S = 24 * 3600.0
"""An `expires_at` further away, or past, is a clock that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Seconds after the session was ready: `due_s` a successor is opened, `end_s` it takes over at the latest."""

    due_s: float
    end_s: float


def schedule(*, rollover_after_s: float, expires_in_s: float | None, longest_s: float | None) -> Schedule:
    """Return when a session that has just been opened is to be followed.

    `rollover_after_s`: as configured. `expires_in_s`: by the service's own word and this machine's clock. `longest_s`:
    what is known of the provider.
    """
    sane = expires_in_s is not None and 0.0 < expires_in_s < LONGEST_KNOWN_S
    ends_s = [end_s for end_s in (expires_in_s if sane else None, longest_s) if end_s is not None]
    if not ends_s:
        return Schedule(due_s=rollover_after_s, end_s=rollover_after_s + PATIENCE_S)
    end_s = min(ends_s)
    lead_s = min(LEAD_S, LEAD_SHARE * end_s)
    return Schedule(due_s=min(rollover_after_s, end_s - lead_s), end_s=max(0.0, end_s - min(MARGIN_S, lead_s / 2)))
