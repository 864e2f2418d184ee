"""Arguments in, exit code out, and never more than one line where one is promised."""

import asyncio
import json
import os
import signal
import sqlite3
import threading
from importlib.metadata import version

import pytest
import structlog

from voicebotd.cli import Exit, entry, main
from voicebotd.control.contract_results import FileDocument, FileTimings, TokenUsage, Turn
from voicebotd.control.listener import open_control_socket
from voicebotd.errors import RealtimeError

KEY = "c0mpany-Key~42"
pytestmark = pytest.mark.usefixtures("at_home", "own_logging")


def turn(number, role, text, **more):
    return Turn(item_id=f"i{number}", number=number, role=role, text=text, heard_text=text, **more)


def document(*turns):
    return FileDocument(
        conversation_id="c",
        turns=list(turns),
        tool_calls=[],
        usage=TokenUsage(),
        timings=FileTimings(input_ms=1, output_ms=2, elapsed_s=3.0),
    )


@pytest.fixture(autouse=True)
def own_signals():
    """Give the test runner its signals back."""
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def holding(monkeypatch):
    """Put something in the place of the conversation with a file."""
    return lambda hold: monkeypatch.setattr("voicebotd.file_conversation.hold", hold)


@pytest.fixture
def run(capsys):
    """Run; return exit code, what it printed and what it said on stderr."""

    def run(*argv):
        code = main(list(map(str, argv)))
        return (code, *capsys.readouterr())

    return run


def lines(text):
    return text.splitlines()


# Arguments.


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"voicebotd {version('voicebotd')}\n"


@pytest.mark.parametrize("argv", [["--loud"], ["--json"], ["--output", "o.wav"], ["--config"], ["file.wav"]])
def test_wrong_arguments_are_a_mistake_of_usage(capsys, argv):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == Exit.USAGE == 2
    assert "usage:" in capsys.readouterr().err


# The configuration.


def test_all_that_is_wrong_with_the_configuration_is_listed(run, at_home):
    at_home.config_file.write_text("turn_detection: {threshold: 7}\nsesion: {voice: marin}\n")
    code, out, err = run("--set", "log.level=loud", "--set", "nonsense=1")
    assert (code, out) == (Exit.CONFIG, "")
    assert Exit.CONFIG == 78
    assert all(line.startswith("voicebotd: ") for line in lines(err))
    for word in ("turn_detection.threshold: 7", "session", "log.level", "nonsense", str(at_home.config_file)):
        assert word in err


def test_a_set_without_a_value_is_usage(run, capsys):
    with pytest.raises(SystemExit) as stopped:
        run("--set", "nonsense")
    assert stopped.value.code == Exit.USAGE


def test_check_names_a_missing_key_beside_a_bad_configuration(run):
    code, _, err = run("--check", "--set", "turn_detection.threshold=7")
    assert code == Exit.CONFIG
    assert "turn_detection.threshold" in err
    assert "API key" in err


def test_a_configuration_file_that_is_named_must_exist(run, tmp_path):
    code, _, err = run("--config", tmp_path / "none.yaml", "--check")
    assert code == Exit.CONFIG
    assert "none.yaml: no such file" in err


