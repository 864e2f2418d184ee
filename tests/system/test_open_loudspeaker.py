"""A box that hears its own loudspeaker does not interrupt itself, and is interrupted by a visitor all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import Daemon, Settings
from rig.open_table import Visitor, turns_of_nobody
from rig.playing import ducked, played
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script


@pytest.fixture(scope="module")
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    return start_rehearsal(
        script(
            reply("assistant_services", heard=speech.text("visitor_goodbye")),
            reply("assistant_booked", heard=speech.text("visitor_goodbye")),
            reply("assistant_idle", heard=speech.text("visitor_interrupts")),
        )
    )


@pytest.fixture
def open_table(card: VirtualCard) -> Iterator[VirtualCard]:
    with card.loop_back():
        yield card


def shipped(url: str, **more: Settings) -> Settings:
    """A box as it is delivered: nothing is configured but the service."""
    return {"service": {"provider": "openai", "base_url": url}, **more}


def test_the_box_does_not_interrupt_itself_and_a_visitor_does(server: Rehearsal, open_table: VirtualCard) -> None:
    visitor = Visitor(open_table)
    with Daemon(shipped(server.url), env=open_table.env) as daemon, open_table.listening() as ear:
        daemon.wait_until_ready()
        assert daemon.status()["audio"]["echo_control"] == "aec"
        visitor.say("visitor_goodbye")
        began_s = ear.wait_for_sound(8)
        length_s = speech.seconds("assistant_services")
        daemon.wait_for_status(lambda status: status["state"] == "listening", length_s + 5, "end of the first reply")
        recording = ear.wait_until_recorded(time.monotonic() + 0.1).since(began_s - 0.3)
        clip = speech.clip("assistant_services")
        assert turns_of_nobody(server, visitor) == []
        assert played(clip, recording.samples).pauses == ()
        assert ducked(clip, recording.samples) == []
        assert server.received("conversation.item.truncate") == []

        asked_s = visitor.say("visitor_goodbye")
        began_s = ear.wait_for_sound(8, since_s=asked_s + speech.seconds("visitor_goodbye"))
        ear.wait_until_recorded(began_s + 2.0)
        spoke_s = visitor.say("visitor_interrupts")
        truncated = server.wait_for_received("conversation.item.truncate", since_s=spoke_s)
        print(f"interrupted {(truncated.at_s - spoke_s) * 1000:.0f} ms after the visitor began")
        daemon.wait_for_status(lambda status: status["state"] == "speaking", 8, "next reply")
        daemon.wait_for_status(lambda status: status["state"] == "listening", 8, "end of the next reply")
        assert turns_of_nobody(server, visitor) == []
        turns = daemon.rpc.call("history.get")["turns"]
        echo = daemon.status()["audio"]["echo"]
        print("echo:", echo)
        assert echo["rung"] == "aec"
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant", "user", "assistant"]
    assert [turn["interrupted"] for turn in turns[1::2]] == [False, True, False]


def test_without_echo_control_it_does(server: Rehearsal, open_table: VirtualCard) -> None:
    """The test above could fail."""
    visitor = Visitor(open_table)
    settings = shipped(server.url, audio={"echo_control": "none"})
    with Daemon(settings, env=open_table.env) as daemon, open_table.listening() as ear:
        daemon.wait_until_ready()
        asked_s = time.monotonic()
        daemon.rpc.call("message.send", text="What do you offer?")
        began_s = ear.wait_for_sound(5, since_s=asked_s)
        recording = ear.wait_until_recorded(began_s + 6.0).since(began_s - 0.3)
        nobody = turns_of_nobody(server, visitor, since_s=asked_s)
        heard = played(speech.clip("assistant_services"), recording.samples)
        quiet = ducked(speech.clip("assistant_services"), recording.samples)
        print(f"in 6 s: {len(nobody)} turns of nobody, {len(heard.pauses)} pauses, ducked for {len(quiet) / 10} s")
        assert nobody
        assert heard.pauses
        assert quiet
        daemon.rpc.call("response.interrupt")
