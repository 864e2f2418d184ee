"""Turn detection is tuned from a shell while the box talks; what cannot be is refused in one line."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import Daemon, Home, MakeSettings, RunDaemon
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script


@pytest.fixture(scope="module")
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    return start_rehearsal(script(*[reply("assistant_idle", heard=speech.text("visitor_goodbye"))] * 6))


def end_of_turn_ms(server: Rehearsal, card: VirtualCard) -> float:
    """Say something; return how much silence the service waited for: its speech_stopped behind the end of speech."""
    since_s = time.monotonic()
    card.say_it_all(speech.clip("visitor_goodbye"))
    ended_s = time.monotonic()
    stopped = server.wait_for_sent("input_audio_buffer.speech_stopped", since_s=since_s)
    server.wait_for_sent("response.done", since_s=since_s)
    return (stopped.at_s - ended_s) * 1000


def test_vad_set_changes_the_next_turn_and_prints_what_the_service_confirmed(
    server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    with run_daemon(server.url, {"turn_detection": {"silence_duration_ms": 1000}}) as daemon:
        daemon.wait_until_linked()
        slow_ms = end_of_turn_ms(server, card)

        printed = daemon.ctl_ok("vad", "set", "threshold=0.7", "silence_duration_ms=300")
        assert "0.7" in printed
        assert "300" in printed
        confirmed = server.sent("session.updated")[-1].event["session"]["audio"]["input"]["turn_detection"]
        assert (confirmed["threshold"], confirmed["silence_duration_ms"]) == (0.7, 300)
        answer = daemon.ctl_json("vad", "show")
        assert answer["effective"]["silence_duration_ms"] == 300

        daemon.wait_for_status(lambda status: status["state"] == "listening", 5, "end of the answer")
        quick_ms = end_of_turn_ms(server, card)
        assert slow_ms - quick_ms == pytest.approx(1000 - 300, abs=200)


@pytest.mark.parametrize(("persist", "expected"), [(True, 700), (False, 500)])
def test_a_change_survives_a_restart_if_and_only_if_it_was_persisted(
    server: Rehearsal, run_daemon: RunDaemon, home: Home, persist: bool, expected: int
) -> None:
    words = ["vad", "set", "silence_duration_ms=700"] + (["--persist"] if persist else [])
    with run_daemon(server.url, home=home) as daemon:
        daemon.ctl_ok(*words)
    since_s = time.monotonic()
    with run_daemon(server.url, home=home) as daemon:
        confirmed = server.wait_for_sent("session.updated", since_s=since_s).event["session"]
        assert confirmed["audio"]["input"]["turn_detection"]["silence_duration_ms"] == expected
        assert daemon.status()["vad"]["silence_duration_ms"] == expected


@pytest.fixture(scope="module")
def tuned(server: Rehearsal, sound_card: VirtualCard, conversation_settings: MakeSettings) -> Iterator[Daemon]:
    with Daemon(conversation_settings(server.url), env=sound_card.env) as daemon:
        daemon.wait_until_linked()
        yield daemon


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["threshold=1.5"], ["threshold", "1.5", "0", "1"]),
        (["silence_duration_ms=-1"], ["silence_duration_ms", "-1"]),
        (["silence_duration_ms=soon"], ["silence_duration_ms", "soon"]),
        (["treshold=0.5"], ["treshold", "threshold"]),
        (["type=telepathy"], ["type", "telepathy", "server_vad"]),
        (["--profile", "boisterous"], ["boisterous"]),
        (["threshold=0.6", "prefix_padding_ms=99999"], ["prefix_padding_ms", "99999", "5000"]),
        (["threshold"], ["threshold"]),
    ],
    ids=" ".join,
)
def test_a_wrong_value_is_refused_in_one_line_and_nothing_changes(
    tuned: Daemon, words: list[str], named: list[str]
) -> None:
    before = tuned.rpc.call("vad.get")
    done = tuned.ctl("vad", "set", *words)
    assert done.returncode in (1, 2), done
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in named:
        assert word in done.stderr
    assert tuned.rpc.call("vad.get") == before
