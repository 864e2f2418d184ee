"""The command line of `voicebotctl`: from arguments to a command, from its end to an exit code.

Owns the list of verbs and the global flags, which are taken before and after the verb. Knows no method and prints no
result. Only the file of the chosen verb is loaded: a status bar may call this every second.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context, socket_path
from voicebotctl.errors import EXIT_FAILURE, CommandError, InterruptedByUserError, UsageError
from voicebotctl.parameters import nearest, seconds

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this program; checkers know the name
if TYPE_CHECKING:
    from typing import Any, NoReturn, TextIO

_PROGRAM = "voicebotctl"
_FILES = {
    "status": "status",
    "doctor": "doctor",
    "start": "conversation",
    "stop": "conversation",
    "roll": "conversation",
    "send": "conversation",
    "respond": "conversation",
    "interrupt": "conversation",
    "talk": "talk",
    "mute": "audio",
    "unmute": "audio",
    "volume": "audio",
    "devices": "audio",
    "selftest": "selftest",
    "instruct": "instruct",
    "vad": "vad",
    "config": "config",
    "process": "process",
    "history": "history",
    "tools": "tools",
    "appointments": "appointments",
    "usage": "usage",
    "watch": "events",
    "events": "events",
    "log-level": "raw",
    "call": "raw",
    "discover": "raw",
}
"""Verb → the file in `commands/` that holds it, in the order of `--help`."""


class _Parser(argparse.ArgumentParser):
    """A parser that knows the global flags, and raises `UsageError` where argparse would exit."""

    def __init__(self, words: str = "", *, verbs: Commands | None = None, command: Command | None = None) -> None:
        super().__init__(
            prog=f"{_PROGRAM} {words}".rstrip(),
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
            # A width, so that not every argument added looks up the terminal's, which loads the compression libraries.
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=80),
        )
        self._verbs = verbs or {}
        self._command = command
        flags = self.add_argument_group("flags, before or after the verb")
        flags.add_argument("--socket", metavar="PATH", help="control socket of the daemon")
        flags.add_argument("--user", action="store_true", help="talk to your own user's daemon")
        flags.add_argument("--system", action="store_true", help="talk to the system's daemon")
        flags.add_argument("--json", action="store_true", help="print one JSON document, or one per line of a stream")
        flags.add_argument("--timeout", type=seconds, metavar="S", help="wait at most so many seconds for an answer")

    def format_help(self) -> str:
        # Summaries come from the contract, which only --help takes the time to load for every verb.
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.description = _summary(self._command) if self._command else None
        if self._verbs:
            width = max(map(len, self._verbs))
            lines = [f"  {name:{width}}  {_summary(command)}" for name, command in self._verbs.items()]
            self.epilog = "\n".join(["commands:", *lines])
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` shows how")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` None takes the process's own arguments and its signals."""
    if argv is None:
        argv = sys.argv[1:]
        # A reader that has seen enough (`| head`) ends us silently, as every tool of the system. Text that the
        # terminal's encoding lacks is shown as escapes instead of ending us with an error.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPIPE])  # a parent's mask is inherited
        if sys.stdout is None:  # closed by whoever started us
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for the life of the process)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
    try:
        if list(argv) == ["--version"]:
            return _version()
        return _run(argv, sys.stdout)
    except SystemExit as stop:
        # argparse leaves this way after --help.
        return int(stop.code or 0)
    except OSError as error:
        # Sockets and files have become CommandErrors by now: this is stdout, full or gone. What is still buffered
        # would fail once more when the interpreter leaves, so it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"{_PROGRAM}: cannot write the output: {error.strerror}\n")
        return EXIT_FAILURE


def _version() -> int:
    from importlib.metadata import version  # noqa: PLC0415 (takes longer to load than most commands)

    sys.stdout.write(f"{_PROGRAM} {version('voicebotd')}\n")
    return 0


def _run(argv: Sequence[str], out: TextIO) -> int:
    # Until the command line is understood, what was meant by it is read off it.
    context = Context(out, json_output="--json" in argv)
    try:
        command, args = _parsed(list(argv))
        context.timeout_s = getattr(args, "timeout", None)
        context.json_output = hasattr(args, "json")
        context.socket_path = socket_path(
            getattr(args, "socket", None),
            user=hasattr(args, "user"),
            system=hasattr(args, "system"),
            environ=os.environ,
        )
        return command.run(context, args)
    except CommandError as error:
        return context.fail(error)
    except KeyboardInterrupt:
        return context.fail(InterruptedByUserError("interrupted"))


def _parsed(argv: list[str]) -> tuple[Command, argparse.Namespace]:
    """Return the command that `argv` names, with its arguments.

    Three parsers in a row instead of argparse's subparsers: those would load every verb, and could not take KEY=VALUE
    on both sides of an option.
    """
    top = _Parser() if "--help" not in argv and "-h" not in argv else _Parser(verbs=_all_commands())
    top.add_argument("verb", metavar="VERB", help="what to do")
    top.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="what the verb takes")
    args = top.parse_args(argv)
    if args.verb not in _FILES:
        raise UsageError(f"{args.verb}: unknown verb", hint=nearest(args.verb, _FILES))
    commands = _commands(args.verb)
    name = args.verb
    if list(commands) != [name]:
        name = _with_action(args, commands)
    command = commands[name]
    parser = _Parser(name, command=command)
    if command.arguments is None:
        return command, parser.parse_args(args.rest, args)
    command.arguments(parser)
    return command, parser.parse_intermixed_args(args.rest, args)


def _with_action(args: argparse.Namespace, commands: Commands) -> str:
    """Return the name of the command of a verb that has actions (`vad set`); takes the action off `args.rest`."""
    verb = args.verb
    parser = _Parser(verb, verbs=commands)
    alone: dict[str, Any] = {"nargs": "?", "default": None} if verb in commands else {}
    parser.add_argument("action", metavar="ACTION", help="what to do", **alone)
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="what the action takes")
    parser.parse_args(args.rest, args)
    name = f"{verb} {args.action}" if args.action else verb
    if name not in commands:
        actions = [known.partition(" ")[2] for known in commands]
        raise UsageError(f"{name}: unknown action", hint=nearest(args.action, filter(None, actions)))
    return name


def _commands(verb: str) -> Commands:
    """Return the commands of a verb: itself, its actions, or both."""
    commands: Commands = importlib.import_module(f"voicebotctl.commands.{_FILES[verb]}").COMMANDS
    return {name: command for name, command in commands.items() if name.split()[0] == verb}


def _all_commands() -> Commands:
    return {name: command for verb in _FILES for name, command in _commands(verb).items()}


def _summary(command: Command) -> str:
    from voicebotd.control.contract import METHODS  # noqa: PLC0415 (only --help needs it)

    return command.summary or METHODS[command.method].summary
