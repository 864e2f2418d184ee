"""What a command is: the shape that every file in `commands/` fills and the command line reads.

Owns `Command`. Knows no verb.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this program; checkers know the name
if TYPE_CHECKING:
    from voicebotctl.context import Context

Run = Callable[["Context", Namespace], int]
Arguments = Callable[[ArgumentParser], None]


class Command:
    """One verb, or one action of a verb, and the function that does it and returns the exit code.

    `method` names the contract's method that it calls, whose summary is then the help; a command that is not one
    method has a `summary` of its own. `arguments` adds to the parser what the command takes beyond the global flags.
    """

    __slots__ = ("arguments", "method", "run", "summary")

    def __init__(self, run: Run, *, method: str = "", summary: str = "", arguments: Arguments | None = None) -> None:
        self.run = run
        self.method = method
        self.summary = summary
        self.arguments = arguments


Commands = dict[str, Command]
"""By name as typed: `status`, `vad set`."""
