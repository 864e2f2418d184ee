"""The catalogue of keys, read off the model: what is allowed for each, what a wrong one was probably meant to be.

Owns the judgement of single keys and values, and the words of every complaint about them. Pure: knows no file, no
environment, and not which of two values wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from voicebotd.config import budget, mcp
from voicebotd.config.credentials import redact
from voicebotd.config.model import Settings
from voicebotd.config.section import Applies
from voicebotd.errors import Problem

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One configuration key as the model declares it."""

    name: str
    default: Any
    """As it would be written: JSON types only."""
    allowed: str
    """The range in words, `a number from 0 to 1`."""
    unit: str
    description: str
    applies: Applies
    adapter: TypeAdapter[Any]
    nullable: bool


@cache
def keys() -> Mapping[str, Key]:
    """Every key by its dotted name, in the order of the manual."""
    return {key.name: key for key in _walk(Settings, "")}


@cache
def sections() -> frozenset[str]:
    """The dotted names that hold keys and have no value: `session`, `session.transcription`."""
    parts = (name.split(".") for name in keys())
    return frozenset(".".join(each[:depth]) for each in parts for depth in range(1, len(each)))


def describe() -> list[Key]:
    """The rows of the manual."""
    return list(keys().values())


def applies(name: str) -> Applies:
    """When a change of this key takes effect. Raises KeyError for a name that is no key."""
    return keys()[name].applies


def flatten(settings: Settings) -> dict[str, Any]:
    """Every key's value under its dotted name, as JSON types (`control.mode` is "0660")."""
    tree = settings.model_dump(mode="json")
    return {name: _at(tree, name) for name in keys()}


def unknown(name: str, source: str) -> Problem:
    """The complaint about a name that is no key: probably a typing error."""
    if name.endswith("api_key"):
        hint = "put it in OPENAI_API_KEY, in the file that OPENAI_API_KEY_FILE names, or in a systemd credential"
        return Problem(key=name, message="a key is never part of the configuration", source=source, hint=hint)
    nearest = _nearest(name)
    return Problem(key=name, message="unknown key", source=source, hint=f"did you mean {nearest}?" if nearest else "")


def check(name: str, value: object, source: str, *, is_text: bool = False) -> tuple[Any, Problem | None]:
    """Judge one value of a known key: the value as the model wants it, or the complaint.

    `is_text`: it comes from where only text can be written (environment, command line), so `0.7` is a number, `true`
    is a truth and `null` is null where null is allowed. Elsewhere a number in quotes is a mistake.
    """
    key = keys()[name]
    if is_text and key.nullable and value == "null":
        return None, None
    try:
        return key.adapter.validate_python(value, strict=not is_text), None
    except ValidationError:
        # pydantic's own words describe branches of our annotations; the allowed range is what mends the value.
        pass
    return None, Problem(key=name, message=_wrong(name, value) or _not_allowed(key, value), source=source)


def _wrong(name: str, value: object) -> str:
    """What is wrong with a value that has an inside; empty where the range says it all."""
    if name == budget.PRICES:
        return budget.complaint(value)
    return mcp.complaint(name, value) if name in (mcp.LOCAL, mcp.REMOTE) else ""


def _not_allowed(key: Key, value: object) -> str:
    shown = f"this {type(value).__name__}" if key.name in (mcp.LOCAL, mcp.REMOTE) else show(value)
    return f"{shown} is not allowed; allowed: {key.allowed}"


def show(value: object) -> str:
    """A value as it may be shown in an error: short, on one line, and never a secret."""
    text = redact(repr(value))
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    for field_name, field in model.model_fields.items():
        name = prefix + field_name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _walk(field.annotation, name + ".")
            continue
        annotated: Any = Annotated[field.annotation, field]
        adapter: TypeAdapter[Any] = TypeAdapter(annotated)
        schema = adapter.json_schema()
        extra = cast(dict[str, Any], field.json_schema_extra)
        yield Key(
            name=name,
            default=adapter.dump_python(field.default, mode="json"),
            allowed=extra["allowed"] or _words(schema) + (f" ({extra['unit']})" if extra["unit"] else ""),
            unit=extra["unit"],
            description=" ".join((field.description or "").split()),
            applies=extra["applies"],
            adapter=adapter,
            nullable={"type": "null"} in schema.get("anyOf", ()),
        )


def _words(schema: Mapping[str, Any]) -> str:
    """A JSON schema of one value in words."""
    if "anyOf" in schema:
        return ", or ".join(_words(branch) for branch in schema["anyOf"])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        *first, last = map(str, schema["enum"])
        return f"{', '.join(first)} or {last}"
    if schema["type"] in {"integer", "number"}:
        return _number_words(schema)
    return {"boolean": "true or false", "null": "null", "string": "text"}[schema["type"]]


def _number_words(schema: Mapping[str, Any]) -> str:
    noun = "a whole number" if schema["type"] == "integer" else "a number"
    low = f"{schema['minimum']:g}"
    return f"{noun} from {low} to {schema['maximum']:g}" if "maximum" in schema else f"{noun} from {low}"


def _nearest(name: str) -> str | None:
    """The known key or section that `name` most resembles, as a whole or in its last part."""
    by_last_part = {known.rpartition(".")[2]: known for known in keys()}
    last_part = name.rpartition(".")[2]
    if last_part in by_last_part:
        return by_last_part[last_part]
    whole = get_close_matches(name, sorted((*keys(), *sections())), n=1, cutoff=0.6)
    part = get_close_matches(last_part, sorted(by_last_part), n=1, cutoff=0.75)
    return next(iter((*whole, *(by_last_part[each] for each in part))), None)


def _at(tree: Mapping[str, Any], name: str) -> Any:
    node: Any = tree
    for part in name.split("."):
        node = node[part]
    return node
