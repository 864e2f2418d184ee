"""The functions that the model can call: the keys of `tools` and the value of `session.tools`, part of the manual.

Owns how functions are named and where they are looked for. Knows no function.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from voicebotd.config.appointments import Appointments
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
    appointments: Appointments = Field(default_factory=Appointments)
