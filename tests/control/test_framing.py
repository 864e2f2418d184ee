"""Bytes into lines: nothing is lost, nothing is invented, and every open file ends with exactly one owner."""

from hypothesis import given, settings
from hypothesis import strategies as st

from voicebotd.control.framing import Line, LineBuffer


def test_a_line_may_arrive_in_pieces_and_lines_may_arrive_together() -> None:
    buffer = LineBuffer()

    assert buffer.feed(b"on") == []
    assert buffer.feed(b"e\ntwo\n\nthr") == [Line(data=b"one"), Line(data=b"two"), Line(data=b"")]
    assert buffer.feed(b"ee\n") == [Line(data=b"three")]


def test_files_belong_to_the_line_of_the_last_byte_because_linux_may_glue_earlier_bytes_in_front() -> None:
    assert LineBuffer().feed(b"one\ntwo\n", (7,)) == [Line(data=b"one"), Line(data=b"two", fds=(7,))]


def test_files_of_an_unfinished_line_wait_for_its_end() -> None:
    buffer = LineBuffer()

    assert buffer.feed(b"one\ntw", (7,)) == [Line(data=b"one")]
    assert buffer.feed(b"o\nthree\n") == [Line(data=b"two", fds=(7,)), Line(data=b"three")]


def test_files_beyond_the_allowance_of_a_line_are_surplus() -> None:
    buffer = LineBuffer(fds_per_line=2)
    buffer.feed(b"a", (1,))

    assert buffer.feed(b"b\n", (2, 3)) == [Line(data=b"ab", fds=(1, 2))]
    assert buffer.surplus_fds == [3]


def test_a_line_at_the_limit_passes_and_one_byte_more_ends_it() -> None:
    buffer = LineBuffer(limit_bytes=4)

    assert buffer.feed(b"1234\n") == [Line(data=b"1234")]
    assert not buffer.too_long
    assert buffer.feed(b"ok\n12345", (1,)) == [Line(data=b"ok")]
    assert (buffer.too_long, buffer.surplus_fds) == (True, [1])


def test_a_line_that_is_too_long_gives_up_the_files_that_came_after_it() -> None:
    buffer = LineBuffer(limit_bytes=4)
    buffer.feed(b"x", (1,))

    assert buffer.feed(b"2345\nnext", (2,)) == []
    assert sorted(buffer.surplus_fds) == [1, 2]


def test_dropping_gives_up_the_files_of_the_unfinished_line() -> None:
    buffer = LineBuffer()
    buffer.feed(b"x", (1,))
    buffer.drop()

    assert buffer.surplus_fds == [1]
    assert buffer.feed(b"y\n") == [Line(data=b"y")]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.text("ab\n", min_size=1, max_size=9).map(str.encode), st.integers(0, 3)), max_size=8))
def test_every_byte_and_every_file_comes_out_once(chunks: list[tuple[bytes, int]]) -> None:
    buffer = LineBuffer(limit_bytes=6, fds_per_line=2)
    sent: list[int] = []
    got: list[Line] = []
    for data, files in chunks:
        if buffer.too_long:
            break
        fds = tuple(range(len(sent), len(sent) + files))
        sent += fds
        got += buffer.feed(data, fds)
    buffer.drop()

    whole = b"".join(data for data, _ in chunks).split(b"\n")
    assert [line.data for line in got] == whole[: len(got)]
    assert buffer.too_long or len(got) == len(whole) - 1
    assert sorted([*buffer.surplus_fds, *(fd for line in got for fd in line.fds)]) == sent


def test_a_line_without_an_end_is_unfinished() -> None:
    buffer = LineBuffer()
    assert not buffer.unfinished
    buffer.feed(b"half")
    assert buffer.unfinished
    buffer.feed(b" a line\n")
    assert not buffer.unfinished
