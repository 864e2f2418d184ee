"""The command line of `voicebotd`: arguments in, exit code out.

Owns the exit codes, and is the last place that an error reaches: what nobody expected goes to the
log, which keeps secrets out of it. Everything heavy is imported after the arguments are known to be good.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from enum import IntEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from voicebotd.errors import AudioError, ConfigError, VoicebotError

if TYPE_CHECKING:
    from voicebotd.config.credentials import Secret
    from voicebotd.config.load import LoadedConfig
    from voicebotd.control.contract_results import FileDocument


class Exit(IntEnum):
    """sysexits.h where it has a number; systemd must not restart on CONFIG."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIG = 78


def entry() -> NoReturn:
    """Be the program: everything is done when `main` returns, so no thread that hangs is waited for."""
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return the exit code."""
    arguments = _arguments(argv)
    try:
        return _run(arguments)
    except ConfigError as error:
        for problem in error.problems:
            _complain(str(problem))
        return Exit.CONFIG
    except VoicebotError as error:
        _complain(f"{error.message}{f' ({error.hint})' if error.hint else ''}")
        return Exit.FAILURE
    except (KeyboardInterrupt, asyncio.CancelledError):
        _complain("interrupted")
        return Exit.FAILURE
    except Exception:  # noqa: BLE001 - the boundary of the process: Python's own report would not mask the key
        _log_bug()
        return Exit.FAILURE


def _run(arguments: argparse.Namespace) -> int:
    from voicebotd.system import logging  # noqa: PLC0415

    secrets = _secrets()
    logging.setup(level="warning", secrets=secrets)  # until the configuration says how
    if arguments.check:
        return _check(arguments)
    if arguments.audio_file is None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the daemon can reload; by default it would end us
    loaded = _load(arguments)
    log, words = loaded.settings.log, loaded.settings.history.transcripts
    logging.setup(level=log.level, format=log.format, secrets=secrets, words=words)
    if arguments.audio_file is not None:
        return asyncio.run(_impatiently(_process(loaded, arguments)))
    return asyncio.run(_impatiently(_serve(loaded, arguments)))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.audio_file is None and (arguments.output is not None or arguments.json):
        parser.error("--output and --json are for --audio-file")
    for word in arguments.set:
        if "=" not in word:
            parser.error(f"--set {word}: KEY=VALUE is needed")
    if arguments.fault:
        _check_faults(parser, arguments)
    return arguments


def _check_faults(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    from voicebotd.rehearsal.fault_words import FaultWordsError, list_of_faults, parse_fault  # noqa: PLC0415

    if "list" in arguments.fault:
        print(list_of_faults())  # noqa: T201
        parser.exit(Exit.OK)
    if not arguments.rehearse:
        parser.error("--fault is for --rehearse")
    for word in arguments.fault:
        try:
            parse_fault(word)
        except FaultWordsError as error:
            parser.error(f"--fault: {error.message}; {error.hint}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="voicebotd",
        description="Voice-assistant daemon: holds a spoken conversation over the OpenAI Realtime API.",
        epilog="exit codes: 0 ok, 1 failure, 2 usage or an unusable audio file, 78 configuration",
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="configuration file in place of the usual one")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="set one key; beats all files")
    parser.add_argument("--socket", metavar="PATH", help="control socket in place of the usual one")
    parser.add_argument("--rehearse", action="store_true", help="talk to the built-in server: no key, no network")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=ARG]",
        help="with --rehearse: have the service fail on purpose; may be repeated; --fault list tells all there is",
    )
    parser.add_argument("--check", action="store_true", help="check the configuration and the key, then exit")
    parser.add_argument("--version", action="version", version=f"voicebotd {version('voicebotd')}")
    files = parser.add_argument_group("one conversation with a file as the microphone")
    files.add_argument("--audio-file", metavar="IN", help="WAV, FLAC, OGG or MP3 at any rate; no sound card is used")
    files.add_argument("--output", metavar="OUT.wav", help="write what the loudspeaker would have played")
    files.add_argument("--json", action="store_true", help="print one JSON document: turns, calls, usage, timings")
    return parser


def _load(arguments: argparse.Namespace) -> LoadedConfig:
    from voicebotd.config.load import load  # noqa: PLC0415

    words = list(arguments.set)
    if arguments.rehearse:
        words.append("service.provider=rehearsal")
    if arguments.socket is not None:
        words.append(f"control.socket={arguments.socket}")
    return load(environ=os.environ, cwd=Path.cwd(), config_file=arguments.config, set_words=words)


def _secrets() -> list[Secret]:
    from voicebotd.config.credentials import find_api_key  # noqa: PLC0415

    try:
        key = find_api_key(os.environ, Path.cwd())
    except (ConfigError, OSError):
        return []  # the link says why, and tries again: a box with a wrong key file stays up
    return [key.secret] if key else []


def _check(arguments: argparse.Namespace) -> int:
    from voicebotd.check import key_problems, problems  # noqa: PLC0415

    try:
        found = problems(_load(arguments), os.environ, Path.cwd())
    except ConfigError as error:
        found = [*error.problems, *key_problems(os.environ, Path.cwd(), needed=not arguments.rehearse)]
    if found:
        raise ConfigError(found)
    print("the configuration is good")  # noqa: T201
    return Exit.OK


async def _serve(loaded: LoadedConfig, arguments: argparse.Namespace) -> int:
    from voicebotd.daemon import Daemon  # noqa: PLC0415
    from voicebotd.rehearsing import rehearsal  # noqa: PLC0415

    async with rehearsal(loaded, faults=arguments.fault) as pointed:
        await Daemon(pointed(loaded), load_again=lambda: pointed(_load(arguments))).run()
    return Exit.OK


async def _impatiently(work: Coroutine[Any, Any, int]) -> int:
    asyncio.get_running_loop().set_default_executor(_Impatient())
    return await work


class _Impatient(ThreadPoolExecutor):
    """Threads for what blocks. Waits for none of them at the end: a name lookup that hangs cannot be cancelled."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


async def _process(loaded: LoadedConfig, arguments: argparse.Namespace) -> int:
    from voicebotd.audio.input_file import probe  # noqa: PLC0415
    from voicebotd.file_conversation import hold  # noqa: PLC0415
    from voicebotd.functions import functions_of  # noqa: PLC0415
    from voicebotd.rehearsing import rehearsal  # noqa: PLC0415

    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Impatient())
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await asyncio.to_thread(probe, arguments.audio_file)  # before anything begins and says so
        async with rehearsal(loaded, faults=arguments.fault) as pointed, functions_of(loaded) as toolbox:
            config = pointed(loaded)
            document = await hold(config, arguments.audio_file, output_path=arguments.output, toolbox=toolbox)
    except AudioError as error:
        _complain(error.message)
        return Exit.USAGE
    print(json.dumps(asdict(document), ensure_ascii=False) if arguments.json else _transcript(document))  # noqa: T201
    return Exit.OK


def _transcript(document: FileDocument) -> str:
    lines = [
        f"{turn.role}: {turn.heard_text or '(no transcript)'}{' [interrupted]' if turn.interrupted else ''}"
        for turn in document.turns
    ]
    return "\n".join(lines) or "nobody said anything"


def _log_bug() -> None:
    import structlog  # noqa: PLC0415

    structlog.get_logger("voicebotd").exception("ended by a bug of its own; please report this")


def _complain(message: str) -> None:
    print(f"voicebotd: {message}", file=sys.stderr)  # noqa: T201
