"""Open files that came with a request are taken one by one, and closed when nobody takes them."""

import os

import pytest

from voicebotd.control.caller import Caller, Peer


def _caller() -> Caller:
    read_end, write_end = os.pipe()
    return Caller(peer=Peer(pid=1, uid=0, gid=0, admin=True), fds=[read_end, write_end])


def test_files_are_taken_in_the_order_in_which_they_came() -> None:
    caller = _caller()
    expected = list(caller.fds)
    taken = [caller.take_fd(), caller.take_fd()]

    assert taken == expected
    assert caller.take_fd() is None
    for fd in expected:
        os.close(fd)


def test_what_nobody_took_is_closed_and_what_was_taken_is_not() -> None:
    caller = _caller()
    taken = caller.take_fd()
    left = caller.fds[0]
    caller.close_fds()
    caller.close_fds()

    assert taken is not None
    os.fstat(taken)
    os.close(taken)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(left)
