"""Small checks that compose into the shape of a client's JSON (schema.py), and the refusals when it does not fit.

Owns the refusals `missing_required_parameter`, `unknown_parameter` and `invalid_value`. Pure; knows no event or field.
A check takes a value and its dotted path and returns the value, or raises `Refusal` with that path as `param`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from typing import Any

from voicebotd.rehearsal.wire import Refusal

Check = Callable[[Any, str], Any]


def invalid(path: str, message: str) -> Refusal:
    return Refusal("invalid_value", f"Invalid value for '{path}': {message}", param=path)


def text(*, longest: int | None = None) -> Check:
    def check(value: Any, path: str) -> Any:
        if not isinstance(value, str):
            raise invalid(path, "expected a string.")
        if longest is not None and len(value) > longest:
            message = f"Invalid '{path}': string too long. Expected at most {longest} characters, got {len(value)}."
            raise Refusal("string_above_max_length", message, param=path)
        return value

    return check


def flag(value: Any, path: str) -> Any:
    if not isinstance(value, bool):
        raise invalid(path, "expected true or false.")
    return value


def anything(value: Any, path: str) -> Any:
    return value


def audio(value: Any, path: str) -> bytes:
    """Base64 of s16le samples; the one check that returns something else than it was given: the bytes."""
    try:
        pcm = base64.b64decode(text()(value, path), validate=True)
    except ValueError as error:
        raise invalid(path, "expected base64 audio.") from error
    if len(pcm) % 2:
        raise invalid(path, "expected whole 16-bit samples.")
    return pcm


def integer(lowest: int, highest: int | None = None) -> Check:
    def check(value: Any, path: str) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid(path, "expected an integer.")
        return _within(value, path, lowest, highest)

    return check


def number(lowest: float, highest: float) -> Check:
    def check(value: Any, path: str) -> Any:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise invalid(path, "expected a number.")
        return _within(value, path, lowest, highest)

    return check


def _within(value: float, path: str, lowest: float, highest: float | None) -> float:
    # Written so that a NaN, which json.loads accepts, is outside of every range.
    if not (value >= lowest and (highest is None or value <= highest)):
        bounds = f"at least {lowest}" if highest is None else f"between {lowest} and {highest}"
        raise invalid(path, f"expected a value {bounds}, got {value}.")
    return value


def choice(*allowed: str) -> Check:
    return exactly(allowed)


def exactly(allowed: Collection[Any]) -> Check:
    """One of these whole JSON values, for lists such as `["audio"]`."""

    def check(value: Any, path: str) -> Any:
        if value not in allowed:
            raise invalid(path, f"got {value!r}. Supported values are: {', '.join(map(repr, allowed))}.")
        return value

    return check


def nullable(inner: Check) -> Check:
    return lambda value, path: None if value is None else inner(value, path)


def by_kind(kinds: Mapping[type, Check]) -> Check:
    """Choose the check by the JSON type of the value."""

    def check(value: Any, path: str) -> Any:
        if type(value) not in kinds:
            raise invalid(path, f"expected one of: {', '.join(kind.__name__ for kind in kinds)}.")
        return kinds[type(value)](value, path)

    return check


def array(inner: Check, *, longest: int | None = None) -> Check:
    def check(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise invalid(path, "expected an array.")
        if longest is not None and len(value) > longest:
            raise invalid(path, f"expected at most {longest} elements, got {len(value)}.")
        return [inner(element, f"{path}[{index}]") for index, element in enumerate(value)]

    return check


def pairs(*, longest: int, longest_key: int, longest_value: int) -> Check:
    def check(value: Any, path: str) -> Any:
        if not isinstance(value, dict) or len(value) > longest:
            raise invalid(path, f"expected an object with at most {longest} pairs.")
        for key, held in value.items():
            text(longest=longest_key)(key, path)
            text(longest=longest_value)(held, f"{path}.{key}")
        return value

    return check


def record(fields: Mapping[str, Check], *, required: Collection[str] = ()) -> Check:
    """An object with these fields and no other."""

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise invalid(path, "expected an object.")
        for key in required:
            if key not in value:
                name = _join(path, key)
                raise Refusal("missing_required_parameter", f"Missing required parameter: '{name}'.", param=name)
        for key in value:
            if key not in fields:
                name = _join(path, key)
                raise Refusal("unknown_parameter", f"Unknown parameter: '{name}'.", param=name)
        return {key: fields[key](held, _join(path, key)) for key, held in value.items()}

    return check


def tagged(tag: str, records: Mapping[str, Check]) -> Check:
    """An object whose field `tag` says which record it is."""

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise invalid(path, "expected an object.")
        name = _join(path, tag)
        if tag not in value:
            raise Refusal("missing_required_parameter", f"Missing required parameter: '{name}'.", param=name)
        choice(*records)(value[tag], name)
        return records[value[tag]](value, path)

    return check


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
