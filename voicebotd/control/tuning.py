"""The configuration in force, and its changes while the daemon runs: validate, apply, keep, in this order.

Owns the present `LoadedConfig`. What is allowed is the configuration room's business, what takes effect how is declared
there with each key; this file carries it out. One change at a time, so that two clients cannot undo each other's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from voicebotd.config.layers import INSTRUCTIONS_KEY
from voicebotd.config.load import LoadedConfig, change, forget, persist, to_persist
from voicebotd.config.reload import Change, diff
from voicebotd.conversation.events import (
    SetInstructions,
    SetTurnDetection,
)
from voicebotd.conversation.manager import ConversationManager

Apply = Callable[[Any], None]
_VAD = "turn_detection."
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a change came to. `vad`: the conversation's answer, where turn detection was among it."""

    changes: list[Change]
    vad: Mapping[str, Any] | None = None


class Tuning:
    """`live`: how to apply a key at once, by dotted key. `reconnect` prepares the next session with the service."""

    def __init__(
        self,
        loaded: LoadedConfig,
        *,
        manager: ConversationManager,
        load_again: Callable[[], LoadedConfig],
        live: Mapping[str, Apply],
        reconnect: Callable[[LoadedConfig], None],
    ) -> None:
        self.loaded = loaded
        self._manager = manager
        self._load_again = load_again
        self._live = live
        self._reconnect = reconnect
        self._one_at_a_time = asyncio.Lock()

    async def set(self, values: Mapping[str, Any], *, persistent: bool, source: str = "rpc") -> Outcome:
        """Change keys. Raises ConfigError (nothing changed) or CommandRefusedError (the service refused; undone)."""
        async with self._one_at_a_time:
            after = change(self.loaded, values, source)
            outcome = await self._take_over(after)
            if persistent:
                kept = to_persist(after, values)
                await asyncio.to_thread(persist, after.paths.overrides_file, kept)
            return outcome

    async def reload(self) -> Outcome:
        """Read the files again. Raises ConfigError with every problem; the old configuration then stays in force."""
        async with self._one_at_a_time:
            return await self._take_over(await asyncio.to_thread(self._load_again))

    async def forget_instructions(self) -> None:
        """Drop the persisted instructions; those of the files are in force again. Raises ConfigError."""
        async with self._one_at_a_time:
            await asyncio.to_thread(forget, self.loaded.paths.overrides_file, [INSTRUCTIONS_KEY])
            await self._take_over(await asyncio.to_thread(self._load_again))

    async def _take_over(self, after: LoadedConfig) -> Outcome:
        changes = diff(self.loaded, after)
        if any(each.applied == "reconnect" for each in changes):
            self._reconnect(after)  # first, because it can refuse an address: then nothing must have changed
        vad = await self._tune(changes)
        if any(each.key == INSTRUCTIONS_KEY for each in changes):
            text = after.instructions
            await self._manager.command(lambda number: SetInstructions(request_id=number, text=text, mode="configured"))
        for each in changes:
            if each.key in self._live:
                self._live[each.key](each.new)
        self.loaded = after
        _log.info("configuration changed", keys=[each.key for each in changes])
        return Outcome(changes=changes, vad=vad)

    async def _tune(self, changes: list[Change]) -> Mapping[str, Any] | None:
        wanted = {each.key.removeprefix(_VAD): each.new for each in changes if each.key.startswith(_VAD)}
        if not wanted:
            return None
        return await self._manager.command(lambda number: SetTurnDetection(request_id=number, changes=wanted))
