"""A box in which everything is real but the link and the audio, and a client that asks it.

The link answers as a service does that agrees with everything, until it is told otherwise.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from voicebotd.assembly import RUNG_KEYS, Rung, endpoint_of, policy_of, rung_of, session_of
from voicebotd.audio.devices import DeviceInfo
from voicebotd.audio.options import AudioStatus, EchoControl
from voicebotd.config.load import LoadedConfig
from voicebotd.control.caller import Caller, Peer
from voicebotd.control.contract import METHODS
from voicebotd.control.dispatcher import Dispatcher, Handler
from voicebotd.control.handlers.audio import audio_handlers
from voicebotd.control.handlers.box import Box
from voicebotd.control.handlers.conversation import conversation_handlers
from voicebotd.control.handlers.files import file_handlers
from voicebotd.control.handlers.history import history_handlers
from voicebotd.control.handlers.history_admin import history_admin_handlers
from voicebotd.control.handlers.selftest import selftest_handlers
from voicebotd.control.handlers.status import status_handlers
from voicebotd.control.handlers.tools import tool_handlers
from voicebotd.control.handlers.tuning import tuning_handlers
from voicebotd.control.handlers.usage import usage_handlers
from voicebotd.control.retooling import Retooling
from voicebotd.control.tuning import Tuning
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.core import Conversation
from voicebotd.conversation.manager import ConversationManager
from voicebotd.errors import AudioError
from voicebotd.realtime.service import LinkStatus
from voicebotd.service import Health
from voicebotd.system.logging import set_level
from voicebotd.tools.mcp import McpServers
from voicebotd.tools.runner import ToolRunner
from voicebotd.tools.toolbox import Toolbox

DEADLINE_S = 20.0
REPLY = "Good morning!"
DEVICES = [
    DeviceInfo(index=0, name="USB mic", host_api="ALSA", input_channels=1, output_channels=0, default_rate_hz=48_000),
    DeviceInfo(index=1, name="Speaker", host_api="ALSA", input_channels=0, output_channels=2, default_rate_hz=44_100),
]
ADMIN = Peer(pid=os.getpid(), uid=os.getuid(), gid=os.getgid(), admin=True)
OTHER = replace(ADMIN, admin=False)


class RefusedError(Exception):
    """What a client was answered instead of a result."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["message"])
        self.message: str = error["message"]
        self.code: int = error["code"]
        self.kind: str = error["data"]["kind"]
        self.hint: str = error["data"]["hint"]
        self.retryable: bool = error["data"]["retryable"]


