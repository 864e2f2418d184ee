"""The configuration from files, environment and command line, and its changes while the daemon runs.

Owns reading and writing the files; what wins and what is allowed is decided in `layers.py` and `catalogue.py`.
Everything here may block on a disk. The API key is not part of the configuration (`credentials.py`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from voicebotd.config import layers as ly
from voicebotd.config.catalogue import flatten
from voicebotd.config.document import parse
from voicebotd.config.environment import read_environment
from voicebotd.config.model import FILE_PREFIX, Settings
from voicebotd.config.paths import Paths, built_in_instructions, find_paths, instructions_file
from voicebotd.errors import ConfigError, Problem

_USER_SERVICE_DEFAULTS = {"control.mode": "0600", "control.group": None}
_PROFILE_SOURCE = "profile "
_OVERRIDES_HEADER = "# Written by voicebotctl --persist; delete a line to forget it.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfig:
    """A complete, valid configuration that knows where each of its values came from."""

    settings: Settings
    sources: Mapping[str, str]
    """Dotted key → place: `default`, a file's path, `profile NAME (path)`, `environment NAME`, `--set`, `rpc`."""
    instructions: str
    """The text that `session.instructions` stands for."""
    paths: Paths
    files: tuple[Path, ...] = ()
    """The documents that were read, lowest precedence first."""
    beneath: Mapping[str, ly.Assignment] = field(default_factory=dict)
    """What each key that a profile sets would be without it: another profile begins from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a change writes into the file of persisted changes, and what it takes out of it."""

    values: Mapping[str, Any]
    dropped: frozenset[str] = frozenset()


def load(
    *,
    environ: Mapping[str, str],
    cwd: Path,
    config_file: Path | None = None,
    set_words: Iterable[str] = (),
    uid: int | None = None,
) -> LoadedConfig:
    """Read and judge the whole configuration.

    Args:
        environ: the process's environment; `cwd/.env` is read under it.
        cwd: what relative paths in the environment and on the command line are relative to.
        config_file: `--config`; it must exist. The usual one may be absent.
        set_words: `--set` arguments, `KEY=VALUE`.
        uid: whose directories to use; default: this process's user.

    Raises:
        ConfigError: with every problem found, in the order of precedence.
    """
    paths = find_paths(environ, os.getuid() if uid is None else uid, config_file and cwd / config_file)
    found: list[ly.Layer] = []
    files: list[Path] = []
    if paths.user_service:
        found.append(ly.values_layer(_USER_SERVICE_DEFAULTS, "default of a user service"))
    for path in (paths.config_file, *paths.conf_d(), paths.overrides_file):
        layer = _file_layer(path, required=path == paths.config_file and paths.config_given)
        if layer is not None:
            found.append(replace(layer, is_file=path != paths.overrides_file))
            files.append(path)
    try:
        environment = read_environment(environ, cwd)
        found.append(ly.anchored(ly.environment_layer(environment.values, environment.sources), cwd))
    except ConfigError as error:
        found.append(ly.Layer(problems=tuple(error.problems)))
    found.append(ly.anchored(ly.command_line_layer(set_words), cwd))
    layers = _with_profile(found, paths)
    text, unreadable = _instructions(ly.winner(layers, ly.INSTRUCTIONS_KEY))
    resolved = ly.resolve([*layers, ly.Layer(problems=unreadable)])
    return LoadedConfig(
        settings=resolved.settings,
        sources=resolved.sources,
        instructions=text,
        paths=paths,
        files=tuple(files),
        beneath={name: ly.winner(found, name) for name in _from_profile(resolved.sources)},
    )


def change(loaded: LoadedConfig, values: Mapping[str, Any], source: str = "rpc") -> LoadedConfig:
    """Return the configuration with these dotted keys changed; `loaded` stays as it is.

    Naming a profile brings its values, undoes those of the one before, and loses to values given beside it; null only
    undoes. Numbers must be numbers: `"0.7"` is refused for `turn_detection.threshold`. Relative paths are meant from
    the configuration file's directory.

    Raises:
        ConfigError: with every problem found; nothing is changed.
    """
    present = _said(loaded)
    if ly.PROFILE_KEY in values:
        present |= loaded.beneath
    new = _with_profile([ly.anchored(ly.values_layer(values, source), loaded.paths.config_dir)], loaded.paths)
    # The file behind unchanged instructions may be gone by now; that must not stop a change of something else.
    named = [each for each in new if any(a.name == ly.INSTRUCTIONS_KEY for a in each.assignments)]
    undone = ly.INSTRUCTIONS_KEY in loaded.beneath and ly.PROFILE_KEY in values
    given = ly.winner(named, ly.INSTRUCTIONS_KEY) if named else present[ly.INSTRUCTIONS_KEY]
    text, unreadable = _instructions(given) if named or undone else (loaded.instructions, ())
    resolved = ly.resolve([ly.Layer(assignments=tuple(present.values())), *new, ly.Layer(problems=unreadable)])
    hidden = present if ly.PROFILE_KEY in values else loaded.beneath
    return replace(
        loaded,
        settings=resolved.settings,
        sources=resolved.sources,
        instructions=text,
        beneath={name: hidden[name] for name in _from_profile(resolved.sources)},
    )


