from pathlib import Path

import pytest

from voicebotd.config.model import Settings
from voicebotd.config.paths import (
    SHIPPED,
    built_in_instructions,
    database_path,
    find_paths,
    instructions_file,
    socket_path,
)


def test_the_system_service_has_the_systems_places():
    paths = find_paths({}, 0)
    assert paths.config_file == Path("/etc/voicebotd/voicebotd.yaml")
    assert paths.overrides_file == Path("/var/lib/voicebotd/overrides.yaml")
    assert socket_path(Settings(), paths) == Path("/run/voicebotd/control.sock")
    assert database_path(Settings(), paths) == Path("/var/lib/voicebotd/voicebotd.db")
    assert not paths.user_service
    assert not paths.config_given


def test_the_user_service_has_the_users_places():
    paths = find_paths({"HOME": "/home/u"}, 1000)
    assert paths.config_file == Path("/home/u/.config/voicebotd/voicebotd.yaml")
    assert paths.state_dir == Path("/home/u/.local/state/voicebotd")
    assert paths.runtime_dir == Path("/run/user/1000/voicebotd")
    assert paths.user_service


@pytest.mark.parametrize("uid", [0, 1000])
def test_xdg_variables_win_over_the_usual_places(uid):
    paths = find_paths({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}, uid)
    assert (paths.config_dir, paths.state_dir, paths.runtime_dir) == (
        Path("/c/voicebotd"),
        Path("/s/voicebotd"),
        Path("/r/voicebotd"),
    )
    assert paths.user_service


def test_relative_xdg_variables_are_ignored():
    assert find_paths({"XDG_STATE_HOME": "here"}, 0).state_dir == Path("/var/lib/voicebotd")


def test_systemds_directories_win_and_the_first_of_a_list_counts():
    environ = {
        "XDG_STATE_HOME": "/s",
        "STATE_DIRECTORY": "/var/lib/a:/var/lib/b",
        "RUNTIME_DIRECTORY": "/run/a",
        "CONFIGURATION_DIRECTORY": "/etc/a:/etc/b",
    }
    paths = find_paths(environ, 990)
    assert (paths.state_dir, paths.runtime_dir, paths.config_dir) == (
        Path("/var/lib/a"),
        Path("/run/a"),
        Path("/etc/a"),
    )
    assert not paths.user_service


def test_a_user_service_under_systemd_is_known_by_its_runtime_directory():
    environ = {"XDG_RUNTIME_DIR": "/run/user/1000", "RUNTIME_DIRECTORY": "/run/user/1000/voicebotd"}
    assert find_paths(environ, 1000).user_service


def test_a_named_configuration_file_brings_its_neighbours(tmp_path):
    (tmp_path / "conf.d").mkdir()
    for name in ("20-b.yaml", "10-a.yaml", "30-c.yaml.bak"):
        (tmp_path / "conf.d" / name).touch()
    paths = find_paths({}, 0, tmp_path / "my.yaml")
    assert paths.config_given
    assert [path.name for path in paths.conf_d()] == ["10-a.yaml", "20-b.yaml"]


def test_no_fragments_where_there_is_no_directory(tmp_path):
    assert find_paths({}, 0, tmp_path / "my.yaml").conf_d() == []


def test_the_boxs_own_profile_comes_before_the_shipped_one(tmp_path):
    paths = find_paths({}, 0, tmp_path / "my.yaml")
    assert paths.find_profile("noisy") == SHIPPED / "profiles" / "noisy.yaml"
    (tmp_path / "profiles").mkdir()
    for name in ("noisy", "mine"):
        (tmp_path / "profiles" / f"{name}.yaml").touch()
    assert paths.find_profile("noisy") == tmp_path / "profiles" / "noisy.yaml"
    assert paths.find_profile("patient") == SHIPPED / "profiles" / "patient.yaml"
    assert paths.profiles() == ["default", "mine", "noisy", "patient", "responsive"]


@pytest.mark.parametrize("name", ["nowhere", "../voicebotd", "../../etc/passwd", ""])
def test_a_name_that_is_no_profile_is_none(tmp_path, name):
    (tmp_path / "voicebotd.yaml").touch()
    assert find_paths({}, 0, tmp_path / "voicebotd.yaml").find_profile(name) is None


def test_a_path_in_the_settings_wins_over_the_usual_one():
    settings = Settings.model_validate({"control": {"socket": "/tmp/s"}, "history": {"path": "/tmp/d"}})
    paths = find_paths({}, 0)
    assert socket_path(settings, paths) == Path("/tmp/s")
    assert database_path(settings, paths) == Path("/tmp/d")


def test_the_built_in_instructions_are_there():
    assert built_in_instructions() == ["appointment_scheduler"]
    assert instructions_file("appointment_scheduler").is_file()
