from __future__ import annotations

import threading

import numpy as np

from voicebotd.audio.ring import Ring, Samples


def samples(*values: int) -> Samples:
    return np.array(values, dtype=np.int16)


def test_what_was_written_is_read_in_order_across_the_seam() -> None:
    ring = Ring(4)
    assert ring.write(samples(1, 2, 3))
    assert ring.read(2).tolist() == [1, 2]
    assert ring.write(samples(4, 5, 6))
    assert ring.readable == 4
    assert ring.free == 0
    assert ring.read(99).tolist() == [3, 4, 5, 6]


def test_what_does_not_fit_is_refused_whole() -> None:
    ring = Ring(4)
    ring.write(samples(1, 2, 3))
    assert not ring.write(samples(4, 5))
    assert ring.read(9).tolist() == [1, 2, 3]


def test_a_short_ring_fills_only_the_front() -> None:
    ring = Ring(4)
    ring.write(samples(1, 2))
    out = samples(9, 9, 9)
    assert ring.read_into(out) == 2
    assert out.tolist() == [1, 2, 9]


def test_dropped_samples_are_gone() -> None:
    ring = Ring(4)
    ring.write(samples(1, 2))
    ring.drop_all()
    assert ring.readable == 0
    ring.write(samples(3))
    assert ring.read(1).tolist() == [3]


def test_two_threads_lose_and_repeat_nothing() -> None:
    ring = Ring(64)
    total = 20_000
    received: list[int] = []

    def write() -> None:
        sent = 0
        while sent < total:
            block = np.arange(sent, min(sent + 7, total)).astype(np.int16)
            if ring.write(block):
                sent += len(block)

    writer = threading.Thread(target=write)
    writer.start()
    while len(received) < total:
        received += ring.read(11).tolist()
    writer.join()
    assert received == np.arange(total).astype(np.int16).tolist()
