"""Where a secret is kept, and what it is: `env:NAME`, `file:/PATH`, `credential:NAME`; `text:VALUE` is none.

Owns the reading of such a reference, at the moment at which it is needed, so that a secret that was changed holds from
then on. Never puts a secret into an error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from voicebotd.config.credentials import Secret

LIMIT_BYTES = 16_384


class MissingSecretError(Exception):
    """The reference leads to nothing that can be used; the text says why."""


def is_secret(reference: str) -> bool:
    return not reference.startswith("text:")


def read(reference: str, environ: Mapping[str, str] = os.environ) -> Secret:
    """Return what it refers to, without the line's end. Raises MissingSecretError."""
    kind, _, place = reference.partition(":")
    if kind == "text":
        return Secret(place)
    if kind == "env":
        if not environ.get(place):
            raise MissingSecretError(f"{reference}: there is no such variable in the daemon's environment")
        return Secret(environ[place])
    if kind == "credential":
        directory = environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise MissingSecretError(f"{reference}: systemd gave no credentials (LoadCredential={place}:/PATH)")
        return _file(Path(directory) / place, reference, private=False)
    return _file(Path(place), reference, private=True)


def _file(path: Path, reference: str, *, private: bool) -> Secret:
    try:
        with path.open("rb") as file:
            if private and os.fstat(file.fileno()).st_mode & stat.S_IROTH:
                raise MissingSecretError(f"{reference}: every user of this machine can read it; chmod 600 {path}")
            text = file.read(LIMIT_BYTES).decode("utf-8").strip()
    except OSError as error:
        raise MissingSecretError(f"{reference}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MissingSecretError(f"{reference}: not text") from None
    if not text or "\n" in text or "\r" in text or "\x00" in text:
        raise MissingSecretError(f"{reference}: must be one line of text")
    return Secret(text)
