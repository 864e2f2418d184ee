"""`kill -9` in the middle of booking conversations: what was acknowledged is kept, and nothing is booked twice.

Fifteen kills here; a hundred by `make kills`.
"""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Iterator

import numpy as np
from rig import booking
from rig.booking import Ledger, Wish
from rig.daemon import Daemon, Home, MakeSettings, merged
from rig.rehearsal import StartRehearsal
from rig.sound import RATE_HZ, write_wav

KILLS = int(os.environ.get("VOICEBOTD_TEST_KILLS", "15"))
LONGEST_LIFE_S = 0.8
"""From the first wish on: a few are granted in that time."""
SILENCE_S = 60
"""Longer than any life: where the microphone ends, the conversation does."""
START_S = 2.0
"""Whatever the last life left behind."""


def visits() -> Iterator[list[Wish]]:
    """Each visitor books; every second one moves then, every third one cancels."""
    for visitor in range(26 * 26):
        moves: list[Wish] = [("move", visitor)] if visitor % 2 == 0 else []
        cancels: list[Wish] = [("cancel", visitor)] if visitor % 3 == 0 else []
        yield [("book", visitor), *moves, *cancels]


def test_a_daemon_that_is_killed_at_random_moments_keeps_what_it_said_and_books_nothing_twice(
    start_rehearsal: StartRehearsal, conversation_settings: MakeSettings, home: Home
) -> None:
    server = start_rehearsal(booking.script(26 * 26))
    silence = write_wav(home.path / "silence.wav", np.zeros(SILENCE_S * RATE_HZ, dtype=np.int16))
    no_card = {"audio": {"backend": "file", "input_device": str(silence)}}
    settings = merged(merged(conversation_settings(server.url), booking.SETTINGS), no_card)
    dice, ledger, wanted = random.Random(17), Ledger(), visits()
    for life in range(KILLS):
        daemon = Daemon(settings, env={}, home=home)
        try:
            booking.live(daemon, server, ledger, wanted, blow_s=dice.uniform(0.0, LONGEST_LIFE_S))
        finally:
            daemon.close()
        booking.check(home.path / "state" / "voicebotd" / "voicebotd.db", ledger)
        print(f"life {life + 1}: up in {ledger.starts_s[-1]:.2f} s, {len(ledger.told)} told, doubt: {ledger.in_doubt}")
    assert len(ledger.told) > KILLS / 2
    median_s = statistics.median(ledger.starts_s)
    print(f"{KILLS} kills: start-up median {median_s:.2f} s, longest {max(ledger.starts_s):.2f} s")
    assert median_s < START_S, ledger.starts_s
