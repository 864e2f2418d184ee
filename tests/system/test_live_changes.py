"""Turn detection, interruptions and echo control are changed while the box talks: in force at the next turn, and
without a new connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from rig import speech
from rig.card import Ear, VirtualCard
from rig.daemon import Daemon, MakeSettings
from rig.playing import ducked, played
from rig.rehearsal import Rehearsal, StartRehearsal, reply
from rig.sound import RATE_HZ, find

import voicebotd

PROFILES = Path(voicebotd.__file__).parent.parent / "config" / "profiles"
LATE_MS = 200
"""What a turn's end may come later (or sooner) than the silence that was asked for: 32 ms chunks, soft last words."""


@pytest.fixture(scope="module")
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    idle = reply("assistant_idle", heard=speech.text("visitor_goodbye"))
    long = {"when_text_contains": "more", "says": {"audio": "assistant_booked"}}
    return start_rehearsal({"turns": [long, idle], "after_last": "last"})


@pytest.fixture(scope="module")
def daemon(server: Rehearsal, sound_card: VirtualCard, conversation_settings: MakeSettings) -> Iterator[Daemon]:
    """One conversation for all of these tests; at its end there was one connection."""
    with Daemon(conversation_settings(server.url), env=sound_card.env) as daemon:
        daemon.wait_until_ready()
        conversation = daemon.status()["conversation"]["id"]
        yield daemon
        assert daemon.status()["conversation"]["id"] == conversation
        assert len(server.sessions()) == 1


@pytest.fixture
def quiet(daemon: Daemon) -> Iterator[None]:
    """Nothing goes on when the test begins; what it changed is undone behind it."""
    daemon.ctl("interrupt")
    daemon.wait_for_status(lambda status: status["state"] == "listening", 5, "quiet box")
    yield
    daemon.ctl("interrupt")
    daemon.rpc.call("vad.set", profile="default")
    daemon.rpc.call("vad.set", type="server_vad", threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500)
    daemon.rpc.call("config.set", values={"barge_in.mode": "immediate", "audio.echo_control": "none"})


pytestmark = pytest.mark.usefixtures("quiet")


def changed_live(answer: Any) -> None:
    """Whatever was asked for, `applied` says that it is in force."""
    applied = [answer["applied"]] if "applied" in answer else [value["applied"] for value in answer["values"].values()]
    assert applied
    assert set(applied) == {"live"}


def say(server: Rehearsal, card: VirtualCard) -> float:
    """Say something; return by how many ms the service's speech_stopped came behind the end of the speech."""
    since_s = time.monotonic()
    card.say_it_all(speech.clip("visitor_goodbye"))
    ended_s = time.monotonic()
    stopped = server.wait_for_sent("input_audio_buffer.speech_stopped", since_s=since_s)
    return (stopped.at_s - ended_s) * 1000


def ask_for_more(daemon: Daemon, ear: Ear) -> float:
    """Have a long reply begin; return when."""
    asked_s = time.monotonic()
    daemon.rpc.call("message.send", text="Tell me more.")
    return ear.wait_for_sound(5, since_s=asked_s)


def confirmed(server: Rehearsal, since_s: float) -> Any:
    return server.wait_for_sent("session.updated", since_s=since_s).event["session"]["audio"]["input"]["turn_detection"]


@pytest.mark.parametrize("profile", ["default", "patient", "noisy", "responsive"])
def test_a_profile(server: Rehearsal, daemon: Daemon, card: VirtualCard, profile: str) -> None:
    wanted = yaml.safe_load((PROFILES / f"{profile}.yaml").read_text(encoding="utf-8"))
    since_s = time.monotonic()
    changed_live(daemon.ctl_json("vad", "set", "--profile", profile))
    in_force = confirmed(server, since_s)
    for key in ("threshold", "prefix_padding_ms", "silence_duration_ms"):
        assert in_force[key] == wanted["turn_detection"][key]
    shown = daemon.rpc.call("vad.get")
    for key, value in wanted["barge_in"].items():
        assert shown["barge_in"][key] == value
    if profile in ("noisy", "responsive"):
        waited_ms = say(server, card)
        print(f"{profile}: the turn ended {waited_ms:.0f} ms behind the speech")
        assert waited_ms == pytest.approx(wanted["turn_detection"]["silence_duration_ms"], abs=LATE_MS)


def test_semantic_vad_with_eagerness(server: Rehearsal, daemon: Daemon, card: VirtualCard) -> None:
    since_s = time.monotonic()
    changed_live(daemon.ctl_json("vad", "set", "type=semantic_vad", "eagerness=low"))
    in_force = confirmed(server, since_s)
    assert (in_force["type"], in_force["eagerness"]) == ("semantic_vad", "low")
    assert say(server, card) == pytest.approx(1600, abs=LATE_MS)  # what the rehearsal makes of it
    since_s = time.monotonic()
    changed_live(daemon.ctl_json("vad", "set", "eagerness=high"))
    assert confirmed(server, since_s)["eagerness"] == "high"


