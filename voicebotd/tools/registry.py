"""What a function must be to be called by the model, and what it becomes: a `Tool`.

A function with type hints and a docstring is all there is to write: its name, its description, its JSON Schema and the
checking of its arguments follow from them. Where functions are found is `sources.py`'s, which of them the model sees
`catalogue.py`'s, how one is run `runner.py`'s. Pure: no function is run here.

    @tool
    async def opening_hours(day: Weekday) -> str:
        \"""Tell when the shop is open.

        Args:
            day: the weekday that the visitor asks about.
        \"""

A parameter of the type `Call` is not shown to the model; it gets the call's own name, by which a function that changes
something knows a call that it has carried out already.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema

from voicebotd.errors import ToolError
from voicebotd.tools.docstrings import parse

Function = Callable[..., Any]
"""Async, or plain: then it is run in a thread of its own."""
JsonObject = dict[str, Any]
Thunk = Callable[[], Any]
F = TypeVar("F", bound=Function)

_MARK = "__voicebotd_tool__"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What the service takes for the name of a function."""
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Which call this is. The same `call_id` is the same wish, however often it comes."""

    call_id: str
    conversation_id: str
    """Empty for a call by a person (`voicebotctl tools call`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str
    parameters: JsonObject
    """JSON Schema."""
    source: str
    """Where it comes from, for people: a module, a file, a server."""
    group: str
    """The name under which `session.tools` may ask for it together with what came with it."""
    bind: Callable[[str, Call], Thunk]
    """From arguments (JSON text, as the model wrote it) to what runs it. Raises ToolError for arguments that are wrong,
    in words by which the model can correct itself."""
    timeout_s: float | None = None
    """None: as configured."""
    ours: bool = False
    """It is part of the package and trusted to yield, so it runs in the daemon's own loop; others are kept apart."""
    blocking: bool = False
    """It is not async, and gets a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the decorator noted."""

    name: str | None
    timeout_s: float | None


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(*, name: str | None = None, timeout_s: float | None = None) -> Callable[[F], F]: ...
def tool(
    function: F | None = None, /, *, name: str | None = None, timeout_s: float | None = None
) -> F | Callable[[F], F]:
    """Offer this function of a module to the model. `timeout_s`: for a function slower than `tools.timeout_s`."""

    def mark(marked: F) -> F:
        setattr(marked, _MARK, Mark(name=name, timeout_s=timeout_s))
        return marked

    return mark if function is None else mark(function)


def marked(module: ModuleType) -> list[Function]:
    """The functions of a module that are offered, in the order of the file; not those that it imports."""
    found = vars(module).values()
    return [one for one in found if hasattr(one, _MARK) and getattr(one, "__module__", None) == module.__name__]


def make_all(functions: Iterable[Function], *, source: str, group: str, ours: bool = False) -> tuple[Tool, ...]:
    """Raises ToolError for the first that cannot be offered."""
    return tuple(make(function, source=source, group=group, ours=ours) for function in functions)


def make(function: Function, *, source: str, group: str, ours: bool = False) -> Tool:
    """Make a tool of a function, marked or not. Raises ToolError saying why it cannot be one."""
    mark: Mark = getattr(function, _MARK, Mark(name=None, timeout_s=None))
    name = mark.name or str(getattr(function, "__name__", ""))
    if not _NAME.fullmatch(name):
        raise ToolError(f"{name!r} cannot be the name of a function: 1 to 64 of A-Z a-z 0-9 _ -")
    if mark.timeout_s is not None and not mark.timeout_s > 0:
        raise ToolError(f"{name}: timeout_s is {mark.timeout_s}, and must be more than 0")
    parameters, injected = _parameters(function, name)
    doc = parse(inspect.getdoc(function) or "")
    if not doc.description:
        raise ToolError(f"{name}: has no docstring, and the model goes by it")
    if strange := sorted(doc.arguments.keys() - parameters.keys()):
        raise ToolError(f"{name}: the docstring describes {', '.join(strange)}, which is no parameter")
    model = _model(name, parameters, doc.arguments)
    return Tool(
        name=name,
        description=doc.description,
        parameters=_schema(name, model),
        source=source,
        group=group,
        bind=_Binding(function, model, list(parameters), injected),
        timeout_s=mark.timeout_s,
        ours=ours,
        blocking=not inspect.iscoroutinefunction(function),
    )


class _Binding:
    """Checks arguments and puts them to the function."""

    def __init__(self, function: Function, model: type[BaseModel], names: list[str], injected: str | None) -> None:
        self._function = function
        self._model = model
        self._names = names
        self._injected = injected

    def __call__(self, arguments: str, call: Call) -> Thunk:
        try:
            given = self._model.model_validate_json(arguments.strip() or "{}")
        except ValidationError as error:
            raise ToolError(explain(error, self._names)) from error
        # What was left out is left to the function's own defaults.
        values = {self._names[int(field[1:])]: getattr(given, field) for field in given.model_fields_set}
        if self._injected is not None:
            values[self._injected] = call
        return lambda: self._function(**values)


def explain(error: ValidationError, names: list[str]) -> str:
    """What is wrong with the arguments, all of it, so that the model can correct itself in one go."""
    wrong = []
    for one in error.errors(include_url=False):
        where = ".".join(map(str, one["loc"]))
        if one["type"] == "missing":
            wrong.append(f"{where}: is missing")
        elif one["type"] == "extra_forbidden":
            wrong.append(f"{where}: is no parameter; there are {', '.join(names) or 'none'}")
        elif where:
            wrong.append(f"{where}: {one['msg']}, not {_short(one['input'])}")
        else:
            wrong.append(one["msg"])
    return f"The arguments are wrong. {'; '.join(wrong)}. Correct them and call the function again."


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _parameters(function: Function, name: str) -> tuple[dict[str, inspect.Parameter], str | None]:
    """The parameters that the model gives, with their types resolved, and the name of the one that takes the `Call`."""
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError, ValueError) as error:
        raise ToolError(f"{name}: its types cannot be read: {error}") from error
    given: dict[str, inspect.Parameter] = {}
    injected = None
    for parameter in signature.parameters.values():
        if parameter.kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
            raise ToolError(f"{name}: {parameter.name} cannot be given by name, and the model names all that it gives")
        if parameter.name not in hints:
            raise ToolError(f"{name}: the parameter {parameter.name} has no type")
        if hints[parameter.name] is Call:
            injected = parameter.name
        else:
            given[parameter.name] = parameter.replace(annotation=hints[parameter.name])
    return given, injected


