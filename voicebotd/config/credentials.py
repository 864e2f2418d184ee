"""The API key: where it may come from, and how it is kept out of everything that people read.

Owns the order of the places, the refusal of a key file that others can read, the masked `Secret` and the knowledge
of what a secret looks like (`redact`). Knows no provider; never puts a key's text into an error.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voicebotd.config.environment import read_environment
from voicebotd.errors import ConfigError, Problem

CREDENTIAL_NAME = "openai-api-key"
MASK = "***"

_KEY_LIMIT_BYTES = 4096
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750 §2.1 `b64token`: what an `Authorization: Bearer` header can carry."""
_LOOKS_SECRET = re.compile(
    r"""(?ix)
    (?<=bearer\ ) \s* [^\s'",;]+
    | (?: (?<![a-z]) | (?<=\\[nrt]) | (?<=[0-9]m) ) (?:sk|ek|xai) [-_] [a-z0-9_-]{6,}
    """
)
"""A bearer token, or a key by its usual beginning (OpenAI `sk-`, its client secrets `ek_`, xAI `xai-`). Not in the
middle of a word (`task-`), unless the letter before it ends an escaped line break or a terminal's colour code."""


class Secret:
    """Text that does not show itself: `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    secret: Secret
    source: str
    """`systemd credential openai-api-key`, `file /path`, `environment OPENAI_API_KEY`, `/path/.env`."""


def redact(text: str) -> str:
    """Mask whatever looks like a secret."""
    return _LOOKS_SECRET.sub(MASK, text)


def find_api_key(environ: Mapping[str, str], cwd: Path) -> ApiKey | None:
    """Return the first key found: systemd credential, OPENAI_API_KEY_FILE, OPENAI_API_KEY. `.env` is environment too.

    None if there is none; an empty one counts as none. Raises ConfigError for one that is there and cannot be used.
    """
    environment = read_environment(environ, cwd)
    # Only the service manager sets this, so a `.env` has no say in it.
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory:
        source = f"systemd credential {CREDENTIAL_NAME}"
        key = _key(_read(Path(directory) / CREDENTIAL_NAME, source, optional=True), source)
        if key:
            return key
    path = environment.values.get("OPENAI_API_KEY_FILE")
    if path:
        source = f"file {path}"
        key = _key(_read(cwd / path, source, private=True), source)
        if key:
            return key
    return _key(environment.values.get("OPENAI_API_KEY", ""), environment.sources.get("OPENAI_API_KEY", ""))


def _key(text: str, source: str) -> ApiKey | None:
    token = text.strip()
    if not token:
        return None
    if not _TOKEN.fullmatch(token):
        raise _refused("not one word of letters, digits and -._~+/=", source)
    return ApiKey(secret=Secret(token), source=source)


def _read(path: Path, source: str, *, optional: bool = False, private: bool = False) -> str:
    try:
        with path.open("rb") as file:
            # Asked of the open file, so that nobody can put another in its place between question and reading.
            mode = os.fstat(file.fileno()).st_mode
            if private and mode & stat.S_IROTH:
                raise _refused("every user of this machine can read it", source, hint=f"chmod 600 {path}")
            return file.read(_KEY_LIMIT_BYTES).decode("ascii")
    except FileNotFoundError:
        if optional:
            return ""
        raise _refused("no such file", source) from None
    except OSError as error:
        raise _refused(f"cannot be read: {error.strerror}", source) from None
    except UnicodeDecodeError:
        # The cause would quote the file's bytes.
        raise _refused("not text", source) from None


def _refused(message: str, source: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(key="API key", message=message, source=source, hint=hint)])
