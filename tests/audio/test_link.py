from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator

import pytest

from voicebotd.audio.link import Inbox, Link
from voicebotd.audio.protocol import Captured, Flushed, Heartbeat, InputEnded, Measured, Message, Play, decode
from voicebotd.audio.vitals import _NO_BEAT
from voicebotd.errors import AudioError

FRAME = Captured(captured_at_s=1.0, epoch=0, handed_samples=0, pcm=bytes(480))
BEAT: Heartbeat = _NO_BEAT


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def read_all(end: socket.socket) -> list[Message]:
    end.setblocking(False)
    messages: list[Message] = []
    while True:
        try:
            messages.append(decode(end.recv(65536)))
        except BlockingIOError:
            return messages


def fill(link: Link) -> None:
    while not link.dropped_frames:
        link.send(FRAME)


def send_flushes_for_ever(link: Link) -> None:
    for epoch in itertools.count():
        link.send(Flushed(epoch=epoch, handed_samples=0))


def test_frames_that_nobody_reads_are_dropped_and_counted_never_waited_for(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    link = Link(ends[0])
    fill(link)
    link.send(FRAME)
    assert link.dropped_frames == 2
    assert set(read_all(ends[1])) == {FRAME}


def test_a_measurement_that_nobody_reads_is_dropped_as_a_frame_is(ends: tuple[socket.socket, socket.socket]) -> None:
    link = Link(ends[0])
    fill(link)
    dropped = link.dropped_frames
    link.send(Measured(near=bytes(480), far=bytes(480)))
    assert link.dropped_frames == dropped + 1


def test_what_must_arrive_waits_and_heartbeats_do_not(ends: tuple[socket.socket, socket.socket]) -> None:
    link = Link(ends[0])
    fill(link)
    link.send(Flushed(epoch=1, handed_samples=2))
    link.send(BEAT)
    read_all(ends[1])
    link.send(InputEnded())
    assert read_all(ends[1]) == [Flushed(epoch=1, handed_samples=2), InputEnded()]


def test_what_waits_is_bounded(ends: tuple[socket.socket, socket.socket]) -> None:
    link = Link(ends[0])
    fill(link)
    with pytest.raises(AudioError, match="does not read"):
        send_flushes_for_ever(link)


def test_for_a_file_a_frame_waits_for_its_reader(ends: tuple[socket.socket, socket.socket]) -> None:
    link = Link(ends[0])
    fill(link)
    link.patient = True
    reader = threading.Timer(0.05, read_all, (ends[1],))
    reader.start()
    link.send(FRAME)
    reader.join()
    assert link.dropped_frames == 1


def test_the_inbox_gives_messages_in_order_and_wakes_for_blocks() -> None:
    inbox = Inbox()
    inbox.put(Play(pcm=b"\1\0"))
    inbox.wake()
    inbox.put(Play(pcm=b"\2\0"))
    assert inbox.wait(5) == [Play(pcm=b"\1\0"), Play(pcm=b"\2\0")]
    inbox.wake()
    inbox.wake()
    assert inbox.wait(5) == []


def test_an_empty_inbox_gives_up_after_its_timeout_and_a_closed_one_at_once() -> None:
    inbox = Inbox()
    assert inbox.wait(0.001) == []
    inbox.close()
    assert inbox.wait(5) == []
    assert inbox.closed
