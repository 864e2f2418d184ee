"""A spoken question is heard, answered aloud and written down."""

from __future__ import annotations

import time

import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import RunDaemon
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script
from rig.sound import RATE_HZ, damaged, find

TRIES = 4
"""A busy machine starves the sound server as well, so one damaged answer proves nothing; damaged ones throughout do."""


@pytest.fixture(scope="module")
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    return start_rehearsal(script(reply("assistant_goodbye", heard=speech.text("visitor_goodbye"))))


def test_a_spoken_question_is_answered_on_the_loudspeaker_and_kept_in_the_history(
    server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    with run_daemon(server.url) as daemon, card.listening() as ear:
        daemon.rpc.call("events.subscribe")
        daemon.wait_until_linked()
        speaking = card.say(speech.clip("visitor_goodbye"))

        daemon.rpc.wait_for_event("turn", lambda turn: turn["event"] == "speech_started", 5)
        assert daemon.status()["state"] == "hearing"
        daemon.rpc.wait_for_event("turn", lambda turn: turn["event"] == "speech_stopped", 6)
        heard_at_s = ear.wait_for_sound(5)
        assert daemon.status()["state"] == "speaking"
        assert speaking.wait(5) == 0

        recording = ear.wait_until_recorded(heard_at_s + speech.seconds("assistant_goodbye") + 0.2).samples
        clip = speech.clip("assistant_goodbye")
        match = find(clip[:RATE_HZ], recording)
        assert match.coherence > 0.9
        assert match.gain == pytest.approx(1.0, abs=0.1)

        daemon.wait_for_status(lambda status: status["state"] == "listening", 3, "end of the answer")
        shown = daemon.ctl_ok("history", "show")
        assert speech.text("visitor_goodbye") in shown
        assert speech.text("assistant_goodbye") in shown
        turns = daemon.rpc.call("history.get")["turns"]
        assert [(turn["role"], turn["status"]) for turn in turns] == [("user", "completed"), ("assistant", "completed")]
        assert turns[1]["heard_text"] == turns[1]["text"]
        assert turns[1]["heard_ms"] == pytest.approx(speech.seconds("assistant_goodbye") * 1000, abs=1)


def test_an_answer_reaches_the_loudspeaker_sample_for_sample(
    server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    clip = speech.clip("assistant_goodbye")
    with run_daemon(server.url) as daemon, card.listening() as ear:
        daemon.wait_until_linked()
        for _ in range(TRIES):
            asked_s = time.monotonic()
            daemon.rpc.call("message.send", text="When do you open?")
            began_s = ear.wait_for_sound(5, since_s=asked_s)
            daemon.wait_for_status(lambda status: status["state"] == "listening", 10, "end of the answer")
            recording = ear.wait_until_recorded(time.monotonic() + 0.1).since(began_s - 0.1).samples
            match = find(clip[:RATE_HZ], recording)
            if not damaged(clip, recording, match.lag):
                assert match.coherence > 0.99
                assert match.gain == pytest.approx(1.0, abs=0.02)
                return
    raise AssertionError(f"of {TRIES} answers none was undamaged")


def test_no_microphone_byte_is_sent_before_the_service_confirmed_the_session(server: Rehearsal) -> None:
    entries = server.entries()
    confirmed = next(n for n, entry in enumerate(entries) if entry.event["type"] == "session.updated")
    first_audio = next(n for n, entry in enumerate(entries) if entry.event["type"] == "input_audio_buffer.append")
    assert confirmed < first_audio
