"""The floor: the least code that is a full-duplex client. It moves bytes and decides nothing.

`python floor.py URL duplex|pair` streams the microphone to the server and plays every audio delta, at 24 kHz in 10 ms
blocks, until SIGTERM; then it prints the latencies of its streams as JSON. What a daemon costs beyond this is its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
from typing import Any

import sounddevice
from websockets.asyncio.client import connect

RATE_HZ = 24_000
BLOCK = RATE_HZ // 100


class Pump:
    """Both directions: callbacks on PortAudio's thread, the socket on the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.microphone: asyncio.Queue[bytes] = asyncio.Queue()
        self.speaker = bytearray()

    def hear(self, indata: Any, frames: int, time: Any, status: Any) -> None:
        self._loop.call_soon_threadsafe(self.microphone.put_nowait, bytes(indata))

    def speak(self, outdata: Any, frames: int, time: Any, status: Any) -> None:
        wanted = frames * 2
        piece = bytes(self.speaker[:wanted])
        del self.speaker[:wanted]
        outdata[:] = piece.ljust(wanted, b"\0")

    def both(self, indata: Any, outdata: Any, frames: int, time: Any, status: Any) -> None:
        self.hear(indata, frames, time, status)
        self.speak(outdata, frames, time, status)


def open_streams(pump: Pump, kind: str) -> list[Any]:
    common = {"samplerate": RATE_HZ, "blocksize": BLOCK, "channels": 1, "dtype": "int16", "latency": "low"}
    if kind == "duplex":
        return [sounddevice.RawStream(callback=pump.both, **common)]
    return [
        sounddevice.RawInputStream(callback=pump.hear, **common),
        sounddevice.RawOutputStream(callback=pump.speak, **common),
    ]


async def send(websocket: Any, pump: Pump) -> None:
    await websocket.send(json.dumps({"type": "session.update", "session": {"type": "realtime"}}))
    while True:
        audio = base64.b64encode(await pump.microphone.get()).decode()
        await websocket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


async def receive(websocket: Any, pump: Pump) -> None:
    async for message in websocket:
        event = json.loads(message)
        if event["type"] == "response.output_audio.delta":
            pump.speaker += base64.b64decode(event["delta"])


async def main(url: str, kind: str) -> None:
    loop = asyncio.get_running_loop()
    pump = Pump(loop)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with connect(url, max_size=None, compression=None) as websocket:
        streams = open_streams(pump, kind)
        for stream in streams:
            stream.start()
        tasks = [loop.create_task(send(websocket, pump)), loop.create_task(receive(websocket, pump))]
        await ended.wait()
        latencies = [stream.latency for stream in streams]
        input_s, output_s = latencies[0] if kind == "duplex" else latencies
        print(json.dumps({"input_ms": input_s * 1000, "output_ms": output_s * 1000}), flush=True)
        for task in tasks:
            task.cancel()
        for stream in streams:
            stream.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
