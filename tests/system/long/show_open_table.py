"""Two minutes on an open table: the assistant talks for 90 seconds into its own microphone and is not disturbed.

Not part of the suite: by its name pytest does not find it, `make show-echo` names it. One conversation with what is
shipped, and the same one without echo control, so that one can see what the other is spared.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby

import pytest
from rig import speech
from rig.card import Ear, VirtualCard
from rig.daemon import Daemon
from rig.open_table import Visitor, spoken, turns_of_nobody
from rig.playing import ducked, played
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script
from rig.sound import ALIKE, RATE_HZ, windows

LONG = ("assistant_services", "assistant_booked", "assistant_hours")
"""29.6 s, three of which are the 90."""
LAST_WINDOWS = 5
"""The last half second in which a clip sounds."""
QUESTIONS = ("visitor_hours", "visitor_booking", "visitor_hours")


@pytest.fixture
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    questions = [spoken(*LONG, heard=speech.text(question)) for question in QUESTIONS]
    last = [spoken(*LONG, heard=speech.text("visitor_booking"))]
    return start_rehearsal(
        script(*questions, *last, reply("assistant_goodbye", heard=speech.text("visitor_interrupts")))
    )


@pytest.fixture
def open_table(card: VirtualCard) -> Iterator[VirtualCard]:
    with card.loop_back():
        yield card


def disturbances(ear: Ear, since_s: float) -> list[str]:
    """What is wrong with the long reply in the recording: pauses, changes of loudness, a missing end.

    A busy machine damages single moments as well; how many is printed and judged by nobody, since no echo does that.
    """
    recording = ear.wait_until_recorded(time.monotonic() + 0.1).since(since_s)
    found = []
    for name in LONG:
        clip = speech.clip(name)
        heard = played(clip, recording.samples)
        there = [window.coherence > ALIKE for window in windows(clip, recording.samples, heard.lag)]
        print(f"{name}: {sum(there) / len(there):.0%} undamaged;", end=" ")
        found += [f"{name}: {len(heard.pauses)} pauses"] if heard.pauses else []
        found += [f"{name}: ducked at {window.at / RATE_HZ:.1f} s" for window in ducked(clip, recording.samples)]
        found += [] if any(there[-LAST_WINDOWS:]) else [f"{name}: its end is missing"]
    return found


def test_two_minutes_with_what_is_shipped(server: Rehearsal, open_table: VirtualCard) -> None:
    visitor = Visitor(open_table)
    settings = {"service": {"provider": "openai", "base_url": server.url}}
    began_s = time.monotonic()
    with Daemon(settings, env=open_table.env) as daemon, open_table.listening() as ear:
        daemon.wait_until_ready()
        for question in QUESTIONS:
            asked_s = visitor.say(question)
            answered_s = ear.wait_for_sound(8, since_s=asked_s + speech.seconds(question))
            daemon.wait_for_status(lambda status: status["state"] == "listening", 40, "end of the reply")
            ended_s = time.monotonic()
            nobody = turns_of_nobody(server, visitor, since_s=began_s)
            print(f"{ended_s - began_s:5.1f} s: {question} was answered for {ended_s - answered_s:.1f} s;", end=" ")
            audio = daemon.status()["audio"]
            print(f"turns of nobody so far: {len(nobody)}; echo: {audio['echo']}; xruns: {audio['xruns']}")
            assert nobody == []
            wrong = disturbances(ear, answered_s - 0.3)
            print()
            assert wrong == []

        asked_s = visitor.say("visitor_booking")
        answered_s = ear.wait_for_sound(8, since_s=asked_s + speech.seconds("visitor_booking"))
        ear.wait_until_recorded(answered_s + 3.0)
        spoke_s = visitor.say("visitor_interrupts")
        truncated = server.wait_for_received("conversation.item.truncate", since_s=spoke_s)
        print(f"interrupted {(truncated.at_s - spoke_s) * 1000:.0f} ms after the visitor began")
        daemon.wait_for_status(lambda status: status["state"] == "speaking", 8, "answer to the interruption")
        daemon.wait_for_status(lambda status: status["state"] == "listening", 8, "end of it")
        turns = daemon.rpc.call("history.get")["turns"]
    assert turns_of_nobody(server, visitor, since_s=began_s) == []
    replies = [list(items) for role, items in groupby(turns, lambda turn: turn["role"]) if role == "assistant"]
    interrupted = [any(item["interrupted"] for item in items) for items in replies]
    print(f"{time.monotonic() - began_s:.0f} s; interrupted: {interrupted}")
    assert interrupted == [False, False, False, True, False]


def test_the_same_without_echo_control(server: Rehearsal, open_table: VirtualCard) -> None:
    visitor = Visitor(open_table)
    settings = {
        "service": {"provider": "openai", "base_url": server.url},
        "audio": {"echo_control": "none"},
    }
    with Daemon(settings, env=open_table.env) as daemon, open_table.listening() as ear:
        daemon.wait_until_ready()
        visitor.say(QUESTIONS[0])
        began_s = ear.wait_for_sound(8)
        ear.wait_until_recorded(began_s + 30)
        recording = ear.wait_until_recorded(time.monotonic()).since(began_s - 0.3)
        nobody = turns_of_nobody(server, visitor)
        heard = played(speech.clip(LONG[0]), recording.samples)
        print(f"in 30 s: {len(nobody)} turns of nobody; of the first {speech.seconds(LONG[0]):.0f} s of the reply")
        print(f"{len(heard.pauses)} pauses, {sum(pause.shift for pause in heard.pauses) / RATE_HZ:.1f} s of silence")
        assert nobody
        assert heard.pauses
        daemon.rpc.call("response.interrupt")
