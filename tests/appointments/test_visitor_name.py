"""Names and codes as people say them and recognisers write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebotd.appointments.records import ImpossibleError
from voicebotd.appointments.visitor_name import LONGEST_NAME, clean_name, equal_name, read_code, same_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Anna \t Meyer\n", "Anna Meyer"),
        ("Anna\u202e Meyer\x00", "Anna Meyer"),
        ("Zoe\u0308 O'Neill-Łukasz", "Zoë O'Neill-Łukasz"),
        ("\u062d\u200c\u0636", "\u062d\u200c\u0636"),
        ("李 小龙", "李 小龙"),
        ("\ud800Anna", "Anna"),
    ],
)
def test_a_name_is_cleaned_of_what_cannot_be_seen(text: str, name: str) -> None:
    assert clean_name(text) == name


@pytest.mark.parametrize("text", ["", "   ", "12345", "---", "\u200d", "😀"])
def test_what_has_no_letter_is_no_name(text: str) -> None:
    with pytest.raises(ImpossibleError, match="first and last name") as caught:
        clean_name(text)
    assert caught.value.reason == "unusable_name"


def test_a_name_of_300_characters_is_refused_and_not_repeated() -> None:
    with pytest.raises(ImpossibleError, match="at most 80 characters") as caught:
        clean_name("x" * 300)
    assert "xxx" not in caught.value.message
    assert clean_name("x" * LONGEST_NAME) == "x" * LONGEST_NAME


@pytest.mark.parametrize(
    "text", ["417209", "417 209", "4-1-7-2-0-9", " 417.209. ", "\uff14\uff11\uff17\uff12\uff10\uff19"]
)
def test_a_code_is_its_six_digits_however_they_are_parted(text: str) -> None:
    assert read_code(text) == "417209"


@pytest.mark.parametrize(
    "text", ["", "41720", "4172099", "four one seven", "417209 or 417210", "code 417209", "²²²²²²x"]
)
def test_anything_else_is_no_code(text: str) -> None:
    with pytest.raises(ImpossibleError, match="6 digits") as caught:
        read_code(text)
    assert caught.value.reason == "unreadable_code"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna Meyer", "anna meyer"),
        ("Meyer", "Maier"),
        ("Mrs Meyer", "Anna Meyer"),
        ("Zoë", "Zoe"),
        ("Dr. De", "dr de"),
        ("Jon Smith", "John Smyth"),
    ],
)
def test_two_spellings_are_one_name(one: str, other: str) -> None:
    assert same_name(one, other)
    assert same_name(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("Anna Meyer", "Otto Schulz"), ("Mrs Meyer", "Mrs Schulz"), ("Jan de Boer", "Piet de Vries")]
)
def test_two_names_are_two(one: str, other: str) -> None:
    assert not same_name(one, other)


def test_an_equal_name_is_equal_but_for_case_and_accents() -> None:
    assert equal_name("ZOË  Meyer", "zoe meyer")
    assert not equal_name("Anna Meyer", "Anna Maier")


@settings(deadline=None)
@given(st.text(max_size=100))
def test_a_cleaned_name_is_clean(text: str) -> None:
    try:
        name = clean_name(text)
    except ImpossibleError:
        return
    assert clean_name(name) == name
    assert len(name) <= LONGEST_NAME
