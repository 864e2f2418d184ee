"""What of a server's functions is offered, under what names, and what is said of arguments that do not fit."""

from __future__ import annotations

import pytest

from voicebotd.errors import ToolError
from voicebotd.tools.mcp_offer import MOST_FUNCTIONS, MOST_SCHEMA_CHARACTERS, Listed, function_name, offer
from voicebotd.tools.registry import Call

CALL = Call(call_id="k", conversation_id="c")
PLACE = {"properties": {"place": {"type": "string"}, "days": {"type": "integer"}}, "required": ["place"]}


async def ask(function, arguments):
    return f"{function} {arguments}"


def listed(name="weather", description="Tell.", schema=PLACE):
    return Listed(name=name, description=description, schema=schema)


def offered(*functions, allow=None):
    return offer("town", functions, allow=allow, timeout_s=3.0, ask=ask)


def test_a_function_is_offered_under_the_name_of_its_server():
    (tool,), problems = offered(listed())
    assert (tool.name, tool.description, tool.source, tool.group, tool.timeout_s, problems) == (
        "town__weather",
        "Tell.",
        "mcp town",
        "town",
        3.0,
        (),
    )
    assert tool.parameters == {"type": "object", **PLACE}


def test_a_name_that_the_service_would_refuse_is_made_to_fit_and_stays_the_same():
    assert function_name("town", "a.b/c") == "town__a_b_c"
    assert len(function_name("town", "x" * 100)) == 64
    assert function_name("town", "x" * 100) == function_name("town", "x" * 100)
    assert function_name("town", "x" * 100) != function_name("town", "x" * 101)


def test_the_allow_list_chooses_and_names_what_is_not_there():
    tools, problems = offered(listed("a"), listed("b"), allow=["b", "c"])
    assert [tool.name for tool in tools] == ["town__b"]
    assert problems == ("allow names c, which it does not have; it has a, b",)
    assert offered(allow=["c"]) == ((), ("allow names c, which it does not have; it has none",))


def test_too_many_functions_are_cut_and_said():
    tools, problems = offered(*(listed(f"f{n}") for n in range(MOST_FUNCTIONS + 1)))
    assert len(tools) == MOST_FUNCTIONS
    assert problems == ("has 65 functions and the first 64 are offered; allow chooses",)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string"}, "f: its schema does not describe an object"),
        ({"properties": {"x": {"type": "nonsense"}}}, "f: its schema is no JSON Schema: 'nonsense' is not valid"),
        ({"type": "object", "title": "x" * MOST_SCHEMA_CHARACTERS}, "f: its schema is longer than 16000 characters"),
    ],
)
def test_a_function_that_cannot_be_offered_is_left_out_and_named(schema, said):
    tools, problems = offered(listed("f", schema=schema), listed("good"))
    assert [tool.name for tool in tools] == ["town__good"]
    assert len(problems) == 1
    assert problems[0].startswith(said)


def test_a_function_without_a_description_is_described_by_its_name_and_a_long_one_is_cut():
    (tool, long), _ = offered(listed(description=""), listed("b", description="x" * 5000))
    assert tool.description == "weather"
    assert len(long.description) == 1500


@pytest.mark.asyncio
async def test_arguments_that_fit_are_put_to_the_server_under_its_own_name():
    (tool,), _ = offered(listed())
    assert await tool.bind('{"place": "Ulm"}', CALL)() == "weather {'place': 'Ulm'}"
    (plain,), _ = offered(listed(schema={"type": "object"}))
    assert await plain.bind("", CALL)() == "weather {}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{}", "'place' is a required property"),
        ('{"place": 3, "days": "x"}', "days: 'x' is not of type 'integer'; place: 3 is not of type 'string'"),
        ("{", "The arguments are not JSON"),
        ("[]", "not a JSON object"),
        (f'{{"place": ["{"x" * 500}"]}}', "…"),
    ],
)
def test_arguments_that_do_not_fit_are_explained_to_the_model(arguments, said):
    (tool,), _ = offered(listed())
    with pytest.raises(ToolError) as told:
        tool.bind(arguments, CALL)
    assert said in told.value.message


def test_a_schema_that_refers_to_elsewhere_is_not_fetched():
    (tool,), _ = offered(listed(schema={"properties": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}))
    with pytest.raises(ToolError, match="its schema refers to what is not in it"):
        tool.bind('{"a": 1}', CALL)
