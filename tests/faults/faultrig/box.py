"""A box in a room, talking to a rehearsal server that fails on purpose: the daemon's real stack over a real websocket.

Owns the wiring and the waiting. Real: everything that `assembly.build` makes, and the server. Not real: the audio
process (room.py), the ears of the server, the pace of time (hurry.py).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from faultrig.course import Course
from faultrig.questions import question
from faultrig.room import LoudnessDetector, Room
from voicebotd.assembly import audio_options_of, build, policy_of
from voicebotd.config.load import LoadedConfig, load
from voicebotd.conversation import commands as cmd
from voicebotd.conversation.events import AudioDelta, Event, LinkLost, PlayoutProgressed
from voicebotd.conversation.records import AnyRecord, TurnRecord
from voicebotd.rehearsal import connection
from voicebotd.rehearsal.server import RehearsalServer
from voicebotd.tools.toolbox import Toolbox

DEADLINE_S = 180.0
"""Of the box's own time; longer than anything it waits for by itself."""
QUIET_MS = 700


class Box:
    """`records`: the last one of each turn. `published`: topic, data and the loop's time."""

    def __init__(self, server: RehearsalServer, config: LoadedConfig, toolbox: Toolbox | None) -> None:
        self.server = server
        self.room = Room()
        self.records: dict[str, TurnRecord] = {}
        self.published: list[tuple[str, dict[str, Any], float]] = []
        self.events: list[tuple[Event, float]] = []
        self._changed = asyncio.Event()
        self.stack = build(
            config,
            audio_options_of(config.settings, echo_control="none"),
            publish=self._publish,
            record=self._record,
            watch=self._watch,
            policy=policy_of(config),
            toolbox=toolbox,
        )
        self.room.furnish(self.stack.audio)
        self.heard_cues: list[str] = []
        """The box's own sounds, in order."""
        self.said_by_status = ""
        """What status said while the link was lost, at last."""
        self._listen_for_cues()

    def _listen_for_cues(self) -> None:
        play = self.stack.audio.play

        def listen(item_id: str, content_index: int, pcm: bytes) -> None:
            if item_id.startswith("cue:"):
                self.heard_cues.append(item_id.removeprefix("cue:"))
            play(item_id, content_index, pcm)

        self.stack.audio.play = listen  # type: ignore[method-assign]

    @property
    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def state(self) -> str:
        return str(self.stack.manager.snapshot().state)

    @property
    def turns(self) -> list[TurnRecord]:
        return sorted(self.records.values(), key=lambda record: record.number)

    def _publish(self, topic: str, data: dict[str, Any]) -> None:
        self.published.append((topic, data, self.now_s))
        self._tell()

    def _record(self, record: AnyRecord) -> None:
        if isinstance(record, TurnRecord):
            self.records[record.item_id] = record
        self._tell()

    def _watch(self, event: Event) -> None:
        if not isinstance(event, AudioDelta | PlayoutProgressed):  # most of it, and nobody asks
            self.events.append((event, self.now_s))
        if isinstance(event, LinkLost):
            self.said_by_status = f"{event.reason} ({event.hint})"
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, met: Callable[[], bool], *, timeout_s: float = DEADLINE_S) -> None:
        """Return when that is so; it is asked whenever something happens. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not met():
                await self._changed.wait()

    async def start(self, **options: Any) -> None:
        await self.stack.manager.command(
            lambda number: cmd.StartConversation(request_id=number, conversation_id="c", **options)
        )

    def ask(self, number: int) -> None:
        """The visitor asks a question, and is silent for so long that it is over."""
        self.room.say(question(number))

    @property
    def spoken(self) -> str:
        """All that the visitor heard of the assistant, as the history has it."""
        return " ".join(turn.heard_text for turn in self.turns if turn.role == "assistant")

    def parts_of(self, course: Course, number: int) -> int:
        """In how many parts that answer was given: more than one where it was cut off and gone on with."""
        groups: list[list[str]] = [[]]
        for turn in self.turns:
            if turn.role == "assistant":
                groups[-1].append(turn.heard_text)
            else:
                groups.append([])
        return max((len(group) for group in groups if course.begins(number) in " ".join(group)), default=1)

    async def until_answered(self, course: Course, number: int, *, timeout_s: float = DEADLINE_S) -> None:
        """Return when the answer to that question was heard, and the box listens again."""
        await self.until(lambda: course.is_answered(number, self.spoken) and self.at_rest, timeout_s=timeout_s)

    @property
    def at_rest(self) -> bool:
        """Nobody speaks, and nothing is on its way."""
        return self.state == "listening" and not self.stack.audio.playing and self.room.spoken.is_set()


@asynccontextmanager
async def talking_box(server: RehearsalServer, *words: str, toolbox: Toolbox | None = None) -> AsyncIterator[Box]:
    """A box that holds a conversation with a server, until the end of the block.

    `words`: configuration. `toolbox`: what the model may call.
    """
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as home,
        patch.object(connection, "SpeechDetector", LoudnessDetector),
    ):
        names = ("CONFIGURATION_DIRECTORY", "STATE_DIRECTORY", "RUNTIME_DIRECTORY")
        usual = (
            "service.provider=rehearsal",
            f"service.base_url={server.url}",
            f"turn_detection.silence_duration_ms={QUIET_MS}",
            "turn_detection.threshold=0.5",
        )
        config = load(environ=dict.fromkeys(names, home), cwd=Path(home), set_words=(*usual, *words))
        box = Box(server, config, toolbox)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(box.stack.run())
            try:
                await box.start()
                yield box
            finally:
                running.cancel()
