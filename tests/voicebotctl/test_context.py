import io
import json

import pytest

from voicebotctl.context import DEFAULT_TIMEOUT_S, SYSTEM_SOCKET, Context, socket_path
from voicebotctl.errors import DaemonError, ProtocolError, UsageError


def chosen(named=None, *, user=False, system=False, **environ):
    return socket_path(named, user=user, system=system, environ=environ)


@pytest.fixture
def runtime_directory(tmp_path):
    (tmp_path / "voicebotd").mkdir()
    (tmp_path / "voicebotd" / "control.sock").touch()
    return str(tmp_path)


def test_a_named_socket_goes_before_everything(runtime_directory):
    assert chosen("/named", system=True, VOICEBOTD_SOCKET="/env", XDG_RUNTIME_DIR=runtime_directory) == "/named"


def test_a_flag_goes_before_the_environment(runtime_directory):
    environ = {"VOICEBOTD_SOCKET": "/env", "XDG_RUNTIME_DIR": runtime_directory}
    assert chosen(system=True, **environ) == SYSTEM_SOCKET
    assert chosen(user=True, **environ) == f"{runtime_directory}/voicebotd/control.sock"


def test_the_environment_goes_before_what_is_present(runtime_directory):
    assert chosen(VOICEBOTD_SOCKET="/env", XDG_RUNTIME_DIR=runtime_directory) == "/env"


def test_the_users_socket_is_used_when_it_is_present(runtime_directory):
    assert chosen(XDG_RUNTIME_DIR=runtime_directory) == f"{runtime_directory}/voicebotd/control.sock"


@pytest.mark.parametrize("environ", [{}, {"XDG_RUNTIME_DIR": "/nowhere"}, {"VOICEBOTD_SOCKET": ""}])
def test_the_systems_socket_is_the_last_resort(environ):
    assert chosen(**environ) == SYSTEM_SOCKET


def test_user_is_a_mistake_where_there_is_no_runtime_directory():
    with pytest.raises(UsageError, match="XDG_RUNTIME_DIR"):
        chosen(user=True)


def test_user_and_system_exclude_each_other():
    with pytest.raises(UsageError, match="exclude"):
        chosen(user=True, system=True)


def test_a_wait_is_what_timeout_says_or_the_commands_default_which_may_be_none():
    assert Context(io.StringIO()).patience_s() == DEFAULT_TIMEOUT_S
    assert Context(io.StringIO()).patience_s(None) is None
    assert Context(io.StringIO(), timeout_s=0.5).patience_s(None) == 0.5


def test_an_answer_that_cannot_be_read_is_a_protocol_mismatch_for_people_and_itself_in_json():
    with pytest.raises(ProtocolError, match="KeyError: 'missing'"):
        Context(io.StringIO()).show({"other": 1}, lambda document: document["missing"])
    out = io.StringIO()
    Context(out, json_output=True).show({"other": 1}, lambda document: document["missing"])
    assert json.loads(out.getvalue()) == {"other": 1}


def test_an_empty_text_prints_nothing():
    out = io.StringIO()
    Context(out).show({}, lambda _: "")
    assert out.getvalue() == ""


def test_an_error_is_one_line_on_stderr_with_its_hint_and_without_control_characters(capsys):
    out = io.StringIO()
    code = Context(out).fail(DaemonError(1004, "link.unavailable", "no \x1b[31mlink", hint="start it"))
    assert (code, out.getvalue()) == (1, "")
    assert capsys.readouterr().err == "voicebotctl: no [31mlink; start it\n"
