"""The meter: one line at the foot of a terminal, and nothing anywhere else."""

import fcntl
import io
import os
import struct
import termios

import pytest

from voicebotctl.meter import Meter, line

LEVEL = {"input_dbfs": -30.0, "echo_dbfs": -45.0, "voice": 0.87, "gate": "open"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_level_is_a_bar_a_number_and_what_echo_control_does():
    assert line(LEVEL) == "mic [#####.....]  -30 dBFS  speech [#########.]  87 %  echo -45 dBFS"
    assert line({**LEVEL, "gate": "closed"}).endswith("echo -45 dBFS  gate closed")


def test_what_is_not_known_is_left_out():
    assert line({**LEVEL, "voice": None, "echo_dbfs": -120.0}) == "mic [#####.....]  -30 dBFS"
    assert line({}) == ""


@pytest.mark.parametrize(
    ("dbfs", "bar"), [(-120.0, ".........."), (-60.0, ".........."), (0.0, "##########"), (3.0, "#" * 10)]
)
def test_the_bar_ends_where_levels_do(dbfs, bar):
    assert f"[{bar}]" in line({"input_dbfs": dbfs})


def test_each_level_takes_the_place_of_the_one_before():
    out = Terminal()
    meter = Meter(out, {"TERM": "xterm"})
    meter.draw({"input_dbfs": -30.0})
    meter.draw({"input_dbfs": 0.0})
    assert out.getvalue() == "\r\x1b[Kmic [#####.....]  -30 dBFS\r\x1b[Kmic [##########]    0 dBFS"


def test_it_is_wiped_once_for_what_is_printed_above_it():
    out = Terminal()
    meter = Meter(out, {})
    meter.wipe()
    assert out.getvalue() == ""
    meter.draw({"input_dbfs": 0.0})
    drawn = out.getvalue()
    meter.wipe()
    meter.wipe()
    assert out.getvalue() == drawn + "\r\x1b[K"


@pytest.mark.parametrize(
    ("out", "environ", "wanted"),
    [(io.StringIO(), {}, True), (Terminal(), {"TERM": "dumb"}, True), (Terminal(), {}, False)],
)
def test_where_a_line_cannot_move_there_is_none(out, environ, wanted):
    meter = Meter(out, environ, wanted=wanted)
    assert not meter.shows
    meter.draw(LEVEL)
    meter.wipe()
    assert out.getvalue() == ""


def test_a_line_never_wraps():
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as out, os.fdopen(ours, "rb", buffering=0) as seen:
        fcntl.ioctl(out, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
        Meter(out, {}).draw(LEVEL)
        drawn = seen.read(1024).decode()
    assert drawn == "\r\x1b[K" + line(LEVEL)[:19]
