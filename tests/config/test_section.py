"""A group of keys is frozen and deaf to what it does not know."""

import pytest
from pydantic import ValidationError

from voicebotd.config.section import Section, key, listed


class Lamp(Section):
    watts: int = key(40, "restart", unit="W", allowed="few", ge=1)
    """How bright."""


def test_a_section_takes_its_own_keys_only_and_stays_as_it_is() -> None:
    with pytest.raises(ValidationError):
        Lamp(volts=3)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Lamp().watts = 3  # type: ignore[misc]


def test_a_key_says_its_effect_unit_range_and_meaning() -> None:
    field = Lamp.model_fields["watts"]
    assert field.json_schema_extra == {"applies": "restart", "unit": "W", "allowed": "few"}
    assert field.description == "How bright."
    assert Lamp().watts == 40


@pytest.mark.parametrize("text", ["a,b", " a , b ", "[a, b]", "['a', \"b\"]"])
def test_a_list_may_be_written_where_only_text_can_be(text: str) -> None:
    assert listed(text) == ["a", "b"]
    assert listed(["a", 1]) == ["a", 1]


@pytest.mark.parametrize("text", ["", "[]", " "])
def test_an_empty_list_too(text: str) -> None:
    assert listed(text) == []
