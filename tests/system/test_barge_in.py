"""A visitor who speaks over the answer silences it, and the service is told what was heard."""

from __future__ import annotations

import numpy as np
import pytest
from rig import speech
from rig.card import Ear, VirtualCard
from rig.daemon import RunDaemon
from rig.playing import heard_bounds_ms
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script
from rig.sound import RATE_HZ, Recording, find, first_sound, last_sound, windows

REACTION_S = 0.030
TRUNCATION_MS = 20


@pytest.fixture
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    return start_rehearsal(
        script(
            reply("assistant_services", heard=speech.text("visitor_booking")),
            reply("assistant_idle", heard=speech.text("visitor_goodbye")),
        )
    )


@pytest.mark.parametrize("after_s", [0.0, 3.0], ids=["while it is still being generated", "after it was generated"])
def test_speech_over_the_answer(server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard, after_s: float) -> None:
    clip = speech.clip("assistant_services")
    with run_daemon(server.url) as daemon, card.listening() as ear:
        daemon.wait_until_linked()
        card.say_it_all(speech.clip("visitor_goodbye"))
        answer_began_s = ear.wait_for_sound(5)
        ear.wait_until_recorded(answer_began_s + after_s)
        output_latency_s = daemon.status()["audio"]["latency_ms"] / 1000

        speaking = card.say(speech.clip("visitor_goodbye"))
        noticed_s = server.wait_for_sent("input_audio_buffer.speech_started", since_s=answer_began_s).at_s
        recording = ear.wait_until_recorded(noticed_s + 1.0)
        old = recording.since(answer_began_s - 0.2)
        silent = last_sound(old.samples)
        assert silent is not None
        reaction_s = old.time_of(silent) - noticed_s
        print(f"silent after {reaction_s * 1000:.1f} ms; the stream's own {output_latency_s * 1000:.1f} ms")
        assert reaction_s <= REACTION_S + output_latency_s

        truncate = server.wait_for_received("conversation.item.truncate", since_s=noticed_s).event
        low_ms, high_ms = heard_bounds_ms(clip, old.samples)
        print(f"truncated at {truncate['audio_end_ms']} ms; recorded {low_ms:.1f} to {high_ms:.1f} ms")
        assert low_ms - TRUNCATION_MS <= truncate["audio_end_ms"] <= high_ms + TRUNCATION_MS
        server.wait_for_sent("conversation.item.truncated", since_s=noticed_s)

        assert speaking.wait(5) == 0
        silent_s = old.time_of(silent + 1)
        assert_only_the_next_answer(ear, silent_s)
        assert len(server.received("conversation.item.truncate")) == 1

        daemon.wait_for_status(lambda status: status["state"] == "listening", 3, "end of the next answer")
        turns = daemon.rpc.call("history.get")["turns"]
        assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant"]
        assert turns[1]["interrupted"]
        assert turns[1]["heard_ms"] == pytest.approx(truncate["audio_end_ms"], abs=1)
        assert turns[1]["text"].startswith(turns[1]["heard_text"])
        assert len(turns[1]["heard_text"]) < len(turns[1]["text"])
        assert not turns[3]["interrupted"]


def assert_only_the_next_answer(ear: Ear, silent_s: float) -> None:
    """The next thing the loudspeaker says after `silent_s` is the next answer, alone and from its beginning."""
    began_s = ear.wait_for_sound(6, since_s=silent_s)
    clip = speech.clip("assistant_idle")
    recording: Recording = ear.wait_until_recorded(began_s + len(clip) / RATE_HZ + 0.2).since(silent_s)
    first, began = first_sound(recording.samples), first_sound(clip)
    assert first is not None
    assert began is not None
    lag = find(clip[: RATE_HZ // 2], recording.samples).lag
    assert abs(lag + began - first) < RATE_HZ // 100
    # A slow machine may lose samples, and a window with a joint is unlike the clip; a mixture is so throughout.
    assert np.median([window.coherence for window in windows(clip, recording.samples, lag)]) > 0.98


def test_in_half_duplex_the_box_does_not_hear_its_own_answer(
    start_rehearsal: StartRehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    server = start_rehearsal(script(reply("assistant_goodbye")))
    loopback = {"PULSE_SOURCE": "vspk.monitor"}  # the microphone hears the loudspeaker and nothing else
    changes = {"audio": {"echo_control": "half_duplex"}, "barge_in": {"mode": "off"}}
    with run_daemon(server.url, changes, env=loopback) as daemon, card.listening() as ear:
        daemon.wait_until_linked()
        daemon.rpc.call("message.send", text="What do you offer?")
        began_s = ear.wait_for_sound(5)
        ear.wait_until_recorded(began_s + speech.seconds("assistant_goodbye"))
        ear.wait_for_silence(0.6, 5)
        daemon.wait_for_status(lambda status: status["state"] == "listening", 3, "end of the answer")
        assert server.sent("input_audio_buffer.speech_started") == []
        assert server.received("conversation.item.truncate") == []

        # It was not deaf for another reason: somebody else's voice from the same loudspeaker is heard.
        card.say_it_all(speech.clip("visitor_goodbye"), into="vspk")
        server.wait_for_sent("input_audio_buffer.speech_stopped")
