"""Bench 2: microphone → wire and wire → loudspeaker, beyond what the streams themselves report.

A click is dated where the card hears it (a recorder on the microphone) and where the server's socket gives the append
that holds it; a reply's first sample where the server sends it and where a recorder on the loudspeaker hears it.
"""

from __future__ import annotations

import numpy as np
from clients import Metronome, Own, start
from rig.card import Ear, VirtualCard
from rig.sound import RATE_HZ, Samples
from table import show

NAMES = ("floor pair", "floor duplex", "voicebotd")
REPLY_MS = 200
PERIOD_S = 0.7
LOUD = 4000
NEAR_S = 0.5


def clicks(number: int) -> Samples:
    """Clicks of 2 ms at uneven distances, so that they meet every phase of the blocks."""
    gaps = np.random.default_rng(7).integers(RATE_HZ // 2, RATE_HZ * 7 // 10, number)
    sound = np.zeros(int(gaps.sum()) + RATE_HZ // 2, dtype=np.int16)
    for at in np.cumsum(gaps):
        sound[at : at + 48] = 20_000
    return sound


def onsets(ear: Ear) -> list[float]:
    """The times at which something loud begins after 100 ms of quiet."""
    recording = ear.sound()
    loud = np.flatnonzero(np.abs(recording.samples.astype(np.int32)) > LOUD)
    starts = loud[np.diff(loud, prepend=-RATE_HZ) > RATE_HZ // 10]
    return [recording.time_of(int(start)) for start in starts]


def delays(causes: list[float], effects: list[float]) -> list[float]:
    """Milliseconds from each cause to the first effect after it, where there is one near."""
    found = []
    times = np.array(sorted(effects))
    for cause in causes:
        later = times[times > cause]
        if len(later) and later[0] - cause < NEAR_S:
            found.append((float(later[0]) - cause) * 1000)
    return found


def one_client(name: str, card: VirtualCard, number: int) -> tuple[list[float], list[float], Own]:
    """Return the delays in ms microphone → wire and wire → loudspeaker, and the streams' own latencies."""
    server = Metronome(period_s=PERIOD_S, reply_ms=REPLY_MS)
    try:
        client = start(name, card, server.url)
        try:
            server.wait_for_replies(3)
            with card.listening("vmic") as at_microphone, card.listening() as at_speaker:
                card.say_it_all(clicks(number))
                clicked, spoken = onsets(at_microphone), onsets(at_speaker)
            arrived = [note["at_s"] for note in server.notes("append")]
            sent = [note["at_s"] for note in server.notes("reply")]
        finally:
            own = client.finish()
    finally:
        server.close()
    return delays(clicked, arrived), delays(sent, spoken), own


def run(card: VirtualCard, *, number: int = 100) -> None:
    rows = []
    for name in NAMES:
        to_wire, to_speaker, own = one_client(name, card, number)
        for way, found, own_ms in (
            ("mic -> wire", to_wire, own.input_ms),
            ("wire -> speaker", to_speaker, own.output_ms),
        ):
            p50, p99 = np.percentile(found, [50, 99]) if found else (np.nan, np.nan)
            rows.append((f"{name}, {way}", len(found), own_ms, float(p50), float(p99), p50 - own_ms, p99 - own_ms))
    head = ("client and way", "n", "stream's own ms", "p50 ms", "p99 ms", "p50 beyond", "p99 beyond")
    show("latency (aim: p99 beyond the stream's own <= 15 ms)", head, [tuple(map(_plain, row)) for row in rows])


def _plain(cell: object) -> object:
    return float(cell) if isinstance(cell, np.floating) else cell
