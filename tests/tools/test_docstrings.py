"""A docstring read as the model is to read it."""

from __future__ import annotations

from voicebotd.tools.docstrings import parse


def test_the_text_before_the_sections_is_the_description() -> None:
    read = parse("Tell when the shop is open.\n\nOn holidays too.\n\nReturns:\n    hours.\n\nRaises:\n    E: never")
    assert read.description == "Tell when the shop is open.\n\nOn holidays too."
    assert read.arguments == {}


def test_each_argument_has_its_text_with_the_lines_that_go_on() -> None:
    read = parse("Book.\n\nArgs:\n    day: the day,\n        as a date.\n    name (str): who: the visitor.\n    note:")
    assert read.arguments == {"day": "the day, as a date.", "name": "who: the visitor.", "note": ""}


def test_a_line_that_goes_on_may_look_like_an_argument() -> None:
    read = parse("Book.\n\nArgs:\n    day: one of\n        monday: if open.\n    hour: at.")
    assert read.arguments == {"day": "one of monday: if open.", "hour": "at."}


def test_a_section_without_entries_describes_nothing() -> None:
    assert parse("Book.\n\nArgs:\nsomething else").arguments == {}


def test_a_blank_line_in_the_section_ends_nothing() -> None:
    assert parse("Book.\n\nArguments:\n    day: when.\n\n    hour: at.").arguments == {"day": "when.", "hour": "at."}


def test_nothing_says_nothing() -> None:
    assert parse("").description == ""
