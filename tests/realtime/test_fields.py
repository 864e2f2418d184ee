"""Reading JSON that somebody else wrote."""

from __future__ import annotations

import pytest

from voicebotd.realtime.fields import (
    EXACT_INT,
    BadField,
    as_amount,
    as_whole,
    identifier,
    is_number,
    nested,
    one_line,
    optional_nested,
    optional_text,
    text,
    whole,
    without,
)


def test_text_is_returned_as_it_is() -> None:
    assert text({"a": "Grüße"}, "a") == "Grüße"


def test_a_lone_surrogate_is_replaced_because_no_database_could_store_it() -> None:
    assert text({"a": "x\ud800y"}, "a") == "x?y"


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_text_of_another_type_is_a_bad_field_that_is_named(value: object) -> None:
    with pytest.raises(BadField, match=r"^a "):
        text({"a": value}, "a")


def test_an_identifier_is_never_empty() -> None:
    assert identifier({"id": "x"}, "id") == "x"
    with pytest.raises(BadField, match="id is empty"):
        identifier({"id": ""}, "id")


def test_optional_text_is_empty_where_there_is_none() -> None:
    assert optional_text({"a": "x\ny"}, "a") == "x y"
    assert optional_text({"a": 1}, "a") == ""
    assert optional_text({}, "a") == ""


@pytest.mark.parametrize(("value", "number"), [(0, 0), (7, 7), (7.9, 7), (EXACT_INT, EXACT_INT)])
def test_a_number_from_zero_up_is_whole_without_its_fraction(value: object, number: int) -> None:
    assert as_whole(value) == number


@pytest.mark.parametrize("value", [-1, True, float("nan"), float("inf"), 10**400, "7", None])
def test_anything_else_is_not_a_whole_number(value: object) -> None:
    assert as_whole(value) is None


@pytest.mark.parametrize(("value", "amount"), [(0, 0.0), (7, 7.0), (7.9, 7.9)])
def test_an_amount_keeps_its_fraction(value: object, amount: float) -> None:
    assert as_amount(value) == amount


@pytest.mark.parametrize("value", [-0.1, True, float("nan"), float("inf"), 10**400, "7", None])
def test_anything_else_is_no_amount(value: object) -> None:
    assert as_amount(value) is None


def test_a_missing_number_takes_the_default_and_a_wrong_one_does_not() -> None:
    assert whole({}, "a", 3) == 3
    assert whole({"a": 4}, "a", 3) == 4
    with pytest.raises(BadField, match="a is missing"):
        whole({}, "a")
    with pytest.raises(BadField, match="a has the wrong type"):
        whole({"a": "4"}, "a", 3)


def test_a_nested_object_must_be_one_unless_it_is_optional() -> None:
    assert nested({"a": {"b": 1}}, "a") == {"b": 1}
    assert optional_nested({"a": {"b": 1}}, "a") == {"b": 1}
    assert optional_nested({"a": []}, "a") == {}
    with pytest.raises(BadField, match="a has the wrong type"):
        nested({"a": []}, "a")


def test_one_line_has_no_line_break_no_escape_sequence_and_an_end() -> None:
    assert one_line("a\n\n b\x1b[31m\u2028c") == "a b [31m c"
    assert one_line("x" * 1000, 10) == "x" * 9 + "…"


def test_a_key_that_the_other_side_repeats_is_taken_out() -> None:
    key = "sk-0123456789abcdef"
    assert without(key, f"bad key {key}!") == "bad key [key]!"
    assert without(key, "bad key") == "bad key"
    assert without("x", "an x for a local server") == "an x for a local server"


@pytest.mark.parametrize("value", [0, -3, 2.5, EXACT_INT, -EXACT_INT])
def test_a_number_that_can_be_calculated_with_is_one(value: object) -> None:
    assert is_number(value)


@pytest.mark.parametrize("value", [True, "7", None, float("nan"), float("inf"), 10**400, -(10**400)])
def test_anything_else_is_no_number(value: object) -> None:
    assert not is_number(value)
