"""tools, tools call: the functions that the model can call, and a call by hand."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from functools import partial
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.parameters import Parameters, given, json_or_text, split
from voicebotctl.render import clean, one_line, table


def _list(context: Context, _args: Namespace) -> int:
    context.show(context.call("tools.list"), _entries)
    return 0


def _entries(result: Mapping[str, Any]) -> str:
    header = ("function", "arguments", "the model", "group", "source")
    listed = table([header, *map(_row, result["tools"])]) if result["tools"] else "there is no function"
    servers = [_server(one) for one in result["servers"]]
    broken = [f"broken: {one_line(fault['source'])}: {one_line(fault['message'])}" for fault in result["faults"]]
    return "\n".join([listed, *servers, *broken])


def _server(one: Mapping[str, Any]) -> str:
    why = f": {one_line(one['reason'])}" if one["reason"] else ""
    return f"server {one['name']} ({one['transport']}): {one['state']}, {one['functions']} functions{why}"


def _row(tool: Mapping[str, Any]) -> tuple[str, ...]:
    required = tool["parameters"].get("required", [])
    arguments = [
        f"{name}={_kind(schema)}" if name in required else f"[{name}={_kind(schema)}]"
        for name, schema in tool["parameters"].get("properties", {}).items()
    ]
    seen = "may call it" if tool["enabled"] else "does not see it"
    return (tool["name"], " ".join(arguments), seen, tool["group"], tool["source"])


def _kind(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in a word or two; `--json` has all of it."""
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return "|".join(_kind(branch) for branch in schema["anyOf"] if branch.get("type") != "null")
    return str(schema.get("format") or schema.get("type") or "object")


def _call_arguments(parser: ArgumentParser) -> None:
    Parameters("tools.call").positional(parser, "name")
    parser.add_argument(
        "assigned", nargs="*", default=None, metavar="KEY=VALUE", help="an argument, read as its schema says"
    )


def _call(context: Context, args: Namespace) -> int:
    given = split(args.assigned or [])
    schemas = _schemas(context, args.name) if given else {}
    arguments = {key: _value(text, schemas.get(key, {})) for key, text in given}
    # The daemon's own deadline for the function bounds it.
    result = context.call("tools.call", {"name": args.name, "arguments": arguments}, default_s=None)
    context.show(result, lambda called: clean(called["output"]))
    return 0


def _schemas(context: Context, name: str) -> Mapping[str, Any]:
    """The schema of each argument; of a function that is not there, the daemon says so."""
    found = [tool for tool in context.call("tools.list")["tools"] if tool["name"] == name]
    properties: Mapping[str, Any] = found[0]["parameters"].get("properties", {}) if found else {}
    return properties


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    """What is to be text is text, also where it looks like a number: `code=417209`."""
    kinds = {branch.get("type") for branch in schema.get("anyOf", [schema])}
    if "string" in kinds and not (text == "null" and "null" in kinds):
        return text
    return json_or_text(text)


def _approve_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("tools.approve")
    parameters.positional(parser, "approval_request_id")
    parameters.option(parser, "reason")


def _decide(context: Context, args: Namespace, *, approve: bool) -> int:
    result = context.call("tools.approve", {**given(args, "approval_request_id", "reason"), "approve": approve})
    context.show(result, _decided)
    return 0


def _decided(result: Mapping[str, Any]) -> str:
    what = f"{clean(result['server'])}: {clean(result['name'])}"
    return f"{what} may be called" if result["approved"] else f"{what} is refused"


COMMANDS: Commands = {
    "tools": Command(_list, method="tools.list"),
    "tools approve": Command(partial(_decide, approve=True), method="tools.approve", arguments=_approve_arguments),
    "tools deny": Command(partial(_decide, approve=False), method="tools.approve", arguments=_approve_arguments),
    "tools call": Command(_call, method="tools.call", arguments=_call_arguments),
}
