"""Who said what, and how much of it was heard."""

from __future__ import annotations

import pytest

from voicebotd.conversation.effects import (
    Effect,
    Publish,
    Record,
)
from voicebotd.conversation.ledger import Piece
from voicebotd.conversation.records import TurnRecord
from voicebotd.conversation.turns import Turns, heard_part


def records(effects: list[Effect]) -> list[TurnRecord]:
    return [effect.record for effect in effects if isinstance(effect, Record)]


def last(effects: list[Effect]) -> TurnRecord:
    record = [effect for effect in effects if isinstance(effect, Record)][-1].record
    assert isinstance(record, TurnRecord)
    return record


def piece(item_id: str, *, received_ms: int, heard_ms: int) -> Piece:
    return Piece(
        item_id=item_id,
        content_index=0,
        response_id="r",
        output_index=0,
        received_samples=received_ms * 24,
        heard_samples=heard_ms * 24,
        complete=True,
    )


def test_a_visitor_s_turn_is_recorded_at_its_beginning_and_with_its_transcript() -> None:
    turns = Turns("c")
    began = last(turns.visitor_began("u1"))
    assert (began.conversation_id, began.number, began.role, began.status) == ("c", 1, "user", "in_progress")
    assert turns.visitor_began("u1") == [], "the same item does not begin twice"
    assert last(turns.visitor_spoke("u1", 900)).audio_ms == 900
    said = last(turns.visitor_said("u1", "hello"))
    assert (said.generated_text, said.heard_text, said.status) == ("hello", "hello", "completed")
    assert turns.count == 1


def test_a_transcript_of_an_unknown_item_begins_it() -> None:
    turns = Turns("c")
    assert last(turns.visitor_said("u1", "hello")).number == 1


def test_an_item_that_was_announced_under_another_name_is_the_same_turn() -> None:
    turns = Turns("c")
    turns.visitor_began("u1")
    turns.rename("x1", "u1")
    assert turns.name("x1") == "u1"
    assert turns.visitor_began("x1") == []
    assert last(turns.visitor_said("x1", "hello")).item_id == "u1"
    assert last(turns.visitor_said("u1", "there")).generated_text == "hello there"
    assert turns.count == 1


def test_what_is_a_turn_already_or_has_its_own_name_is_not_renamed() -> None:
    turns = Turns("c")
    turns.visitor_began("u2")
    turns.visitor_began("u1")
    turns.rename("u2", "u1")
    turns.rename("u1", "u1")
    assert (turns.name("u1"), turns.name("u2")) == ("u1", "u2")


def test_what_comes_after_somebody_else_s_turn_is_another_turn() -> None:
    turns = Turns("c")
    turns.rename("x1", "u1")
    turns.visitor_began("u1")
    turns.assistant_began("a1", "r1")
    turns.rename("x2", "u1")
    assert (turns.name("x1"), turns.name("x2")) == ("x1", "x2")


def test_names_are_forgotten_oldest_first() -> None:
    turns = Turns("c")
    turns.visitor_began("u1")
    for number in range(Turns.MAX_OPEN + 1):
        turns.rename(f"x{number}", "u1")
    assert turns.name("x0") == "x0"
    assert turns.name("x1") == "u1"


def test_the_same_news_twice_is_recorded_once() -> None:
    turns = Turns("c")
    turns.visitor_said("u1", "hello")
    assert turns.visitor_said("u1", "hello") == []


def test_speech_that_could_not_be_transcribed_is_a_failed_turn() -> None:
    turns = Turns("c")
    turns.visitor_began("u1")
    assert last(turns.visitor_unintelligible("u1")).status == "failed"
    assert turns.visitor_unintelligible("nobody") == []


def test_a_typed_message_is_complete_at_once_and_is_told() -> None:
    effects = Turns("c").said("m1", "system", "be brief")
    assert last(effects).status == "completed"
    assert any(isinstance(effect, Publish) and effect.data["text"] == "be brief" for effect in effects)


def test_a_reply_that_was_heard_to_the_end_has_the_same_text_twice() -> None:
    turns = Turns("c")
    turns.assistant_began("a1", "r1")
    turns.assistant_wrote("a1", "Good ")
    turns.assistant_wrote("a1", "morning")
    turns.assistant_wrote("nobody", "lost")
    record = last(turns.heard_to_the_end(piece("a1", received_ms=900, heard_ms=900)))
    assert (record.generated_text, record.heard_text, record.heard_ms, record.audio_ms) == (
        "Good morning",
        "Good morning",
        900,
        900,
    )
    assert (record.response_id, record.interrupted) == ("r1", False)
    assert turns.text_of("a1") == "Good morning"
    assert turns.text_of("nobody") == ""


