"""The configuration in force, and its changes while the daemon runs: validate, apply, keep, in this order.

Owns the present `LoadedConfig`, and the profile that is lent to one conversation. What is allowed is the configuration
room's business, what takes effect how is declared there with each key; this file carries it out, whole or not at all,
and tells of it. One change at a time, so that two clients cannot undo each other's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from voicebotd.config.layers import INSTRUCTIONS_KEY, PROFILE_KEY
from voicebotd.config.load import Kept, LoadedConfig, change, forget, persist, returned, to_persist
from voicebotd.config.model import Settings
from voicebotd.config.reload import Change, diff
from voicebotd.control.retooling import Retooled, Retooling
from voicebotd.conversation.commands import Command, SetBargeIn, SetInstructions, SetTurnDetection
from voicebotd.conversation.manager import ConversationManager

Apply = Callable[[Any], None]
Derived = Mapping[frozenset[str], Callable[[Settings], None]]
_VAD = "turn_detection."
_BARGE_IN = "barge_in."
_LENT = "conversation.start"
_NOBODY = 0
"""The request id of a command whose answer nobody awaits: the conversation's own begin with 1."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a change came to. `vad`, `barge_in`: the conversation's answers, where these were among it; `functions`:
    what became of those."""

    changes: list[Change]
    vad: Mapping[str, Any] | None = None
    barge_in: Mapping[str, Any] | None = None
    functions: Retooled = field(default_factory=Retooled)

    @property
    def applied(self) -> str | None:
        """`live` or `next_session` for turn detection and barge-in together; None where neither was changed."""
        answers = {answer["applied"] for answer in (self.vad, self.barge_in) if answer is not None}
        return "next_session" if "next_session" in answers else next(iter(answers), None)


@dataclass(slots=True, kw_only=True)
class _Loan:
    """A profile for one conversation: the configuration before it and with it."""

    before: LoadedConfig
    lent: LoadedConfig
    over: bool = False


class Tuning:
    """`live`: how to apply a key at once, by dotted key; `derived`: how to apply what follows from several keys, when
    one of them changes. `reconnect` prepares the next session with the service. `publish` is told of every change.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        *,
        manager: ConversationManager,
        load_again: Callable[[], LoadedConfig],
        live: Mapping[str, Apply],
        reconnect: Callable[[LoadedConfig], None],
        derived: Derived,
        retooling: Retooling,
        publish: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.loaded = loaded
        self._retooling = retooling
        self._manager = manager
        self._load_again = load_again
        self._live = live
        self._reconnect = reconnect
        self._derived = derived
        self._publish = publish
        self._loan: _Loan | None = None
        self._one_at_a_time = asyncio.Lock()

    async def set(self, values: Mapping[str, Any], *, persistent: bool, source: str = "rpc") -> Outcome:
        """Change keys; `persistent` keeps them over a restart.

        Raises ConfigError, or CommandRefusedError where the service refuses; then nothing is changed and nothing kept.
        """
        async with self._one_at_a_time:
            after = change(self.loaded, values, source)
            kept = to_persist(after, values) if persistent else None
            return await self._take_over(after, kept=kept, ends_loan=PROFILE_KEY in values)

    async def reload(self) -> Outcome:
        """Read the files again, those of functions too. Raises ConfigError with every problem; the old configuration
        then stays in force."""
        async with self._one_at_a_time:
            return await self._take_over(await asyncio.to_thread(self._load_again), ends_loan=True, reload=True)

    async def lend(self, profile: str) -> None:
        """Put a profile in force for the conversation that is about to begin. Raises like `set`."""
        async with self._one_at_a_time:
            await self._take_back()
            before = self.loaded
            await self._take_over(change(before, {PROFILE_KEY: profile}, _LENT))
            self._loan = _Loan(before=before, lent=self.loaded)

    def conversation_ended(self) -> None:
        """The next `take_back()` has something to do, if a profile was lent. Never waits."""
        if self._loan is not None:
            self._loan.over = True

    async def take_back(self) -> None:
        """Undo the profile of a conversation that has ended; what people set meanwhile stays. Nothing where none was
        lent. Raises CommandRefusedError where it cannot be undone now."""
        async with self._one_at_a_time:
            if self._loan is not None and self._loan.over:
                await self._take_back()

    async def _take_back(self) -> None:
        if self._loan is not None:
            await self._take_over(returned(self.loaded, self._loan.before, self._loan.lent), ends_loan=True)

    async def forget_instructions(self) -> None:
        """Drop the persisted instructions; those of the files are in force again, and nothing else is changed.

        Raises ConfigError, or CommandRefusedError where the service refuses; then they are in force from the next
        start.
        """
        async with self._one_at_a_time:
            await _unbroken(forget, self.loaded.paths.overrides_file, [INSTRUCTIONS_KEY])
            files = await asyncio.to_thread(self._load_again)
            configured = {INSTRUCTIONS_KEY: files.settings.session.instructions}
            await self._take_over(change(self.loaded, configured, files.sources[INSTRUCTIONS_KEY]))

    async def _take_over(
        self, after: LoadedConfig, *, kept: Kept | None = None, ends_loan: bool = False, reload: bool = False
    ) -> Outcome:
        """Apply and keep all of it. What a refusal leaves undone, and what nobody awaits any more, is taken back."""
        before = self.loaded
        changes = diff(before, after)
        hung_up = False
        functions = await self._retooling.find(after, changes, again=reload)
        with ExitStack() as undo:
            if any(each.applied == "reconnect" for each in changes):
                self._reconnect(after)
                undo.callback(self._reconnect, before)
            vad = await self._tune(SetTurnDetection, _VAD, changes, undo)
            barge_in = await self._tune(SetBargeIn, _BARGE_IN, changes, undo)
            await self._instruct(changes, before, after, undo)
            retooled = await self._retooling.apply(functions, undo)
            for each in changes:
                if (apply := self._live.get(each.key)) is not None:
                    apply(each.new)
                    undo.callback(apply, each.old)
            for keys, apply_all in self._derived.items():
                if any(each.key in keys for each in changes):
                    apply_all(after.settings)
                    undo.callback(apply_all, before.settings)
            if kept is not None:
                hung_up = await _unbroken(persist, after.paths.overrides_file, kept)
                after = _said_by(after, kept.values, str(after.paths.overrides_file))
            undo.pop_all()
        self.loaded = after
        if ends_loan:
            self._loan = None
        self._tell(changes, after)
        if hung_up:
            raise asyncio.CancelledError
        return Outcome(changes=changes, vad=vad, barge_in=barge_in, functions=retooled)

    def _tell(self, changes: list[Change], after: LoadedConfig) -> None:
        _log.info("configuration changed", keys=[each.key for each in changes])
        for each in changes:
            self._publish(
                "config",
                {"key": each.key, "value": each.new, "source": after.sources[each.key], "applied": each.applied},
            )

    async def _tune(
        self,
        command: type[SetTurnDetection | SetBargeIn],
        section: str,
        changes: list[Change],
        undo: ExitStack,
    ) -> Mapping[str, Any] | None:
        """Ask the conversation for the changes of a section; return its answer, None where there are none."""
        tuned = [each for each in changes if each.key.startswith(section)]
        if not tuned:
            return None
        new = {each.key.removeprefix(section): each.new for each in tuned}
        old = {each.key.removeprefix(section): each.old for each in tuned}
        self._undo_by(command(request_id=_NOBODY, changes=old), undo)
        return await self._manager.command(lambda number: command(request_id=number, changes=new))

    async def _instruct(
        self, changes: list[Change], before: LoadedConfig, after: LoadedConfig, undo: ExitStack
    ) -> None:
        if all(each.key != INSTRUCTIONS_KEY for each in changes):
            return
        old, new = before.instructions, after.instructions
        self._undo_by(SetInstructions(request_id=_NOBODY, text=old, mode="configured"), undo)
        await self._manager.command(lambda number: SetInstructions(request_id=number, text=new, mode="configured"))

    def _undo_by(self, command: Command, undo: ExitStack) -> None:
        """Before the change itself is asked for: a client that hangs up while it waits does not stop the deed."""
        undo.callback(self._manager.post, command)


async def _unbroken(write: Callable[..., None], *arguments: Any) -> bool:
    """Write to the end; return whether whoever asked for it hung up meanwhile.

    A thread cannot be cancelled; left alone it would overwrite what the next client keeps. So a write that was begun
    counts, and what is in force must follow it.
    """
    writing = asyncio.ensure_future(asyncio.to_thread(write, *arguments))
    hung_up = False
    while not writing.done():
        try:
            await asyncio.wait([writing])
        except asyncio.CancelledError:
            hung_up = True
    writing.result()
    return hung_up


def _said_by(loaded: LoadedConfig, names: Mapping[str, Any], source: str) -> LoadedConfig:
    return replace(loaded, sources={**loaded.sources, **dict.fromkeys(names, source)})
