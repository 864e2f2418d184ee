"""Visitors who book in writing at a daemon that is killed again and again, and what each of them was told.

Owns the script by which the rehearsal server turns a message into a function call, the reading of what was
acknowledged from the server's journal, and the comparison with the book. Judges nothing else.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rig.daemon import Daemon
from rig.rehearsal import Rehearsal
from rig.waiting import queued_s, wait_for

Wish = tuple[str, int]
"""What is wanted, and by which visitor: ("book", 7)."""
STATUS_OF = {"book": "booked", "move": "rescheduled", "cancel": "cancelled"}
SETTINGS = {
    "conversation": {"autostart": True},
    "session": {"output": "text"},
    "tools": {
        "appointments": {
            "time_zone": "Europe/Berlin",
            "open": "08:00",
            "close": "18:00",
            "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
            "horizon_days": 400,
        }
    },
}
_SLOTS_A_DAY = 10
"""An hour apart, each with half an hour behind it into which its visitor moves."""


def name_of(visitor: int) -> str:
    """Letters only: a name is compared by its words."""
    return f"Visitor {chr(65 + visitor // 26)}{chr(65 + visitor % 26)}"


def text_of(wish: Wish) -> str:
    return f"I want to {wish[0]} as {name_of(wish[1])}."


def script(visitors: int) -> dict[str, Any]:
    """Each message is answered by one call; after its output the assistant says that it has been done."""
    first = datetime.now(UTC).date() + timedelta(days=30)
    turns: list[dict[str, Any]] = [{"says": "Done."}]
    for visitor in range(visitors):
        day = (first + timedelta(days=visitor // _SLOTS_A_DAY)).isoformat()
        hour = f"{8 + visitor % _SLOTS_A_DAY:02d}"
        theirs = {"name": name_of(visitor), "code": "{schedule_appointment.appointment.code}"}
        calls = {
            "book": ("schedule_appointment", {"service": "consultation", "date": day, "time": f"{hour}:00"}),
            "move": ("reschedule_appointment", {**theirs, "date": day, "time": f"{hour}:30"}),
            "cancel": ("cancel_appointment", theirs),
        }
        calls["book"][1]["name"] = name_of(visitor)
        turns += [
            {
                "when_text_contains": text_of((what, visitor)),
                "calls": [{"name": function, "arguments": arguments}],
            }
            for what, (function, arguments) in calls.items()
        ]
    return {"turns": turns, "after_last": "last"}


@dataclass(kw_only=True)
class Ledger:
    """What was acknowledged: a wish counts from the moment at which its output reached the service."""

    told: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By visitor: the status and the appointment that they were told last."""
    in_doubt: Wish | None = None
    """Asked for, and not answered yet or never."""
    unanswered: set[int] = field(default_factory=set)
    """Visitors whose wish was cut off: it may have been granted or not."""
    starts_s: list[float] = field(default_factory=list)
    """From the start of the process to an open control socket, less what it waited for a processor that others used."""

    asked_s: float = 0.0
    """When that was."""

    def ask(self, wish: Wish) -> None:
        self.in_doubt, self.asked_s = wish, time.monotonic()
        self.unanswered.add(wish[1])

    def note(self, wish: Wish, output: dict[str, Any]) -> None:
        self.in_doubt = None
        what, visitor = wish
        assert output["status"] in (STATUS_OF[what], f"already_{STATUS_OF[what]}"), (wish, output)
        self.told[visitor] = output
        self.unanswered.discard(visitor)


def live(daemon: Daemon, server: Rehearsal, ledger: Ledger, visits: Iterator[list[Wish]], *, blow_s: float) -> None:
    """One life: ask for one wish after the other and be killed `blow_s` after the first was asked for.

    A visit that is cut off is over: without the conversation nobody knows the code any more. But who was cut off while
    booking asks for that again.
    """
    since_s = time.monotonic()
    daemon.start()
    try:
        ledger.starts_s.append(time.monotonic() - since_s - queued_s(daemon.pid))
        daemon.wait_until_linked()
        blow_at_s = time.monotonic() + blow_s
        if ledger.in_doubt and ledger.in_doubt[0] == "book":
            visits = chain([[ledger.in_doubt]], visits)
        while time.monotonic() < blow_at_s:
            for wish in next(visits):
                if time.monotonic() < blow_at_s:
                    ask(daemon, server, ledger, wish, blow_at_s)
    finally:
        daemon.kill()
        settle(server, ledger)


def ask(daemon: Daemon, server: Rehearsal, ledger: Ledger, wish: Wish, blow_at_s: float) -> None:
    """Ask, and wait for the acknowledgement or for the blow."""
    ledger.ask(wish)
    daemon.rpc.call("message.send", text=text_of(wish))

    def answered_or_dead() -> bool:
        return time.monotonic() >= blow_at_s or bool(outputs(server, ledger.asked_s))

    wait_for(answered_or_dead, 10, f"answer to {wish}", every_s=0.001)
    settle(server, ledger)


def settle(server: Rehearsal, ledger: Ledger) -> None:
    """Take note of what the service was told since the wish was uttered."""
    if ledger.in_doubt and (found := outputs(server, ledger.asked_s)):
        ledger.note(ledger.in_doubt, found[-1])


def outputs(server: Rehearsal, since_s: float) -> list[dict[str, Any]]:
    items = [entry.event["item"] for entry in server.received("conversation.item.create", since_s=since_s)]
    return [json.loads(item["output"]) for item in items if item["type"] == "function_call_output"]


def check(path: Path, ledger: Ledger) -> None:
    """The database is whole, nothing acknowledged is lost, and nobody has two appointments."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        assert [tuple(row) for row in database.execute("PRAGMA integrity_check")] == [("ok",)]
        rows = database.execute("SELECT * FROM appointments").fetchall()
    stored = {row["name"]: row for row in rows}
    assert len(stored) == len(rows), "somebody is booked twice"
    known = {name_of(visitor) for visitor in ledger.told}
    assert known <= set(stored)
    assert set(stored) <= known | {name_of(visitor) for visitor in ledger.unanswered}
    for visitor, output in ledger.told.items():
        row = stored[name_of(visitor)]
        assert row["code"] == output["appointment"]["code"]
        if visitor in ledger.unanswered:
            continue
        cancelled = output["status"].endswith("cancelled")
        assert row["status"] == ("cancelled" if cancelled else "booked"), (visitor, output)
        assert f"{output['appointment']['date']} {output['appointment']['time']}" == _wall(row["starts_at"])


def _wall(moment: int) -> str:
    return datetime.fromtimestamp(moment, ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%d %H:%M")
