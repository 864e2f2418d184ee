"""history list, history show: past conversations."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import Style, clean, duration, moment, table, transcript


def _list_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("history.list")
    parameters.option(parser, "limit")
    parameters.option(parser, "before")


def _list(context: Context, args: Namespace) -> int:
    result = context.call("history.list", given(args, "limit", "before"))
    context.show(result, _entries)
    return 0


def _entries(result: Mapping[str, Any]) -> str:
    if not result["conversations"]:
        return "there is no conversation yet"
    return table([("id", "began", "lasted", "turns", "model", "ended"), *map(_entry_row, result["conversations"])])


def _entry_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        entry["conversation_id"],
        moment(entry["started_at"]),
        _length(entry),
        str(entry["turns"]),
        entry["model"],
        entry["end_reason"],
    )


def _length(entry: Mapping[str, Any]) -> str:
    began, ended = entry["started_at"], entry["ended_at"]
    return "" if began is None or ended is None else duration(ended - began)


def _show_arguments(parser: ArgumentParser) -> None:
    Parameters("history.get").positional(parser, "conversation_id", nargs="?", metavar="ID")


def _show(context: Context, args: Namespace) -> int:
    result = context.call("history.get", given(args, "conversation_id"))
    context.show(result, lambda document: _conversation(document, context.style))
    return 0


def _conversation(document: Mapping[str, Any], style: Style) -> str:
    entry = document["conversation"]
    title = f"conversation {clean(entry['conversation_id'])}, {moment(entry['started_at'])}"
    return f"{style.paint(title, 'bold')}\n{transcript(document['turns'], style)}"


COMMANDS: Commands = {
    "history list": Command(_list, method="history.list", arguments=_list_arguments),
    "history show": Command(_show, method="history.get", arguments=_show_arguments),
}
