"""`--rehearse`: the built-in server beside the program that talks to it, for as long as that lasts.

Owns its life and how a configuration comes to point to it. Knows nothing of what the server does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import structlog

from voicebotd.config.load import LoadedConfig, change
from voicebotd.errors import RealtimeError
from voicebotd.realtime.endpoint import is_loopback

log = structlog.get_logger("rehearsal")


@asynccontextmanager
async def rehearsal(
    loaded: LoadedConfig, *, faults: Sequence[str] = ()
) -> AsyncIterator[Callable[[LoadedConfig], LoadedConfig]]:
    """Where the provider is the rehearsal and no server of it is named, run the built-in one as long as this lasts.

    `faults`: what is to go wrong with it. Yields what makes a configuration, now and at each reload, point to it.
    Raises RealtimeError for faults that no built-in server would be there for.
    """
    settings = loaded.settings
    if settings.service.provider != "rehearsal" or is_loopback(urlsplit(settings.service.base_url).hostname or ""):
        if faults:
            raise RealtimeError("--fault is for the built-in server", hint=f"{settings.service.base_url} takes its own")
        yield lambda config: config
        return
    # Imported only here: a box that talks to the cloud pays nothing for the speech model.
    from voicebotd.rehearsal.server import RehearsalServer, script_brain  # noqa: PLC0415

    async with RehearsalServer(brain=script_brain(), faults=faults) as server:
        log.info("rehearsing", url=server.url, faults=list(faults))
        yield lambda config: change(config, {"service.base_url": server.url}, "--rehearse")
