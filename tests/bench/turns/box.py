"""A box in virtual time: everything of the daemon that has to do with taking turns, and a room around it.

Real: the engine with its pump, callbacks, echo ladder and detectors; the messages between the two processes; the audio
manager, the conversation's shell and core, the wire's words, the rehearsal server's session. Not real: the sound card
(a room that calls the callbacks), the two sockets, the process boundary, and the clock. Decides nothing of turns.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from turns.clock import Clock, settle
from turns.corpus import replies
from turns.process import Device, EngineHere
from turns.room import BLOCK, RATE_HZ, Acoustics, Room, Signal, to_int16
from turns.service import Service, VirtualLink
from voicebotd.assembly import audio_options_of, policy_of, session_of
from voicebotd.audio.manager import AudioManager
from voicebotd.audio.pump import Pump
from voicebotd.audio.ring import Samples
from voicebotd.config.load import LoadedConfig, load
from voicebotd.conversation.core import Conversation
from voicebotd.conversation.events import Event
from voicebotd.conversation.manager import ConversationManager
from voicebotd.rehearsal.brain import Answer, Brain, Line, Past, Question
from voicebotd.tools.runner import ToolRunner
from voicebotd.tools.toolbox import Toolbox

BLOCK_S = BLOCK / RATE_HZ
TICK_BLOCKS = 5
"""The audio manager's watch looks every 50 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One box in one room. `settings`: more configuration as `key=value`."""

    rung: str = "aec"
    profile: str = "default"
    mode: str = "confirm"
    acoustics: Acoustics
    network_ms: float = 40.0
    """One way."""
    callback_phase: float = 0.5
    """Of two streams: when in the microphone's period the loudspeaker's callback comes first, 0…1."""
    settings: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        return (
            f"conversation.profile={self.profile}",
            f"barge_in.mode={self.mode}",
            f"audio.echo_control={self.rung}",
            *self.settings,
        )


@cache
def configuration(words: tuple[str, ...]) -> LoadedConfig:
    """The shipped configuration with these words on top, as the daemon would load it."""
    with tempfile.TemporaryDirectory(prefix="bench-home-") as home:
        names = ("CONFIGURATION_DIRECTORY", "STATE_DIRECTORY", "RUNTIME_DIRECTORY")
        return load(environ=dict.fromkeys(names, home), cwd=Path(home), set_words=words)


