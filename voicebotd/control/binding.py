"""What a client sent as `params` → the dataclass that a handler takes, or one error that names everything wrong.

Owns binding by name and by position, strict types, ranges and the wording of -32602. Knows no method and no handler.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from voicebotd.control.contract_types import FieldSpec, fields_of, without_none
from voicebotd.control.jsonrpc import refusal

_SHOWN_CHARS = 60
"""So much of a wrong value is quoted back."""
_STRICT = ConfigDict(strict=True, extra="forbid")
"""Strict: "0.7" is not a number and true is not 1. An integer is a number."""


class Binder:
    """Binds and checks the parameters of one method."""

    def __init__(self, params_type: type[Any]) -> None:
        self._params_type = params_type
        self._fields = {field.name: field for field in fields_of(params_type)}
        definitions: dict[str, Any] = {
            field.name: (field.type, ... if field.required else field.default) for field in self._fields.values()
        }
        self._model: type[BaseModel] = create_model(params_type.__name__, __config__=_STRICT, **definitions)

    def bind(self, params: list[Any] | dict[str, Any] | None) -> Any:
        """Return an instance of the params dataclass. Raise RpcError -32602 naming key, value, range, nearest key."""
        named = self._by_name(params)
        for name, field in self._fields.items():
            if field.null_means is not None and name in named and named[name] is None:
                named = {**named, name: field.null_means}
        problems: dict[str, str] = {}
        bound = dict(named)
        try:
            checked = self._model.model_validate(named)
            # As converted: a whole number given for a float is a float from here on.
            bound = {name: getattr(checked, name) for name in checked.model_fields_set}
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                problems.setdefault(
                    str(detail["loc"][0]), self._problem(detail["loc"], detail["type"], detail["input"])
                )
        for name, value in named.items():
            if name not in problems and not _in_range(self._fields[name], value):
                field = self._fields[name]
                problems[name] = f"{name}: {_show(value)} is out of range {field.range_text} {field.unit}".rstrip()
        if problems:
            raise refusal("rpc.invalid_params", "Invalid params: " + "; ".join(problems.values()))
        return self._params_type(**bound)

    def _by_name(self, params: list[Any] | dict[str, Any] | None) -> dict[str, Any]:
        if isinstance(params, dict):
            return params
        values = params or []
        if len(values) > len(self._fields):
            known = ", ".join(self._fields) or "none"
            message = f"Invalid params: {len(values)} given, at most {len(self._fields)} known ({known})"
            raise refusal("rpc.invalid_params", message)
        return dict(zip(self._fields, values, strict=False))

    def _problem(self, where: tuple[int | str, ...], kind: str, value: Any) -> str:
        name = str(where[0])
        if kind == "extra_forbidden":
            return f"{name}: no such parameter ({self._nearest(name)})"
        if kind == "missing":
            return f"{name}: missing, {_expectation(self._fields[name])}"
        field = self._fields[name]
        if field.is_list and len(where) > 1:
            return f"{name}[{where[1]}]: {_show(value)} is not one of {field.range_text}"
        return f"{name}: {_show(value)} is not {_expectation(field)}"

    def _nearest(self, name: str) -> str:
        near = get_close_matches(name, self._fields, n=1)
        if near:
            return f"nearest: {near[0]}"
        return "known: " + ", ".join(self._fields) if self._fields else "it takes none"


_KINDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def _expectation(field: FieldSpec) -> str:
    """`a number, 0..1`, `one of user|system`, `a whole number or text`: what would have been right."""
    if field.choices:
        return f"a list of {field.range_text}" if field.is_list else f"one of {field.range_text}"
    kinds = " or ".join(_KINDS.get(part, "an object") for part in without_none(field.type))
    limits = f"{field.range_text} {field.unit}".strip() if field.range_text else ""
    return f"{kinds}, {limits}" if limits else kinds


def _in_range(field: FieldSpec, value: Any) -> bool:
    if value is None:
        return True
    above = field.minimum is None or value >= field.minimum
    return above and (field.maximum is None or value <= field.maximum)


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
