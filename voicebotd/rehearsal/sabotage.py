"""What faults do to the socket of a session that is open, or about to be.

Owns the means: reset, end, silence, frames that are none. When they are used is in saboteur.py.
"""

from __future__ import annotations

import json
import socket
import struct
from itertools import count

from websockets.asyncio.server import ServerConnection

from voicebotd.rehearsal.faults import EndLink, ErrorBody, ResetLink, SendEvent, SendFrame
from voicebotd.rehearsal.wire import ServerEvent

HELD_BYTES = 32 * 2**10
"""Half a second of speech. With much less, TCP waits for its own acknowledgements, whoever reads."""
_numbers = count(1)


def reset(websocket: ServerConnection) -> None:
    """End it with a TCP reset: what was not read is lost on both sides."""
    _set(websocket, socket.SO_LINGER, struct.pack("ii", 1, 0))
    websocket.transport.abort()


def cut(websocket: ServerConnection, effect: ResetLink | EndLink) -> None:
    if isinstance(effect, ResetLink):
        reset(websocket)
    else:
        websocket.transport.close()


def go_dark(websocket: ServerConnection) -> None:
    """Read nothing more, not even pings, and send none."""
    if websocket.keepalive_task is not None:
        websocket.keepalive_task.cancel()
    websocket.transport.pause_reading()


def narrow(websocket: ServerConnection) -> None:
    """Have the kernel hold little for a reader that is slow, so that the sender notices."""
    _set(websocket, socket.SO_RCVBUF, HELD_BYTES)


def _set(websocket: ServerConnection, option: int, value: int | bytes) -> None:
    tcp = websocket.transport.get_extra_info("socket")
    if tcp.fileno() != -1:  # the client may have gone a moment ago
        tcp.setsockopt(socket.SOL_SOCKET, option, value)


def frame_of(effect: SendFrame) -> str | bytes:
    if effect.kind == "binary":
        return bytes(range(effect.size_bytes))
    if effect.kind == "garbage":
        return "{" * effect.size_bytes
    return json.dumps({"type": "rehearsal.padding", "padding": "x" * effect.size_bytes})


def event_of(effect: SendEvent) -> ServerEvent:
    event_id = f"event_rehearsed{next(_numbers):05d}"
    if effect.error is None:
        return {"type": "rehearsal.surprise", "event_id": event_id, "surprise": {"depth": [1, None]}}
    return error_event(effect.error, event_id)


def error_event(error: ErrorBody, event_id: str) -> ServerEvent:
    return {"type": "error", "event_id": event_id, "error": {**error.wire(), "param": None, "event_id": None}}
