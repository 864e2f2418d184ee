"""instruct: what the model is told, seen and changed while it talks."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.errors import UsageError
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import clean


def _arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("instructions.set")
    parameters.positional(parser, "text", nargs="?")
    parser.add_argument(
        "--show", action="store_true", help="print the instructions in force (also without any argument)"
    )
    parser.add_argument("--clear", action="store_true", help="go back to the configured instructions")
    parser.add_argument("--replace", action="store_true", help="take the place of the configured instructions")
    parameters.option(parser, "persist")


def _instruct(context: Context, args: Namespace) -> int:
    what = given(args, "text", "clear", "show")
    if len(what) > 1:
        raise UsageError("instruct: TEXT, --show and --clear exclude each other")
    if "text" not in what and hasattr(args, "replace"):
        raise UsageError("instruct: --replace needs TEXT")
    if "text" in what:
        return _set(context, args)
    if "clear" in what:
        result = context.call("instructions.clear", given(args, "persist"))
        context.show(result, lambda _: "the configured instructions are in force again")
        return 0
    if hasattr(args, "persist"):
        raise UsageError("instruct: --persist needs TEXT or --clear")
    result = context.call("instructions.get")
    context.show(result, lambda now: clean(now["effective"]))
    return 0


def _set(context: Context, args: Namespace) -> int:
    mode = {"mode": "replace"} if hasattr(args, "replace") else {}
    result = context.call("instructions.set", {**given(args, "text", "persist"), **mode})
    context.show(result, _in_force)
    return 0


def _in_force(result: Mapping[str, Any]) -> str:
    how = "they take the place of" if result.get("mode") == "replace" else "they are added to"
    kept = "kept over a restart" if result.get("persisted") else "forgotten at a restart (--persist keeps them)"
    return f"the instructions are in force: {how} the configured ones, {kept}"


COMMANDS: Commands = {
    "instruct": Command(_instruct, summary="tell the model more, or something else", arguments=_arguments)
}
