import io
import time

import pytest

from voicebotctl.render import (
    Style,
    clean,
    clock,
    duration,
    level,
    moment,
    one_line,
    said,
    table,
    transcript,
    usd,
    value_text,
)

PLAIN = Style(colour=False)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "colour"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_whose_owner_wants_it(stream, environ, colour):
    assert Style.of(stream, environ).colour is colour


def test_paint_wraps_only_text_and_only_in_colour():
    assert Style(colour=True).paint("no", "red") == "\x1b[31mno\x1b[0m"
    assert Style(colour=True).paint("", "red") == ""
    assert PLAIN.paint("no", "red") == "no"


def test_nothing_the_daemon_sends_can_drive_the_terminal():
    assert clean("a\x1b]0;owned\x07b\x9b31mc\r\x7f\n\td") == "a]0;ownedb31mc\n\td"
    assert one_line("a\n  b\tc\x1b") == "a b c"


def test_a_table_is_aligned_and_has_no_trailing_blanks():
    assert table([("a", "bbb", ""), ("cc", "d")], indent="  ") == "  a   bbb\n  cc  d"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (11_520, "3 h 12 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(None, "cost unknown"), (0.0, "$0.00"), (0.0123, "$0.0123"), (1.5, "$1.50")]
)
def test_money_is_shown_to_the_digit_that_matters(amount, text):
    assert usd(amount) == text


@pytest.mark.parametrize(
    ("dbfs", "text"),
    [
        (None, "no sound yet"),
        (-100.0, "-100 dBFS [..........]"),
        (-30.0, "-30 dBFS [#####.....]"),
        (3.0, "3 dBFS [##########]"),
    ],
)
def test_a_level_is_a_number_and_a_bar(dbfs, text):
    assert level(dbfs) == text


@pytest.mark.parametrize(("value", "text"), [("marin", "marin"), (None, "null"), (True, "true"), (["ü"], '["ü"]')])
def test_a_setting_is_shown_as_it_is_written(value, text):
    assert value_text(value) == text


def test_times_are_the_readers_own(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert moment(0.0) == "1970-01-01 01:00:00"
        assert clock(0.0) == "01:00:00"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert moment(None) == "?"


@pytest.mark.parametrize(
    ("turn", "line"),
    [
        ({"role": "user", "text": "Hello\nthere"}, "  visitor: Hello there"),
        ({"role": "user", "text": ""}, "  visitor: (nothing understood)"),
        ({"role": "assistant", "text": "Yes."}, "assistant: Yes."),
        (
            {"role": "assistant", "text": "Yes.", "interrupted": True, "heard_text": ""},
            "assistant: Yes.  [interrupted; heard: nothing]",
        ),
        ({"role": "robot", "text": "?"}, "    robot: ?"),
    ],
)
def test_a_turn_is_who_and_what_and_what_of_it_was_heard(turn, line):
    assert said(turn, PLAIN) == line


def test_a_transcript_is_its_turns():
    assert transcript([{"role": "user", "text": "a"}, {"role": "assistant", "text": "b"}], PLAIN) == (
        "  visitor: a\nassistant: b"
    )
