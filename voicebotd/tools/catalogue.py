"""Which functions there are and which of them the model sees: sources put together, and all that is wrong with them.

Two functions of one name cannot both be offered; the one that was found first stays, and both sources are named. What
is broken is left out and told, and the rest works. Pure: where sources come from is `sources.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from voicebotd.tools.registry import Tool

SELECTION_KEY = "session.tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Functions that came together: one module, one file, one server."""

    name: str
    """For people: a module, a path, a server."""
    tools: tuple[Tool, ...] = ()
    problem: str = ""
    """Why there are none."""
    always: bool = False
    """The owner put it there for the model: it is offered without being named in `session.tools`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is broken, and why."""

    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """`tools`: all that can be run, by name; `offered`: those that the model sees, in the same order."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    offered: tuple[Tool, ...] = ()
    faults: tuple[Fault, ...] = ()


def compose(sources: Iterable[Source], wanted: Sequence[str]) -> Catalogue:
    """`wanted`: names of functions or of groups of them. None at all: the model is offered no function."""
    tools: dict[str, Tool] = {}
    always: set[str] = set()
    faults: list[Fault] = []
    for source in sources:
        if source.problem:
            faults.append(Fault(source=source.name, message=source.problem))
        for tool in source.tools:
            if (other := tools.get(tool.name)) is not None:
                message = f"{tool.name} is a function of {other.source} too; rename one, only that one can be called"
                faults.append(Fault(source=source.name, message=message))
                continue
            tools[tool.name] = tool
            if source.always:
                always.add(tool.name)
    names = {name for tool in tools.values() for name in (tool.name, tool.group)}
    faults += [Fault(source=SELECTION_KEY, message=_unknown(name, names)) for name in wanted if name not in names]
    chosen = always.union(wanted) if wanted else set()
    offered = tuple(tool for tool in tools.values() if tool.name in chosen or tool.group in chosen)
    return Catalogue(tools=tools, offered=offered, faults=tuple(faults))


def _unknown(name: str, names: set[str]) -> str:
    nearest = next(iter(get_close_matches(name, sorted(names), n=1)), None)
    remedy = f"did you mean {nearest}?" if nearest else "voicebotctl tools lists what there is"
    return f"{name!r} is neither a function nor a group of functions; {remedy}"
