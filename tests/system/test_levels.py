"""What the box hears is told to who wants to know, and only then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import Daemon, MakeSettings
from rig.rehearsal import StartRehearsal, reply, script
from rig.rpc import RpcClient

MOST_PER_SECOND = 20


@pytest.fixture(scope="module")
def daemon(
    start_rehearsal: StartRehearsal, sound_card: VirtualCard, conversation_settings: MakeSettings
) -> Iterator[Daemon]:
    server = start_rehearsal(script(reply("assistant_hours")))
    with Daemon(conversation_settings(server.url), env=sound_card.env) as daemon:
        daemon.wait_until_linked()
        yield daemon


@pytest.fixture
def levels(daemon: Daemon) -> Iterator[RpcClient]:
    """A client that subscribed to the levels and to nothing else."""
    client = RpcClient(daemon.home.socket)
    client.call("events.subscribe", topics=["audio.level"])
    yield client
    client.close()


def between(client: RpcClient, since_s: float, until_s: float) -> list[dict[str, Any]]:
    return [
        message["params"]["data"]
        for at_s, message in list(client.notifications)
        if message["method"] == "event" and since_s <= at_s <= until_s
    ]


def dbfs(name: str) -> float:
    samples = speech.clip(name).astype(np.float64) / 32768
    return 10 * float(np.log10(np.mean(samples**2)))


def test_a_voice_at_the_microphone(daemon: Daemon, card: VirtualCard, levels: RpcClient) -> None:
    with card.listening("vmic") as mic:
        quiet_s = time.monotonic()
        mic.wait_until_recorded(quiet_s + 1.0)
        began_s = time.monotonic()
        card.say_it_all(speech.clip("visitor_hours"))
        ended_s = time.monotonic()
        mic.wait_until_recorded(ended_s + 1.0)
    quiet, spoken = between(levels, quiet_s + 0.3, began_s), between(levels, began_s + 0.5, ended_s - 0.5)
    assert {event["topic"] for event in levels.events()} == {"audio.level"}
    assert quiet
    assert max(data["input_dbfs"] for data in quiet) < -80
    # Nothing is known until the detector, which is loaded on demand, has heard its first 32 ms.
    assert max(data["voice"] or 0.0 for data in quiet) < 0.5
    assert quiet[-1]["voice"] is not None
    wanted = dbfs("visitor_hours")
    loudness = 10 * np.log10(np.mean([10 ** (data["input_dbfs"] / 10) for data in spoken]))
    print(f"{len(spoken) / (ended_s - began_s - 1):.1f} a second; {loudness:.1f} dBFS of {dbfs('visitor_hours'):.1f}")
    assert loudness == pytest.approx(wanted, abs=4)
    assert np.mean([data["voice"] > 0.5 for data in spoken]) > 0.6
    assert {data["gate"] for data in quiet + spoken} == {"open"}
    assert len(spoken) / (ended_s - began_s - 1) > MOST_PER_SECOND / 4

    times = [at_s for at_s, message in levels.notifications if message["method"] == "event"]
    most = max(sum(1 for at_s in times if first <= at_s < first + 1) for first in times)
    assert most <= MOST_PER_SECOND + 1  # both ends of the second


def test_nobody_is_told_who_did_not_ask(daemon: Daemon, levels: RpcClient) -> None:
    daemon.rpc.call("events.subscribe", topics=["state", "turn"])
    levels.wait_for_event("audio.level", lambda _: True, 2)
    assert daemon.rpc.events("audio.level") == []
    levels.call("events.unsubscribe", topics=["audio.level"])
    asked_s = time.monotonic()
    levels.call("status.get")
    levels.call("events.subscribe", topics=["state"])
    daemon.wait_for_status(lambda _: time.monotonic() > asked_s + 1, 5, "second")
    assert between(levels, asked_s + 0.2, time.monotonic()) == []
