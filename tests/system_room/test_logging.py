import io
import json
import logging
import os
import subprocess
import sys

import pytest
import structlog

from voicebotd.config.credentials import Secret
from voicebotd.system.logging import add_secret, choose_format, get_level, mask, set_level, setup

KEY = "c0mpany-Key~42/x+y=="
SECRETS = (Secret(KEY),)
PROGRAM = """
import structlog
from voicebotd.system.logging import setup
setup(level="info")
structlog.get_logger("x").info("hello")
"""
FORMATS = ["journal", "console", "json"]


@pytest.fixture(autouse=True)
def untouched():
    """Give the test runner its logging back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("websockets").setLevel(logging.NOTSET)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def started(format_, level="info", secrets=SECRETS, stream=None):
    stream = stream or io.StringIO()
    setup(level=level, format=format_, secrets=secrets, stream=stream, environ={})
    return stream, structlog.get_logger("voicebotd.test")


@pytest.mark.parametrize("format_", FORMATS)
def test_where_no_words_are_kept_none_are_logged_either_not_at_debug_and_not_by_an_exception(format_):
    stream = io.StringIO()
    setup(level="debug", format=format_, stream=stream, environ={}, words=False)
    log = structlog.get_logger("voicebotd.test")
    log.debug("event", topic="transcript", data={"text": "my name is Anna"})
    log.debug("received", message='{"transcript": "my name is Anna"}')
    said = "Anna"
    try:
        fail(f"no service for {said}")
    except ValueError:
        log.exception("a function failed", name="book")
    written = stream.getvalue()
    assert "for Anna" not in written
    assert "is Anna" not in written
    assert all(word in written for word in ("transcript", "received", "a function failed", "ValueError", "in fail"))


def fail(message, cause=None):
    raise ValueError(message) from cause


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_journal_line_has_a_priority_and_neither_time_nor_colour():
    stream, log = started("journal", level="debug", stream=Terminal())
    log.debug("a")
    log.info("b", n=1)
    log.warning("c")
    log.error("d")
    log.critical("e")
    assert stream.getvalue().splitlines() == [
        "<7>a [voicebotd.test]",
        "<6>b [voicebotd.test] n=1",
        "<4>c [voicebotd.test]",
        "<3>d [voicebotd.test]",
        "<2>e [voicebotd.test]",
    ]


def test_every_line_of_a_traceback_has_the_priority_in_the_journal():
    stream, log = started("journal")
    try:
        fail("no")
    except ValueError:
        log.exception("oops")
    lines = stream.getvalue().splitlines()
    assert lines[-1] == "<3>ValueError: no"
    assert all(line.startswith("<3>") for line in lines)


def test_a_console_line_has_time_and_level():
    stream, log = started("console")
    log.info("hello", n=1)
    time, level, _, rest = stream.getvalue().split(maxsplit=3)
    assert (len(time), level, rest) == (8, "[info", "hello [voicebotd.test] n=1\n")


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream, log = started("console", stream=Terminal())
    log.info("hello")
    assert "\x1b[" in stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    stream, log = started("console", stream=Terminal())
    log.info("hello")
    assert "\x1b[" not in stream.getvalue()


def test_a_json_line_is_one_document():
    stream, log = started("json")
    log.info("hello", n=1)
    document = json.loads(stream.getvalue())
    assert document.pop("timestamp").endswith("Z")
    assert document == {"event": "hello", "level": "info", "logger": "voicebotd.test", "n": 1}


@pytest.mark.parametrize("format_", FORMATS)
def test_the_standard_librarys_loggers_take_the_same_road(format_):
    stream, _ = started(format_)
    structlog.contextvars.bind_contextvars(conversation_id="c1")
    logging.getLogger("asyncio").warning("slow %s", "task")
    line = stream.getvalue()
    assert "slow task" in line
    assert "asyncio" in line
    assert "c1" in line


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("secret", [KEY, "sk-live-0123456789"])
def test_no_secret_is_in_any_line(format_, secret):
    stream, log = started(format_, level="debug", stream=Terminal())
    log.info(f"event {secret}", key=secret, inside={"headers": [f"Bearer {secret}"]}, raw=secret.encode())
    structlog.contextvars.bind_contextvars(bound=f"x\n{secret}")
    logging.getLogger("websockets.client").info("> Authorization: Bearer %s", secret)
    logging.getLogger("asyncio").error("task %r", secret, exc_info=(OSError, OSError(secret), None))
    log.info("object", value=Secret(secret))
    try:
        fail(secret, cause=KeyError(secret))
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    assert text.count("***") >= 8
    assert secret not in text
    assert secret[:12] not in text


def test_a_traceback_shows_no_variables():
    stream, log = started("console", secrets=())
    hidden = "local-" + "value"
    try:
        fail(str(len(hidden)))
    except ValueError:
        log.exception("failed")
    assert "local-value" not in stream.getvalue()


def test_a_secret_is_masked_in_every_spelling():
    odd = 'a"b\\c'
    secrets = [Secret(odd)]
    for text in (odd, json.dumps(odd), repr(odd)):
        assert mask(text, secrets).strip("\"'") == "***"


def test_a_secret_that_contains_another_leaves_no_rest():
    stream, log = started("journal", secrets=(Secret("abcd"), Secret("abcd-efgh")))
    log.info("x", a="abcd-efgh", b="abcd")
    assert stream.getvalue() == "<6>x [voicebotd.test] a=*** b=***\n"


def test_a_bearer_token_is_masked_even_if_nobody_declared_it():
    stream, log = started("journal", secrets=())
    log.info("x", header="Authorization: Bearer opaque.token")
    assert "opaque" not in stream.getvalue()


def test_the_level_can_be_changed_while_running():
    stream, log = started("journal", level="info")
    log.debug("hidden")
    set_level("debug")
    log.debug("shown")
    set_level("error")
    log.warning("hidden too")
    logging.getLogger("asyncio").warning("hidden too")
    assert stream.getvalue() == "<7>shown [voicebotd.test]\n"
    assert get_level() == "error"


def test_frames_are_never_logged_by_the_websocket_library():
    stream, _ = started("journal", level="debug")
    logging.getLogger("websockets.client").debug("< TEXT audio")
    assert stream.getvalue() == ""
    set_level("error")
    logging.getLogger("websockets.client").info("connection open")
    assert stream.getvalue() == ""


def test_a_second_setup_replaces_the_first():
    first, _ = started("journal")
    second, log = started("journal")
    log.info("x")
    assert first.getvalue() == ""
    assert second.getvalue() == "<6>x [voicebotd.test]\n"


def test_a_line_that_cannot_be_made_is_counted_as_lost_without_its_content():
    stream, _ = started("journal")
    logging.getLogger("some.library").error("%d", KEY)
    assert stream.getvalue() == "a log line of some.library was lost: TypeError\n"


def test_a_closed_stream_does_not_stop_the_daemon():
    stream, log = started("journal")
    stream.close()
    log.info("x")


def test_the_journal_is_known_by_device_and_inode(tmp_path):
    with (tmp_path / "stderr").open("w") as stream:
        status = os.fstat(stream.fileno())
        here = f"{status.st_dev}:{status.st_ino}"
        assert choose_format("auto", here, stream) == "journal"
        assert choose_format("auto", f"{status.st_dev}:{status.st_ino + 1}", stream) == "console"
        assert choose_format("auto", "", stream) == "console"
        assert choose_format("json", here, stream) == "json"


def test_a_stream_without_a_descriptor_is_no_journal():
    assert choose_format("auto", "1:2", io.StringIO()) == "console"


def test_a_process_whose_stderr_is_the_journal_writes_for_the_journal(tmp_path):
    with (tmp_path / "stderr").open("w") as stream:
        status = os.fstat(stream.fileno())
        subprocess.run(
            [
                sys.executable,
                "-c",
                PROGRAM,
            ],
            check=True,
            stderr=stream,
            env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
        )
    assert (tmp_path / "stderr").read_text() == "<6>hello [x]\n"


def test_a_secret_that_is_found_later_is_masked_from_then_on():
    stream, log = started("console")
    later = Secret("an0ther-Key")
    add_secret(later)
    add_secret(later)
    log.info("hello", key=later.reveal(), old=KEY)
    assert later.reveal() not in stream.getvalue()
    assert KEY not in stream.getvalue()


def test_a_secret_is_named_to_a_log_that_is_not_set_up_without_harm():
    logging.getLogger().handlers[:] = [logging.NullHandler()]
    add_secret(Secret("an0ther-Key"))
