from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from voicebotd.audio.playout import AHEAD_SAMPLES, BACKLOG_SAMPLES, CHUNK_SAMPLES, Playout
from voicebotd.conversation.events import Event, Heard, PlayoutIdle, PlayoutProgressed, PlayoutStarted

LATENCY_S = 0.03


def pcm(samples: int, value: int = 1) -> bytes:
    return value.to_bytes(2, "little") * samples


def heard(item_id: str, samples: int, content_index: int = 0) -> Heard:
    return Heard(item_id=item_id, content_index=content_index, heard_samples=samples)


def started(item_id: str) -> PlayoutStarted:
    return PlayoutStarted(item_id=item_id, content_index=0)


def progressed(item_id: str, samples: int) -> PlayoutProgressed:
    return PlayoutProgressed(heard=heard(item_id, samples))


def feed_all(playout: Playout) -> bytes:
    fed = b""
    while chunk := playout.next_chunk():
        playout.fed(chunk)
        fed += chunk
    return fed


def handed(playout: Playout, position: int, now_s: float = 0.0) -> list[Event]:
    return playout.handed(position, now_s=now_s, latency_s=LATENCY_S)


def test_a_piece_starts_with_its_first_sample_and_is_told_about_ten_times_a_second() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(24_000))
    feed_all(playout)
    assert handed(playout, 0) == []
    assert handed(playout, 1, 1.0) == [started("a"), progressed("a", 1)]
    assert handed(playout, 240, 1.05) == []
    assert handed(playout, 2400, 1.1) == [progressed("a", 2400)]
    assert handed(playout, 2400, 1.3) == []


def test_idle_comes_when_the_last_sample_has_become_audible() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(240))
    feed_all(playout)
    handed(playout, 240, 1.0)
    assert handed(playout, 240, 1.02) == []
    assert handed(playout, 240, 1.04) == [progressed("a", 240), PlayoutIdle()]
    assert handed(playout, 240, 9.0) == []
    assert playout.unfinished() == ()


def test_a_reply_that_stands_still_is_not_idle_however_long() -> None:
    playout = Playout()
    assert playout.quiet
    playout.append("a", 0, pcm(2400))
    feed_all(playout)
    handed(playout, 900, 1.0)
    assert handed(playout, 1000, 1.01) == []
    assert handed(playout, 1000, 1.1) == [progressed("a", 1000)]
    assert [handed(playout, 1000, 1.1 + second) for second in range(1, 60)] == [[]] * 59
    assert not playout.quiet
    assert playout.unfinished() == (heard("a", 1000),)
    handed(playout, 2400, 61.0)
    assert PlayoutIdle() in handed(playout, 2400, 62.0)
    assert playout.quiet
    assert playout.gaps == 0


def test_more_of_a_piece_after_idle_goes_on_where_it_was() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(240))
    feed_all(playout)
    handed(playout, 240, 1.0)
    handed(playout, 240, 2.0)
    playout.append("a", 0, pcm(100))
    assert playout.gaps == 1
    assert playout.unfinished() == (heard("a", 240),)
    feed_all(playout)
    assert handed(playout, 290, 3.0) == [progressed("a", 290)]


def test_more_that_comes_in_time_is_no_gap() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(240))
    feed_all(playout)
    handed(playout, 200)
    playout.append("a", 0, pcm(100))
    assert playout.gaps == 0


def test_the_piece_before_is_told_to_its_end_when_the_next_begins() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(240))
    playout.append("b", 0, pcm(240))
    feed_all(playout)
    handed(playout, 100, 1.0)
    assert handed(playout, 241, 1.01) == [progressed("a", 240), started("b")]
    assert playout.unfinished() == (heard("b", 1),)


def test_a_piece_that_was_skipped_over_is_still_told() -> None:
    playout = Playout()
    for item_id in ("a", "b", "c"):
        playout.append(item_id, 0, pcm(10))
    feed_all(playout)
    assert handed(playout, 25, 1.0) == [
        started("a"),
        progressed("a", 10),
        started("b"),
        progressed("b", 10),
        started("c"),
        progressed("c", 5),
    ]


def test_a_new_piece_after_idle_leaves_the_old_one_behind() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(10))
    feed_all(playout)
    handed(playout, 10, 1.0)
    handed(playout, 10, 2.0)
    playout.append("b", 0, pcm(10))
    assert playout.unfinished() == (heard("b", 0),)


def test_unfinished_names_pieces_that_never_began() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(240))
    playout.append("a", 1, pcm(240))
    feed_all(playout)
    handed(playout, 200)
    assert playout.unfinished() == (heard("a", 200), heard("a", 0, content_index=1))


def test_only_two_seconds_are_fed_ahead_of_what_was_handed_over() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(5 * 24_000))
    assert len(playout.next_chunk()) == 2 * CHUNK_SAMPLES
    assert len(feed_all(playout)) == 2 * AHEAD_SAMPLES
    handed(playout, 1000)
    assert len(feed_all(playout)) == 2 * 1000


def test_a_successor_is_fed_all_that_was_not_handed_over() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(100, 1) + pcm(100, 2))
    feed_all(playout)
    handed(playout, 100)
    playout.rewind()
    assert feed_all(playout) == pcm(100, 2)
    assert handed(playout, 10, 9.0) == [progressed("a", 110)]


def test_a_position_beyond_what_was_fed_or_backwards_is_not_believed() -> None:
    playout = Playout()
    playout.append("a", 0, pcm(100))
    playout.fed(playout.next_chunk())
    handed(playout, 1000)
    assert playout.handed_samples == 100
    handed(playout, 50)
    assert playout.handed_samples == 100


def test_what_does_not_fit_into_ten_minutes_is_dropped_and_counted() -> None:
    playout = Playout()
    assert playout.append("a", 0, bytes(2 * BACKLOG_SAMPLES)) == 0
    assert playout.append("b", 0, pcm(7)) == 7
    assert [piece.item_id for piece in playout.unfinished()] == ["a"]


@given(
    pieces=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300)), max_size=12),
    steps=st.lists(st.integers(0, 400), max_size=20),
    death_at=st.integers(0, 20),
)
def test_heard_never_exceeds_received_and_nothing_is_lost_or_fed_twice(
    pieces: list[tuple[str, int]], steps: list[int], death_at: int
) -> None:
    playout = Playout()
    received = b""
    for number, (item_id, count) in enumerate(pieces):
        data = pcm(count, number + 1)
        playout.append(item_id, 0, data)
        received += data
    fed = feed_all(playout)
    position, base = 0, 0
    for number, step in enumerate(steps):
        if number == death_at:
            playout.rewind()
            base = playout.handed_samples
            position = 0
            fed = fed[: 2 * base] + feed_all(playout)
        position += step
        playout.handed(position, now_s=math.inf, latency_s=0)
        assert playout.handed_samples <= len(received) // 2
        assert sum(piece.heard_samples for piece in playout.unfinished()) <= playout.handed_samples
    assert fed == received
