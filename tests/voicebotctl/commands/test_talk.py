import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("voicebotctl")
DEADLINE_S = 20.0


@pytest.fixture
def talk(daemon):
    """Start `voicebotctl talk` and return it once the daemon knows that the key is down."""
    running = []

    def start(*arguments, stdin=subprocess.PIPE):
        process = subprocess.Popen(
            [PROGRAM, "--socket", daemon.path, "talk", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        daemon.await_request("talk.begin")
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ended(process, typed=None):
    out, err = process.communicate(typed, timeout=DEADLINE_S)
    return process.returncode, out, err


def methods(daemon):
    return [method for method, _ in daemon.sent()]


@pytest.mark.parametrize("typed", ["\n", ""], ids=["Enter", "end of input"])
def test_the_key_is_down_until_enter_or_the_end_of_input(typed, talk, daemon):
    process = talk()
    assert methods(daemon) == ["talk.begin"]
    assert ended(process, typed) == (0, "", "")
    assert methods(daemon) == ["talk.begin", "talk.end"]


def test_ctrl_c_lets_go_and_is_no_failure(talk, daemon):
    master, slave = pty.openpty()
    try:
        process = talk(stdin=slave)
        # What is written after talk.begin was answered: from here on Ctrl-C means "let go".
        assert process.stderr.readline() == "talking; Enter lets go\n"
        process.send_signal(signal.SIGINT)
        assert ended(process) == (0, "", "")
    finally:
        os.close(master)
        os.close(slave)
    assert methods(daemon) == ["talk.begin", "talk.end"]


def test_with_seconds_an_empty_stdin_does_not_cut_it_short(talk, daemon):
    process = talk("--seconds", "30", stdin=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    assert methods(daemon) == ["talk.begin"]


def test_after_seconds_it_lets_go_by_itself(talk, daemon):
    process = talk("--seconds", "0.05", "--json", stdin=subprocess.DEVNULL)
    assert ended(process) == (0, '{"talking": false, "committed": true}\n', "")
    assert methods(daemon) == ["talk.begin", "talk.end"]


def test_when_the_daemon_goes_away_while_talking_it_says_so(talk, daemon):
    daemon.hang_up_after("talk.begin")
    code, out, err = ended(talk())
    assert (code, out) == (69, "")
    assert err.startswith("voicebotctl: the daemon closed the connection")


def test_a_key_that_was_down_too_briefly_is_said_to_have_been(ctl, daemon):
    daemon.answers["talk.end"]["committed"] = False
    assert ctl("talk", "--seconds", "0.001").out == "too short: nothing was taken from it\n"


def test_where_one_may_not_talk_nothing_is_held(ctl, daemon):
    daemon.answers["talk.begin"] = daemon.Fault(1002, "conversation.not_running", "no conversation runs")
    assert ctl("talk", "--seconds", "30").code == 1
    assert methods(daemon) == ["talk.begin"]
