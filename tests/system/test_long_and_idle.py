"""Who talks without an end is answered in the middle; when nobody talks, the paid session ends until somebody does."""

from __future__ import annotations

import time

import numpy as np
from rig import speech
from rig.card import VirtualCard
from rig.daemon import RunDaemon
from rig.rehearsal import StartRehearsal, reply, script
from rig.sound import RATE_HZ, Samples, find, windows

LONGEST_S = 5.0
IDLE_S = 10.0


def radio(seconds: float) -> Samples:
    """Voices without a pause in which a turn could end."""
    voices = [speech.clip(name) for name in ("visitor_booking", "visitor_hours", "visitor_interrupts")]
    return np.resize(np.concatenate(voices), round(seconds * RATE_HZ))


def test_a_radio_cannot_hold_the_box(start_rehearsal: StartRehearsal, run_daemon: RunDaemon, card: VirtualCard) -> None:
    server = start_rehearsal(script(reply("assistant_hours")))
    changes = {
        "conversation": {"max_utterance_s": LONGEST_S},
        "turn_detection": {"silence_duration_ms": 1200},
    }
    with run_daemon(server.url, changes) as daemon, card.listening() as ear:
        daemon.wait_until_ready()
        daemon.rpc.call("events.subscribe", topics=["turn"])
        began_s = time.monotonic()
        card.say(radio(LONGEST_S + 4))
        commit = server.wait_for_received("input_audio_buffer.commit", since_s=began_s, deadline_s=LONGEST_S + 3)
        created = server.wait_for_sent("response.created", since_s=began_s)
        answered_s = ear.wait_for_sound(3)
        card.hush()
    print(f"committed after {commit.at_s - began_s:.2f} s, answered after {answered_s - began_s:.2f} s")
    assert LONGEST_S < commit.at_s - began_s < LONGEST_S + 1
    assert created.at_s >= commit.at_s
    assert answered_s - began_s < LONGEST_S + 2


def test_a_box_that_nobody_needs_hangs_up_and_is_woken_by_a_question_of_which_it_hears_every_word(
    start_rehearsal: StartRehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    """The parrot says what was committed, so the loudspeaker tells what of the question arrived."""
    server = start_rehearsal(script(reply("assistant_idle")), "--brain", "parrot")
    clip = speech.clip("visitor_hours")
    with run_daemon(server.url, {"conversation": {"idle_hangup_s": IDLE_S}}) as daemon, card.listening() as ear:
        daemon.wait_until_ready()
        linked_s = time.monotonic()
        daemon.wait_for_status(lambda status: status["link"]["state"] != "ready", IDLE_S + 3, "closed link")
        hung_up_s = time.monotonic()
        shown = daemon.status()
        print(f"hung up after {hung_up_s - linked_s:.1f} s: state {shown['state']}, {shown['reason']!r}")
        assert hung_up_s - linked_s > IDLE_S - 1
        ear.wait_until_recorded(hung_up_s + 1.0)
        assert len(server.sessions()) == 1
        assert server.appended_s(since_s=hung_up_s + 0.2) == 0

        spoke_s = time.monotonic()
        card.say_it_all(clip)
        began_s = ear.wait_for_sound(8, since_s=spoke_s)
        daemon.wait_for_status(lambda status: status["state"] == "listening", 10, "end of the reply")
        recording = ear.wait_until_recorded(time.monotonic() + 0.1).since(began_s - 0.3)
        assert len(server.sessions()) == 2
    match = find(clip, recording.samples)
    print(f"answered {began_s - spoke_s:.2f} s after the first word; coherence {match.coherence:.4f}")
    assert match.coherence > 0.99
    assert windows(clip, recording.samples, match.lag)[0].coherence > 0.99
