import pytest

from voicebotd.config.environment import parse_dotenv, read_environment
from voicebotd.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("export A=1", "1"),
        ("  A = 1  ", "1"),
        ("A=", ""),
        ("A=a b # words", "a b"),
        ("A=a#b", "a#b"),
        ("A='x # y'", "x # y"),
        ("A='x' # words", "x"),
        ('A="x\\n\\"y\\" \\\\"', 'x\n"y" \\'),
        ("A=sk-abc=", "sk-abc="),
    ],
)
def test_a_line_gives_its_value(line, value):
    assert parse_dotenv(line, ".env") == ({"A": value}, [])


def test_blank_lines_and_comments_say_nothing():
    assert parse_dotenv("\n# A=1\n\n", ".env") == ({}, [])


@pytest.mark.parametrize("line", ["secret", "1A=x", "A='x", "A='x' y", "=x"])
def test_a_line_that_is_no_assignment_is_reported_by_number_and_not_quoted(line):
    values, problems = parse_dotenv(f"B=1\n{line}\n", ".env")
    assert values == {"B": "1"}
    assert [str(problem) for problem in problems] == [".env: line 2 is not NAME=value"]


def test_the_real_environment_wins_over_the_file(tmp_path):
    (tmp_path / ".env").write_text("LOG_LEVEL=DEBUG\nAUDIO_INPUT_DEVICE=3\n")
    environment = read_environment({"LOG_LEVEL": "ERROR"}, tmp_path)
    assert environment.values == {"LOG_LEVEL": "ERROR", "AUDIO_INPUT_DEVICE": "3"}
    assert environment.sources == {
        "LOG_LEVEL": "environment LOG_LEVEL",
        "AUDIO_INPUT_DEVICE": f"{tmp_path}/.env AUDIO_INPUT_DEVICE",
    }


def test_without_a_file_there_is_only_the_real_environment(tmp_path):
    assert read_environment({"A": "1"}, tmp_path).values == {"A": "1"}


def test_a_file_with_a_bad_line_is_refused(tmp_path):
    (tmp_path / ".env").write_text("A=1\nwhat\n")
    with pytest.raises(ConfigError, match="line 2 is not NAME=value"):
        read_environment({}, tmp_path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_environment({}, tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / ".env").write_bytes(b"A=\xff")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        read_environment({}, tmp_path)
