"""Whatever is missing at the start, the daemon starts, stays up, and says what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import KEY, Daemon, Home, RunDaemon
from rig.rehearsal import Rehearsal, StartRehearsal, free_port, reply, script

WRONG_KEY = "sk-wrong-0123456789abcdef"


@pytest.fixture(scope="module")
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    return start_rehearsal(script(reply("assistant_idle", heard=speech.text("visitor_goodbye"))))


def assert_it_says_why(daemon: Daemon, *words: str) -> str:
    """`voicebotctl status` names the reason and the remedy."""
    shown = daemon.ctl_ok("status")
    status = daemon.status()
    assert status["reason"], status
    assert status["hints"], status
    assert status["hints"][0] in shown
    for word in words:
        assert word.lower() in shown.lower(), shown
    return shown


@pytest.mark.parametrize("kind", ["no devices", "sound server down"])
def test_without_a_sound_card(
    kind: str, server: Rehearsal, run_daemon: RunDaemon, tmp_path: Path, card: VirtualCard
) -> None:
    nothing = tmp_path / "asound.conf"
    nothing.write_text("# no device\n")
    env = {"PULSE_SERVER": "unix:/nonexistent/native.sock"}
    if kind == "no devices":
        env["ALSA_CONFIG_PATH"] = str(nothing)
    with run_daemon(server.url, env=env) as daemon:
        daemon.wait_for_status(lambda status: status["audio"]["reason"], 5, "reason why there is no audio")
        status = daemon.status()
        assert status["audio"]["state"] != "running"
        assert not status["hears"]
        assert not status["speaks"]
        assert not status["health"]["audio"]["ok"]
        assert_it_says_why(daemon)
        # The rest of the box works: the link is up and a written question gets a written answer.
        daemon.wait_until_linked()
        assert daemon.rpc.call("response.request", output="text", wait=True)["text"]


def test_without_a_network(run_daemon: RunDaemon) -> None:
    with run_daemon("wss://realtime.invalid/v1/realtime") as daemon:
        daemon.wait_for_status(lambda status: status["link"]["last_error"], 10, "reason why there is no link")
        assert daemon.status()["link"]["state"] in ("waiting", "connecting", "down")
        assert_it_says_why(daemon, "realtime.invalid")


def test_with_a_port_that_refuses(run_daemon: RunDaemon) -> None:
    port = free_port()
    with run_daemon(f"ws://127.0.0.1:{port}/v1/realtime") as daemon:
        daemon.wait_for_status(lambda status: status["link"]["last_error"], 10, "reason why there is no link")
        assert_it_says_why(daemon, f"127.0.0.1:{port}", "base_url")
        assert daemon.status()["link"]["retry_in_s"] is not None or daemon.status()["link"]["state"] == "connecting"


def test_a_service_that_comes_up_later_is_found(run_daemon: RunDaemon) -> None:
    port = free_port()
    later = Rehearsal(script(reply("assistant_idle")), port=port)
    with run_daemon(f"ws://127.0.0.1:{port}/v1/realtime") as daemon:
        daemon.wait_for_status(lambda status: status["link"]["last_error"], 10, "reason why there is no link")
        with later:
            daemon.wait_for_status(lambda status: status["link"]["state"] == "ready", 40, "ready link")
            assert daemon.status()["reason"] == ""


def test_with_a_wrong_key(server: Rehearsal, run_daemon: RunDaemon) -> None:
    with run_daemon(server.url, env={"OPENAI_API_KEY": WRONG_KEY}) as daemon:
        daemon.wait_for_status(lambda status: status["link"]["state"] == "refused", 10, "refused link")
        shown = assert_it_says_why(daemon, "key")
        assert WRONG_KEY not in shown
        assert WRONG_KEY not in daemon.log()
        assert KEY not in daemon.log()


def test_with_no_key_at_all(server: Rehearsal, run_daemon: RunDaemon) -> None:
    with run_daemon(server.url, env={"OPENAI_API_KEY": ""}) as daemon:
        daemon.wait_for_status(lambda status: status["link"]["last_error"], 10, "reason why there is no link")
        assert_it_says_why(daemon, "OPENAI_API_KEY")


def test_a_client_without_a_daemon_says_so_with_its_own_exit_code(run_daemon: RunDaemon, home: Home) -> None:
    daemon = run_daemon("ws://127.0.0.1:9/v1/realtime", home=home)
    done = daemon.ctl("status")
    assert done.returncode == 69
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
