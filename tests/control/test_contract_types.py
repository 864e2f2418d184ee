"""How the contract's fields describe themselves."""

from dataclasses import dataclass, field
from typing import Any, Literal, Optional

import pytest

from voicebotd.control.contract_types import choices_of, doc, fields_of, needs_admin, without_none


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    needed: int = field(metadata=doc("a number", minimum=0, maximum=2.5, unit="ms"))
    choice: Literal["a", "b"] | None = field(default=None, metadata=doc("a choice"))
    many: list[Literal["x", "y"]] = field(default_factory=list, metadata=doc("choices"))
    low: float = field(default=1.0, metadata=doc("no upper end", minimum=-1))
    high: float = field(default=1.0, metadata=doc("no lower end", maximum=10_000))
    keep: bool = field(default=False, metadata=doc("owner only", admin=True))
    name: str | None = field(default=None, metadata=doc("owner only as soon as it is given", admin=True))


def test_a_field_tells_all_about_itself() -> None:
    needed, choice, many, *_ = fields_of(Sample)

    assert (needed.name, needed.type, needed.doc, needed.unit) == ("needed", int, "a number", "ms")
    assert (needed.required, needed.default, needed.minimum, needed.maximum) == (True, None, 0, 2.5)
    assert (choice.required, choice.default, choice.choices, choice.is_list) == (False, None, ("a", "b"), False)
    assert (many.required, many.default, many.choices, many.is_list) == (False, [], ("x", "y"), True)


def test_the_range_as_people_read_it() -> None:
    assert [spec.range_text for spec in fields_of(Sample)] == ["0..2.5", "a|b", "x|y", "-1..", "..10000", "", ""]


@pytest.mark.parametrize(
    ("annotation", "alternatives"),
    [(int, (int,)), (int | None, (int,)), (int | str | None, (int, str)), (Optional[int], (int,))],  # noqa: UP045
)
def test_none_is_left_out_of_a_union(annotation: Any, alternatives: tuple[Any, ...]) -> None:
    assert without_none(annotation) == alternatives


def test_choices_are_found_where_there_are_any() -> None:
    assert choices_of(list[Literal["x"]] | None) == ("x",)
    assert choices_of(dict[str, int] | None) == ()


def test_who_may_is_a_matter_of_the_method_and_of_what_is_given() -> None:
    assert needs_admin("admin", Sample(needed=1))
    assert not needs_admin("control", Sample(needed=1))
    assert not needs_admin("read", Sample(needed=1))
    assert needs_admin("control", Sample(needed=1, keep=True))
    assert needs_admin("read", Sample(needed=1, name=""))
