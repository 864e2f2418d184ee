"""All functions of the daemon in one place: what was found where, and the catalogue that follows from it.

Owns the order of the sources, in which the first of two functions of one name wins: the package's own, other packages,
modules, the files of the directory, and servers, which come and go. To find takes time and changes nothing; what was
found is taken over at once, or not at all, by whoever knows the rest of a change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voicebotd.conversation.effects import FunctionTool
from voicebotd.tools import sources
from voicebotd.tools.catalogue import Catalogue, Source, compose
from voicebotd.tools.sources import LoadedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the configuration says of functions."""

    directory: Path | None = None
    modules: Sequence[str] = ()
    offered: Sequence[str] = ()
    """Names of functions or of groups."""
    timeout_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What was found for a wish."""

    wish: Wish = field(default_factory=Wish)
    sources: tuple[Source, ...] = ()
    files: Mapping[Path, LoadedFile] = field(default_factory=dict)


class Toolbox:
    """`built_in`: the package's own functions, bound to what they need (`sources.from_functions`)."""

    def __init__(self, built_in: Sequence[Source] = ()) -> None:
        self._built_in = tuple(built_in)
        self._served: dict[str, Source] = {}
        self._stock = Stock()
        self.catalogue = Catalogue()
        self.on_served: Callable[[], None] = lambda: None
        """Called when a server changed what the model is told."""

    @property
    def stock(self) -> Stock:
        return self._stock

    @property
    def function_tools(self) -> tuple[FunctionTool, ...]:
        """What the model is told."""
        return tuple(
            FunctionTool(name=tool.name, description=tool.description, parameters=tool.parameters)
            for tool in self.catalogue.offered
        )

    async def find(self, wish: Wish) -> Stock:
        """Look, without changing anything here."""
        return await asyncio.to_thread(self.look, wish)

    def look(self, wish: Wish) -> Stock:
        """The same at once; it takes as long as foreign code takes to load."""
        found = [*sources.from_entry_points(), *map(sources.from_module, wish.modules)]
        directory, files = (
            ([], {}) if wish.directory is None else sources.from_directory(wish.directory, self._stock.files)
        )
        return Stock(wish=wish, sources=(*found, *directory), files=files)

    def take(self, stock: Stock) -> bool:
        """Use what was found; return whether the model is to be told something else now."""
        self._stock = stock
        return self._compose()

    def serve(self, server: str, source: Source | None) -> None:
        """A server offers these functions from now on; None: it is gone."""
        if source is None:
            self._served.pop(server, None)
        else:
            self._served[server] = source
        if self._compose():
            self.on_served()

    def catalogue_of(self, stock: Stock) -> Catalogue:
        """What would follow from it."""
        return compose((*self._built_in, *stock.sources, *self._served.values()), stock.wish.offered)

    def _compose(self) -> bool:
        before = self.function_tools
        self.catalogue = self.catalogue_of(self._stock)
        return self.function_tools != before
