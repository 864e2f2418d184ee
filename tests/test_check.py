"""What --check finds beyond the configuration's own rules: all of it, and nothing is changed."""

import pytest

from voicebotd.check import problems

KEY = {"OPENAI_API_KEY": "c0mpany-Key~42"}


@pytest.fixture
def found(directories):
    """The problems of a configuration, as text."""

    def find(*set_words, **environ):
        return [str(problem) for problem in problems(directories.load(*set_words), environ, directories.cwd)]

    return find


def test_with_a_key_the_defaults_are_good(found):
    assert found(**KEY) == []


def test_without_a_key_it_says_where_one_is_put(found):
    [problem] = found()
    assert "API key" in problem
    assert "OPENAI_API_KEY_FILE" in problem


@pytest.mark.parametrize("provider", ["compatible", "rehearsal"])
def test_a_key_is_not_missed_where_none_is_needed(found, provider):
    assert found(f"service.provider={provider}", "service.base_url=ws://127.0.0.1:9/v1") == []


@pytest.mark.parametrize(
    ("provider", "base_url"),
    [
        ("azure", "wss://desk.openai.azure.com/openai/v1/realtime"),
        ("compatible", "wss://api.x.ai/v1/realtime"),
        ("azure", "wss://desk.openai.azure.com/openai/realtime"),
    ],
)
def test_a_key_is_missed_wherever_one_is_needed(found, provider, base_url):
    told = found(f"service.provider={provider}", f"service.base_url={base_url}")
    assert told[-1].startswith("API key")


def test_turns_that_nobody_but_the_server_can_end_are_told(found):
    words = ["service.provider=compatible", "service.base_url=ws://127.0.0.1:8765/v1", "turn_detection.type=local"]
    [problem] = found(*words, "service.server=speech-to-speech")
    assert problem.startswith("turn_detection.type: local does not work with speech-to-speech")
    assert found(*words, "service.server=localai") == []


def test_a_key_that_cannot_be_used_is_told_without_its_text(found):
    [problem] = found(OPENAI_API_KEY="two words")
    assert "API key" in problem
    assert "two words" not in problem


def test_an_address_in_the_clear_is_told(found):
    [problem] = found("service.base_url=ws://example.com/v1", **KEY)
    assert problem.startswith("service.base_url")


def test_the_rehearsal_needs_no_address(found):
    assert found("service.provider=rehearsal") == []


def test_an_echo_canceller_that_is_wanted_and_not_installed_is_told_with_the_remedy(found, monkeypatch):
    monkeypatch.setattr("voicebotd.check.aec_installed", lambda: False)
    [problem] = found("audio.echo_control=aec", **KEY)
    assert problem.startswith("audio.echo_control: ")
    assert "pip install 'voicebotd[aec]'" in problem
    assert found(**KEY) == [], "auto does without"
    monkeypatch.setattr("voicebotd.check.aec_installed", lambda: True)
    assert found("audio.echo_control=aec", **KEY) == []


def test_directories_that_are_missing_and_can_be_made_are_no_problem_and_are_not_made(found, directories):
    state = directories.state / "a" / "b"
    assert found(f"history.path={state}/voicebotd.db", **KEY) == []
    assert not state.exists()


def test_a_file_where_a_directory_should_be_is_told(found, directories):
    file = directories.state / "file"
    file.touch()
    told = found(f"history.path={file}/voicebotd.db", f"control.socket={file}/s", **KEY)
    assert len(told) == 2
    assert any(problem.startswith("history.path") and str(file) in problem for problem in told)
    assert any(problem.startswith("control.socket") for problem in told)


def test_a_directory_that_cannot_be_written_to_is_told(found, monkeypatch):
    monkeypatch.setattr("os.access", lambda _path, _mode: False)  # root may write everywhere
    assert {problem.partition(":")[0] for problem in found(**KEY)} == {"history.path", "control.socket"}


def test_where_no_history_is_kept_its_directory_matters_all_the_same_for_what_was_spent(found, directories):
    file = directories.state / "file"
    file.touch()
    [told] = found("history.enabled=false", f"history.path={file}/voicebotd.db", **KEY)
    assert told.startswith("history.path")


def test_all_problems_are_told_in_one_run(found, directories):
    file = directories.state / "file"
    file.touch()
    told = found("service.base_url=ws://example.com/v1", f"history.path={file}/db")
    assert [problem.partition(":")[0] for problem in told] == ["service.base_url", "API key", "history.path"]
