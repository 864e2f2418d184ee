"""log-level, call, discover: the socket as it is, for scripts and for whoever is looking for something."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.parameters import Parameters, given, json_or_text, split
from voicebotctl.render import clean, table, value_text


def _log_level_arguments(parser: ArgumentParser) -> None:
    Parameters("log.level").positional(parser, "level")


def _log_level(context: Context, args: Namespace) -> int:
    result = context.call("log.level", given(args, "level"))
    context.show(result, lambda now: f"log level: {clean(now['level'])}")
    return 0


def _call_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("method", metavar="METHOD", help="as `voicebotctl discover` lists them")
    parser.add_argument(
        "assigned", nargs="*", default=None, metavar="KEY=VALUE", help="a parameter; VALUE is JSON, or else text"
    )


def _call(context: Context, args: Namespace) -> int:
    params = {key: json_or_text(text) for key, text in split(args.assigned or [])}
    context.show(context.call(args.method, params), value_text)
    return 0


def _discover(context: Context, _: Namespace) -> int:
    context.show(context.call("rpc.discover"), _methods)
    return 0


def _methods(document: Mapping[str, Any]) -> str:
    return table([(method["name"], method.get("summary", "")) for method in document["methods"]])


COMMANDS: Commands = {
    "log-level": Command(_log_level, method="log.level", arguments=_log_level_arguments),
    "call": Command(_call, summary="call any method of the socket", arguments=_call_arguments),
    "discover": Command(_discover, method="rpc.discover"),
}
