"""What people type to find something, as the database understands it; what it answers, as people are shown it.

Owns the language of queries: every word must occur, `appoint*` is the beginning of a word, `"new year"` words in a row.
Nothing of it ever reaches the database's own query language but inside quotes. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TERMS = 16
MARK_BEGIN, MARK_END = "\x02", "\x03"
"""Around each word found, in what the database answers."""

_TERM = re.compile(r'"(?P<phrase>[^"]*)"(?P<phrase_star>\*?)|(?P<word>[^\s"*]+)(?P<word_star>\*?)')


class QueryError(ValueError):
    """The query cannot find anything; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A piece of a text, and where in it the words stand that were looked for: (first character, one after last)."""

    text: str
    marks: tuple[tuple[int, int], ...]


def match_expression(query: str) -> str:
    """Return the query as an FTS5 expression. Raises `QueryError` where it has no word, or too many."""
    # A NUL would end the expression before its closing quote, half a surrogate pair cannot be sent at all.
    speakable = query.replace("\0", " ").encode("utf-8", "replace").decode()
    terms = [term for found in _TERM.finditer(speakable) if (term := _quoted(found))]
    if not terms:
        raise QueryError("has no letter and no digit to look for")
    if len(terms) > MAX_TERMS:
        raise QueryError(f"has {len(terms)} words; at most {MAX_TERMS} are looked for at once")
    return " ".join(terms)


def snippet_of(marked: str) -> Snippet:
    """Take the marks out of a text and return where they were."""
    text, marks, began = "", [], 0
    for part in re.split(f"([{MARK_BEGIN}{MARK_END}])", marked):
        if part == MARK_BEGIN:
            began = len(text)
        elif part == MARK_END:
            marks.append((began, len(text)))
        else:
            text += part
    return Snippet(text=text, marks=tuple(marks))


def _quoted(found: re.Match[str]) -> str:
    """One word or phrase in quotes, in which nothing has a meaning of its own; empty where there is nothing to find."""
    words = found["phrase"] if found["word"] is None else found["word"]
    star = found["phrase_star"] or found["word_star"] or ""
    return f'"{words}"{star}' if any(character.isalnum() for character in words) else ""
