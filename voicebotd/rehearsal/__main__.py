"""`python -m voicebotd.rehearsal`: the rehearsal server alone, as a process.

Owns the command line, the line that says when it is ready, and the exit codes: 0, 1 (the address cannot be had),
2 (usage), 78 (the script cannot be used).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
from pathlib import Path

from voicebotd.errors import ConfigError
from voicebotd.rehearsal.fault_words import FaultWordsError, list_of_faults, parse_fault
from voicebotd.rehearsal.script_file import DEFAULT_SCRIPT
from voicebotd.rehearsal.server import SPEED, BrainFactory, RehearsalServer, parrot_brain, script_brain

EXIT_CONFIG = 78


def _positive(value: str) -> float:
    number = float(value)
    if not number > 0:
        raise ValueError
    return number


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m voicebotd.rehearsal", description="A Realtime service for rehearsals: no key, no network."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free port")
    parser.add_argument("--brain", choices=("script", "parrot"), default="script")
    parser.add_argument("--script", type=Path, metavar="FILE.yaml", default=DEFAULT_SCRIPT)
    parser.add_argument("--speed", type=_positive, default=SPEED, help="times real time (default: %(default)s)")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="append a JSON line for each event")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=ARG]",
        help="go wrong on purpose, as in close=1011@speaking/3; may be repeated; --fault list tells all there is",
    )
    parser.add_argument(
        "--seed", type=int, default=None, help="for faults that act at random (default: another each time)"
    )
    arguments = parser.parse_args()
    if "list" in arguments.fault:
        sys.stdout.write(f"{list_of_faults()}\n")
        sys.exit(0)
    try:
        arguments.fault = [parse_fault(word) for word in arguments.fault]
    except FaultWordsError as error:
        parser.error(f"--fault: {error.message}; {error.hint}")
    return arguments


async def _run(arguments: argparse.Namespace, brain: BrainFactory) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with RehearsalServer(
        brain=brain,
        host=arguments.host,
        port=arguments.port,
        speed=arguments.speed,
        journal=arguments.journal,
        faults=arguments.fault,
        rng=random.Random(arguments.seed),  # noqa: S311 - chooses when a rehearsal goes wrong, guards nothing
    ) as server:
        sys.stdout.write(f"listening on {server.url}\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> int:
    arguments = _parse()
    try:
        brain = parrot_brain() if arguments.brain == "parrot" else script_brain(arguments.script)
        asyncio.run(_run(arguments, brain))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    except OSError as error:
        sys.stderr.write(f"cannot serve: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
