"""A million turns in the history, half of them purged while the assistant speaks: what it says is whole.

Not part of the suite: by its name pytest does not find it, `make show-purge` names it. `PURGE_TURNS` makes it shorter.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import Daemon, Home
from rig.playing import played
from rig.rehearsal import Rehearsal, StartRehearsal, script
from rig.sound import ALIKE, RATE_HZ, windows

from voicebotd.store.database import Database

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "store"))
from fill import DAYS, fill

TURNS = int(os.environ.get("PURGE_TURNS", "1000000"))
LONG = ("assistant_services", "assistant_booked", "assistant_hours")
"""29.6 s in one reply."""
QUESTION = "visitor_hours"
REPLIES = 12
PURGE_LIMIT_S = 300


@pytest.fixture
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    turn = {"hears": speech.text(QUESTION), "says": [{"audio": clip} for clip in LONG]}
    return start_rehearsal(script(*[turn] * REPLIES))


def database_of(home: Home) -> Path:
    return home.path / "state" / "history.db"


@pytest.fixture
def old_home(home: Home) -> Home:
    """A box with a long history."""
    path = database_of(home)

    async def migrate() -> None:
        database = Database(path)
        await database.open()
        await database.close()

    asyncio.run(migrate())
    took_s = fill(path, turns=TURNS, now=time.time())
    print(f"\n{TURNS} turns, {path.stat().st_size / 1e6:.0f} MB, made in {took_s:.0f} s")
    return home


class Purging(threading.Thread):
    """Half of the history is purged, by a client of its own."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__()
        self._daemon = daemon
        self.answer: dict[str, Any] = {}
        self.took_s = 0.0

    def run(self) -> None:
        began_s = time.monotonic()
        done = self._daemon.ctl("--json", "history", "purge", str(DAYS / 2), deadline_s=PURGE_LIMIT_S)
        self.took_s = time.monotonic() - began_s
        self.answer = json.loads(done.stdout)


def test_what_is_said_while_half_of_the_history_goes_is_whole(
    server: Rehearsal, old_home: Home, card: VirtualCard
) -> None:
    settings = {
        "service": {"provider": "openai", "base_url": server.url},
        "audio": {"echo_control": "none"},
        "history": {"retention_days": None, "path": str(database_of(old_home))},
    }
    with Daemon(settings, env=card.env, home=old_home) as daemon, card.listening() as ear:
        print(f"ready {time.monotonic() - daemon.started_at_s:.2f} s after the start")
        daemon.wait_until_linked()
        before = daemon.status()["audio"]
        purging = Purging(daemon)
        heard_whole = []
        while not heard_whole or purging.is_alive():
            asked_s = time.monotonic()
            card.say_it_all(speech.clip(QUESTION))
            began_s = ear.wait_for_sound(8, since_s=asked_s + speech.seconds(QUESTION))
            if not heard_whole:
                purging.start()
            daemon.wait_for_status(lambda status: status["state"] == "listening", 45, "end of the reply")
            recording = ear.wait_until_recorded(time.monotonic() + 0.1).since(began_s - 0.3)
            for name in LONG:
                clip = speech.clip(name)
                heard = played(clip, recording.samples)
                there = [window.coherence > ALIKE for window in windows(clip, recording.samples, heard.lag)]
                heard_whole.append(sum(there) / len(there))
                assert not heard.pauses, f"{name} paused, in {len(clip) / RATE_HZ:.0f} s"
        purging.join()
        after = daemon.status()["audio"]
    answer = purging.answer
    print(f"{answer['turns']} turns removed in {purging.took_s:.0f} s while it spoke; traces: {answer['traces']}")
    print(f"undamaged: {min(heard_whole):.0%} of the worst of {len(heard_whole)} passages")
    print(f"xruns {after['xruns'] - before['xruns']}, underruns {after['underruns'] - before['underruns']}")
    assert answer["turns"] >= TURNS // 2 - 100
    assert after["underruns"] == before["underruns"], "no reply waited for its own audio"
