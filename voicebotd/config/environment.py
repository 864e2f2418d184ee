"""The environment as the configuration sees it: the process's own variables over a `.env` file's.

Owns reading and parsing `.env`. Knows no variable's meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voicebotd.errors import ConfigError, Problem

_LINE = re.compile(
    r"""(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*
        (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^'"].*?|))
        (?:\s+\#.*|\s*)""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    values: Mapping[str, str]
    sources: Mapping[str, str]
    """Where each came from: `environment NAME` or `/path/.env NAME`."""


def read_environment(environ: Mapping[str, str], cwd: Path) -> Environment:
    """Join `environ` with `cwd/.env`; where both have a variable, `environ` wins.

    Raises ConfigError for a `.env` that cannot be read or understood.
    """
    path = cwd / ".env"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError([Problem(key=str(path), message=f"cannot be read: {reason}")]) from None
    values, problems = parse_dotenv(text, str(path))
    if problems:
        raise ConfigError(problems)
    sources = {name: f"{path} {name}" for name in values}
    sources.update({name: f"environment {name}" for name in environ})
    return Environment(values={**values, **environ}, sources=sources)


def parse_dotenv(text: str, source: str) -> tuple[dict[str, str], list[Problem]]:
    """Parse `NAME=value` lines: `export`, quotes, `#` comments. A complaint names the line and never quotes it."""
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            problems.append(Problem(key=source, message=f"line {number} is not NAME=value"))
        elif match["double"] is not None:
            values[match["name"]] = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), match["double"])
        else:
            values[match["name"]] = match["single"] if match["single"] is not None else match["bare"]
    return values, problems
