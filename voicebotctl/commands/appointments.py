"""appointments list, export, cancel: the book of appointments, for those who run the shop."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.errors import UsageError
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import one_line, table

_STRETCH = ("from_date", "to_date")
_FILTERS = (*_STRETCH, "name", "status", "limit")


def _list_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("appointments.list")
    for name in _FILTERS:
        parameters.option(parser, name)


def _list(context: Context, args: Namespace) -> int:
    context.show(context.call("appointments.list", given(args, *_FILTERS)), _entries)
    return 0


def _entries(result: Mapping[str, Any]) -> str:
    if not result["appointments"]:
        return "there is no appointment"
    zone = one_line(result["time_zone"])
    more = "\nthere are more: --limit" if result["more"] else ""
    header = ("day", f"time ({zone})", "service", "name", "code", "status", "id")
    return table([header, *map(_row, result["appointments"])]) + more


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    time = f"{entry['time']}-{entry['until']}"
    return (entry["date"], time, *(entry[name] for name in ("service", "name", "code", "status", "appointment_id")))


def _export_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("appointments.export")
    for name in _STRETCH:
        parameters.option(parser, name)
    parser.add_argument("--output", metavar="FILE.ics", help="write it there instead of to stdout")


def _export(context: Context, args: Namespace) -> int:
    result = context.call("appointments.export", given(args, *_STRETCH))
    output = getattr(args, "output", None)
    if output is None:
        context.show(result, lambda document: str(document["calendar"]))
        return 0
    try:
        # What RFC 5545 ends lines with is in it already.
        with open(output, "w", encoding="utf-8", newline="") as file:
            file.write(result["calendar"])
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}") from None
    context.show({"count": result["count"], "output": output}, _written)
    return 0


def _written(document: Mapping[str, Any]) -> str:
    return f"{document['count']} appointments written to {document['output']}"


def _cancel_arguments(parser: ArgumentParser) -> None:
    Parameters("appointments.cancel").positional(parser, "appointment_id", metavar="ID")


def _cancel(context: Context, args: Namespace) -> int:
    result = context.call("appointments.cancel", given(args, "appointment_id"))
    context.show(result, lambda document: f"cancelled: {' '.join(map(one_line, _row(document['appointment'])[:4]))}")
    return 0


COMMANDS: Commands = {
    "appointments list": Command(_list, method="appointments.list", arguments=_list_arguments),
    "appointments export": Command(_export, method="appointments.export", arguments=_export_arguments),
    "appointments cancel": Command(_cancel, method="appointments.cancel", arguments=_cancel_arguments),
}
