"""The other end of the wire for the bench: a metronome that speaks the Realtime protocol and stamps what passes.

It hears nothing and decides nothing, so that every client gets the same load: a turn every `period_s` with `reply_s` of
audio, sent about ten times faster than real time. `python server.py FILE PERIOD_S REPLY_MS` prints its port, then
writes one JSON line to FILE for each append that holds a loud sample and for each reply sent, with monotonic times.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

RATE_HZ = 24_000
LOUD = 4000
DELTA = RATE_HZ // 10
DELTA_EVERY_S = 0.01
SESSION = {"type": "realtime", "id": "sess_bench", "object": "realtime.session", "model": "bench"}


def reply_audio(length_ms: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    """A reply that begins with a loud sample, so that its arrival at the loudspeaker can be dated to the sample."""
    samples = np.random.default_rng(1).normal(0, 1500, RATE_HZ * length_ms // 1000).clip(-6000, 6000)
    samples[:48] = 16_000
    return samples.astype("<i2")


class Session:
    """One client: what it sends is stamped, what it gets is a turn every period."""

    def __init__(self, websocket: ServerConnection, log: TextIO, period_s: float, reply_ms: int) -> None:
        self._websocket = websocket
        self._log = log
        self._period_s = period_s
        self._audio = reply_audio(reply_ms)
        self._numbers = count(1)
        self._configured = asyncio.Event()

    async def run(self) -> None:
        await self._send("session.created", session=SESSION)
        async with asyncio.TaskGroup() as tasks:
            metronome = tasks.create_task(self._metronome())
            async for message in self._websocket:
                await self._take(json.loads(message), time.monotonic())
            metronome.cancel()

    async def _take(self, event: dict[str, Any], now_s: float) -> None:
        match event["type"]:
            case "input_audio_buffer.append":
                samples = np.frombuffer(base64.b64decode(event["audio"]), dtype="<i2")
                loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
                if len(loud):
                    self._note(kind="append", at_s=now_s, samples=len(samples), loud_at=int(loud[0]))
            case "session.update":
                session = {**SESSION, **event["session"]}
                await self._send("session.updated", session=session)
                self._configured.set()
            case "conversation.item.truncate":
                part = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
                await self._send("conversation.item.truncated", **part)

    async def _metronome(self) -> None:
        await self._configured.wait()
        while True:
            began_s = time.monotonic()
            await self._turn(next(self._numbers))
            await asyncio.sleep(began_s + self._period_s - time.monotonic())

    async def _turn(self, number: int) -> None:
        visitor, item, response = f"item_v{number}", f"item_a{number}", f"resp_{number}"
        await self._send("input_audio_buffer.speech_started", item_id=visitor, audio_start_ms=0)
        await asyncio.sleep(min(0.5, self._period_s / 10))
        await self._send("input_audio_buffer.speech_stopped", item_id=visitor, audio_end_ms=500)
        await self._send("input_audio_buffer.committed", item_id=visitor, previous_item_id=None)
        heard: dict[str, Any] = {
            "id": visitor,
            "object": "realtime.item",
            "type": "message",
            "role": "user",
            "status": "completed",
        }
        heard["content"] = [{"type": "input_audio", "transcript": None}]
        await self._send("conversation.item.added", item=heard, previous_item_id=None)
        await self._send("conversation.item.done", item=heard, previous_item_id=None)
        await self._reply(visitor, item, response)

    async def _reply(self, visitor: str, item: str, response: str) -> None:
        shell: dict[str, Any] = {
            "id": response,
            "object": "realtime.response",
            "status": "in_progress",
            "output": [],
            "metadata": None,
        }
        said = {"id": item, "object": "realtime.item", "type": "message", "role": "assistant", "content": []}
        part = {"item_id": item, "response_id": response, "output_index": 0, "content_index": 0}
        await self._send("response.created", response=shell)
        added = {**said, "status": "in_progress"}
        await self._send("response.output_item.added", response_id=response, output_index=0, item=added)
        await self._send("conversation.item.added", item=added, previous_item_id=visitor)
        await self._send("response.content_part.added", **part, part={"type": "audio", "transcript": ""})
        self._note(kind="reply", at_s=time.monotonic())
        for first in range(0, len(self._audio), DELTA):
            audio = base64.b64encode(self._audio[first : first + DELTA].tobytes()).decode()
            await self._send("response.output_audio.delta", **part, delta=audio)
            await self._send("response.output_audio_transcript.delta", **part, delta="tick ")
            await asyncio.sleep(DELTA_EVERY_S)
        await self._send("response.output_audio.done", **part)
        await self._send("response.output_audio_transcript.done", **part, transcript="tick " * 3)
        await self._send("response.content_part.done", **part, part={"type": "audio", "transcript": "tick"})
        done = {**said, "status": "completed", "content": [{"type": "output_audio", "transcript": "tick"}]}
        await self._send("response.output_item.done", response_id=response, output_index=0, item=done)
        await self._send("conversation.item.done", item=done, previous_item_id=visitor)
        await self._send("response.done", response={**shell, "status": "completed", "output": [done], "usage": None})

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._websocket.send(json.dumps({"type": kind, "event_id": f"event_{next(self._numbers)}", **fields}))

    def _note(self, **fields: Any) -> None:
        self._log.write(json.dumps(fields) + "\n")
        self._log.flush()


async def main(path: Path, period_s: float, reply_ms: int) -> None:
    with path.open("a", encoding="utf-8") as log:

        async def handle(websocket: ServerConnection) -> None:
            try:
                await Session(websocket, log, period_s, reply_ms).run()
            except* ConnectionClosed:
                pass  # the measured client was stopped

        async with serve(handle, "127.0.0.1", 0, max_size=None, compression=None) as server:
            print(server.sockets[0].getsockname()[1], flush=True)
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
