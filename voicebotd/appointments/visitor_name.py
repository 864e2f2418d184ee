"""Names and confirmation codes as people say them: cleaned, judged, and compared.

Owns what counts as a name, and when two spellings of one are the same person's. Pure. Raises `ImpossibleError` with
reason `unusable_name` or `unreadable_code`.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from itertools import product

from voicebotd.appointments.records import ImpossibleError

LONGEST_NAME = 80
CODE_DIGITS = 6
_JOINERS = "\u200c\u200d"
"""Invisible, but letters of Persian and Indic names join or part by them."""
_SIMILAR = 0.6
"""Of the letters: Meyer and Maier (0.6) are one name to a recogniser. The code is the secret, the name its check."""


def clean_name(text: str) -> str:
    """The name on one line without what cannot be seen. Raises `ImpossibleError` for what is no name."""
    visible = "".join(each if _is_visible(each) else " " if each.isspace() else "" for each in text)
    name = " ".join(unicodedata.normalize("NFC", visible).split())
    if not any(unicodedata.category(each).startswith("L") for each in name):
        raise ImpossibleError("unusable_name", "That is no name. Ask the visitor for their first and last name.")
    if len(name) > LONGEST_NAME:
        message = f"The name is too long: at most {LONGEST_NAME} characters. Ask for just the first and last name."
        raise ImpossibleError("unusable_name", message)
    return name


def read_code(text: str) -> str:
    """The six digits. Raises `ImpossibleError` for anything else."""
    digits = "".join(str(unicodedata.digit(each)) for each in text if unicodedata.digit(each, None) is not None)
    if len(digits) != CODE_DIGITS or re.search(r"[^\W\d_]", text):
        message = f"A confirmation code has {CODE_DIGITS} digits. Ask the visitor to read it out once more."
        raise ImpossibleError("unreadable_code", message)
    return digits


def same_name(one: str, other: str) -> bool:
    """Whether the two may be one person's: a first or last name is the same but for case, accents and misheard letters.

    Titles do not count. People give now one of their names and now both.
    """
    if equal_name(one, other):
        return True
    words = [[word for word in _plain(name) if word not in _TITLES] for name in (one, other)]
    return any(_alike(first, second) for first, second in product(*words))


def equal_name(one: str, other: str) -> bool:
    """Whether the two are the same name but for case and accents."""
    return _plain(one) == _plain(other)


_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "herr", "frau", "monsieur", "madame", "von", "van", "de", "di"})


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _SIMILAR


def _plain(name: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return re.findall(r"\w+", "".join(each for each in decomposed if not unicodedata.combining(each)))


def _is_visible(character: str) -> bool:
    return character in _JOINERS or not unicodedata.category(character).startswith(("C", "Z"))
