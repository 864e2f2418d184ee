"""Turn detection of type `local`: the box itself hears when somebody speaks, and sends nothing else."""

from __future__ import annotations

import time

import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import RunDaemon, Settings
from rig.rehearsal import StartRehearsal, reply, script
from rig.sound import RATE_HZ, find, first_sound, windows

LOCAL: Settings = {
    "turn_detection": {"type": "local", "threshold": 0.5, "prefix_padding_ms": 500, "silence_duration_ms": 500}
}


def test_a_question_is_sent_whole_and_nothing_else_is(
    start_rehearsal: StartRehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    """The parrot says what was committed, so the loudspeaker tells what of the question arrived."""
    server = start_rehearsal(script(reply("assistant_idle")), "--brain", "parrot")
    clip = speech.clip("visitor_hours")
    with run_daemon(server.url, LOCAL) as daemon, card.listening() as ear:
        daemon.wait_until_ready()
        quiet_from_s = time.monotonic()
        ear.wait_until_recorded(quiet_from_s + 1.5)
        spoke_s = time.monotonic()
        assert server.appended_s(since_s=quiet_from_s, until_s=spoke_s) == 0
        card.say_it_all(clip)
        silent_s = time.monotonic()
        commit = server.wait_for_received("input_audio_buffer.commit", since_s=spoke_s)
        began_s = ear.wait_for_sound(5)
        daemon.wait_for_status(lambda status: status["state"] == "listening", 8, "end of the reply")
        ended_s = time.monotonic()
        recording = ear.wait_until_recorded(ended_s + 1.0).since(began_s - 0.3)
        sent_s = server.appended_s(since_s=spoke_s)
        turns = daemon.rpc.call("history.get")["turns"]

    print(
        f"sent {sent_s:.2f} s for {len(clip) / RATE_HZ:.2f} s; committed {(commit.at_s - silent_s) * 1000:.0f} ms late"
    )
    assert len(server.received("input_audio_buffer.commit")) == 1
    assert (commit.at_s - silent_s) * 1000 == pytest.approx(500, abs=150)
    assert len(clip) / RATE_HZ + 0.5 < sent_s < len(clip) / RATE_HZ + 0.5 + 0.5 + 0.3
    assert server.appended_s(since_s=commit.at_s + 0.1) == 0, "it sent what it heard between two turns"
    assert [turn["role"] for turn in turns] == ["user", "assistant"]

    # From the first syllable on; and before it the half second that is asked for.
    match = find(clip, recording.samples)
    syllables = windows(clip, recording.samples, match.lag)
    print(f"coherence {match.coherence:.4f}, of the first syllable {syllables[0].coherence:.4f}")
    assert match.coherence > 0.99
    assert min(window.coherence for window in syllables) > 0.99
    first = first_sound(recording.samples)
    assert first is not None
    assert match.lag + syllables[0].at - first < 0.5 * RATE_HZ


def test_it_is_interrupted(start_rehearsal: StartRehearsal, run_daemon: RunDaemon, card: VirtualCard) -> None:
    long = {"when_text_contains": "more", "says": {"audio": "assistant_booked"}}
    server = start_rehearsal(script(long, reply("assistant_idle", heard=speech.text("visitor_interrupts"))))
    with run_daemon(server.url, {**LOCAL, "barge_in": {"mode": "immediate"}}) as daemon, card.listening() as ear:
        daemon.wait_until_ready()
        for mode, clip, limit_s in (("immediate", "visitor_goodbye", 0.7), ("confirm", "visitor_interrupts", 1.7)):
            daemon.rpc.call("config.set", values={"barge_in.mode": mode})
            asked_s = time.monotonic()
            daemon.rpc.call("message.send", text="Tell me more.")
            began_s = ear.wait_for_sound(5, since_s=asked_s)
            ear.wait_until_recorded(began_s + 0.7)
            spoke_s = time.monotonic()
            speaking = card.say(speech.clip(clip))
            truncated = server.wait_for_received("conversation.item.truncate", since_s=spoke_s)
            print(f"{mode}: truncated {(truncated.at_s - spoke_s) * 1000:.0f} ms after the visitor began")
            assert truncated.at_s - spoke_s < limit_s
            assert speaking.wait(5) == 0
            daemon.wait_for_status(lambda status: status["state"] == "speaking", 5, "next reply")
            daemon.wait_for_status(lambda status: status["state"] == "listening", 5, "end of the next reply")
            assert len(server.received("conversation.item.truncate", since_s=asked_s)) == 1
            assert len(server.received("input_audio_buffer.commit", since_s=asked_s)) == 1
        turns = daemon.rpc.call("history.get")["turns"]
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 4
    assert [turn["interrupted"] for turn in turns[1::2]] == [True, False] * 2
