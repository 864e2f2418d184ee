"""Where functions are found: entry points, modules, and the files of a directory. One broken source breaks no other.

Owns the loading of code that is not ours, and what is refused: a file that everybody may write would have everybody's
code run by the daemon. Which of the functions the model sees is `catalogue.py`'s.
"""

from __future__ import annotations

import importlib
import os
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from voicebotd.errors import ToolError
from voicebotd.tools.catalogue import Source
from voicebotd.tools.registry import Function, Tool, make_all, marked

GROUP = "voicebotd.tools"
"""Of the entry points. Each names a module with functions that are marked, or one function."""
FILE_MODULE = "voicebotd_tool_files"
MOST_BYTES = 1_000_000
LOADS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFile:
    """A file as it was read last. The same text is not run again: what its module keeps is kept."""

    text: bytes
    source: Source


def from_functions(name: str, group: str, functions: Iterable[Function]) -> Source:
    """Functions of the package itself, which the daemon bound to what they need."""
    return Source(name=name, tools=make_all(functions, source=name, group=group, ours=True))


def from_entry_points() -> list[Source]:
    """What other installed packages offer."""
    return [_from_entry_point(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)]


def _from_entry_point(point: EntryPoint) -> Source:
    name = f"entry point {point.name} ({point.value})"

    def load() -> tuple[Tool, ...]:
        found = point.load()
        functions = marked(found) if isinstance(found, ModuleType) else [found]
        return make_all(functions, source=name, group=point.name)

    return _attempt(name, load)


def from_module(module_name: str) -> Source:
    """A module by its dotted name, as Python imports it."""

    def load() -> tuple[Tool, ...]:
        return make_all(_offered(importlib.import_module(module_name)), source=module_name, group=module_name)

    return _attempt(module_name, load)


def from_directory(directory: Path, before: Mapping[Path, LoadedFile]) -> tuple[list[Source], dict[Path, LoadedFile]]:
    """Every `*.py` in it, each a module and a group of its own name; those that begin with `_` or `.` are not read.

    `before`: what was loaded last time, returned again for the next.
    """
    try:
        _refuse_public(os.stat(directory), directory)
        paths = sorted(path for path in directory.glob("*.py") if path.name[0] not in "_.")
    except (OSError, ToolError) as error:
        return [Source(name=str(directory), problem=_words(error))], {}
    sources: list[Source] = []
    files: dict[Path, LoadedFile] = {}
    for path in paths:
        try:
            text = _read(path)
        except (OSError, ToolError) as error:
            sources.append(Source(name=str(path), problem=_words(error)))
            continue
        known = before.get(path)
        loaded = known if known is not None and known.text == text else LoadedFile(text=text, source=_run(path, text))
        files[path] = loaded
        sources.append(loaded.source)
    return sources, files


def _read(path: Path) -> bytes:
    with path.open("rb") as file:  # what is judged is what is read
        _refuse_public(os.fstat(file.fileno()), path)
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ToolError(f"is larger than {MOST_BYTES} bytes")
    return text


def _refuse_public(status: os.stat_result, path: Path) -> None:
    if status.st_mode & stat.S_IWOTH:
        raise ToolError(f"everybody may write it (mode {stat.S_IMODE(status.st_mode):04o}); chmod o-w {path}")


def _run(path: Path, text: bytes) -> Source:
    def load() -> tuple[Tool, ...]:
        module = ModuleType(f"{FILE_MODULE}.{path.stem}")
        module.__file__ = str(path)
        before = sys.modules.get(module.__name__)
        sys.modules[module.__name__] = module  # where types are looked up by the name of the module that uses them
        try:
            exec(compile(text, path, "exec"), vars(module))  # noqa: S102 - to run the owner's code is the purpose
            return make_all(_offered(module), source=str(path), group=path.stem)
        except BaseException:
            if before is None:
                del sys.modules[module.__name__]
            else:
                sys.modules[module.__name__] = before
            raise

    return _attempt(str(path), load, always=True)


def _offered(module: ModuleType) -> list[Function]:
    functions = marked(module)
    if not functions:
        raise ToolError("has no function that is marked with @tool (from voicebotd.tools.registry import tool)")
    return functions


def _attempt(name: str, load: Callable[[], tuple[Tool, ...]], *, always: bool = False) -> Source:
    """Whatever a stranger's code does while it is loaded is a fault of that source only: in a thread it can neither
    end the process nor hold up the others for ever."""
    tools: list[tuple[Tool, ...]] = []
    problems: list[str] = []

    def work() -> None:
        try:
            tools.append(load())
        except BaseException as error:  # noqa: BLE001 - the boundary of a thread
            problems.append(_words(error, name))

    thread = threading.Thread(target=work, name=f"loads {name}", daemon=True)
    thread.start()
    thread.join(LOADS_WITHIN_S)
    if tools:
        return Source(name=name, tools=tools[0], always=always)
    return Source(name=name, problem=problems[0] if problems else f"was not loaded within {LOADS_WITHIN_S:g} s")


def _words(error: BaseException, path: str = "") -> str:
    """What went wrong, and in which line of the file, for who has to mend it."""
    if isinstance(error, ToolError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    where = f"line {lines[-1]}: " if lines else ""
    return f"{where}{type(error).__name__}: {error}"
