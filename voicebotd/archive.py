"""All that the daemon keeps of its conversations: words, calls, usage, sound, for how long, and how it goes again.

Owns which of it is kept as configured, the tasks that do it, and what `status` says of it. Knows no conversation in
progress but by what it records and publishes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from voicebotd.config.model import Settings
from voicebotd.control.handlers.box import Repositories
from voicebotd.conversation.records import AnyRecord
from voicebotd.errors import ConfigError, Problem
from voicebotd.service import Health
from voicebotd.store.database import Database
from voicebotd.store.export import Export
from voicebotd.store.faults import StoreError
from voicebotd.store.history import HistoryService, HistorySettings
from voicebotd.store.purge import Purge
from voicebotd.store.recordings import Recordings, recordings_beside
from voicebotd.store.retention import Retention

log = structlog.get_logger("history")

BothSides = Callable[[bytes, bytes], None]


class Archive:
    """The database and what writes, reads and clears it. The database is there even where no conversation is kept: for
    what was spent, and for appointments."""

    def __init__(self, settings: Settings, path: Path) -> None:
        history = settings.history
        self._enabled = history.enabled
        self.database = Database(path)
        kept = HistorySettings(conversations=history.enabled, transcripts=history.transcripts)
        self.writer = HistoryService(self.database, kept)
        self.purge = Purge(self.database)
        self.export = Export(self.database)
        self.retention = Retention(self.database, self.purge, days=history.retention_days)
        self._recordings: Recordings | None = None
        if history.recordings:
            self._recordings = Recordings(recordings_beside(path), max_mb=history.recordings_max_mb)

    @property
    def repositories(self) -> Repositories | None:
        """What may be read of conversations; None where none are kept."""
        return Repositories.of(self.database) if self._enabled else None

    async def open(self) -> None:
        """Open the database now, so that READY means what it says.

        Raises ConfigError for a database of a later version; every other trouble is told and tried again.
        """
        try:
            await self.database.open()
        except StoreError as error:
            if error.fault == "newer_schema":
                raise ConfigError([Problem(key="history.path", message=error.message, hint=error.hint)]) from error
            log.warning("history is not being saved", reason=error.message, hint=error.hint)

    async def close(self) -> None:
        await self.database.close()

    async def connect(self) -> None:
        await self.writer.connect()
        if self._recordings is not None:
            await self._recordings.connect()

    async def run(self) -> None:
        """Write, and clear away, until cancelled. The writers' own ends are in `disconnect`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.writer.run(), name="history")
            group.create_task(self.retention.run(), name="retention")
            if self._recordings is not None:
                group.create_task(self._recordings.run(), name="recordings")

    async def disconnect(self) -> None:
        """Have everything kept that was said and heard until now."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.writer.disconnect())
            if self._recordings is not None:
                group.create_task(self._recordings.disconnect())

    def record(self, record: AnyRecord) -> None:
        self.writer.record(record)

    def follow(self, state: dict[str, Any], tell_both_sides: Callable[[BothSides | None], None]) -> None:
        """The conversation's state changed: its sound is kept from its beginning to its end, where it is to be kept."""
        if self._recordings is None:
            return
        if state["state"] == "off":
            self._recordings.end()
            tell_both_sides(None)
        elif state["before"] == "off":
            self._recordings.begin(state["conversation_id"])
            tell_both_sides(self._recordings.hear)

    def health(self) -> dict[str, Health]:
        parts = {"history" if self._enabled else "usage": self.writer.health_check()}
        if self._recordings is not None:
            parts["recordings"] = self._recordings.health_check()
        return parts
