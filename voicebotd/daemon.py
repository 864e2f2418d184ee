"""The composition root: builds every part, runs them in one TaskGroup, and stops them in order.

Owns signals, start-up and shutdown. READY means: control socket, database and audio manager are up; the service in the
cloud may be unreachable for hours without the box being broken. Decides nothing about conversations.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Literal

import structlog

from voicebotd import file_conversation
from voicebotd.accounts import Accounts
from voicebotd.archive import Archive
from voicebotd.assembly import (
    BUDGET_KEYS,
    RUNG_KEYS,
    audio_options_of,
    build,
    endpoint_of,
    limits_of,
    rung_of,
    session_of,
    tariff_of,
)
from voicebotd.audio.options import Level
from voicebotd.booking import Booking
from voicebotd.config.load import LoadedConfig
from voicebotd.config.paths import database_path, socket_path
from voicebotd.control.contract_results import FileDocument
from voicebotd.control.dispatcher import Dispatcher
from voicebotd.control.events import EventHub
from voicebotd.control.handlers.appointments import appointment_handlers
from voicebotd.control.handlers.audio import audio_handlers
from voicebotd.control.handlers.box import Box
from voicebotd.control.handlers.conversation import conversation_handlers
from voicebotd.control.handlers.files import file_handlers
from voicebotd.control.handlers.history import history_handlers
from voicebotd.control.handlers.history_admin import history_admin_handlers
from voicebotd.control.handlers.selftest import selftest_handlers
from voicebotd.control.handlers.status import describe, status_handlers
from voicebotd.control.handlers.tools import tool_handlers
from voicebotd.control.handlers.tuning import tuning_handlers
from voicebotd.control.handlers.usage import usage_handlers
from voicebotd.control.listener import ControlSocket, open_control_socket
from voicebotd.control.meta import meta_handlers
from voicebotd.control.retooling import Retooling
from voicebotd.control.server import ControlServer
from voicebotd.control.tuning import Tuning
from voicebotd.conversation import commands as cmd
from voicebotd.conversation.farewell import BUDGET
from voicebotd.conversation.manager import Recorded
from voicebotd.conversation.records import AnyRecord, ConversationRecord
from voicebotd.conversation.spending import EXHAUSTED
from voicebotd.errors import CommandRefusedError, ConfigError
from voicebotd.functions import MCP_KEYS, servers_of, toolbox_of
from voicebotd.secret_values import reveal
from voicebotd.service import Health
from voicebotd.store.usage import UsageRepository
from voicebotd.system.coalesced import Coalesced
from voicebotd.system.logging import set_level
from voicebotd.system.notify import Notifier
from voicebotd.tools.mcp import McpServers

log = structlog.get_logger("daemon")
VERSION = version("voicebotd")
GOODBYE_S = 1.0
"""How long a conversation may take to end before everything else does."""
STOP_S = 3.5
"""How long everything may take to end in good order. What is left then is cancelled, which takes the audio process and
the link at most 1.5 s more: SIGTERM promises five seconds in all."""


class Daemon:
    """One daemon, from its configuration to its end. `load_again` reads the configuration as it was read at first."""

    def __init__(self, loaded: LoadedConfig, *, load_again: Callable[[], LoadedConfig]) -> None:
        self._loaded = loaded
        self._started_at_s = time.monotonic()
        self._notifier = Notifier.from_environment(os.environ)
        self._hub = EventHub(on_interest=self._interest)
        self._stop = asyncio.Event()
        self._archive = Archive(loaded.settings, database_path(loaded.settings, loaded.paths))
        self._booking = Booking(self._archive.database, lambda: self._tuning.loaded.settings.tools.appointments)
        self._usage = UsageRepository(self._archive.database)
        self._accounts = Accounts(
            self._usage,
            limits_of(loaded.settings),
            tariff_of(loaded.settings),
            rehearsing=loaded.settings.service.provider == "rehearsal",
            on_day=self._begin_again,
        )
        self._account: Recorded = lambda _: None
        self._out_of_money = False
        """Whether the box would talk if there were money: it begins again with the next day."""
        self._toolbox = toolbox_of(loaded, self._booking)
        self._mcp = McpServers(self._toolbox, reveal=reveal)
        self._mcp.want(servers_of(loaded.settings))
        self._stack = build(
            loaded,
            audio_options_of(loaded.settings),
            publish=self._publish,
            record=self._record_own,
            toolbox=self._toolbox,
        )
        self._tuning = Tuning(
            loaded,
            manager=self._stack.manager,
            load_again=load_again,
            live={
                "audio.volume_percent": self._stack.audio.set_volume,
                "audio.input_gain_db": self._stack.audio.set_input_gain,
                "log.level": set_level,
                "history.retention_days": self._archive.retention.set_days,
            },
            reconnect=self._reconfigure,
            derived={
                RUNG_KEYS: lambda settings: self._stack.audio.set_echo_control(rung_of(settings).echo_control),
                MCP_KEYS: lambda settings: self._mcp.want(servers_of(settings)),
                BUDGET_KEYS: lambda settings: self._accounts.set_budget(limits_of(settings), tariff_of(settings)),
            },
            retooling=Retooling(self._toolbox, self._stack.manager),
            publish=self._publish,
        )
        self._stack.audio.on_level = self._level
        self._loan_over = Coalesced(self._take_back)
        self._box = Box(
            manager=self._stack.manager,
            audio=self._stack.audio,
            link=self._stack.link,
            toolbox=self._toolbox,
            tools=self._stack.tools,
            mcp=self._mcp,
            tuning=self._tuning,
            history=self._archive.repositories,
            export=self._archive.export,
            purge=self._archive.purge,
            usage=self._usage,
            process_file=self._process_file,
            health=self._health,
            rung=lambda: rung_of(self._tuning.loaded.settings),
            version=VERSION,
            started_at_s=self._started_at_s,
        )

    async def run(self) -> None:
        """Live until a signal.

        Raises ConfigError for a database of a later version or a socket that cannot be, VoicebotError where another
        daemon runs already.
        """
        settings = self._loaded.settings
        path = socket_path(settings, self._loaded.paths)
        listening = open_control_socket(path, mode=settings.control.mode, group=settings.control.group)
        try:
            await self._archive.open()
            with self._accounts.seat(self._stack.manager.post) as self._account:
                await self._accounts.open()
                await self._live(listening)
        finally:
            listening.close()
            await self._archive.close()

    async def _live(self, listening: ControlSocket) -> None:
        server = self._server(listening)
        self._tell_beginning()
        async with asyncio.TaskGroup() as group, self._signals(group):
            lives = [
                group.create_task(server.run(), name="control"),
                group.create_task(self._stack.run(), name="stack"),
                group.create_task(self._loan_over.run(), name="loan"),
                group.create_task(self._archive.run(), name="archive"),
                group.create_task(self._mcp.run(), name="mcp"),
                group.create_task(self._booking.run(), name="appointments"),
                group.create_task(self._accounts.run(), name="accounts"),
            ]
            await self._archive.connect()
            await self._announce()
            await self._stop.wait()
            self._notifier.stopping("stopping")
            log.info("stopping")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._end(server)
            for life in lives:
                life.cancel()

    async def _end(self, server: ControlServer) -> None:
        """What is said comes to its end, then whoever asks or listens is let go, then all of it is kept."""
        await self._say_goodbye()
        async with asyncio.TaskGroup() as group:
            group.create_task(server.close())
            group.create_task(self._stack.audio.disconnect())
            group.create_task(self._mcp.disconnect())
        await self._archive.disconnect()

    def _tell_beginning(self) -> None:
        """Whoever subscribes is told the latest of each of these, so there must be one."""
        self._hub.publish("state", {"state": "off", "before": "off", "conversation_id": None})
        self._hub.publish("link", {"state": self._stack.link.status.state})
        self._hub.publish("device", {"state": self._stack.audio.status.state, "input": "", "output": ""})

    async def _announce(self) -> None:
        if self._loaded.settings.conversation.autostart:
            await self._begin()
        log.info("ready", version=VERSION, pid=os.getpid())
        self._notifier.ready(self._one_line())

    async def _begin(self) -> None:
        try:
            await self._stack.manager.command(
                lambda number: cmd.StartConversation(request_id=number, conversation_id=uuid.uuid4().hex)
            )
        except CommandRefusedError as refused:
            log.warning("no conversation is begun", reason=refused.message, hint=refused.hint)
            self._out_of_money = refused.kind == EXHAUSTED

    async def _begin_again(self) -> None:
        """Another day, and money again."""
        if self._out_of_money and self._tuning.loaded.settings.conversation.autostart:
            self._out_of_money = False
            await self._begin()

    async def _say_goodbye(self) -> None:
        """End the conversation, so that the history knows its end."""
        with contextlib.suppress(TimeoutError, CommandRefusedError):  # none runs, or it hangs: stop all the same
            async with asyncio.timeout(GOODBYE_S):
                await self._stack.manager.command(
                    lambda number: cmd.StopConversation(request_id=number, reason="the daemon stopped")
                )

    # What is built.

    def _server(self, listening: ControlSocket) -> ControlServer:
        box = self._box
        dispatcher = Dispatcher(
            meta_handlers(self._hub),
            status_handlers(box),
            conversation_handlers(box),
            tuning_handlers(box),
            audio_handlers(box),
            selftest_handlers(box),
            file_handlers(box),
            history_handlers(box),
            tool_handlers(box),
            appointment_handlers(self._booking),
            history_admin_handlers(box),
            usage_handlers(box),
        )
        return ControlServer(
            listening,
            dispatcher=dispatcher,
            hub=self._hub,
            version=VERSION,
            state=lambda: str(self._stack.manager.snapshot().state),
            max_clients=self._loaded.settings.control.max_clients,
        )

    # What flows through.

    def _publish(self, topic: str, data: dict[str, Any]) -> None:
        self._hub.publish(topic, data)
        if topic == "state":
            self._archive.follow(data, self._stack.audio.tell_both_sides)
        if topic == "state" and data["state"] == "off":
            self._tuning.conversation_ended()
            self._loan_over.ask()
        if topic in ("state", "link", "device") and not self._stop.is_set():  # nothing may follow STOPPING
            self._notifier.status(self._one_line())
        if topic == "error":
            log.warning("trouble in the conversation", **data)
        elif topic == "device" and data["state"] == "lost":
            log.warning("sound is lost", reason=data["reason"], hint=data["hint"])
        elif topic == "device":
            log.info("sound is there", input=data["input"], output=data["output"])
        else:
            log.debug("event", topic=topic, data=data)

    def _interest(self, topic: str, wanted: bool) -> None:
        if topic == "audio.level":
            self._stack.audio.want_levels(wanted)

    def _level(self, level: Level) -> None:
        self._hub.publish("audio.level", asdict(level))

    def _record_own(self, record: AnyRecord) -> None:
        """Of the box's own conversation, as against those with files."""
        self._archive.record(record)
        self._account(record)
        if isinstance(record, ConversationRecord):
            self._out_of_money = record.end_reason.startswith(BUDGET)

    def _health(self) -> Mapping[str, Health]:
        return {
            "audio": self._stack.audio.health_check(),
            "link": self._stack.link.health_check(),
            "tools": self._stack.tools.health_check(),
            **self._archive.health(),
        }

    def _one_line(self) -> str:
        status = describe(self._box)
        return f"{status.state}: {status.reason}" if status.reason else status.state

    async def _process_file(
        self, source: int, output: str | None, pace: Literal["real_time", "fast"] | None
    ) -> FileDocument:
        return await file_conversation.hold(
            self._tuning.loaded,
            source,
            output_path=output,
            pace=pace,
            record=self._archive.record,
            accounts=self._accounts,
            toolbox=self._toolbox,
        )

    # Signals.

    @asynccontextmanager
    async def _signals(self, group: asyncio.TaskGroup) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        hup = Coalesced(self._reload)
        reloading = group.create_task(hup.run(), name="reload")
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_by_signal, number)
        loop.add_signal_handler(signal.SIGHUP, hup.ask)
        try:
            yield
        finally:
            reloading.cancel()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _stop_by_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            # Somebody insists. The audio process dies with us; the database survives any end.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._stop.set()

    def _reconfigure(self, after: LoadedConfig) -> None:
        self._stack.link.reconfigure(endpoint_of(after.settings), session_of(after))
        self._stack.link.retry_now()
        self._stack.link.open_successor()  # what no session can be told later, its voice and its model

    async def _take_back(self) -> None:
        try:
            await self._tuning.take_back()
        except CommandRefusedError as error:
            log.warning("the profile of the last conversation stays until the next begins", reason=error.message)

    async def _reload(self) -> None:
        try:
            await self._tuning.reload()
            self._stack.link.retry_now()  # also for a new key, which is not part of the configuration
        except (ConfigError, CommandRefusedError) as error:
            log.error("the configuration was not reloaded, the old one stays", reason=error.message)  # noqa: TRY400
