"""The units are what systemd accepts, and keep the service in its box. Needs systemd-analyze, no running systemd."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
SYSTEM = UNITS / "voicebotd.service"
USER = UNITS / "user" / "voicebotd.service"

needs_systemd_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


class Unit(configparser.RawConfigParser):
    """A unit file whose options may come more than once; later ones are joined with a blank, as systemd's lists are."""

    def __init__(self, path):
        class Joined(dict):
            def __setitem__(self, key, value):
                if key in self and isinstance(value, list):
                    value = [" ".join([*self[key], *value])]
                super().__setitem__(key, value)

        super().__init__(dict_type=Joined, strict=False, interpolation=None)
        self.optionxform = str
        self.read_string(path.read_text(encoding="utf-8"))


def analyze(*arguments, **environment):
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)],
        env={**os.environ, "SYSTEMD_COLORS": "0", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def installed(unit, directory):
    """A copy that starts the program of this environment: `verify` insists that the command exists."""
    program = Path(sys.executable).with_name("voicebotd")
    text = unit.read_text(encoding="utf-8")
    assert text.count("\nExecStart=voicebotd\n") == 1
    copy = directory / unit.name
    copy.write_text(text.replace("\nExecStart=voicebotd\n", f"\nExecStart={program}\n"), encoding="utf-8")
    return copy


@needs_systemd_analyze
@pytest.mark.parametrize(("unit", "option"), [(SYSTEM, "--system"), (USER, "--user")])
def test_systemd_finds_nothing_to_say_about_the_unit(unit, option, tmp_path):
    done = analyze("verify", option, installed(unit, tmp_path), XDG_RUNTIME_DIR=str(tmp_path))
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


@needs_systemd_analyze
def test_verify_would_notice_a_mistake(tmp_path):
    copy = installed(SYSTEM, tmp_path)
    copy.write_text(copy.read_text().replace("ProtectSystem=strict", "ProtectSystem=very"))
    assert "protect system" in analyze("verify", "--system", copy).stderr


@needs_systemd_analyze
def test_the_system_service_is_exposed_to_at_most_two_of_ten(capsys):
    done = analyze("security", "--offline=true", "--threshold=20", "--no-pager", SYSTEM)
    with capsys.disabled():
        print("\n" + done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", [SYSTEM, USER])
def test_the_unit_waits_for_ready_and_does_not_repeat_a_broken_configuration(path):
    service = Unit(path)["Service"]
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "main"
    assert service["RestartPreventExitStatus"] == "78"
    assert service["StateDirectoryMode"] == "0700"


@pytest.mark.parametrize("path", [SYSTEM, USER])
def test_the_key_comes_as_a_credential_and_its_absence_does_not_prevent_the_start(path):
    service = Unit(path)["Service"]
    assert service["LoadCredential"].startswith("openai-api-key:")
    assert service["SetCredential"] == r"openai-api-key:\x20"


@pytest.mark.parametrize("path", [SYSTEM, USER])
def test_sound_and_the_audio_process_work_inside_the_sandbox(path):
    service = Unit(path)["Service"]
    # Callbacks from PortAudio into Python need memory that is written and then executed.
    assert "MemoryDenyWriteExecute" not in service
    assert service["SystemCallFilter"].split() == ["@system-service", "~@privileged", "@resources"]
    assert {"AF_UNIX", "AF_INET", "AF_INET6"} == set(service["RestrictAddressFamilies"].split())


def test_the_system_service_reaches_sound_cards_and_its_group_reaches_the_socket():
    service = Unit(SYSTEM)["Service"]
    assert service["DeviceAllow"] == "char-alsa rw"
    assert service["DevicePolicy"] == "closed"
    assert service["SupplementaryGroups"] == "audio"
    assert (service["User"], service["Group"]) == ("voicebotd", "voicebot")
    assert (service["RuntimeDirectory"], service["RuntimeDirectoryMode"]) == ("voicebotd", "0750")


@needs_systemd_analyze
def test_a_child_process_is_among_the_allowed_system_calls():
    listed = analyze("syscall-filter", "@system-service", "@process", "@default").stdout
    allowed = {line.strip() for line in listed.splitlines()}
    assert "@process" in allowed
    assert {"clone", "clone3", "execve", "vfork", "wait4", "pidfd_open"} <= allowed
