"""What a group of keys is made of: the base of every section, and how one key says its range, unit and effect.

Owns the form in which keys are declared. Knows no key.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Applies = Literal["live", "reconnect", "restart"]


class Section(BaseModel):
    """A group of keys: frozen, complete, and deaf to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def listed(value: object) -> object:
    """A list also from text with commas, in brackets or not: the environment and --set can write nothing else."""
    if not isinstance(value, str):
        return value
    parts = (part.strip().strip("'\"") for part in value.strip().removeprefix("[").removesuffix("]").split(","))
    return [part for part in parts if part]


def key(default: Any, applies: Applies, *, unit: str = "", allowed: str = "", **limits: Any) -> Any:
    """`allowed`: the range in words, where the words made from the limits would not be plain."""
    return Field(default, json_schema_extra={"applies": applies, "unit": unit, "allowed": allowed}, **limits)
