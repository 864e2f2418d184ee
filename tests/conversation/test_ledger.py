"""The playout ledger: received, heard, and the order of items."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voicebotd.conversation.events import (
    AudioDelta,
    Heard,
)
from voicebotd.conversation.ledger import Ledger

MS = 48
"""Bytes in a millisecond."""


def delta(
    item_id: str, ms: int, *, output_index: int = 0, content_index: int = 0, response_id: str = "r"
) -> AudioDelta:
    return AudioDelta(
        response_id=response_id,
        item_id=item_id,
        output_index=output_index,
        content_index=content_index,
        pcm=bytes([output_index]) * (ms * MS),
    )


def heard(item_id: str, ms: int) -> Heard:
    return Heard(item_id=item_id, content_index=0, heard_samples=ms * 24)


def test_audio_is_played_as_it_is_received() -> None:
    ledger = Ledger()
    (play,) = ledger.receive(delta("a", 100))
    assert (play.item_id, len(play.pcm)) == ("a", 100 * MS)
    assert ledger.unfinished
    assert ledger.holds("a")
    assert not ledger.holds("b")


def test_a_later_item_waits_until_the_earlier_one_is_complete() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 100, output_index=0))
    assert ledger.receive(delta("b", 50, output_index=1)) == []
    assert [play.item_id for play in ledger.receive(delta("a", 20))] == ["a"]
    assert [play.item_id for play in ledger.complete("a", 0)] == ["b"]


def test_whole_pieces_are_played_when_all_of_them_is_there() -> None:
    ledger = Ledger(whole_pieces=True)
    assert ledger.receive(delta("a", 100)) == []
    assert ledger.receive(delta("a", 100)) == []
    assert [len(play.pcm) for play in ledger.complete("a", 0)] == [100 * MS, 100 * MS]


def test_the_end_of_a_response_releases_whatever_waited() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 10, output_index=0))
    ledger.receive(delta("b", 10, output_index=1))
    ledger.receive(delta("x", 10, response_id="other"))
    assert [play.item_id for play in ledger.complete_response("r")] == ["b"]


def test_completing_an_unknown_piece_does_nothing() -> None:
    assert Ledger().complete("nobody", 0) == []


def test_heard_never_goes_back_and_never_passes_received() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 100))
    for ms in (30, 20):
        ledger.progressed(heard("a", ms))
    assert ledger.pieces[0].heard_ms == 30
    ledger.progressed(heard("a", 500))
    ledger.progressed(heard("unknown", 10))
    (piece,) = ledger.pieces
    assert (piece.heard_ms, piece.received_ms) == (100, 100)
    assert piece.heard_share == 1.0
    assert not piece.fully_heard, "the service may still send more of it"


def test_a_piece_without_audio_has_no_heard_share() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 0))
    assert ledger.pieces[0].heard_share == 0.0


def test_a_piece_is_over_when_it_is_complete_and_its_sound_has_ended() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 100))
    ledger.complete("a", 0)
    ledger.progressed(heard("a", 40))
    assert ledger.sounding
    assert ledger.take_over() == []
    ledger.progressed(heard("a", 100))
    ledger.idle()
    assert [piece.heard_ms for piece in ledger.take_over()] == [100]
    assert not ledger.unfinished


def test_a_piece_that_is_completed_after_its_sound_is_over_then() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 100))
    ledger.progressed(heard("a", 100))
    ledger.idle()
    assert ledger.take_over() == []
    ledger.complete("a", 0)
    assert [piece.item_id for piece in ledger.take_over()] == ["a"]


def test_audio_that_an_idle_overtook_is_neither_heard_nor_forgotten() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 100))
    ledger.progressed(heard("a", 100))
    ledger.receive(delta("a", 50))
    ledger.complete("a", 0)
    ledger.idle()
    assert ledger.take_over() == []
    assert [piece.heard_ms for piece in ledger.pieces] == [100]


def test_what_a_flush_tells_is_the_truth_also_where_it_is_less() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 100))
    ledger.progressed(heard("a", 80))
    ledger.cut(1)
    assert ledger.holds("a"), "the answer is on its way"
    assert [piece.heard_ms for piece in ledger.flushed(1, [heard("a", 70)])] == [70]
    assert not ledger.holds("a")


def test_a_cut_sets_the_pieces_aside_and_new_audio_is_not_touched_by_it() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 100, output_index=0))
    ledger.receive(delta("b", 100, output_index=1))
    assert ledger.cut(7)
    ledger.receive(delta("new", 10, response_id="next"))
    pieces = ledger.flushed(7, [heard("a", 60)])
    assert [(piece.item_id, piece.heard_ms) for piece in pieces] == [("a", 60), ("b", 0)]
    assert [piece.item_id for piece in ledger.pieces] == ["new"]


def test_news_of_a_piece_that_was_cut_meanwhile_do_not_make_it_sound_again() -> None:
    ledger = Ledger()
    ledger.receive(delta("a", 100))
    ledger.cut(1)
    ledger.progressed(heard("a", 10))
    assert not ledger.sounding


def test_what_was_cut_is_told_in_playing_order() -> None:
    ledger = Ledger()
    ledger.receive(delta("later", 10, output_index=1))
    ledger.receive(delta("earlier", 10, output_index=0))
    ledger.cut(1)
    assert [piece.item_id for piece in ledger.flushed(1, [])] == ["earlier", "later"]


def test_a_cut_of_nothing_says_so_and_an_unknown_flush_is_harmless() -> None:
    ledger = Ledger()
    assert not ledger.cut(1)
    assert ledger.flushed(1, [heard("a", 5)]) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=30), st.integers(0, 2000))
def test_heard_is_at_most_received_whatever_is_told(deltas: list[tuple[str, int]], told_ms: int) -> None:
    ledger = Ledger()
    for item_id, ms in deltas:
        ledger.receive(delta(item_id, ms, output_index="abc".index(item_id)))
        ledger.progressed(heard(item_id, told_ms))
    for piece in ledger.pieces:
        assert 0 <= piece.heard_samples <= piece.received_samples
