"""From the configuration to the functions: the package's own, bound to what they need, and all that the owner added.

Owns the translation of settings into what the toolbox looks for, and what is said of functions that are broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from voicebotd.booking import Booking
from voicebotd.config.load import LoadedConfig
from voicebotd.config.model import Settings
from voicebotd.config.paths import database_path
from voicebotd.config.references import MissingSecretError, read
from voicebotd.errors import Problem, StorageError
from voicebotd.secret_values import reveal
from voicebotd.store.database import Database
from voicebotd.tools.appointments import GROUP
from voicebotd.tools.catalogue import SELECTION_KEY, Fault
from voicebotd.tools.mcp import McpServers, installed
from voicebotd.tools.mcp_spec import REMEDY, Spec
from voicebotd.tools.sources import from_functions
from voicebotd.tools.toolbox import Toolbox, Wish

RETOOLED = frozenset({SELECTION_KEY, "tools.timeout_s", "tools.directory", "tools.modules"})
"""Keys that change what there is to call, or how."""
log = structlog.get_logger("tools")


def wish_of(settings: Settings) -> Wish:
    tools = settings.tools
    return Wish(
        directory=None if tools.directory is None else Path(tools.directory),
        modules=tuple(tools.modules),
        offered=tuple(settings.session.tools),
        timeout_s=tools.timeout_s,
    )


SERVERS_WITHIN_S = 10.0
MCP_KEYS = frozenset({"tools.mcp"})


def servers_of(settings: Settings) -> list[Spec]:
    """The servers that are wanted, in the order of the configuration."""
    return [
        Spec(
            name=name,
            command=server.command,
            args=tuple(server.args),
            env=tuple(server.env.items()),
            cwd=server.cwd,
            url=server.url,
            headers=tuple(server.headers.items()),
            allow=None if server.allow is None else tuple(server.allow),
            timeout_s=server.timeout_s,
        )
        for name, server in settings.tools.mcp.items()
        if server.enabled
    ]


def toolbox_of(loaded: LoadedConfig, booking: Booking) -> Toolbox:
    """All that can be called as configured. What is broken is logged and left out, the rest works.

    Foreign code is loaded here.
    """
    toolbox = Toolbox([from_functions("voicebotd.tools.appointments", GROUP, booking.tools.functions)])
    toolbox.take(toolbox.look(wish_of(loaded.settings)))
    tell_faults(toolbox.catalogue.faults)
    return toolbox


@asynccontextmanager
async def functions_of(loaded: LoadedConfig) -> AsyncIterator[Toolbox]:
    """The same for who holds one conversation without the daemon, with the book open and the servers there meanwhile.

    Nobody waits long for a server; one that comes late is not offered in this conversation.
    """
    database = Database(database_path(loaded.settings, loaded.paths))
    booking = Booking(database, lambda: loaded.settings.tools.appointments)
    try:
        await database.open()
    except StorageError as error:
        log.warning("the book of appointments cannot be opened", reason=error.message, hint=error.hint)
    try:
        toolbox = await asyncio.to_thread(toolbox_of, loaded, booking)
        servers = McpServers(toolbox, reveal=reveal)
        servers.want(servers_of(loaded.settings))
        life = asyncio.create_task(servers.run(), name="mcp")
        try:
            await servers.settled(SERVERS_WITHIN_S)
            yield toolbox
        finally:
            await servers.disconnect()
            life.cancel()
            await asyncio.wait({life})
    finally:
        await database.close()


def tell_faults(faults: tuple[Fault, ...]) -> None:
    for fault in faults:
        log.error("a source of functions is broken and left out", source=fault.source, reason=fault.message)


def problems(loaded: LoadedConfig) -> list[Problem]:
    """What is wrong with the functions, for `--check`. Nothing is called, and no database touched."""
    booking = Booking(Database(Path("unused")), lambda: loaded.settings.tools.appointments)
    faults = toolbox_of(loaded, booking).catalogue.faults
    return [*(problem_of(fault, loaded) for fault in faults), *_server_problems(loaded)]


def _server_problems(loaded: LoadedConfig) -> list[Problem]:
    """What can be known of the servers without connecting to any."""
    key, found = "tools.mcp", []
    source = loaded.sources[key]
    specs = servers_of(loaded.settings)
    if specs and not installed():
        found.append(Problem(key=key, message="the extra mcp is not installed", source=source, hint=REMEDY))
    wanted = [(f"{key}.{spec.name}", each) for spec in specs for each in (*spec.env, *spec.headers)]
    wanted += [
        (f"tools.remote_mcp.{server.server_label}", ("authorization", server.authorization))
        for server in loaded.settings.tools.remote_mcp
        if server.authorization is not None
    ]
    for place, (name, reference) in wanted:
        try:
            read(reference)
        except MissingSecretError as error:
            found.append(Problem(key=place, message=f"{name}: {error}"))
    return found


def problem_of(fault: Fault, loaded: LoadedConfig) -> Problem:
    source = loaded.sources[SELECTION_KEY] if fault.source == SELECTION_KEY else ""
    return Problem(key=fault.source, message=fault.message, source=source)
