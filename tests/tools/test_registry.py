"""A function with type hints and a docstring becomes a tool, and says precisely what is wrong with its arguments."""

from __future__ import annotations

import asyncio
import datetime
import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from voicebotd.errors import ToolError
from voicebotd.tools.registry import Call, Tool, make, make_all, marked, tool

CALL = Call(call_id="call_1", conversation_id="c1")
Service = Literal["consultation", "basic", "premium"]


async def book(
    service: Service,
    day: datetime.date,
    name: Annotated[str, "as the visitor spells it"],
    call: Call,
    people: Annotated[int, Field(ge=1, le=4, description="how many come")] = 1,
) -> dict[str, Any]:
    """Book an appointment.

    Args:
        service: which one.
        day: when.
    """
    return {"service": service, "day": day, "name": name, "people": people, "call_id": call.call_id}


def made(function: Callable[..., Any], **options: Any) -> Tool:
    return make(function, source="somewhere", group="group", **options)


def run(tool: Tool, arguments: str) -> Any:
    return asyncio.run(tool.bind(arguments, CALL)())


def test_the_name_the_description_and_the_schema_follow_from_the_function() -> None:
    booking = made(book)
    assert (booking.name, booking.description) == ("book", "Book an appointment.")
    assert (booking.source, booking.group, booking.timeout_s, booking.ours, booking.blocking) == (
        "somewhere",
        "group",
        None,
        False,
        False,
    )
    assert booking.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["service", "day", "name"],
        "properties": {
            "service": {"type": "string", "enum": ["consultation", "basic", "premium"], "description": "which one."},
            "day": {"type": "string", "format": "date", "description": "when."},
            "name": {"type": "string", "description": "as the visitor spells it"},
            "people": {"type": "integer", "minimum": 1, "maximum": 4, "default": 1, "description": "how many come"},
        },
    }


def test_the_function_gets_values_of_its_types_and_the_call_that_it_is() -> None:
    result = run(made(book), json.dumps({"service": "basic", "day": "2026-12-01", "name": "Ada", "people": 2}))
    expected = {"service": "basic", "day": datetime.date(2026, 12, 1), "name": "Ada", "people": 2, "call_id": "call_1"}
    assert result == expected


def test_what_the_model_leaves_out_is_left_to_the_function() -> None:
    assert run(made(book), json.dumps({"service": "basic", "day": "2026-12-01", "name": "Ada"}))["people"] == 1


def test_arguments_that_are_wrong_are_told_all_at_once_with_what_was_given() -> None:
    wrong = {"service": "haircut", "day": "2026-02-30", "people": 9, "colour": "red"}
    with pytest.raises(ToolError) as told:
        made(book).bind(json.dumps(wrong), CALL)
    message = told.value.message
    assert "service: Input should be 'consultation', 'basic' or 'premium', not 'haircut'" in message
    assert "day: Input should be a valid date" in message
    assert "not '2026-02-30'" in message
    assert "name: is missing" in message
    assert "people: Input should be less than or equal to 4, not 9" in message
    assert "colour: is no parameter; there are service, day, name, people" in message
    assert message.endswith("Correct them and call the function again.")


@pytest.mark.parametrize("arguments", ["{", "[]", "7", '{"day": 1} and more', "[" * 5000])
def test_arguments_that_are_no_object_are_told_too(arguments: str) -> None:
    with pytest.raises(ToolError, match=r"The arguments are wrong\. "):
        made(book).bind(arguments, CALL)


def test_a_value_of_any_length_is_shown_short() -> None:
    with pytest.raises(ToolError) as told:
        made(book).bind(json.dumps({"service": "x" * 5_000_000}), CALL)
    assert len(told.value.message) < 500


async def hello() -> str:
    """Greet."""
    return "hello"


@pytest.mark.parametrize("arguments", ["", " ", "{}"])
def test_a_function_without_parameters_may_be_called_with_nothing(arguments: str) -> None:
    greeting = made(hello)
    assert greeting.parameters == {"type": "object", "additionalProperties": False, "properties": {}}
    assert run(greeting, arguments) == "hello"


