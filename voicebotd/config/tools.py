"""The functions that the model can call: the keys of `tools` and the value of `session.tools`, part of the manual.

Owns how functions are named and where they are looked for. Knows no function.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from voicebotd.config.appointments import Appointments
from voicebotd.config.mcp import LOCAL_ALLOWED, REMOTE_ALLOWED, RemoteServers, Servers
from voicebotd.config.section import Section, key, listed

ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", max_length=200)]
Offered = Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=200)]], BeforeValidator(listed)]
OFFERED_ALLOWED = "a list of names of functions, or of the groups they come in"


class Tools(Section):
    """The functions that the model can call."""

    timeout_s: float = key(20.0, "live", ge=0.1, le=600, unit="s")
    """How long a function may take before the model is told that it did not answer; a function may have a time of its
    own."""
    directory: Annotated[str, Field(min_length=1)] | None = key(None, "live", unit="path")
    """Every `*.py` in it is a file of functions, read anew by `voicebotctl config reload`; null: there is none."""
    modules: Annotated[list[ModuleName], BeforeValidator(listed)] = key(
        [], "live", allowed="a list of Python modules by their dotted names"
    )
    """Installed Python modules with functions."""
    mcp: Servers = key({}, "live", allowed=LOCAL_ALLOWED)
    """Servers of the Model Context Protocol that the box itself starts (`command`) or reaches (`url`), with the extra
    `voicebotd[mcp]`. Their functions are offered as `NAME__FUNCTION`; `allow` names those that may be, null: all.
    Values of `env` and `headers` are references: `env:NAME`, `file:/PATH`, `credential:NAME`, or `text:VALUE` for what
    is no secret."""
    remote_mcp: RemoteServers = key([], "reconnect", allowed=REMOTE_ALLOWED)
    """Servers that the Realtime service itself calls (openai and azure only), beyond this box and its rules.
    `require_approval: ask` asks each time (`voicebotctl tools approve`), `never` lets it act by itself."""
    approval_timeout_s: float = key(30.0, "restart", ge=1, le=600, unit="s")
    """How long a call of such a server waits for somebody's approval before it is refused."""
    appointments: Appointments = Field(default_factory=Appointments)
