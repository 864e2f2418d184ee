import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("value", "sent"),
    [("0.7", 0.7), ("null", None), ("marin", "marin"), ("[1, 2]", [1, 2]), ("a=b", "a=b"), ('"7"', "7")],
)
def test_a_value_is_json_or_else_text(value, sent, ctl, daemon):
    ctl("config", "set", f"some.key={value}")
    assert daemon.sent() == [("config.set", {"values": {"some.key": sent}})]


def test_what_changed_is_told_with_when_it_holds(ctl, daemon):
    daemon.answers["config.set"]["values"]["service.model"]["applied"] = "restart"
    lines = ctl("config", "set", "a.b=1").out.splitlines()
    assert lines[0].split("  ")[-1] == "applies: now"
    assert lines[1].endswith("applies: after a restart of the daemon")


def test_an_empty_section_prints_nothing(ctl, daemon):
    daemon.answers["config.get"] = {"values": {}}
    assert ctl("config", "get", "tools").out == ""


def test_several_problems_are_shown_as_the_daemon_lists_them(ctl, daemon):
    message = "a.b: 7 is not 0..1\nc.d: unknown key"
    daemon.answers["config.set"] = daemon.Fault(1008, "config.invalid", message)
    outcome = ctl("config", "set", "a.b=7", "c.d=1")
    assert (outcome.code, outcome.err) == (1, f"voicebotctl: {message}\n")


def test_only_an_administrator_may(ctl, daemon):
    daemon.answers["config.set"] = daemon.Fault(-32003, "rpc.permission", "only root may")
    assert ctl("config", "set", "a.b=1").code == 77


@pytest.fixture
def install(tmp_path):
    """Install a voicebotctl beside a voicebotd that says and exits what it is given; return how to run it."""
    program = tmp_path / "voicebotctl"
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom voicebotctl.cli import main\nsys.exit(main())\n")
    program.chmod(0o755)

    def run(script, *arguments):
        if script:
            daemon = tmp_path / "voicebotd"
            daemon.write_text(f"#!/bin/sh\n{script}\n")
            daemon.chmod(0o755)
        environment = {**os.environ, "PATH": "/nowhere"}
        return subprocess.run(
            [program, "config", "check", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_check_becomes_the_daemons_own_check(install):
    done = install('echo "$@"; echo a.b: wrong >&2; exit 78')
    assert (done.returncode, done.stdout, done.stderr) == (78, "--check\n", "a.b: wrong\n")


def test_check_in_json_is_one_document(install):
    done = install("echo a.b: wrong >&2; echo; echo c.d: wrong >&2; exit 78", "--json")
    assert json.loads(done.stdout) == {"ok": False, "exit_code": 78, "messages": ["a.b: wrong", "c.d: wrong"]}
    assert (done.returncode, done.stderr) == (78, "")


def test_check_that_finds_nothing_wrong_is_ok(install):
    done = install("exit 0", "--json")
    assert json.loads(done.stdout) == {"ok": True, "exit_code": 0, "messages": []}


def test_check_without_a_daemon_installed_is_a_mistake(install):
    done = install("")
    assert done.returncode == 2
    assert done.stderr == "voicebotctl: config check: there is no `voicebotd` to ask\n"


def test_the_installed_client_finds_the_installed_daemon_beside_itself():
    assert Path(sys.executable).with_name("voicebotctl").exists()
    assert Path(sys.executable).with_name("voicebotd").exists()


def test_a_reload_tells_of_functions_that_are_new_and_of_sources_that_are_broken(ctl, daemon):
    daemon.answers["config.reload"]["functions"] = ["opening_hours", "price"]
    daemon.answers["config.reload"]["broken"] = ["/etc/voicebotd/tools/bad.py: line 3: invalid syntax"]
    assert ctl("config", "reload").out.splitlines() == [
        "the model may call now: opening_hours, price",
        "broken: /etc/voicebotd/tools/bad.py: line 3: invalid syntax",
    ]
    daemon.answers["config.reload"]["functions"] = []
    assert "the model may call now: nothing" in ctl("config", "reload").out