class FakeLink:
    """`ready` False: nobody is at the other end; `silent`: whoever is there does not answer. `refuse`: what it says of
    the next `session.update`; `insists`: what it makes of turn detection, whatever it is asked for."""

    def __init__(self) -> None:
        self.post: Callable[[ev.Event], None] = lambda _event: None
        self.ready = True
        self.silent = False
        self.refuse = ""
        self.insists: dict[str, Any] = {}
        self.sent: list[Any] = []
        self.told = asyncio.Event()
        self.configured: list[Any] = []
        self.tools: list[str] = []
        """Names of the functions that the session has."""
        self.responses = 0
        self.sessions = 1
        self.retries = 0
        self.view = ev.SessionView(instructions="", turn_detection=ev.TurnDetection())
        self.status = LinkStatus(
            state="off",
            provider="rehearsal",
            server="rehearsal",
            shape="ga",
            lacks=frozenset(),
            missing=(),
            model="m",
            session_id="",
            session_age_s=None,
            last_error="",
            last_error_code="",
            hint="",
            retry_in_s=None,
            rollovers=0,
            reconnects=0,
            events_received=0,
            unknown_events=0,
            dropped_messages=0,
            unsent_messages=0,
            dropped_audio_ms=0,
            sent_audio_ms=0,
            backlog_ms=0,
        )

    async def connect(self) -> None:
        if self.ready:
            self.status = replace(self.status, state="ready", session_age_s=1.25)
            self.post(ev.LinkReady(session_id=f"s{self.sessions}", model="m", session=self.view))

    def open_successor(self) -> None:
        waits = ev.SuccessorReady(within_s=DEADLINE_S)
        self.post(waits if self.ready else ev.SuccessorFailed(reason="nobody is there"))

    def succeed(self) -> None:
        self.sessions += 1
        self.post(ev.LinkReady(session_id=f"s{self.sessions}", model="m", session=self.view))

    async def disconnect(self) -> None:
        self.status = replace(self.status, state="off", session_age_s=None)

    def send_audio(self, pcm: bytes) -> None:
        pass

    def health_check(self) -> Health:
        ok = self.status.state in ("ready", "off")
        return Health(
            ok=ok, state=self.status.state, reason="" if ok else self.status.last_error, hint=self.status.hint
        )

    def retry_now(self) -> None:
        self.retries += 1

    def reconfigure(self, endpoint: Any, session: Any) -> None:
        self.configured.append((endpoint, session))

    def send(self, effect: Any) -> None:
        self.sent.append(effect)
        self.told.set()
        if not self.silent:
            self._answer(effect)

    def _answer(self, effect: Any) -> None:
        match effect:
            case fx.UpdateSession():
                self._update(effect)
            case fx.CreateMessage():
                self.post(ev.ItemAdded(item_id=effect.item_id, item_type="message"))
            case fx.CreateResponse():
                self._respond(effect)

    def _update(self, effect: fx.UpdateSession) -> None:
        if self.refuse:
            self.post(ev.ServerError(code="invalid_value", message=self.refuse, event_id=effect.event_id))
            self.refuse = ""
            return
        if effect.instructions is not None:
            self.view = replace(self.view, instructions=effect.instructions)
        if effect.tools is not None:
            self.tools = [tool.name for tool in effect.tools]
        if effect.turn_detection is not None:
            granted = replace(effect.turn_detection, **self.insists)
            self.view = replace(self.view, turn_detection=None if granted.type in ("none", "local") else granted)
        self.post(ev.SessionUpdated(session=self.view))

    def _respond(self, effect: fx.CreateResponse) -> None:
        self.responses += 1
        response_id, item_id = f"r{self.responses}", f"a{self.responses}"
        same = {"response_id": response_id, "item_id": item_id}
        self.post(ev.ResponseCreated(response_id=response_id, metadata=effect.metadata))
        self.post(ev.OutputItemAdded(**same, output_index=0, item_type="message"))
        if effect.output != "text":
            self.post(ev.AudioDelta(**same, output_index=0, content_index=0, pcm=bytes(4800)))
        self.post(ev.AssistantTextDone(**same, content_index=0, text=REPLY))
        self.post(ev.ResponseDone(response_id=response_id, status="completed"))

    async def until_sent(self, kind: type[Any]) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while not (found := [effect for effect in self.sent if isinstance(effect, kind)]):
                self.told.clear()
                await self.told.wait()
        return found[0]


class FakeAudio:
    """Plays nothing. `heard_samples`: what it says to have been heard of each piece when it is flushed."""

    def __init__(self) -> None:
        self.post: Callable[[ev.Event], None] = lambda _event: None
        self.hint = ""
        self.played: list[tuple[str, int]] = []
        self.selected: list[dict[str, Any]] = []
        self.listing: list[DeviceInfo] | AudioError = DEVICES
        self.heard_samples = 1200
        self.status = AudioStatus(
            state="running",
            input="USB mic",
            output="Speaker",
            streams="pair",
            sample_rate_hz=48_000,
            input_latency_ms=4.04,
            output_latency_ms=21.46,
            input_level_dbfs=-33.33,
        )

    def play(self, item_id: str, content_index: int, _pcm: bytes) -> None:
        self.played.append((item_id, content_index))
        self.post(ev.PlayoutStarted(item_id=item_id, content_index=content_index))

    def flush(self, token: int) -> None:
        heard = tuple(
            ev.Heard(item_id=item_id, content_index=index, heard_samples=self.heard_samples)
            for item_id, index in self.played
        )
        self.post(ev.PlayoutFlushed(token=token, heard=heard))

    def hold_input(self, hold: bool) -> None:
        pass

    def shape(self, *, gain_db: float, paused: bool) -> None:
        pass

    def detect(self, *, voice: bool, turns: fx.TurnRule | None) -> None:
        pass

    def set_muted(self, on: bool) -> None:
        self.status = replace(self.status, muted=on)

    def set_volume(self, percent: int) -> None:
        self.status = replace(self.status, volume_percent=percent)

    def set_echo_control(self, mode: EchoControl) -> None:
        self.status = replace(self.status, echo_control=mode, echo_rung=mode)

    def set_input_gain(self, db: float) -> None:
        self.gain_db = db

    async def devices(self) -> list[DeviceInfo]:
        if isinstance(self.listing, AudioError):
            raise self.listing
        return self.listing

    async def select(self, **chosen: Any) -> None:
        await self.devices()
        self.selected.append(chosen)

    def health_check(self) -> Health:
        ok = self.status.state == "running"
        return Health(ok=ok, state=self.status.state, reason=self.status.reason, hint=self.hint)


