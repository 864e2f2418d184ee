"""`voicebotd --check`: what is wrong beyond the configuration's own rules. Looks, and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from voicebotd import functions
from voicebotd.assembly import AEC_REMEDY, endpoint_of
from voicebotd.audio.ladder import aec_installed
from voicebotd.config.credentials import find_api_key
from voicebotd.config.load import LoadedConfig
from voicebotd.config.paths import database_path, socket_path
from voicebotd.errors import ConfigError, Problem
from voicebotd.realtime.endpoint import KEY_SOURCES


def problems(loaded: LoadedConfig, environ: Mapping[str, str], cwd: Path) -> list[Problem]:
    """Return everything that would keep the daemon from working as configured."""
    service = _service(loaded, environ, cwd)
    return [*service, *_echo(loaded), *functions.problems(loaded), *_directories(loaded)]


def _service(loaded: LoadedConfig, environ: Mapping[str, str], cwd: Path) -> list[Problem]:
    """The address, and the key that whoever is there wants."""
    provider = loaded.settings.service.provider
    if provider == "rehearsal":
        return key_problems(environ, cwd, needed=False)
    try:
        dialect = endpoint_of(loaded.settings).dialect
    except ConfigError as error:
        return [*error.problems, *key_problems(environ, cwd, needed=provider != "compatible")]
    return key_problems(environ, cwd, needed=dialect.key == "required")


def key_problems(environ: Mapping[str, str], cwd: Path, *, needed: bool) -> list[Problem]:
    """Return what is wrong with the API key."""
    try:
        found = find_api_key(environ, cwd)
    except ConfigError as error:
        return error.problems
    if found is None and needed:
        return [Problem(key="API key", message="there is none", hint=f"put one in {KEY_SOURCES}")]
    return []


def _echo(loaded: LoadedConfig) -> list[Problem]:
    if loaded.settings.audio.echo_control != "aec" or aec_installed():
        return []
    name = "audio.echo_control"
    message = "the echo canceller is not installed; the gate would stand in for it"
    return [Problem(key=name, message=message, source=loaded.sources[name], hint=AEC_REMEDY)]


def _directories(loaded: LoadedConfig) -> list[Problem]:
    wanted = {
        "control.socket": socket_path(loaded.settings, loaded.paths).parent,
        "history.path": database_path(loaded.settings, loaded.paths).parent,
    }
    return [
        Problem(key=key, message=f"{directory} cannot be written to")
        for key, directory in wanted.items()
        if not _usable(directory)
    ]


def _usable(directory: Path) -> bool:
    """Whether the directory can be used or, where it is missing, be made."""
    existing = next(place for place in (directory, *directory.parents) if place.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