def test_push_to_talk(server: Rehearsal, daemon: Daemon, card: VirtualCard) -> None:
    since_s = time.monotonic()
    changed_live(daemon.ctl_json("vad", "set", "type=none"))
    assert confirmed(server, since_s) is None
    daemon.rpc.call("events.subscribe", topics=["turn"])
    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(daemon.ctl_ok, "talk", "--seconds", str(speech.seconds("visitor_goodbye") + 0.5))
        daemon.rpc.wait_for_event("turn", lambda turn: turn["event"] == "talk_began", 5, since_s=since_s)
        card.say_it_all(speech.clip("visitor_goodbye"))
        holding.result()
    commit = server.wait_for_received("input_audio_buffer.commit", since_s=since_s)
    create = server.wait_for_received("response.create", since_s=since_s)
    assert commit.at_s <= create.at_s
    server.wait_for_sent("response.done", since_s=since_s)
    assert server.sent("input_audio_buffer.speech_started", since_s=since_s) == []


def test_local(server: Rehearsal, daemon: Daemon, card: VirtualCard) -> None:
    since_s = time.monotonic()
    changed_live(daemon.ctl_json("vad", "set", "type=local"))
    assert confirmed(server, since_s) is None
    card.say_it_all(speech.clip("visitor_goodbye"))
    server.wait_for_received("input_audio_buffer.commit", since_s=since_s)
    server.wait_for_sent("response.done", since_s=since_s)
    assert server.sent("input_audio_buffer.speech_started", since_s=since_s) == []


def set_in_force(daemon: Daemon, key: str, value: str) -> None:
    changed_live(daemon.ctl_json("config", "set", f"{key}={value}"))
    assert daemon.rpc.call("config.get", key=key)["values"][key]["value"] == value


def test_interruptions_at_once(server: Rehearsal, daemon: Daemon, card: VirtualCard) -> None:
    set_in_force(daemon, "barge_in.mode", "off")
    set_in_force(daemon, "barge_in.mode", "immediate")
    with card.listening() as ear:
        began_s = ask_for_more(daemon, ear)
        card.say(speech.clip("visitor_goodbye"))
        started = server.wait_for_sent("input_audio_buffer.speech_started", since_s=began_s)
        truncated = server.wait_for_received("conversation.item.truncate", since_s=began_s)
    assert truncated.at_s - started.at_s < 0.2


def test_interruptions_when_certain(server: Rehearsal, daemon: Daemon, card: VirtualCard) -> None:
    set_in_force(daemon, "barge_in.mode", "confirm")
    with card.listening() as ear:
        began_s = ask_for_more(daemon, ear)
        card.say(speech.clip("visitor_goodbye"))
        started = server.wait_for_sent("input_audio_buffer.speech_started", since_s=began_s)
        truncated = server.wait_for_received("conversation.item.truncate", since_s=began_s)
        recording = ear.wait_until_recorded(truncated.at_s).since(began_s - 0.3)
    assert truncated.at_s - started.at_s > 0.5
    heard = played(speech.clip("assistant_booked"), recording.samples)
    first = round((started.at_s + 0.15 - recording.start_s) * RATE_HZ)
    quieter = heard.gains_db(first, round((started.at_s + 0.45 - recording.start_s) * RATE_HZ))
    assert quieter
    assert quieter == pytest.approx([-12.0] * len(quieter), abs=1)


def test_no_interruptions(server: Rehearsal, daemon: Daemon, card: VirtualCard) -> None:
    set_in_force(daemon, "barge_in.mode", "off")
    with card.listening() as ear:
        began_s = ask_for_more(daemon, ear)
        card.say_it_all(speech.clip("visitor_goodbye"))
        recording = ear.wait_until_recorded(time.monotonic() + 0.5).since(began_s - 0.3)
    assert server.received("conversation.item.truncate", since_s=began_s) == []
    clip = speech.clip("assistant_booked")[: 2 * RATE_HZ]
    assert find(clip, recording.samples).coherence > 0.9
    assert ducked(clip, recording.samples) == []


LEARNING_S = {"aec": 2.5, "gate": 2.5}
"""A rung that has to learn the room first is careful until it has, and again when a busy machine lost samples."""
HEARS_WHILE_IT_SPEAKS = {"none": True, "half_duplex": False, "aec": True, "gate": True}
TRIES = 3


@pytest.mark.parametrize("rung", HEARS_WHILE_IT_SPEAKS)
def test_echo_control(server: Rehearsal, daemon: Daemon, card: VirtualCard, rung: str) -> None:
    if rung == "none":  # which it is until something else is asked for
        set_in_force(daemon, "audio.echo_control", "gate")
    set_in_force(daemon, "audio.echo_control", rung)
    daemon.wait_for_status(lambda status: status["audio"]["echo_control"] == rung, 2, rung)
    respawns = daemon.status()["audio"]["respawns"]
    with card.listening() as ear:
        began_s = ask_for_more(daemon, ear)
        ear.wait_until_recorded(began_s + LEARNING_S.get(rung, 0.0))
        for _ in range(TRIES if HEARS_WHILE_IT_SPEAKS[rung] else 1):
            card.say_it_all(speech.clip("visitor_goodbye"))
            ear.wait_until_recorded(time.monotonic() + 0.3)
            noticed = server.sent("input_audio_buffer.speech_started", since_s=began_s)
            if noticed:
                break
        assert bool(noticed) == HEARS_WHILE_IT_SPEAKS[rung]
    assert daemon.status()["audio"]["respawns"] == respawns