def _model(name: str, parameters: Mapping[str, inspect.Parameter], described: Mapping[str, str]) -> type[BaseModel]:
    """Fields have names of ours, since a parameter may be called what a field must not be (`json`, `_from`)."""
    fields: dict[str, Any] = {}
    for index, parameter in enumerate(parameters.values()):
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        about = described.get(parameter.name) or _annotated_text(parameter.annotation)
        # The outer of two descriptions counts, and one that is None would hide that of an annotated Field.
        told: dict[str, Any] = {"description": about} if about else {}
        fields[f"p{index}"] = (parameter.annotation, Field(default, alias=parameter.name, **told))
    try:
        return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    except PydanticUserError as error:
        raise ToolError(f"{name}: a parameter has a type that no JSON can be made into: {error.message}") from error


def _annotated_text(annotation: Any) -> str:
    """`Annotated[str, "what it means"]`."""
    if get_origin(annotation) is not Annotated:
        return ""
    return next((meta for meta in get_args(annotation)[1:] if isinstance(meta, str)), "")


class _Plain(GenerateJsonSchema):
    """Without the titles, which say each name again and are paid for in every session."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _schema(name: str, model: type[BaseModel]) -> JsonObject:
    try:
        schema = model.model_json_schema(schema_generator=_Plain)
    except PydanticUserError as error:
        raise ToolError(f"{name}: a parameter has a type that has no JSON Schema: {error.message}") from error
    del schema["title"]
    return {"properties": {}, **schema}