def test_a_function_without_parameters_says_that_it_has_none() -> None:
    with pytest.raises(ToolError, match="name: is no parameter; there are none"):
        made(hello).bind('{"name": "Ada"}', CALL)


def test_a_plain_function_is_known_to_block() -> None:
    def slow(json: str, schema: int = 2, _from: str = "") -> str:
        """Take time. The names of its parameters are no names for fields."""
        return json * schema + _from

    blocking = made(slow, ours=True)
    assert (blocking.blocking, blocking.ours) == (True, True)
    assert list(blocking.parameters["properties"]) == ["json", "schema", "_from"]
    assert blocking.bind('{"json": "ab"}', CALL)() == "abab"


def test_a_method_is_a_function_too() -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self._name = name

        @tool
        async def who(self, loud: bool = False) -> str:
            """Tell who it is."""
            return self._name.upper() if loud else self._name

    (who,) = make_all([Shop("corner").who], source="s", group="g")
    assert run(who, '{"loud": true}') == "CORNER"


def test_the_decorator_notes_a_name_and_a_deadline_and_leaves_the_function_as_it_is() -> None:
    @tool(name="other-name", timeout_s=60)
    async def function() -> str:
        """Do."""
        return "done"

    assert asyncio.run(function()) == "done"
    assert (made(function).name, made(function).timeout_s) == ("other-name", 60)


def test_of_a_module_the_marked_functions_are_offered_and_not_what_it_imports() -> None:
    module = ModuleType("voicebotd_test_module")
    sys.modules[module.__name__] = module
    try:
        exec(  # a file as somebody writes it
            "from voicebotd.tools.registry import tool\n"
            "@tool\nasync def second() -> str:\n    'Two.'\n"
            "async def helper() -> str:\n    'No.'\n"
            "@tool\nasync def first() -> str:\n    'One.'\n",
            vars(module),
        )
        vars(module)["imported"] = tool(hello)
        assert [function.__name__ for function in marked(module)] == ["second", "first"]
    finally:
        del sys.modules[module.__name__]


async def untyped(day) -> None:  # type: ignore[no-untyped-def]
    """Do."""


async def starred(*days: str) -> None:
    """Do."""


async def strange(handle: asyncio.Event) -> None:
    """Do."""


async def uncallable(how: Callable[[], None]) -> None:
    """Do."""


async def undescribed(day: str) -> None:
    pass


async def misdescribed(day: str) -> None:
    """Do.

    Args:
        dya: when.
    """


async def unresolved(day: Unknown) -> None:  # type: ignore[name-defined] # noqa: F821
    """Do."""


@tool(name="no spaces")
async def misnamed() -> None:
    """Do."""


@tool(timeout_s=0)
async def timeless() -> None:
    """Do."""


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (untyped, "untyped: the parameter day has no type"),
        (starred, "starred: days cannot be given by name"),
        (strange, "strange: a parameter has a type that no JSON can be made into"),
        (uncallable, "uncallable: a parameter has a type that has no JSON Schema"),
        (undescribed, "undescribed: has no docstring"),
        (misdescribed, "misdescribed: the docstring describes dya, which is no parameter"),
        (unresolved, "unresolved: its types cannot be read: name 'Unknown' is not defined"),
        (misnamed, "'no spaces' cannot be the name of a function"),
        (timeless, "timeless: timeout_s is 0, and must be more than 0"),
    ],
)
def test_a_function_that_cannot_be_offered_says_why(function: Callable[..., Any], why: str) -> None:
    with pytest.raises(ToolError, match=why):
        made(function)


class Address(BaseModel):
    street: str


async def visit(where: Address) -> str:
    """Go there."""
    return where.street


def test_a_parameter_may_be_an_object_of_its_own() -> None:
    going = made(visit)
    assert run(going, '{"where": {"street": "High Street"}}') == "High Street"
    with pytest.raises(ToolError, match=r"where\.street: is missing"):
        going.bind('{"where": {}}', CALL)
