"""history list, show, search, export, purge: past conversations."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import Style, clean, duration, moment, one_line, one_piece, table, transcript, usd


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
    parameters = Parameters("history.get")
    parameters.positional(parser, "conversation_id", nargs="?", metavar="ID")
    parameters.option(parser, "limit")
    parameters.option(parser, "before")


def _show(context: Context, args: Namespace) -> int:
    result = context.call("history.get", given(args, "conversation_id", "limit", "before"))
    context.show(result, lambda document: _conversation(document, context.style))
    return 0


def _conversation(document: Mapping[str, Any], style: Style) -> str:
    entry = document["conversation"]
    title = f"conversation {clean(entry['conversation_id'])}, {moment(entry['started_at'])}"
    lines = [style.paint(title, "bold"), transcript(document["turns"], style)]
    lines += [_call(call, style) for call in document["tool_calls"]]
    lines += [style.paint(f"sound: {one_line(path)}", "dim") for path in document["recordings"]]
    if document["usd"]:
        lines.append(style.paint(f"it cost {usd(document['usd'])}", "dim"))
    return "\n".join(line for line in lines if line)


def _call(call: Mapping[str, Any], style: Style) -> str:
    asked = style.paint(f"{one_line(call['name'])}({one_line(call['arguments'])})", "magenta")
    return f"{asked} {one_line(call['status'])} in {call['duration_ms']} ms: {one_line(call['output'])}"


def _search_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("history.search")
    parameters.positional(parser, "query", nargs="+", metavar="WORD")
    parameters.option(parser, "limit")
    parameters.option(parser, "before")


def _search(context: Context, args: Namespace) -> int:
    params = {"query": " ".join(args.query), **given(args, "limit", "before")}
    context.show(context.call("history.search", params), lambda found: _found(found, context.style))
    return 0


def _found(found: Mapping[str, Any], style: Style) -> str:
    if not found["hits"]:
        return "nobody said that"
    lines = [_hit(hit, style) for hit in found["hits"]]
    if found["next"] is not None:
        lines.append(style.paint(f"more: --before {found['next']}", "dim"))
    return "\n".join(lines)


def _hit(hit: Mapping[str, Any], style: Style) -> str:
    where = style.paint(f"{moment(hit['started_at'])}  {one_line(hit['conversation_id'])}", "dim")
    text, painted, place = hit["snippet"], "", 0
    for begin, end in hit["marks"]:
        painted += one_piece(text[place:begin]) + style.paint(one_piece(text[begin:end]), "bold")
        place = end
    return f"{where}  {one_line(hit['role'])}: {painted}{one_piece(text[place:])}"


def _export_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("history.export")
    parameters.positional(parser, "conversation_id", nargs="?", metavar="ID")
    parameters.option(parser, "format")


def _export(context: Context, args: Namespace) -> int:
    """Piece by piece; under --json each piece is a document of its own, as `text` and `next`."""
    params = given(args, "conversation_id", "format")
    with context.connect() as client:
        while True:
            piece = client.call("history.export", params, timeout_s=context.patience_s())
            context.show(piece, lambda piece: str(piece["text"]))
            if piece["next"] is None:
                return 0
            params["after"] = piece["next"]


def _purge_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("history.purge")
    parameters.positional(parser, "older_than_days", metavar="DAYS")
    parameters.option(parser, "compact")


def _purge(context: Context, args: Namespace) -> int:
    params = given(args, "older_than_days", "compact")
    context.show(context.call("history.purge", params, default_s=None), _purged)
    return 0


def _purged(purged: Mapping[str, Any]) -> str:
    removed = f"removed: {purged['conversations']} conversations, {purged['turns']} turns, {purged['tool_calls']} calls"
    lines = [removed, *(f"removed: {copy}" for copy in purged["copies"])]
    if purged["recordings"]:
        lines.append(f"removed: {purged['recordings']} recordings")
    if purged["traces"]:
        lines.append(f"traces stay {purged['traces']}")
    return "\n".join(map(one_line, lines))


COMMANDS: Commands = {
    "history list": Command(_list, method="history.list", arguments=_list_arguments),
    "history show": Command(_show, method="history.get", arguments=_show_arguments),
    "history export": Command(_export, method="history.export", arguments=_export_arguments),
    "history purge": Command(_purge, method="history.purge", arguments=_purge_arguments),
    "history search": Command(_search, method="history.search", arguments=_search_arguments),
}