def test_final_text_replaces_the_pieces_also_when_the_sound_was_over_first() -> None:
    turns = Turns("c")
    turns.assistant_began("a1", "r1")
    turns.assistant_wrote("a1", "Good mor")
    assert last(turns.assistant_finished_writing("a1", "Good morning")).heard_text == ""
    turns.heard_to_the_end(piece("a1", received_ms=900, heard_ms=900))
    assert last(turns.assistant_finished_writing("a1", "Good morning!")).heard_text == "Good morning!"
    assert turns.assistant_finished_writing("nobody", "x") == []


def test_an_interrupted_reply_keeps_what_was_generated_and_what_was_heard() -> None:
    turns = Turns("c")
    turns.assistant_began("a1", "r1")
    turns.assistant_wrote("a1", "one two three four")
    record = last(turns.cut_short(piece("a1", received_ms=1000, heard_ms=500)))
    assert (record.generated_text, record.heard_text) == ("one two three four", "one two")
    assert (record.interrupted, record.status, record.heard_ms) == (True, "interrupted", 500)


def test_written_items_are_as_good_as_heard() -> None:
    turns = Turns("c")
    turns.assistant_began("a1", "r1")
    turns.assistant_wrote("a1", "text")
    assert last(turns.written(["a1"], completed=True)).heard_text == "text"
    assert last(turns.written(["a1"], completed=False)).status == "interrupted"


def test_open_items_are_bounded() -> None:
    turns = Turns("c")
    for number in range(Turns.MAX_OPEN + 1):
        turns.visitor_began(f"u{number}")
    assert turns.visitor_unintelligible("u0") == []
    assert turns.count == Turns.MAX_OPEN + 1


@pytest.mark.parametrize(
    ("share", "part"),
    [(0.0, ""), (0.2, "one"), (0.4, "one"), (0.55, "one two"), (1.0, "one two three"), (2.0, "one two three")],
)
def test_the_heard_part_ends_at_a_whole_word(share: float, part: str) -> None:
    assert heard_part("one two three", share) == part


def test_the_heard_part_of_a_word_in_the_middle_is_cut_back() -> None:
    assert heard_part("one two three", 9 / 13) == "one two"
    assert heard_part("one two three", 12.9 / 13) == "one two three"
    assert heard_part("", 0.5) == ""


def test_an_item_that_was_interrupted_before_it_sounded_keeps_its_words_and_was_not_heard() -> None:
    turns = Turns("c")
    turns.assistant_began("a1", "r1")
    turns.assistant_wrote("a1", "Good")
    record = last(turns.unheard(["a1", "nobody"]))
    assert (record.generated_text, record.heard_text, record.status) == ("Good", "", "interrupted")
    assert turns.unheard(["a1"]) == [], "it is over already"


# An answer is recorded when it sounds or is over.


def test_an_answer_that_begins_to_sound_is_recorded_once() -> None:
    turns = Turns("c")
    turns.assistant_began("a1", "r1")
    sounds = last(turns.assistant_sounds("a1"))
    assert (sounds.number, sounds.role, sounds.response_id, sounds.status) == (1, "assistant", "r1", "in_progress")
    assert turns.assistant_sounds("a1") == []
    assert turns.assistant_sounds("nobody") == []


def test_an_answer_that_was_pushed_out_before_it_sounded_is_not_recorded() -> None:
    turns = Turns("c")
    turns.assistant_began("a1", "r1")
    for number in range(Turns.MAX_OPEN):
        turns.visitor_began(f"u{number}")
    assert turns.assistant_sounds("a1") == []


def test_an_answer_that_is_written_only_is_recorded_when_it_is_over() -> None:
    turns = Turns("c")
    turns.assistant_began("a1", "r1")
    assert len(records(turns.assistant_finished_writing("a1", "Hello"))) == 1
    assert turns.assistant_sounds("a1") == [], "that was its record"


# When the session goes.


def test_answers_that_never_sounded_leave_nothing_and_their_numbers_are_free_again() -> None:
    turns = Turns("c")
    turns.visitor_began("u1")
    for item_id in ("a1", "a2", "a3"):
        turns.assistant_began(item_id, "r1")
        turns.assistant_wrote(item_id, "Hello")
    turns.forget_unrecorded()
    turns.forget_unrecorded()
    assert [record.item_id for record in turns.so_far()] == ["u1"]
    assert turns.text_of("a1") == ""
    assert last(turns.visitor_began("u2")).number == 2


