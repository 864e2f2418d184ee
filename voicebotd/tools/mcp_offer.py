"""From the functions that a server lists to those that the model is offered: names, limits, and the check of arguments.

Owns what a function of a server is called (`server__function`), which are left out and why, and what the model is told
of arguments that do not fit the server's own schema. Pure: no server is asked anything here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from voicebotd.errors import ToolError
from voicebotd.tools.registry import Call, JsonObject, Thunk, Tool

Ask = Callable[[str, JsonObject], Awaitable[str]]
"""Call this function, by the server's own name for it, with these arguments."""
MOST_FUNCTIONS = 64
MOST_SCHEMA_CHARACTERS = 16_000
MOST_DESCRIPTION_CHARACTERS = 1_500
"""Both are read, and paid for, with every answer."""
_LONGEST_NAME = 64
_STRANGE = re.compile(r"[^A-Za-z0-9_-]")
_MARK_CHARACTERS = 6
_MOST_ERRORS = 5
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A function as a server lists it."""

    name: str
    description: str
    schema: JsonObject


def function_name(server: str, name: str) -> str:
    """What the model calls it. A name that the service would refuse is made to fit, and stays the same each time."""
    full = _STRANGE.sub("_", f"{server}__{name}")
    if len(full) <= _LONGEST_NAME:
        return full
    mark = hashlib.sha256(name.encode()).hexdigest()[:_MARK_CHARACTERS]
    return f"{full[: _LONGEST_NAME - _MARK_CHARACTERS - 1]}_{mark}"


def offer(
    server: str, listed: Sequence[Listed], *, allow: Sequence[str] | None, timeout_s: float | None, ask: Ask
) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """Return the functions that may be offered, and what is wrong with the others. `allow`: None allows all."""
    problems: list[str] = []
    allowed = [one for one in listed if allow is None or one.name in allow]
    if missing := sorted(set(allow or ()) - {one.name for one in listed}):
        there_is = ", ".join(sorted(one.name for one in listed)) or "none"
        problems.append(f"allow names {', '.join(missing)}, which it does not have; it has {there_is}")
    if len(allowed) > MOST_FUNCTIONS:
        problems.append(f"has {len(allowed)} functions and the first {MOST_FUNCTIONS} are offered; allow chooses")
    tools: list[Tool] = []
    for one in allowed[:MOST_FUNCTIONS]:
        try:
            tools.append(_tool(server, one, timeout_s, ask))
        except ToolError as error:
            problems.append(f"{one.name}: {error.message}")
    return tuple(tools), tuple(problems)


def _tool(server: str, one: Listed, timeout_s: float | None, ask: Ask) -> Tool:
    """Raises ToolError saying why it cannot be offered."""
    schema = {"type": "object", "properties": {}, **one.schema}
    if schema["type"] != "object":
        raise ToolError("its schema does not describe an object")
    if len(json.dumps(schema)) > MOST_SCHEMA_CHARACTERS:
        raise ToolError(f"its schema is longer than {MOST_SCHEMA_CHARACTERS} characters")
    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ToolError(f"its schema is no JSON Schema: {error.message[:200]}") from error
    # With a registry of its own, for without one a reference to an address is fetched from there.
    validator = kind(schema, registry=Registry())
    return Tool(
        name=function_name(server, one.name),
        description=(one.description or one.name)[:MOST_DESCRIPTION_CHARACTERS],
        parameters=schema,
        source=f"mcp {server}",
        group=server,
        bind=_Binding(one.name, validator, ask),
        timeout_s=timeout_s,
        ours=True,  # what waits here is the client, which yields; the function itself runs with the server
    )


class _Binding:
    """Checks arguments against the server's schema, and asks the server."""

    def __init__(self, name: str, validator: Validator, ask: Ask) -> None:
        self._name = name
        self._validator = validator
        self._ask = ask

    def __call__(self, arguments: str, _call: Call) -> Thunk:
        given = _object(arguments)
        if wrong := self._wrong(given):
            raise ToolError(f"The arguments are wrong. {'; '.join(wrong)}. Correct them and call the function again.")
        return lambda: self._ask(self._name, given)

    def _wrong(self, given: JsonObject) -> list[str]:
        try:
            errors = sorted(self._validator.iter_errors(given), key=lambda error: list(map(str, error.path)))
        except Unresolvable as error:
            raise ToolError(
                f"The function cannot be called: its schema refers to what is not in it ({error})."
            ) from error
        return [_explain(error.path, error.message) for error in errors[:_MOST_ERRORS]]


def _object(arguments: str) -> JsonObject:
    try:
        given: Any = json.loads(arguments.strip() or "{}")
    except (ValueError, RecursionError) as error:
        raise ToolError(f"The arguments are not JSON: {error}. Call the function again.") from error
    if not isinstance(given, dict):
        raise ToolError("The arguments are not a JSON object. Call the function again with one.")
    return given


def _explain(path: Sequence[str | int], message: str) -> str:
    where = ".".join(map(str, path))
    short = message if len(message) <= _SHOWN_CHARACTERS * 3 else message[: _SHOWN_CHARACTERS * 3] + "…"
    return f"{where}: {short}" if where else short