@dataclass(kw_only=True)
class FakeBox:
    """`call` asks as a client does, through the dispatcher, in JSON."""

    link: FakeLink
    audio: FakeAudio
    manager: ConversationManager
    tuning: Tuning
    box: Box
    handlers: dict[str, Handler]
    published: list[tuple[str, dict[str, Any]]]

    async def call(self, method: str, *, peer: Peer = ADMIN, fds: list[int] | None = None, **params: Any) -> Any:
        """Return the result, or raise RefusedError."""
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        caller = Caller(peer=peer, fds=fds or [])
        # One of a single method: to make ready for all of them takes longer than most of the tests.
        dispatcher = Dispatcher({method: self.handlers[method]}, methods={method: METHODS[method]})
        try:
            async with asyncio.timeout(DEADLINE_S):
                reply = await dispatcher.answer(line, caller)
        finally:
            caller.close_fds()
        assert reply is not None
        answer = json.loads(reply)
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer["result"]

    async def start(self, **params: Any) -> str:
        """Begin a conversation and see it connected."""
        conversation_id: str = (await self.call("conversation.start", **params))["conversation_id"]
        await self.until(lambda: self.state != "connecting")
        return conversation_id

    @property
    def state(self) -> str:
        return str(self.manager.snapshot().state)

    async def until(self, met: Callable[[], bool]) -> None:
        """Let the loop turn until something is so that announces itself to nobody here."""
        async with asyncio.timeout(DEADLINE_S):
            while not met():
                await asyncio.sleep(0)


@asynccontextmanager
async def running(directories: Any, *set_words: str, **options: Any) -> AsyncIterator[FakeBox]:
    """`options`: fields of the `Box` in place of the usual ones, and `confirm_within_s` of the policy."""
    words = ("service.provider=rehearsal", "service.base_url=ws://127.0.0.1:9/v1", *set_words)
    box = _assemble(lambda: directories.load(*words), options)
    life = asyncio.create_task(box.manager.run())
    try:
        yield box
    finally:
        life.cancel()
        await asyncio.wait({life})


def _assemble(load: Callable[[], LoadedConfig], options: dict[str, Any]) -> FakeBox:
    loaded = load()
    link, audio = FakeLink(), FakeAudio()
    published: list[tuple[str, dict[str, Any]]] = []
    tunings: list[Tuning] = []

    def publish(topic: str, data: dict[str, Any]) -> None:
        published.append((topic, data))
        if (topic, data.get("state")) == ("state", "off"):
            tunings[0].conversation_ended()

    policy = replace(policy_of(loaded), confirm_within_s=options.pop("confirm_within_s", DEADLINE_S))
    toolbox = options.pop("toolbox", None) or Toolbox()

    def finished(event: ev.ToolFinished) -> None:
        manager.post(event)

    tools = ToolRunner(toolbox, finished=finished)
    manager = ConversationManager(
        Conversation(policy),
        link=link,
        audio=audio,
        tools=tools,
        publish=publish,
        record=lambda _record: None,
    )
    link.post = audio.post = manager.post
    tuning = Tuning(
        loaded,
        manager=manager,
        load_again=load,
        live={
            "audio.volume_percent": audio.set_volume,
            "audio.input_gain_db": audio.set_input_gain,
            "log.level": set_level,
        },
        reconnect=lambda after: link.reconfigure(endpoint_of(after.settings), session_of(after)),
        derived={RUNG_KEYS: lambda settings: audio.set_echo_control(rung_of(settings).echo_control)},
        retooling=Retooling(toolbox, manager),
        publish=lambda topic, data: published.append((topic, data)),
    )
    tunings.append(tuning)
    usual: dict[str, Any] = {
        "history": None,
        "export": None,
        "purge": None,
        "usage": None,
        "process_file": None,
        "health": lambda: {"audio": audio.health_check(), "link": link.health_check()},
        "rung": lambda: Rung(echo_control="half_duplex", why="because"),
        "version": "1.2.3",
        "started_at_s": time.monotonic() - 60,
    }
    parts: Any = {
        "manager": manager,
        "audio": audio,
        "link": link,
        "toolbox": toolbox,
        "mcp": McpServers(toolbox, reveal=str),
        "tools": tools,
        "tuning": tuning,
        **usual,
        **options,
    }
    box = Box(**parts)
    handlers = {
        **status_handlers(box),
        **conversation_handlers(box),
        **tuning_handlers(box),
        **audio_handlers(box),
        **selftest_handlers(box),
        **usage_handlers(box),
        **file_handlers(box),
        **history_handlers(box),
        **tool_handlers(box),
        **history_admin_handlers(box),
    }
    return FakeBox(
        link=link, audio=audio, manager=manager, tuning=tuning, box=box, handlers=handlers, published=published
    )
