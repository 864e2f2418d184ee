"""Whatever people type finds what they mean, or says why it cannot; none of it is ever a query language's syntax."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebotd.store.search import MAX_TERMS, QueryError, Snippet, match_expression, snippet_of


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("appointment", '"appointment"'),
        ("  new   year ", '"new" "year"'),
        ("appoint*", '"appoint"*'),
        ('"new year" friday', '"new year" "friday"'),
        ('"new ye"*', '"new ye"*'),
        ("o'clock 10:30", '"o\'clock" "10:30"'),
        ("a*b", '"a"* "b"'),
        ('never "closed', '"never" "closed"'),
        ("NOT near(x) OR text:y ^z -w", '"NOT" "near(x)" "OR" "text:y" "^z" "-w"'),
        ("? ! friday -- *", '"friday"'),
        ("nul\0byte", '"nul" "byte"'),
        ("half \ud800 pair", '"half" "pair"'),
    ],
)
def test_every_word_is_quoted_and_only_the_star_behind_it_keeps_its_meaning(query: str, expression: str) -> None:
    assert match_expression(query) == expression


@pytest.mark.parametrize("query", ["", "  ", "*", '""', '"', "?!", '"--"*'])
def test_what_has_nothing_to_look_for_is_told(query: str) -> None:
    with pytest.raises(QueryError, match="no letter and no digit"):
        match_expression(query)


def test_too_many_words_are_told_with_the_limit() -> None:
    assert match_expression("word " * MAX_TERMS).count("word") == MAX_TERMS
    with pytest.raises(QueryError, match=f"has {MAX_TERMS + 1} words; at most {MAX_TERMS}"):
        match_expression("word " * (MAX_TERMS + 1))


@given(st.text(st.characters(codec=None) | st.sampled_from("\"'*^-+:(){}NEAROT\0 "), max_size=60))
def test_nothing_that_can_be_typed_is_a_syntax_error(query: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
        try:
            expression = match_expression(query)
        except QueryError:
            return
        database.execute("SELECT * FROM words WHERE words MATCH ?", (expression,)).fetchall()


@pytest.mark.parametrize(
    ("marked", "snippet"),
    [
        ("", Snippet(text="", marks=())),
        ("none", Snippet(text="none", marks=())),
        ("a \x02new\x03 \x02year\x03!", Snippet(text="a new year!", marks=((2, 5), (6, 10)))),
    ],
)
def test_the_marks_of_a_snippet_become_places_in_its_text(marked: str, snippet: Snippet) -> None:
    assert snippet_of(marked) == snippet
