from __future__ import annotations

import json

import pytest

from voicebotd.rehearsal.brain import Call, Line, Past
from voicebotd.rehearsal.filling import filled, has_gaps, outputs_of


def line(text: str) -> Line:
    return Line(text=text, pcm=b"before")


def called(name: str) -> Past:
    return Past(kind="call", name=name, text="{}")


def output(document: object) -> Past:
    return Past(kind="output", text=json.dumps(document))


BOOKED = {"book": {"code": 417209, "who": {"name": 'Anna "A." Meyer'}}}


def test_a_gap_is_a_function_and_a_path_in_braces() -> None:
    assert has_gaps(line("Your code is {book.code}."))
    assert has_gaps(Call(name="cancel", arguments='{"code": "{book.code}"}'))
    assert not has_gaps(line("A {book} is no gap, nor is {}."))
    assert not has_gaps(Call(name="book", arguments='{"a": {"b": 1}}'))


def test_words_are_filled_and_sound_anew() -> None:
    said = filled(line("{book.code} for {book.who.name}"), BOOKED)
    assert isinstance(said, Line)
    assert said.text == '417209 for Anna "A." Meyer'
    assert said.pcm != b"before"


def test_arguments_stay_json_whatever_is_filled_in() -> None:
    call = filled(Call(name="cancel", arguments='{"code": "{book.code}", "name": "{book.who.name}"}'), BOOKED)
    assert isinstance(call, Call)
    assert json.loads(call.arguments) == {"code": "417209", "name": 'Anna "A." Meyer'}


@pytest.mark.parametrize("text", ["{move.code}", "{book.nothing}", "{book.code.deeper}", "no gap"])
def test_what_no_output_holds_stays_as_it_is(text: str) -> None:
    assert filled(line(text), BOOKED) == line(text)


def test_the_last_output_of_a_function_counts_and_each_belongs_to_its_call() -> None:
    past = (
        output("before any call"),
        called("book"),
        output(1),
        called("book"),
        called("move"),
        Past(kind="user", text="hm"),
        output(2),
        Past(kind="output", text="no JSON"),
    )
    assert outputs_of(past) == {"book": 2, "move": None}
