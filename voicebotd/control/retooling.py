"""Other functions while the daemon runs: look for them, offer them, and take that back if a change fails as a whole.

Owns the order of these steps. What there is to find is the toolbox's, when a change is made `tuning.py`'s.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from voicebotd.config.load import LoadedConfig
from voicebotd.config.reload import Change
from voicebotd.conversation.commands import SetTools
from voicebotd.conversation.manager import ConversationManager
from voicebotd.errors import ConfigError
from voicebotd.functions import RETOOLED, problem_of, tell_faults, wish_of
from voicebotd.tools.catalogue import SELECTION_KEY, Fault
from voicebotd.tools.toolbox import Stock, Toolbox

_NOBODY = 0
"""The request id of a command whose answer nobody awaits: the conversation's own begin with 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retooled:
    """What the model may call now, where that is something else than before, and which sources are broken."""

    offered: tuple[str, ...] | None = None
    faults: tuple[Fault, ...] = ()


class Retooling:
    def __init__(self, toolbox: Toolbox, manager: ConversationManager) -> None:
        self._toolbox = toolbox
        self._manager = manager
        toolbox.on_served = self._tell

    async def find(self, after: LoadedConfig, changes: list[Change], *, again: bool) -> Stock | None:
        """What there is with these changes; None where nothing about functions changes. `again`: look in any case.

        Raises ConfigError for a selection that names what does not exist, where that is what is changed.
        """
        if not again and all(each.key not in RETOOLED for each in changes):
            return None
        stock = await self._toolbox.find(wish_of(after.settings))
        if not again and any(each.key == SELECTION_KEY for each in changes):
            faults = self._toolbox.catalogue_of(stock).faults
            wrong = [problem_of(fault, after) for fault in faults if fault.source == SELECTION_KEY]
            if wrong:
                raise ConfigError(wrong)
        return stock

    async def apply(self, stock: Stock | None, undo: ExitStack) -> Retooled:
        """Offer what was found, in the running session too. Raises CommandRefusedError where the service refuses it."""
        if stock is None:
            return Retooled()
        before, offered_before = self._toolbox.stock, self._toolbox.function_tools
        changed = self._toolbox.take(stock)
        undo.callback(self._toolbox.take, before)
        faults = self._toolbox.catalogue.faults
        tell_faults(faults)
        if not changed:
            return Retooled(faults=faults)
        # Before the change itself is asked for: a client that hangs up while it waits does not stop the deed.
        undo.callback(self._manager.post, SetTools(request_id=_NOBODY, tools=offered_before))
        tools = self._toolbox.function_tools
        await self._manager.command(lambda number: SetTools(request_id=number, tools=tools))
        return Retooled(offered=tuple(tool.name for tool in tools), faults=faults)

    def _tell(self) -> None:
        """A server came or went."""
        self._manager.post(SetTools(request_id=_NOBODY, tools=self._toolbox.function_tools))
