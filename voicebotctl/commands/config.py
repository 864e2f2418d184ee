"""config show, get, set, reload, check: the configuration in force and where each value comes from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.errors import UsageError
from voicebotctl.parameters import Parameters, given, json_or_text, split
from voicebotctl.render import one_line, table, value_text


def _show(context: Context, _: Namespace) -> int:
    context.show(context.call("config.get"), _values)
    return 0


def _get_arguments(parser: ArgumentParser) -> None:
    Parameters("config.get").positional(parser, "key")


def _get(context: Context, args: Namespace) -> int:
    context.show(context.call("config.get", given(args, "key")), _values)
    return 0


def _values(result: Mapping[str, Any]) -> str:
    rows = [(key, "=", value_text(entry["value"]), f"({entry['source']})") for key, entry in result["values"].items()]
    return table(rows) if rows else ""


def _set_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "assigned", nargs="+", metavar="KEY=VALUE", help="a dotted key; VALUE is JSON, or else text (`null` clears)"
    )
    Parameters("config.set").option(parser, "persist")


def _set(context: Context, args: Namespace) -> int:
    values = {key: json_or_text(text) for key, text in split(args.assigned)}
    persist = given(args, "persist")
    context.show(context.call("config.set", {"values": values, **persist}), _changes if persist else _fleeting_changes)
    return 0


def _reload(context: Context, _: Namespace) -> int:
    context.show(context.call("config.reload"), _changes)
    return 0


_APPLIED = {
    "live": "now",
    "reconnect": "in another session, at the next silence",
    "restart": "after a restart of the daemon",
}


def _changes(result: Mapping[str, Any]) -> str:
    """Return what changed and when each change holds."""
    rows = [
        (key, "=", value_text(entry["value"]), f"({entry['source']})", f"applies: {_APPLIED[entry['applied']]}")
        for key, entry in result["values"].items()
    ]
    lines = [table(rows)] if rows else []
    if result["functions"] is not None:
        lines.append(f"the model may call now: {', '.join(result['functions']) or 'nothing'}")
    if not lines:
        lines.append("nothing changed")
    return "\n".join([*lines, *(f"broken: {one_line(broken)}" for broken in result["broken"])])


def _fleeting_changes(result: Mapping[str, Any]) -> str:
    """The same, and a warning of what a restart both waits for and forgets."""
    idle = [key for key, entry in result["values"].items() if entry["applied"] == "restart"]
    note = f"\nnote: a restart forgets {', '.join(idle)}; --persist keeps it" if idle else ""
    return _changes(result) + note


def _check(context: Context, _: Namespace) -> int:
    """Become `voicebotd --check`: the daemon's own loader judges, and no daemon has to run."""
    daemon = _daemon()
    if not context.json_output:
        sys.stdout.flush()
        os.execv(daemon, [daemon, "--check"])  # noqa: S606 (a path that we found, and no shell)
    done = subprocess.run([daemon, "--check"], capture_output=True, text=True, check=False)  # noqa: S603 (as above)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    context.show({"ok": done.returncode == 0, "exit_code": done.returncode, "messages": lines}, str)
    return done.returncode


def _daemon() -> str:
    """Return the `voicebotd` that was installed with this client, else the one on PATH."""
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "voicebotd")
    daemon = beside if os.access(beside, os.X_OK) else shutil.which("voicebotd")
    if daemon is None:
        raise UsageError("config check: there is no `voicebotd` to ask")
    return daemon


COMMANDS: Commands = {
    "config show": Command(_show, summary="print every value in force, and where it comes from"),
    "config get": Command(_get, summary="print one key, or a section", arguments=_get_arguments),
    "config set": Command(_set, method="config.set", arguments=_set_arguments),
    "config reload": Command(_reload, method="config.reload"),
    "config check": Command(_check, summary="check the configuration files, without a daemon"),
}
