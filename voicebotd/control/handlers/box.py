"""What the handlers may reach of the daemon, and how its refusals become JSON-RPC errors.

Owns the `Box`. Knows no method.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from voicebotd.assembly import Rung
from voicebotd.audio.manager import AudioManager
from voicebotd.control.contract_results import FileDocument
from voicebotd.control.jsonrpc import refusal
from voicebotd.control.tuning import Outcome, Tuning
from voicebotd.conversation import commands as cmd
from voicebotd.conversation.manager import ConversationManager
from voicebotd.errors import CommandRefusedError
from voicebotd.realtime.service import OpenAIService
from voicebotd.service import Health
from voicebotd.store.conversations import ConversationRepository, ToolCallRepository, TurnRepository
from voicebotd.store.database import Database
from voicebotd.store.export import Export
from voicebotd.store.purge import Purge
from voicebotd.store.recordings import recordings_beside
from voicebotd.store.usage import UsageRepository
from voicebotd.tools.mcp import McpServers
from voicebotd.tools.runner import ToolRunner
from voicebotd.tools.toolbox import Toolbox

Answer = TypeVar("Answer")
ProcessFile = Callable[[int, str | None, Literal["real_time", "fast"] | None], Awaitable[FileDocument]]
"""(open file, path of the WAV to write, pace) → what was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repositories:
    """What is read of the history."""

    conversations: ConversationRepository
    turns: TurnRepository
    tool_calls: ToolCallRepository
    recordings: Path
    """The directory of their sound; it may be missing."""
    usage: UsageRepository

    @classmethod
    def of(cls, database: Database) -> Repositories:
        return cls(
            conversations=ConversationRepository(database),
            turns=TurnRepository(database),
            tool_calls=ToolCallRepository(database),
            recordings=recordings_beside(database.path),
            usage=UsageRepository(database),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The running daemon, as its handlers see it."""

    manager: ConversationManager
    audio: AudioManager
    link: OpenAIService
    toolbox: Toolbox
    tools: ToolRunner
    mcp: McpServers
    tuning: Tuning
    history: Repositories | None
    """None: no history is kept."""
    export: Export
    purge: Purge
    usage: UsageRepository
    process_file: ProcessFile
    health: Callable[[], Mapping[str, Health]]
    rung: Callable[[], Rung]
    """The rung of the echo ladder that was chosen, and why."""
    version: str
    started_at_s: float
    """On the monotonic clock."""

    async def command(self, make: Callable[[int], cmd.Command]) -> dict[str, Any]:
        """Ask the conversation. Raises RpcError where it refuses."""
        return await self.refusing(self.manager.command(make))

    async def tune(self, values: Mapping[str, Any], *, persistent: bool) -> Outcome:
        """Change the configuration in force. Raises ConfigError, or RpcError where the service refuses."""
        return await self.refusing(self.tuning.set(values, persistent=persistent))

    async def refusing(self, asked: Awaitable[Answer]) -> Answer:
        """Await what asks the conversation for something, its refusal made an answer for the client."""
        try:
            return await asked
        except CommandRefusedError as refused:
            raise refusal(refused.kind, refused.message, hint=refused.hint, retryable=refused.retryable) from refused