def test_check_finds_nothing(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    code, out, err = run("--check")
    assert (code, err) == (Exit.OK, "")
    assert out == "the configuration is good\n"


def test_check_lists_everything_and_begins_nothing(run, at_home):
    code, out, err = run("--check", "--set", "service.base_url=ws://example.com/v1")
    assert (code, out) == (Exit.CONFIG, "")
    assert len(lines(err)) == 2
    assert "service.base_url" in err
    assert "API key" in err
    assert list(at_home.runtime.iterdir()) == []


def test_a_rehearsal_needs_no_key(run):
    assert run("--check", "--rehearse")[0] == Exit.OK


def test_faults_are_listed_and_read_before_anything_begins(run, capsys):
    with pytest.raises(SystemExit) as ended:
        run("--fault", "list")
    assert ended.value.code == Exit.OK
    assert "half-open" in capsys.readouterr().out
    for words, complaint in (
        (("--rehearse", "--fault", "rts"), "did you mean rst?"),
        (("--fault", "rst"), "--fault is for --rehearse"),
    ):
        with pytest.raises(SystemExit) as ended:
            run(*words)
        assert ended.value.code == Exit.USAGE == 2
        assert complaint in capsys.readouterr().err


def test_a_database_of_a_later_version_is_a_matter_of_configuration(run, at_home):
    with sqlite3.connect(at_home.database) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    code, _, err = run("--rehearse", "--set", "conversation.autostart=false")
    assert code == Exit.CONFIG
    assert [line for line in lines(err) if line.startswith("voicebotd: history.path")]
    assert not at_home.socket.exists()


def test_a_second_daemon_on_the_same_socket_fails_and_leaves_the_first_alone(run, at_home):
    first = open_control_socket(at_home.socket, environ={})
    try:
        code, _, err = run("--rehearse")
        assert at_home.socket.is_socket()
    finally:
        first.close()
    assert code == Exit.FAILURE == 1
    assert [line for line in lines(err) if line.startswith("voicebotd: already running")]


def test_the_daemon_gets_the_arguments_now_and_at_each_reload(run, monkeypatch, at_home):
    seen = []

    class Daemon:
        def __init__(self, loaded, *, load_again):
            seen.extend([loaded, load_again()])

        async def run(self):
            pass

    monkeypatch.setattr("voicebotd.daemon.Daemon", Daemon)
    words = ("--rehearse", "--fault", "rst", "--set", "session.voice=cedar", "--socket", "other.sock")
    assert run(*words)[0] == Exit.OK
    for loaded in seen:
        assert loaded.settings.service.provider == "rehearsal"
        assert loaded.settings.session.voice == "cedar"
        assert loaded.settings.control.socket == str(at_home.cwd / "other.sock")
    first, again = (loaded.settings.service.base_url for loaded in seen)
    assert first == again
    assert first.startswith("ws://127.0.0.1:")


# A file.


@pytest.mark.parametrize("options", [(), ("--rehearse",), ("--rehearse", "--json")])
@pytest.mark.parametrize("kind", ["missing", "empty", "not audio", "a directory", "nameless"])
def test_a_file_that_is_no_audio_is_one_line(run, tmp_path, kind, options):
    path = "" if kind == "nameless" else tmp_path / "visitor.wav"
    if kind == "empty":
        path.touch()
    elif kind == "not audio":
        path.write_text("Dear diary\n" * 100)
    elif kind == "a directory":
        path.mkdir()
    code, out, err = run("--audio-file", path, *options)
    assert (code, out) == (Exit.USAGE, "")
    [line] = lines(err)
    assert str(path) in line


def test_an_output_that_cannot_be_written_is_one_line(run, visitor):
    code, out, err = run("--audio-file", visitor, "--output", "/nowhere/out.wav")
    assert (code, out) == (Exit.USAGE, "")
    [line] = lines(err)
    assert "/nowhere/out.wav" in line


def test_with_json_the_conversation_is_one_document(run, visitor, holding):
    asked = []

    async def hold(config, source, **options):
        asked.append((config.settings.service.base_url, source, options))
        return document(turn(1, "user", "Grüß Gott!"))

    holding(hold)
    code, out, err = run("--rehearse", "--audio-file", visitor, "--json", "--output", "heard.wav")
    assert code == Exit.OK, err
    [line] = lines(out)
    told = json.loads(line)
    assert told["turns"][0]["text"] == "Grüß Gott!"
    assert set(told) == {"conversation_id", "turns", "tool_calls", "usage", "timings", "end_reason", "unpriced"}
    [(url, source, options)] = asked
    assert url.startswith("ws://127.0.0.1:"), "the built-in server's"
    functions = options.pop("toolbox").catalogue.offered
    assert "schedule_appointment" in [function.name for function in functions]
    assert (source, options) == (str(visitor), {"output_path": "heard.wav"})


def test_otherwise_it_is_a_transcript_of_what_was_heard(run, visitor, holding):
    async def hold(*_, **__):
        return document(
            turn(1, "user", "Grüß Gott!"),
            turn(2, "assistant", "Good", interrupted=True),
            turn(3, "user", ""),
        )

    holding(hold)
    code, out, _ = run("--audio-file", visitor)
    assert code == Exit.OK
    assert lines(out) == ["user: Grüß Gott!", "assistant: Good [interrupted]", "user: (no transcript)"]


def test_where_nobody_spoke_it_says_so(run, visitor, holding):
    async def hold(*_, **__):
        return document()

    holding(hold)
    assert run("--audio-file", visitor)[1] == "nobody said anything\n"


def test_a_link_that_is_lost_is_a_failure_with_its_remedy(run, visitor, holding):
    async def hold(*_, **__):
        raise RealtimeError("no network", hint="plug in the cable")

    holding(hold)
    code, out, err = run("--audio-file", visitor, "--json")
    assert (code, out) == (Exit.FAILURE, "")
    assert lines(err) == ["voicebotd: no network (plug in the cable)"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_breaks_the_conversation_off_and_lets_it_end(run, visitor, holding, number):
    ended = []

    async def hold(*_, **__):
        os.kill(os.getpid(), number)
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        except asyncio.CancelledError:
            ended.append("well")
            raise

    holding(hold)
    code, out, err = run("--audio-file", visitor)
    assert (code, out, ended) == (Exit.FAILURE, "", ["well"])
    assert lines(err) == ["voicebotd: interrupted"]


# The process.


def test_the_program_leaves_with_the_exit_code_and_what_it_printed(capsys, monkeypatch):
    left = []
    monkeypatch.setattr("os._exit", lambda code: left.append((code, *capsys.readouterr())))
    monkeypatch.setattr("sys.argv", ["voicebotd", "--check", "--rehearse"])
    entry()
    assert left == [(Exit.OK, "the configuration is good\n", "")]


@pytest.mark.parametrize("mode", ["daemon", "file"])
def test_a_thread_that_hangs_is_not_waited_for(run, monkeypatch, visitor, holding, mode):
    hanging, hung = threading.Event(), []

    async def hang(*_, **__):
        asyncio.get_running_loop().run_in_executor(None, lambda: hung.append(hanging.wait(10)))
        return document()

    class Daemon:
        def __init__(self, *_, **__):
            self.run = hang

    monkeypatch.setattr("voicebotd.daemon.Daemon", Daemon)
    holding(hang)
    assert run(*([] if mode == "daemon" else ["--audio-file", visitor]))[0] == Exit.OK
    assert hung == [], "it hangs still"
    hanging.set()


# Whatever nobody expected.


def test_a_bug_is_logged_with_the_key_masked(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def problems(*_):
        raise RuntimeError(f"no header for {KEY}")

    monkeypatch.setattr("voicebotd.check.problems", problems)
    code, out, err = run("--check")
    assert (code, out) == (Exit.FAILURE, "")
    assert "Traceback" in err
    assert "RuntimeError: no header for ***" in err
    assert KEY not in err


def test_a_bug_in_a_task_is_logged_as_well(run, visitor, holding):
    async def hold(*_, **__):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(int, "x"))

    holding(hold)
    code, _, err = run("--audio-file", visitor)
    assert code == Exit.FAILURE
    assert "ValueError" in err


def test_a_key_that_cannot_be_used_does_not_keep_the_box_down(run, monkeypatch, visitor, holding):
    async def hold(*_, **__):
        return document()

    holding(hold)
    monkeypatch.setenv("OPENAI_API_KEY", "two words")
    code, _, err = run("--audio-file", visitor)
    assert (code, err) == (Exit.OK, "")


def test_the_log_is_as_configured(run, visitor, holding):
    async def hold(*_, **__):
        structlog.get_logger("x").debug("a detail", n=1)
        return document()

    holding(hold)
    assert run("--audio-file", visitor)[2] == ""
    err = run("--audio-file", visitor, "--set", "log.level=debug", "--set", "log.format=json")[2]
    assert "a detail" in [json.loads(line)["event"] for line in lines(err)]
