"""talk: push to talk. The key is down while this command runs."""

from __future__ import annotations

import select
import sys
import time
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.parameters import seconds

if TYPE_CHECKING:
    from voicebotctl.client import Client


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--seconds", type=seconds, metavar="N", help="let go by itself after so many seconds")


def _talk(context: Context, args: Namespace) -> int:
    seconds_held: float | None = getattr(args, "seconds", None)
    with context.connect() as client:
        client.call("talk.begin", {}, timeout_s=context.patience_s())
        # Ctrl-C is one of the ways to let go; what was said is still to be answered.
        with suppress(KeyboardInterrupt):
            if _stdin_is_a_terminal():
                sys.stderr.write("talking; Enter lets go\n")
            _hold(client, seconds_held)
        result = client.call("talk.end", {}, timeout_s=context.patience_s())
    context.show(result, lambda talk: "" if talk.get("committed", True) else "too short: nothing was taken from it")
    return 0


def _hold(client: Client, seconds_held: float | None) -> None:
    """Return on Enter, at the end of stdin or after `seconds_held`; raise when the daemon goes away.

    A script that says how long is not cut short by its empty stdin.
    """
    until = None if seconds_held is None else time.monotonic() + seconds_held
    sources: list[Client | TextIO] = [client]
    if _stdin_is_a_terminal() or (until is None and sys.stdin is not None):
        sources.append(sys.stdin)
    while True:
        remaining_s = None if until is None else max(0.0, until - time.monotonic())
        ready, _, _ = select.select(sources, [], [], remaining_s)
        if client in ready:
            client.notification()
        elif ready:
            sys.stdin.readline()
            return
        else:
            return


def _stdin_is_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


COMMANDS: Commands = {
    "talk": Command(_talk, summary="push to talk until Enter, Ctrl-C or the end of input", arguments=_arguments)
}
