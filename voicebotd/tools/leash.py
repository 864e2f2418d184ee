"""Runs a command that dies with whoever started it, whatever that one dies of: `leash.py PARENT COMMAND [ARGUMENT…]`.

prctl(2) PR_SET_PDEATHSIG outlives execve(2), so nothing of this file is left in the process that it becomes. It is run
as a program of its own because between fork and exec of a program with threads no Python may run. Knows no server.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
NOT_FOUND = 127
"""As a shell says it."""


def main() -> None:
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it died before it could be asked to be told
            sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell, and the owner named the command
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(NOT_FOUND)


if __name__ == "__main__":
    main()
