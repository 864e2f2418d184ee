"""The audio process dies, the sound server dies: the box is back within a second, and said meanwhile what was wrong."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import Daemon, RunDaemon, Settings
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script
from rig.rpc import RpcClient
from rig.waiting import SCALE, wait_for

RECOVERY_S = 1.0
ANSWER_LIMIT_S = 0.5


@pytest.fixture
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    return start_rehearsal(
        script(
            reply("assistant_services", heard=speech.text("visitor_goodbye")),
            reply("assistant_idle", heard=speech.text("visitor_goodbye")),
            reply("assistant_idle", heard=speech.text("visitor_goodbye")),
        )
    )


@contextmanager
def asking_all_the_time(daemon: Daemon) -> Iterator[list[tuple[float, Settings]]]:
    """Ask for the status over and over on a connection of its own; every answer must come quickly."""
    answers: list[tuple[float, Settings]] = []
    slowest_s = 0.0
    failures: list[BaseException] = []
    stop = threading.Event()
    client = RpcClient(daemon.home.socket)

    def ask() -> None:
        nonlocal slowest_s
        try:
            while not stop.wait(0.02):
                asked_s = time.monotonic()
                answers.append((asked_s, client.call("status.get")))
                slowest_s = max(slowest_s, time.monotonic() - asked_s)
        except AssertionError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()
        client.close()
    assert not failures, failures
    assert slowest_s < ANSWER_LIMIT_S * SCALE, f"an answer took {slowest_s:.2f} s"


def running(status: Settings) -> bool:
    return bool(status["audio"]["state"] == "running")


def assert_the_next_turn_works(server: Rehearsal, daemon: Daemon, card: VirtualCard) -> None:
    """The visitor is heard, and the answer to it is audible."""
    daemon.rpc.call("response.interrupt")
    since_s = time.monotonic()
    with card.listening() as ear:
        ear.wait_for_silence(0.3, 3)
        silent_s = time.monotonic()
        card.say_it_all(speech.clip("visitor_goodbye"))
        server.wait_for_sent("input_audio_buffer.speech_stopped", since_s=since_s)
        ear.wait_for_sound(5, since_s=silent_s)


def test_kill_9_of_the_audio_process_in_the_middle_of_an_answer(
    server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    with run_daemon(server.url) as daemon:
        daemon.wait_until_linked()
        with card.listening() as ear:
            card.say_it_all(speech.clip("visitor_goodbye"))
            began_s = ear.wait_for_sound(5)
            ear.wait_until_recorded(began_s + 1.0)
            before = daemon.audio_process()
            with asking_all_the_time(daemon) as answers:
                os.kill(before, signal.SIGKILL)
                killed_s = time.monotonic()
                card.say(speech.clip("visitor_booking"))
                heard_again = server.wait_for_sent("input_audio_buffer.speech_started", since_s=killed_s)
                assert heard_again.at_s - killed_s < RECOVERY_S
                wait_for(lambda: answers and answers[-1][0] > killed_s + RECOVERY_S, 3, "answer after the second")
            told = [status["audio"]["state"] for at_s, status in answers if at_s > killed_s]
            assert "running" in told
            assert any(state != "running" for state in told), "the status never said that the audio was lost"
            assert running(answers[-1][1])
            card.hush()
        assert daemon.audio_process() != before
        assert daemon.status()["audio"]["respawns"] == 1
        assert_the_next_turn_works(server, daemon, card)


def test_an_answer_survives_kill_9_of_the_audio_process(
    server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    with run_daemon(server.url) as daemon, card.listening() as ear:
        daemon.wait_until_linked()
        card.say_it_all(speech.clip("visitor_goodbye"))
        began_s = ear.wait_for_sound(5)
        ear.wait_until_recorded(began_s + 1.0)
        os.kill(daemon.audio_process(), signal.SIGKILL)
        killed_s = time.monotonic()
        daemon.wait_for_status(running, 3, "running audio")
        ear.wait_until_recorded(killed_s + 0.2)
        assert ear.wait_for_sound(RECOVERY_S, since_s=killed_s + 0.15) - killed_s < RECOVERY_S


def test_kill_9_of_the_sound_server_in_the_middle_of_an_answer(
    server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    with run_daemon(server.url) as daemon:
        daemon.wait_until_linked()
        with card.listening() as ear:
            card.say_it_all(speech.clip("visitor_goodbye"))
            began_s = ear.wait_for_sound(5)
            ear.wait_until_recorded(began_s + 1.0)
        with asking_all_the_time(daemon) as answers:
            try:
                card.kill9()
                killed_s = time.monotonic()
                lost = wait_for(
                    lambda: next((status for at_s, status in answers if at_s > killed_s and not running(status)), None),
                    1.0,
                    "status that says the audio is lost",
                )
                assert not lost["speaks"]
                assert lost["hints"]
                wait_for(lambda: answers[-1][0] > killed_s + 1.5, 3, "answers during the outage")
                during = [status["audio"]["state"] for at_s, status in answers if at_s > killed_s + 1.0]
                assert "running" not in during
            finally:
                card.start()
            back_s = time.monotonic()
            card.say(speech.clip("visitor_booking"))
            heard = server.wait_for_sent("input_audio_buffer.speech_started", since_s=back_s)
            assert heard.at_s - back_s < RECOVERY_S
            daemon.wait_for_status(running, 1, "running audio")
            card.hush()
        assert daemon.status()["speaks"]
        assert_the_next_turn_works(server, daemon, card)


def test_an_answer_survives_kill_9_of_the_sound_server(
    server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard
) -> None:
    with run_daemon(server.url) as daemon:
        daemon.wait_until_linked()
        with card.listening() as ear:
            daemon.rpc.call("message.send", text="What do you offer?")
            began_s = ear.wait_for_sound(5)
            ear.wait_until_recorded(began_s + 1.0)
        try:
            card.kill9()
            daemon.wait_for_status(lambda status: not running(status), 2, "status that says the audio is lost")
        finally:
            card.start()
        back_s = time.monotonic()
        with card.listening() as ear:
            assert ear.wait_for_sound(RECOVERY_S + 1) - back_s < RECOVERY_S
        assert daemon.status()["state"] == "speaking"


def test_the_audio_process_survives_the_garbage_collector(
    server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard, tmp_path: Path
) -> None:
    """PortAudio calls back into objects that only Python knows; a collector that runs all the time finds the lost."""
    (tmp_path / "sitecustomize.py").write_text("import gc\ngc.set_threshold(1, 1, 1)\n", encoding="utf-8")
    with run_daemon(server.url, env={"PYTHONPATH": str(tmp_path)}) as daemon, card.listening() as ear:
        daemon.wait_until_linked()
        daemon.rpc.call("message.send", text="What do you offer?")
        began_s = ear.wait_for_sound(5)
        ear.wait_until_recorded(began_s + 3.0)
        status = daemon.status()
        assert running(status)
        assert status["audio"]["respawns"] == 0