def returned(loaded: LoadedConfig, before: LoadedConfig, lent: LoadedConfig) -> LoadedConfig:
    """Return `loaded` without what the change from `before` to `lent` brought, where nobody has changed it since."""
    old, new, now = _said(before), _said(lent), _said(loaded)
    back = {name for name in now if old[name] != new[name] and now[name] == new[name]}
    resolved = ly.resolve([ly.Layer(assignments=tuple(old[name] if name in back else now[name] for name in now))])
    hidden = {**loaded.beneath, **before.beneath}
    return replace(
        loaded,
        settings=resolved.settings,
        sources=resolved.sources,
        instructions=before.instructions if ly.INSTRUCTIONS_KEY in back else loaded.instructions,
        beneath={name: hidden[name] for name in _from_profile(resolved.sources)},
    )


def to_persist(after: LoadedConfig, values: Mapping[str, Any]) -> Kept:
    """What `persist` must be given so that the change of `values` that led to `after` comes back at the next start.

    Where they name a profile, older persisted values that would hide what it sets are dropped.
    """
    kept = {name: value for name, value in flatten(after.settings).items() if name in values}
    hiding = _from_profile(after.sources) if ly.PROFILE_KEY in values else frozenset()
    return Kept(values=kept, dropped=hiding)


def _said(loaded: LoadedConfig) -> dict[str, ly.Assignment]:
    return {
        name: ly.Assignment(name=name, value=value, source=loaded.sources[name])
        for name, value in flatten(loaded.settings).items()
    }


def _from_profile(sources: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for name, source in sources.items() if source.startswith(_PROFILE_SOURCE))


def persist(path: Path, kept: Kept) -> None:
    """Change the file of persisted changes: whole or not at all, readable by its owner only.

    Raises:
        ConfigError: the file cannot be written, or what is there cannot be understood; it is left as it was.
    """
    before = {name: value for name, value in _persisted(path).items() if name not in kept.dropped}
    _write_persisted(path, {**before, **kept.values})


def forget(path: Path, names: Iterable[str]) -> None:
    """Take dotted keys out of the file of persisted changes; those that are not in it are no matter.

    Raises ConfigError like `persist`.
    """
    dropped = frozenset(names)
    before = _persisted(path)
    after = {name: value for name, value in before.items() if name not in dropped}
    if after != before:
        _write_persisted(path, after)


def _persisted(path: Path) -> dict[str, Any]:
    layer = _file_layer(path, required=False) or ly.Layer()
    if layer.problems:
        raise ConfigError(list(layer.problems))
    return {each.name: each.value for each in layer.assignments}


def _write_persisted(path: Path, values: Mapping[str, Any]) -> None:
    text = _OVERRIDES_HEADER + yaml.safe_dump(ly.nested(values), sort_keys=False, allow_unicode=True)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace_file(path, text.encode())
    except OSError as error:
        problem = Problem(key=str(path), message=f"cannot be written: {error.strerror}")
        raise ConfigError([problem]) from error


def _instructions(given: ly.Assignment) -> tuple[str, tuple[Problem, ...]]:
    """The text that `session.instructions` stands for: a built-in name's, a file's, or itself."""
    value = given.value
    if not isinstance(value, str):
        return "", ()  # its judge says why
    if value in built_in_instructions():
        path = instructions_file(value)
    elif value.startswith(FILE_PREFIX):
        path = Path(value.removeprefix(FILE_PREFIX).strip())
    else:
        return value, ()
    try:
        text = path.read_text(encoding="utf-8").strip()
        message = "" if text else f"{path} is empty"
    except OSError as error:
        text, message = "", f"{path} cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        text, message = "", f"{path} is not UTF-8 text"
    return text, (Problem(key=given.name, message=message, source=given.source),) if message else ()


def _file_layer(path: Path, *, required: bool, source: str = "") -> ly.Layer | None:
    """The layer of one file; None where it is absent and may be. `source`: what its values are said to come from."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not required:
            return None
        return ly.Layer(problems=(Problem(key=str(path), message="no such file"),))
    except OSError as error:
        return ly.Layer(problems=(Problem(key=str(path), message=f"cannot be read: {error.strerror}"),))
    except UnicodeDecodeError:
        return ly.Layer(problems=(Problem(key=str(path), message="not UTF-8 text"),))
    tree, problems = parse(text, str(path))
    layer = ly.anchored(ly.document_layer(tree, source or str(path)), path.parent)
    return replace(layer, problems=(*problems, *layer.problems))


def _with_profile(found: list[ly.Layer], paths: Paths) -> list[ly.Layer]:
    """The layers with the profile that one of them names, or with the complaint that there is none of that name."""
    chosen = ly.chosen_profile(found)
    if chosen is None:
        return found
    path = paths.find_profile(chosen.value)
    if path is None:
        message = f"no profile {chosen.value}; there are {', '.join(paths.profiles())}"
        return [*found, ly.Layer(problems=(Problem(key=chosen.name, message=message, source=chosen.source),))]
    profile = _file_layer(path, required=True, source=f"{_PROFILE_SOURCE}{chosen.value} ({path})")
    assert profile is not None, "a required file is a layer, be it only of its absence"
    return ly.with_profile(found, ly.without_profile(profile))


def _replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file so that a crash leaves the old or the new one, never a part."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp's mode is 0600
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # rename(2) is durable only when the directory is.
        os.fsync(directory)
    finally:
        os.close(directory)
