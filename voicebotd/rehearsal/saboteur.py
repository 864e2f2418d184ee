"""When the faults of a plan act in one session. Pure: events and `now_s` in, effects out.

Owns what each fault waits for in this session: its moment, its time, the k-th time of its moment. What an effect does
is not known here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from voicebotd.rehearsal.faults import Fault, Pending, Plan, Refuse, When, meets_opening
from voicebotd.rehearsal.moments import ANY, Moments, Reached

RANDOM = "random"
"""The moment of a fault that acts at some event of each session, drawn anew for each."""
LATEST_RANDOM = 120
"""Events: about three answers of a few seconds."""


@dataclass(slots=True, kw_only=True)
class _Watched:
    """One fault in one session. `armed_s`: not before. `due_s`: then, whatever happens. `turn`: where it acted last."""

    pending: Pending
    when: When
    armed_s: float
    due_s: float | None
    seen: int = 0
    turn: int = -1


class Saboteur:
    """Every method returns the faults that act now, already counted."""

    def __init__(self, plan: Plan, *, now_s: float, rng: random.Random) -> None:
        self._moments = Moments()
        self._watched = [_watch(pending, now_s, rng) for pending in plan.pending if _is_for_sessions(pending.fault)]

    @property
    def due_s(self) -> float | None:
        """When `tick` is to be called."""
        return min((watched.due_s for watched in self._watched if watched.due_s is not None), default=None)

    def begin(self, now_s: float) -> list[Fault]:
        """The websocket is open, and nothing was sent."""
        return self._reach([Reached(moment="handshake", turn=0)], now_s)

    def sent(self, event: dict[str, Any], now_s: float) -> list[Fault]:
        return self._reach(self._moments.sent(event), now_s)

    def received(self, event: dict[str, Any], now_s: float) -> list[Fault]:
        """Before the session takes the event."""
        return self._reach(self._moments.received(event), now_s)

    def tick(self, now_s: float) -> list[Fault]:
        def is_due(watched: _Watched) -> bool:
            return watched.due_s is not None and watched.due_s <= now_s

        return self._act(is_due, now_s)

    def _reach(self, reached: Iterable[Reached], now_s: float) -> list[Fault]:
        return [fault for moment in reached for fault in self._act(partial(_is_reached, moment, now_s), now_s)]

    def _act(self, acts: Callable[[_Watched], bool], now_s: float) -> list[Fault]:
        faults: list[Fault] = []
        for watched in self._watched:
            if acts(watched):
                _rearm(watched, now_s)
                if watched.pending.take():
                    faults.append(watched.pending.fault)
        return faults


def _is_for_sessions(fault: Fault) -> bool:
    return not (meets_opening(fault) or isinstance(fault.effect, Refuse))


def _watch(pending: Pending, now_s: float, rng: random.Random) -> _Watched:
    when = pending.fault.when
    if when.moment == RANDOM:
        when = When(moment=ANY, kth=rng.randint(1, LATEST_RANDOM))
    wait_s = max(when.after_s, when.every_s or 0.0)
    due_s = None if when.moment else now_s + wait_s
    return _Watched(pending=pending, when=when, armed_s=now_s + wait_s, due_s=due_s)


def _is_reached(reached: Reached, now_s: float, watched: _Watched) -> bool:
    """Whether a fault acts at that moment; where it acts some time after it, remember when."""
    when = watched.when
    if reached.moment != when.moment or now_s < watched.armed_s or reached.turn == watched.turn:
        return False
    if reached.moment == "speaking" and reached.audio_ms < when.plus_ms:
        return False
    watched.turn = reached.turn
    watched.seen += 1
    if when.kth and watched.seen != when.kth:
        return False
    if when.plus_ms and reached.moment != "speaking":
        watched.due_s = now_s + when.plus_ms / 1000
        return False
    return True


def _rearm(watched: _Watched, now_s: float) -> None:
    every_s = watched.when.every_s
    if every_s is not None:
        watched.armed_s = now_s + every_s
    watched.due_s = now_s + every_s if every_s is not None and not watched.when.moment else None
