"""A box on an open table: its microphone hears its own loudspeaker, and a visitor who speaks now and then.

Owns who spoke when, and from that which turns were nobody's. Knows no daemon.
"""

from __future__ import annotations

import time

from rig import speech
from rig.card import VirtualCard
from rig.rehearsal import Entry, Rehearsal

DELAY_MS, GAIN_DB = 60, -6.0
"""The loop: a loudspeaker at arm's length of its microphone, half as loud there as the visitor."""

NOTICED_S = 1.0
"""The service notices a visitor at the latest so long after they fell silent."""


class Visitor:
    """Speaks into the microphone, and remembers when."""

    def __init__(self, card: VirtualCard) -> None:
        self._card = card
        self.spoke: list[tuple[float, float]] = []

    def say(self, clip: str) -> float:
        """Say all of it; return when it began."""
        began_s = time.monotonic()
        self._card.say_it_all(speech.clip(clip))
        self.spoke.append((began_s, time.monotonic() + NOTICED_S))
        return began_s


def turns_of_nobody(server: Rehearsal, visitor: Visitor, *, since_s: float = 0.0) -> list[Entry]:
    """The turns that began while the visitor was silent: the box heard itself."""
    return [
        started
        for started in server.sent("input_audio_buffer.speech_started", since_s=since_s)
        if not any(began_s <= started.at_s <= ended_s for began_s, ended_s in visitor.spoke)
    ]


def spoken(*clips: str, heard: str) -> dict[str, object]:
    """One turn of a script: a long reply of several clips, one item each."""
    return {"hears": heard, "says": [{"audio": clip} for clip in clips]}