def test_the_number_of_what_was_forgotten_is_not_given_away_where_something_came_after_it() -> None:
    turns = Turns("c")
    turns.assistant_began("a1", "r1")
    turns.visitor_began("u1")
    turns.forget_unrecorded()
    assert last(turns.visitor_began("u2")).number == 3


def test_the_turns_so_far_are_known_with_what_is_written_of_them() -> None:
    turns = Turns("c")
    turns.said("m1", "system", "Be brief.")
    turns.visitor_said("u1", "Hi")
    turns.assistant_began("a1", "r1")
    turns.assistant_wrote("a1", "Good mor")
    assert [(one.item_id, one.generated_text) for one in turns.so_far()] == [
        ("m1", "Be brief."),
        ("u1", "Hi"),
        ("a1", "Good mor"),
    ]


def test_what_the_visitor_said_aloud_after_a_turn_is_known_and_what_was_typed_is_not_among_it() -> None:
    turns = Turns("c")
    turns.visitor_began("u1")
    turns.assistant_began("a1", "r1")
    turns.visitor_began("u2")
    turns.said("m1", "user", "typed")
    turns.visitor_began("u3")
    assert turns.spoken_after(1) == ["u2", "u3"]
    assert turns.spoken_after(99) == []


def test_what_a_new_session_hears_again_is_the_same_turn_under_another_name() -> None:
    turns = Turns("c")
    turns.visitor_began("u1")
    turns.visitor_said("u1", "half a")
    turns.told_again(["u1"])
    assert turns.visitor_began("x1") == []
    said = last(turns.visitor_said("x1", "half a sentence"))
    assert (said.item_id, said.number, said.generated_text) == ("u1", 1, "half a sentence")
    assert turns.told() == []
    assert last(turns.visitor_began("x2")).number == 2, "the next is a turn of its own"


def test_a_turn_that_is_known_already_takes_nobody_s_name() -> None:
    turns = Turns("c")
    turns.visitor_began("u1")
    turns.visitor_began("u2")
    turns.told_again(["u1"])
    assert turns.visitor_began("u2") == []
    assert turns.name("u2") == "u2"


def test_turns_that_were_heard_again_as_one_are_one_when_it_is_answered() -> None:
    turns = Turns("c")
    turns.visitor_said("u1", "Well,")
    turns.visitor_said("u2", "tomorrow.")
    turns.told_again(["u1", "u2"])
    turns.visitor_began("x1")
    turns.visitor_said("x1", "Well, tomorrow.")
    (failed,) = records(turns.told())
    assert (failed.item_id, failed.status, failed.generated_text) == ("u2", "failed", "")
    assert [record.item_id for record in turns.so_far()] == ["u1"], "no other session is told of it"
    assert turns.told() == []


def test_it_is_known_which_turn_began_last_whatever_the_service_calls_it() -> None:
    turns = Turns("c")
    assert not turns.is_newest("u1")
    turns.visitor_began("u1")
    turns.rename("x1", "u1")
    assert turns.is_newest("u1")
    assert turns.is_newest("x1")
    turns.assistant_began("a1", "r1")
    assert not turns.is_newest("u1")


def test_what_is_announced_again_under_the_name_of_a_turn_that_was_told_again_is_that_turn() -> None:
    turns = Turns("c")
    turns.visitor_began("u1")
    turns.told_again(["u1"])
    turns.visitor_began("x1")
    turns.rename("x2", "x1")
    assert turns.name("x2") == "u1"


def test_the_transcript_of_the_last_turn_is_awaited_and_no_older_one() -> None:
    turns = Turns("c")
    assert not turns.awaits_words
    turns.visitor_began("u1")
    turns.visitor_began("u2")
    turns.assistant_began("a1", "r1")
    assert turns.awaits_words
    turns.visitor_said("u2", "Hello")
    assert not turns.awaits_words
    turns.said("m1", "user", "typed")
    assert not turns.awaits_words
    turns.visitor_began("u3")
    turns.visitor_unintelligible("u3")
    assert not turns.awaits_words


def test_an_item_is_under_way_until_it_is_known_how_much_of_it_was_heard() -> None:
    turns = Turns("c")
    assert turns.is_under_way("a1"), "it was never announced"
    turns.assistant_began("a1", "r1")
    assert turns.is_under_way("a1")
    turns.cut_short(piece("a1", received_ms=900, heard_ms=100))
    assert not turns.is_under_way("a1")
