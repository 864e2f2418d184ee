"""Reading JSON that somebody else wrote: the right type, or a `BadField` that names what is wrong.

Owns the tolerance towards the other side's data: what may be missing, which numbers count as numbers, what text
is fit for a log line. Knows no event and no session. Pure.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, TypeGuard

EXACT_INT = 2**53
"""Beyond this a JSON number is not exact (RFC 8259 §6); no position and no count of ours comes near it."""

JsonObject = dict[str, Any]


class BadField(Exception):  # noqa: N818 (never leaves this room: the decoder turns it into a value)
    """A field is missing or of the wrong type. The message names the field and never quotes its value."""


def text(source: JsonObject, name: str) -> str:
    """Return the text called `name`, fit to be stored: a lone surrogate is replaced, as no UTF-8 can hold it."""
    value = source.get(name)
    if not isinstance(value, str):
        raise BadField(f"{name} {_problem(value)}")
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def identifier(source: JsonObject, name: str) -> str:
    """Return the text called `name`, which must not be empty: it names a thing that other events refer to."""
    value = text(source, name)
    if not value:
        raise BadField(f"{name} is empty")
    return value


def optional_text(source: JsonObject, name: str) -> str:
    """Return the text called `name`, or "" where there is none: it explains and nothing depends on it."""
    value = source.get(name)
    return one_line(value) if isinstance(value, str) else ""


def whole(source: JsonObject, name: str, default: int | None = None) -> int:
    """Return the number ≥ 0 called `name`, without its fraction; `default` where it is absent."""
    value = source.get(name)
    if value is None and default is not None:
        return default
    number = as_whole(value)
    if number is None:
        raise BadField(f"{name} {_problem(value)}")
    return number


def as_whole(value: object) -> int | None:
    """Return `value` as a whole number from 0 to `EXACT_INT`, or None if it is not one."""
    if isinstance(value, float) and isfinite(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= EXACT_INT:
        return value
    return None


def as_amount(value: object) -> float | None:
    """Return `value` as a number from 0 to `EXACT_INT`, or None if it is not one."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= EXACT_INT:
        return float(value)
    return None


def is_number(value: object) -> TypeGuard[float]:
    """Return whether `value` is a number that no arithmetic of ours can break."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -EXACT_INT <= value <= EXACT_INT


def nested(source: JsonObject, name: str) -> JsonObject:
    """Return the object called `name`."""
    value = source.get(name)
    if not isinstance(value, dict):
        raise BadField(f"{name} {_problem(value)}")
    return value


def optional_nested(source: JsonObject, name: str) -> JsonObject:
    """Return the object called `name`, or an empty one where there is none."""
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def one_line(value: str, limit: int = 300) -> str:
    """Return `value` fit for a log line and a terminal: printable, on one line, at most `limit` characters."""
    shown = " ".join("".join(char if char.isprintable() else " " for char in value[: 2 * limit]).split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def without(secret: str, value: str) -> str:
    """Return `value` without the key, should the other side repeat it. A toy key of a local server is no secret."""
    return value.replace(secret, "[key]") if len(secret) >= 16 and secret in value else value


def _problem(value: object) -> str:
    return "is missing" if value is None else "has the wrong type"
