import copy
import pickle

import pytest

from voicebotd.config.credentials import MASK, Secret, find_api_key, redact
from voicebotd.errors import ConfigError

KEY = "sk-test-0123456789"


def key_file(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def refusal(environ, cwd):
    with pytest.raises(ConfigError) as caught:
        find_api_key(environ, cwd)
    return str(caught.value)


def test_a_secret_does_not_show_itself():
    secret = Secret(KEY)
    assert secret.reveal() == KEY
    assert KEY not in f"{secret} {secret!r} {[secret]}"
    assert str(secret) == MASK
    assert not hasattr(secret, "__dict__")


def test_secrets_compare_by_their_text():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


@pytest.mark.parametrize("write", [pickle.dumps, copy.copy])
def test_a_secret_is_not_written_anywhere(write):
    with pytest.raises(TypeError):
        write(Secret(KEY))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("'authorization': 'bearer abc'", "'authorization': 'bearer ***'"),
        ("key sk-proj-abcdef_12", "key ***"),
        ("ek_abcdef123 and xai-abcdef123", "*** and ***"),
        ("OPENAI_sk-abcdef", "OPENAI_***"),
        (r"'line\nsk-abcdef'", r"'line\n***'"),
        ("\x1b[35msk-abcdef\x1b[0m", "\x1b[35m***\x1b[0m"),
        ("task-management, desk-based", "task-management, desk-based"),
        ("sk-1", "sk-1"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, shown):
    assert redact(text) == shown


def test_no_key_anywhere_is_no_key(tmp_path):
    assert find_api_key({}, tmp_path) is None


def test_the_first_place_that_has_a_key_wins(tmp_path):
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-dotenv\n")
    environ = {}
    assert str(find_api_key(environ, tmp_path).source) == f"{tmp_path}/.env OPENAI_API_KEY"
    environ["OPENAI_API_KEY"] = "from-environment"
    assert find_api_key(environ, tmp_path).secret.reveal() == "from-environment"
    environ["OPENAI_API_KEY_FILE"] = key_file(tmp_path / "file", "from-file\n")
    found = find_api_key(environ, tmp_path)
    assert (found.secret.reveal(), found.source) == ("from-file", f"file {tmp_path}/file")
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    key_file(tmp_path / "openai-api-key", "from-systemd\n", 0o440)
    found = find_api_key(environ, tmp_path)
    assert (found.secret.reveal(), found.source) == ("from-systemd", "systemd credential openai-api-key")


@pytest.mark.parametrize("content", [None, " ", "\n"])
def test_an_absent_or_blank_credential_leaves_it_to_the_next_place(tmp_path, content):
    if content is not None:
        key_file(tmp_path / "openai-api-key", content)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "OPENAI_API_KEY": KEY}
    assert find_api_key(environ, tmp_path).source == "environment OPENAI_API_KEY"


def test_a_blank_file_leaves_it_to_the_next_place(tmp_path):
    environ = {"OPENAI_API_KEY_FILE": key_file(tmp_path / "k", "\n"), "OPENAI_API_KEY": KEY}
    assert find_api_key(environ, tmp_path).secret.reveal() == KEY


def test_the_file_named_in_dotenv_is_looked_for_beside_it(tmp_path):
    key_file(tmp_path / "k", KEY)
    (tmp_path / ".env").write_text("OPENAI_API_KEY_FILE=k\n")
    assert find_api_key({}, tmp_path).secret.reveal() == KEY


def test_dotenv_cannot_play_the_service_manager(tmp_path):
    key_file(tmp_path / "openai-api-key", KEY)
    (tmp_path / ".env").write_text(f"CREDENTIALS_DIRECTORY={tmp_path}\n")
    assert find_api_key({}, tmp_path) is None


def test_a_file_that_everybody_can_read_is_refused(tmp_path):
    message = refusal({"OPENAI_API_KEY_FILE": key_file(tmp_path / "k", KEY, 0o644)}, tmp_path)
    assert message == (f"API key: every user of this machine can read it (file {tmp_path}/k); chmod 600 {tmp_path}/k")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "no such file" in refusal({"OPENAI_API_KEY_FILE": "/nowhere"}, tmp_path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    assert "Is a directory" in refusal({"OPENAI_API_KEY_FILE": str(tmp_path)}, tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00secret", b"two words", b"line\nbreak", b'quo"ted'])
def test_what_can_be_no_key_is_refused_and_not_quoted(tmp_path, content):
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        find_api_key({"OPENAI_API_KEY_FILE": str(path)}, tmp_path)
    error = caught.value
    assert not any(word in str(error) for word in ("secret", "two words", "break", "quo"))
    assert error.__suppress_context__ or error.__context__ is None
