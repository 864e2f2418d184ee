"""A server of the Model Context Protocol as it is wanted, and how long it is waited for. Needs no extra."""

from __future__ import annotations

from dataclasses import dataclass

REMEDY = "pip install 'voicebotd[mcp]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A server as it is wanted: a command to run, or an address to reach.

    `env`, `headers`: references to what goes there; `reveal` of the server reads them each time it connects.
    """

    name: str
    command: str | None = None
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    cwd: str | None = None
    url: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    allow: tuple[str, ...] | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    connect_s: float = 15.0
    list_s: float = 10.0
    look_again_s: float = 60.0
    """How often a server that tells nothing is asked what it has, which also shows whether it is there."""
    lived_s: float = 60.0
    """Whoever lived so long starts with a short pause again."""
