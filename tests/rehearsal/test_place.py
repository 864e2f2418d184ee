from __future__ import annotations

import pytest

from voicebotd.rehearsal.brain import Call, Line, Past
from voicebotd.rehearsal.place import Parts, Place, place_of


def line(text: str) -> Line:
    return Line(text=text, pcm=b"")


BOOK = Call(name="book", arguments='{"day": "monday"}')
TELL = Call(name="tell", arguments="not json")
TURNS: tuple[Parts, ...] = (
    (line("With pleasure, on which day?"),),
    (line("One moment."), line("I am looking."), BOOK, TELL),
    (line("It is done."),),
    (line("With pleasure, goodbye."),),
)
OTHERS: tuple[Parts, ...] = ((line("Good day."),), (line("Still there?"),))
ASKED = Past(kind="user", text="?")


def said(text: str) -> Past:
    return Past(kind="assistant", text=text)


def called(name: str, arguments: str) -> Past:
    return Past(kind="call", name=name, text=arguments)


def at(*past: Past) -> Place:
    return place_of(TURNS, OTHERS, past)


def texts(place: Place) -> list[str]:
    return [part.text if isinstance(part, Line) else part.name for part in place.rest]


def test_nothing_has_been_said_at_the_beginning() -> None:
    assert at() == at(ASKED) == Place(next_turn=0, rest=())


def test_a_turn_counts_when_it_was_begun() -> None:
    for text in ("With", "With pleasure, on which day?"):
        assert at(ASKED, said(text), ASKED) == Place(next_turn=1, rest=())


def test_what_was_not_said_yet_is_the_rest() -> None:
    assert texts(at(ASKED, said("With pleasure, on"))) == ["which day?"]
    assert texts(at(ASKED, said("One moment. I am"))) == ["looking.", "book", "tell"]
    assert texts(at(ASKED, said("One moment."), said("I am looking."))) == ["book", "tell"]


def test_the_rest_goes_on_where_another_session_stopped() -> None:
    place = at(ASKED, said("With pleasure,"), said("on which"), said("day?"))
    assert place == Place(next_turn=1, rest=())


def test_calls_are_recognised_by_name_and_arguments_however_they_are_written() -> None:
    assert texts(at(ASKED, said("One moment."), called("book", '{"day":"monday"}'))) == ["tell"]
    assert at(ASKED, called("book", '{"day": "monday"}'), called("tell", "not json")) == Place(next_turn=2, rest=())
    assert at(ASKED, called("book", "{}")) == at(ASKED, called("other", "{}")) == Place(next_turn=0, rest=())


def test_an_output_ends_the_turn_that_called() -> None:
    output = Past(kind="output", text="ok")
    assert at(ASKED, called("book", '{"day": "monday"}'), output) == Place(next_turn=2, rest=())


def test_others_count_for_nothing_but_have_a_rest() -> None:
    assert at(said("Good day.")) == Place(next_turn=0, rest=())
    assert texts(at(said("Good"))) == ["day."]
    assert at(ASKED, said("It is done."), ASKED, said("Still there?")).next_turn == 3


def test_turns_that_are_missing_before_are_passed_over() -> None:
    assert at(said("It is done."), ASKED).next_turn == 3


def test_of_turns_that_begin_alike_the_next_one_is_meant() -> None:
    assert at(said("With pleasure,")).next_turn == 1
    assert at(said("It is done."), ASKED, said("With pleasure,")).next_turn == 4


def test_after_the_last_turn_the_first_one_is_expected_again() -> None:
    assert at(said("With pleasure, goodbye."), ASKED, said("With pleasure, on which day?")).next_turn == 5


@pytest.mark.parametrize("text", ["", "Nobody wrote this.", "It is done. And more."])
def test_what_is_in_no_script_counts_for_nothing(text: str) -> None:
    assert at(ASKED, said(text)) == Place(next_turn=0, rest=())
