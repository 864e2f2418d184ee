"""Opening a session: the key, the handshake, and when it will have to be followed by another.

Owns the way from a wish to an `Opened` session. Decides neither when one is opened nor what becomes of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from voicebotd.errors import VoicebotError
from voicebotd.realtime.backoff import Failure
from voicebotd.realtime.endpoint import Endpoint
from voicebotd.realtime.failures import from_key
from voicebotd.realtime.fields import JsonObject, is_number
from voicebotd.realtime.link import Counters, Link, LinkDown, Timing
from voicebotd.realtime.opened import Decoded, Opened, Voice
from voicebotd.realtime.rollover import Schedule, schedule
from voicebotd.realtime.session import SessionConfig
from voicebotd.realtime.transport import SessionLink


class Opener:
    """`key` is asked before each attempt, so that a key put in place later is used."""

    def __init__(self, *, key: Callable[[], str | None], timing: Timing, counters: Counters, log: Any) -> None:
        self._key = key
        self._timing = timing
        self._counters = counters
        self._log = log
        self._nonsense: set[str] = set()
        self.secret = ""
        """The key that was used last, to be kept out of every message."""

    async def open(
        self,
        endpoint: Endpoint,
        config: SessionConfig,
        *,
        listener: Callable[[Decoded], None],
        group: asyncio.TaskGroup,
    ) -> Opened:
        """Open a session that is served by a task of `group` from then on. Raises LinkDown."""
        headers = self._headers(endpoint)
        self._log.info("connecting", server=endpoint.dialect.name, address=endpoint.address)
        voice = Voice(listener)
        link: SessionLink = Link(
            endpoint,
            timing=self._timing,
            counters=self._counters,
            nonsense=self._nonsense,
            secret=self.secret,
            on_decoded=voice,
            log=self._log,
        )
        try:
            created, voice.told = await link.open(headers, config)
        except BaseException:
            await link.close()
            raise
        return Opened(
            link=link,
            voice=voice,
            endpoint=endpoint,
            config=config,
            created=created,
            ready_at_s=time.monotonic(),
            schedule=self._schedule(endpoint, created),
            serving=group.create_task(_served(link), name="session"),
        )

    def _headers(self, endpoint: Endpoint) -> dict[str, str]:
        try:
            # A server that is never shown the key must not depend on there being a usable one.
            self.secret = "" if endpoint.dialect.key == "never" else self._key() or ""
            return endpoint.headers(self.secret)
        except (VoicebotError, OSError) as exc:
            raise LinkDown(from_key(exc, endpoint.address)) from exc

    def _schedule(self, endpoint: Endpoint, created: JsonObject) -> Schedule:
        expires_at = created.get("expires_at")
        return schedule(
            rollover_after_s=self._timing.rollover_after_s,
            expires_in_s=expires_at - time.time() if is_number(expires_at) else None,
            longest_s=endpoint.dialect.longest_session_s,
        )


async def _served(link: SessionLink) -> Failure:
    try:
        return await link.serve()
    finally:
        await link.close()
