"""Every verb does what it says, seen in what the service receives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import numpy as np
import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import Daemon, MakeSettings
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script


@pytest.fixture(scope="module")
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    return start_rehearsal(script(*[reply("assistant_hours", heard=speech.text("visitor_goodbye"))] * 20))


@pytest.fixture(scope="module")
def daemon(server: Rehearsal, sound_card: VirtualCard, conversation_settings: MakeSettings) -> Iterator[Daemon]:
    with Daemon(conversation_settings(server.url), env=sound_card.env) as daemon:
        daemon.wait_until_linked()
        daemon.rpc.call("events.subscribe")
        yield daemon


@pytest.fixture
def since_s(daemon: Daemon) -> float:
    """The moment at which the test begins, with nothing going on."""
    daemon.ctl("interrupt")
    daemon.wait_for_status(lambda status: status["state"] == "listening", 5, "quiet box")
    return time.monotonic()


def test_instruct_adds_to_the_instructions_shows_them_and_clears_them(
    daemon: Daemon, server: Rehearsal, since_s: float
) -> None:
    configured = daemon.rpc.call("instructions.get")["effective"]
    daemon.ctl_ok("instruct", "Answer in French")
    update = server.wait_for_received("session.update", since_s=since_s).event["session"]
    assert update["instructions"].startswith(configured)
    assert "Answer in French" in update["instructions"]
    assert "Answer in French" in daemon.ctl_ok("instruct", "--show")

    cleared_s = time.monotonic()
    daemon.ctl_ok("instruct", "--clear")
    update = server.wait_for_received("session.update", since_s=cleared_s).event["session"]
    assert update["instructions"] == configured


def test_instruct_replace_takes_the_place_of_the_configured_instructions(
    daemon: Daemon, server: Rehearsal, since_s: float
) -> None:
    daemon.ctl_ok("instruct", "--replace", "You are a parrot.")
    update = server.wait_for_received("session.update", since_s=since_s).event["session"]
    assert update["instructions"] == "You are a parrot."
    daemon.ctl_ok("instruct", "--clear")


def test_respond_with_instructions_asks_for_one_response_that_also_knows_the_standing_ones(
    daemon: Daemon, server: Rehearsal, since_s: float
) -> None:
    configured = daemon.rpc.call("instructions.get")["effective"]
    daemon.ctl_ok("respond", "--instructions", "Whisper")
    create = server.wait_for_received("response.create", since_s=since_s).event["response"]
    assert create["instructions"].startswith(configured)
    assert "Whisper" in create["instructions"]


def test_send_puts_words_into_the_conversation_and_has_them_answered_aloud(
    daemon: Daemon, server: Rehearsal, card: VirtualCard, since_s: float
) -> None:
    with card.listening() as ear:
        daemon.ctl_ok("send", "When do you open?")
        item = server.wait_for_received("conversation.item.create", since_s=since_s).event["item"]
        assert item["role"] == "user"
        assert item["content"] == [{"type": "input_text", "text": "When do you open?"}]
        server.wait_for_received("response.create", since_s=since_s)
        ear.wait_for_sound(5)


def test_interrupt_silences_the_answer_and_tells_the_service_what_was_heard(
    daemon: Daemon, server: Rehearsal, card: VirtualCard, since_s: float
) -> None:
    with card.listening() as ear:
        daemon.ctl_ok("send", "When do you open?")
        began_s = ear.wait_for_sound(5)
        ear.wait_until_recorded(began_s + 0.5)
        daemon.ctl_ok("interrupt")
        truncate = server.wait_for_received("conversation.item.truncate", since_s=since_s).event
        assert 400 < truncate["audio_end_ms"] < 2500
        ear.wait_for_silence(0.5, 3)


def test_mute_keeps_the_microphone_from_the_service_and_unmute_gives_it_back(
    daemon: Daemon, server: Rehearsal, card: VirtualCard, since_s: float
) -> None:
    daemon.ctl_ok("mute")
    assert daemon.status()["audio"]["muted"]
    card.say_it_all(speech.clip("visitor_goodbye"))
    muted_until_s = time.monotonic()
    daemon.ctl_ok("unmute")
    assert not daemon.status()["audio"]["muted"]
    card.say_it_all(speech.clip("visitor_goodbye"))
    started = server.wait_for_sent("input_audio_buffer.speech_started", since_s=since_s)
    assert started.at_s > muted_until_s
    server.wait_for_sent("response.done", since_s=since_s)


def test_stop_ends_the_conversation_and_start_begins_another(daemon: Daemon, server: Rehearsal, since_s: float) -> None:
    first = daemon.status()["conversation"]["id"]
    summary = json.loads(daemon.ctl_ok("--json", "stop"))
    assert summary["summary"]["turns"] > 0
    assert daemon.status()["conversation"] is None
    assert daemon.ctl("stop").returncode == 1
    daemon.ctl_ok("start")
    server.wait_for_sent("session.updated", since_s=since_s)
    assert daemon.status()["conversation"]["id"] != first


def test_volume_scales_what_the_loudspeaker_gives(daemon: Daemon, card: VirtualCard, since_s: float) -> None:
    peaks = {}
    for percent in (100, 25):
        daemon.rpc.call("audio.volume", percent=percent)
        with card.listening() as ear:
            daemon.ctl_ok("send", "When do you open?")
            began_s = ear.wait_for_sound(5)
            recording = ear.wait_until_recorded(began_s + 2.0).since(began_s + 0.3)
            peaks[percent] = float(np.sqrt(np.mean(recording.samples.astype(np.float64) ** 2)))
        daemon.ctl_ok("interrupt")
        daemon.wait_for_status(lambda status: status["state"] == "listening", 5, "quiet box")
    daemon.rpc.call("audio.volume", percent=100)
    assert peaks[25] == pytest.approx(peaks[100] / 4, rel=0.15)
