"""A room without echo in the place of the audio process: a visitor who speaks, and a recording of the loudspeaker.

Real are the audio manager and its account of what was heard; not real are the process, PortAudio and the ladder of echo
control. Owns the clock of the sound: 10 ms frames, as the loop's time passes.
"""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np

from voicebotd.audio.life import TICK_S
from voicebotd.audio.manager import AudioManager
from voicebotd.audio.protocol import Adjust, Captured, Flush, Flushed, Heartbeat, Message, Opened, Play

RATE_HZ = 24_000
FRAME_SAMPLES = 240
FRAME_BYTES = 2 * FRAME_SAMPLES
FRAME_S = 0.01
HEARTBEAT_FRAMES = 10
LOUD = 200.0
"""RMS from which on somebody is heard to speak."""


class Room:
    """In the place of an audio manager's life. `played`: every sample that the loudspeaker was given, with its time."""

    respawns = 0
    process_id = None
    wanted = False

    def __init__(self) -> None:
        self._manager: AudioManager | None = None
        self._queue = bytearray()
        self._said: deque[bytes] = deque()
        self._epoch = self._handed = 0
        self._paused = False
        self._frames = 0
        self._wish = asyncio.Event()
        self.played = bytearray()
        self.said_at: list[int] = []
        """For each thing that was said, the frame in which it began."""
        self.spoken = asyncio.Event()
        """Set while nobody speaks."""
        self.spoken.set()

    def furnish(self, manager: AudioManager) -> None:
        """Take the place of the manager's audio process."""
        self._manager = manager
        manager._life = self  # type: ignore[assignment]

    def say(self, pcm: bytes) -> None:
        """The visitor says this, after what was said before."""
        self.said_at.append(self._frames + sum(map(len, self._said)) // FRAME_BYTES)
        self._said.append(pcm)
        self.spoken.clear()

    # What the audio manager asks of its life.

    def connect(self) -> None:
        self.wanted = True
        self._wish.set()

    async def disconnect(self) -> None:
        self.wanted = False
        self._wish.set()

    def restart(self) -> None:
        raise AssertionError("nobody restarts a room")

    def tell(self, message: Message) -> None:
        self.send(message)

    def send(self, message: Message) -> bool:
        match message:
            case Play():
                self._queue += message.pcm
            case Flush():
                assert self._manager is not None
                self._queue.clear()
                told = Flushed(epoch=message.epoch, handed_samples=self._handed)
                self._epoch, self._handed = message.epoch, 0
                asyncio.get_running_loop().call_soon(self._manager.received, told)
            case Adjust():
                self._paused = message.paused
        return True

    async def run(self) -> None:
        await self._wish.wait()
        assert self._manager is not None
        loop = asyncio.get_running_loop()
        self._manager.opening()
        opened = Opened(
            input_name="room",
            output_name="room",
            streams="duplex",
            sample_rate_hz=RATE_HZ,
            input_latency_ms=10.0,
            output_latency_ms=10.0,
        )
        self._manager.received(opened)
        began_s, ticked_s = loop.time(), loop.time()
        while self.wanted:
            await asyncio.sleep(max(0.0, began_s + self._frames * FRAME_S - loop.time()))
            self._frame(loop.time())
            if loop.time() - ticked_s >= TICK_S:
                ticked_s = loop.time()
                self._manager.ticked(ticked_s)

    # The sound.

    def _frame(self, now_s: float) -> None:
        assert self._manager is not None
        self._frames += 1
        taken = b"" if self._paused else bytes(self._queue[:FRAME_BYTES])
        del self._queue[: len(taken)]
        self._handed += len(taken) // 2
        self.played += taken.ljust(FRAME_BYTES, b"\0")
        pcm = self._heard()
        frame = Captured(
            captured_at_s=now_s, epoch=self._epoch, handed_samples=self._handed, pcm=pcm, voice=float(is_loud(pcm))
        )
        if self._frames % HEARTBEAT_FRAMES == 1:
            self._manager.received(self._beat())
        self._manager.received(frame)

    def _heard(self) -> bytes:
        if not self._said:
            return bytes(FRAME_BYTES)
        pcm, rest = self._said[0][:FRAME_BYTES], self._said[0][FRAME_BYTES:]
        if rest:
            self._said[0] = rest
        else:
            self._said.popleft()
            if not self._said:
                self.spoken.set()
        return pcm.ljust(FRAME_BYTES, b"\0")

    def _beat(self) -> Heartbeat:
        return Heartbeat(
            silent_ms=0,
            input_blocks=self._frames,
            output_blocks=self._frames,
            input_frames=self._frames * FRAME_SAMPLES,
            epoch=self._epoch,
            handed_samples=self._handed,
            xruns=0,
            starved_blocks=0,
            dropped_capture_frames=0,
            drift_corrections=0,
            input_level_dbfs=-60.0,
        )


def is_loud(pcm: bytes) -> bool:
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    return len(samples) > 0 and bool(np.sqrt(np.mean(samples**2)) > LOUD)


class LoudnessDetector:
    """In the place of the rehearsal server's speech detector: what is loud is speech. So nothing depends on a model."""

    CHUNK_BYTES = 2 * RATE_HZ * 32 // 1000

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, pcm: bytes) -> list[float]:
        audio = self._waiting + pcm
        whole = len(audio) - len(audio) % self.CHUNK_BYTES
        self._waiting = audio[whole:]
        chunks = (audio[at : at + self.CHUNK_BYTES] for at in range(0, whole, self.CHUNK_BYTES))
        return [float(is_loud(chunk)) for chunk in chunks]