class Talker:
    """A brain that answers everything with the next of the replies that it is given, and hears no words."""

    def __init__(self, next_reply: Callable[[], bytes]) -> None:
        self._next_reply = next_reply
        self.said: list[bytes] = []

    def hear(self, pcm: bytes, past: tuple[Past, ...]) -> str:
        return ""

    def answer(self, question: Question) -> Answer:
        self.said.append(self._next_reply())
        return Answer(parts=(Line(text="So it is.", pcm=self.said[-1]),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What the conversation asked of the audio or told people, and when. `what`: flush, duck, pause, loud, state…"""

    at_s: float
    what: str
    data: Any = None


class _Watched:
    """The audio manager as the conversation sees it; what is asked of it is noted."""

    def __init__(self, audio: AudioManager, note: Callable[[str, Any], None]) -> None:
        self._audio = audio
        self._note = note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._audio, name)

    def flush(self, token: int) -> None:
        self._note("flush", token)
        self._audio.flush(token)

    def shape(self, *, gain_db: float, paused: bool) -> None:
        self._note("pause" if paused else "duck" if gain_db < 0 else "loud", gain_db)
        self._audio.shape(gain_db=gain_db, paused=paused)


class Box:
    """`say` puts sound into the room, `step` lets 10 ms pass.

    Block by block: `played` is what the loudspeaker was given, `recorded` what the microphone gave, `captured` what
    echo control made of that.
    """

    def __init__(self, setup: Setup, brain: Brain, clock: Clock) -> None:
        config = configuration(setup.words)
        self.clock = clock
        self.setup = setup
        self.config = config
        self.happened: list[Happened] = []
        self.events: list[tuple[float, Event]] = []
        self.played: list[Samples] = []
        self.played_at_s: list[float] = []
        self.captured: list[bytes] = []
        self.recorded: list[Samples] = []
        self._sounds: deque[tuple[int, Signal]] = deque()
        self._block = 0
        self._play_block_s = BLOCK_S / (1 + setup.acoustics.drift_ppm * 1e-6)
        # Of a pair the loudspeaker's callback comes anywhere between two of the microphone's.
        self._plays_at_s = clock.now_s + (BLOCK_S if not setup.acoustics.drift_ppm else BLOCK_S * setup.callback_phase)
        self._device = Device("pair" if setup.acoustics.drift_ppm else "duplex")
        self._process = EngineHere(self._device)
        speech = np.concatenate([np.frombuffer(pcm, dtype="<i2") for pcm in replies()]) / 32768
        self._room = Room(setup.acoustics, speech)
        self.service = Service(brain, clock)
        delay_s = setup.network_ms / 1000
        self.link = VirtualLink(self.service, session_of(config), delay_s=delay_s, clock=clock, on_event=self._post)
        options = audio_options_of(config.settings)
        self.audio = AudioManager(options, on_event=self._post, on_capture=self._hear)
        self.audio._life = self._process  # type: ignore[assignment]
        self.manager = ConversationManager(
            Conversation(replace(policy_of(config), speaks_first="user")),
            link=self.link,
            audio=_Watched(self.audio, self._note),  # type: ignore[arg-type]
            tools=ToolRunner(Toolbox(), finished=self._post),
            publish=self._publish,
            record=lambda _: None,
        )

    @property
    def now_s(self) -> float:
        return self.clock.now_s

    @property
    def engine_cpu_s(self) -> float:
        """CPU seconds of the engine thread and of the library's own threads."""
        return self._process.cpu_s

    @property
    def seconds(self) -> float:
        return self._block * BLOCK_S

    @property
    def began_s(self) -> float:
        """The time of the first sample of `played`."""
        return self.clock.now_s - self.seconds

    @property
    def state(self) -> str:
        """Of the conversation."""
        return str(self.manager._core.state)

    @property
    def pump(self) -> Pump:
        """The engine's, while sound is open."""
        return self._process.pump

    def _note(self, what: str, data: Any = None) -> None:
        self.happened.append(Happened(at_s=self.now_s, what=what, data=data))

    def _publish(self, topic: str, data: dict[str, Any]) -> None:
        if topic != "transcript":
            self._note(topic, data)

    def _post(self, event: Event) -> None:
        self.events.append((self.now_s, event))
        self.manager.post(event)

    def _hear(self, pcm: bytes) -> None:
        self.captured.append(pcm)
        self.manager.hear(pcm)

    def say(self, samples: Signal, *, at_s: float | None = None) -> float:
        """Somebody (or something) makes itself heard in the room; returns when that begins."""
        first = self._block * BLOCK if at_s is None else round((at_s - self.began_s) * RATE_HZ)
        self._sounds.append((max(first, self._block * BLOCK), samples))
        return self.began_s + self._sounds[-1][0] / RATE_HZ

    def _said(self) -> Signal:
        start = self._block * BLOCK
        heard = np.zeros(BLOCK)
        for first, samples in list(self._sounds):
            at = start - first
            part = samples[max(0, at) : max(0, at + BLOCK)]
            heard[max(0, -at) : max(0, -at) + len(part)] += part
            if at + BLOCK >= len(samples):
                self._sounds.remove((first, samples))
        return heard

    async def step(self) -> None:
        """10 ms of the microphone's clock."""
        exchange = self._device.exchange
        now_s = self.clock.now_s + BLOCK_S
        while self._plays_at_s <= now_s:
            self.clock.now_s = self._plays_at_s
            self._plays_at_s += self._play_block_s
            out: Samples = np.empty(BLOCK, dtype=np.int16)
            exchange.play(out)
            self._room.play(out)
            self.played.append(out)
            self.played_at_s.append(self.now_s)
        self.clock.now_s = now_s
        sound = to_int16(self._room.hear() + self._said())
        self._block += 1
        self.recorded.append(sound)
        exchange.record(sound)
        await self._pass_on()

    async def _pass_on(self) -> None:
        for message in self._process.step():
            self.audio.received(message)
        if self._block % TICK_BLOCKS == 0:
            self.audio.ticked(self.now_s)
        await settle(2)
        self.link.carry()
        while not self.manager._inbox.empty():
            await asyncio.sleep(0)
        await settle(2)

    async def run(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; True as soon as `until` holds."""
        for _ in range(round(seconds / BLOCK_S)):
            await self.step()
            if until():
                return True
        return False

    async def open(self) -> None:
        self._process.tell(self.audio.opening())
        for message in self._process.step():
            self.audio.received(message)
        await self.command("StartConversation", conversation_id="bench")

    async def command(self, name: str, **values: Any) -> dict[str, Any]:
        """Give the conversation a command by its name and let time pass until it is answered."""
        from voicebotd.conversation import commands  # noqa: PLC0415

        make = getattr(commands, name)
        task = asyncio.ensure_future(self.manager.command(lambda number: make(request_id=number, **values)))
        for _ in range(500):
            await self.step()
            if task.done():
                return task.result()
        raise AssertionError(f"no answer to {name} within 5 s")

    @property
    def sounding(self) -> bool:
        """Whether the loudspeaker was given anything but silence in its last block."""
        return bool(self.played) and bool(self.played[-1].any())


@asynccontextmanager
async def box_in_a_room(setup: Setup, brain: Brain, clock: Clock) -> AsyncIterator[Box]:
    """A box that is in a conversation and connected; its tasks end with the block."""
    box = Box(setup, brain, clock)
    running = asyncio.ensure_future(box.manager.run())
    try:
        await box.open()
        await box.run(0.5)
        yield box
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
