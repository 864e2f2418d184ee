"""How one output item of a response streams: what opens it, its pieces, what closes it.

Owns the cutting of a line or a call into pieces and the content events of each kind of item. Pure; it does not know
when a piece is due, or what is around the item (response.py).
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from voicebotd.rehearsal.brain import Call, Line
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS, Item, Part, duration_ms
from voicebotd.rehearsal.usage import Tokens, spoken_tokens
from voicebotd.rehearsal.wire import Outbox

PIECE_MS = 200
PIECE_WORDS = 4
PIECE_CHARACTERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What is sent at one time; `text` is the share of the transcript, of the text or of the arguments."""

    text: str
    pcm: bytes = b""


class Output(ABC):
    """One item on its way; `item` always holds what has been sent so far."""

    def __init__(self, outbox: Outbox, item: Item, place: dict[str, Any], pieces: list[Piece]) -> None:
        self.item = item
        self.sent_text = ""
        self.sent_ms = 0
        """How much audio was sent."""
        self._unsent = iter(pieces)
        self._outbox = outbox
        self._place = place

    def next_piece(self) -> Piece | None:
        """What `send` is to send next; None when everything was sent."""
        return next(self._unsent, None)

    def cost(self, piece: Piece | None = None) -> Tokens:
        """What has been sent costs, or would with that piece; as a whole, since each piece alone would round up."""
        if piece is None:
            return spoken_tokens(self.sent_text, self.sent_ms)
        return spoken_tokens(self.sent_text + piece.text, self.sent_ms + duration_ms(piece.pcm))

    @abstractmethod
    def open(self) -> None:
        """Emit what comes between the item's own `added` events and its first piece."""

    @abstractmethod
    def send(self, piece: Piece) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Emit what ends the content, with what was sent; an interrupted item is closed in the same way."""


class SpokenOutput(Output):
    def __init__(self, outbox: Outbox, item: Item, place: dict[str, Any], line: Line) -> None:
        self._part = Part(type="output_audio", text="")
        item.parts.append(self._part)
        super().__init__(outbox, item, {**place, "content_index": 0}, spoken_pieces(line))

    def open(self) -> None:
        part = {"type": "audio", "transcript": ""}
        self._outbox.emit("response.content_part.added", **self._place, part=part)

    def send(self, piece: Piece) -> None:
        self.sent_text += piece.text
        if not self.item.truncated:
            self._part.text = self.sent_text
            self._part.pcm += piece.pcm
        if piece.text:
            self._outbox.emit("response.output_audio_transcript.delta", **self._place, delta=piece.text)
        if piece.pcm:
            delta = base64.b64encode(piece.pcm).decode()
            self._outbox.emit("response.output_audio.delta", **self._place, delta=delta)
            self.sent_ms += duration_ms(piece.pcm)

    def close(self) -> None:
        part = {"type": "audio", "transcript": self.sent_text}
        self._outbox.emit("response.output_audio.done", **self._place)
        self._outbox.emit("response.output_audio_transcript.done", **self._place, transcript=self.sent_text)
        self._outbox.emit("response.content_part.done", **self._place, part=part)


class WrittenOutput(Output):
    def __init__(self, outbox: Outbox, item: Item, place: dict[str, Any], line: Line) -> None:
        self._part = Part(type="output_text", text="")
        item.parts.append(self._part)
        super().__init__(outbox, item, {**place, "content_index": 0}, written_pieces(line.text))

    def open(self) -> None:
        self._outbox.emit("response.content_part.added", **self._place, part={"type": "text", "text": ""})

    def send(self, piece: Piece) -> None:
        self.sent_text += piece.text
        self._part.text = self.sent_text
        self._outbox.emit("response.output_text.delta", **self._place, delta=piece.text)

    def close(self) -> None:
        part = {"type": "text", "text": self.sent_text}
        self._outbox.emit("response.output_text.done", **self._place, text=self.sent_text)
        self._outbox.emit("response.content_part.done", **self._place, part=part)


class CallOutput(Output):
    def __init__(self, outbox: Outbox, item: Item, place: dict[str, Any], call: Call) -> None:
        pieces = [
            Piece(text=call.arguments[at : at + PIECE_CHARACTERS])
            for at in range(0, len(call.arguments), PIECE_CHARACTERS)
        ]
        super().__init__(outbox, item, {**place, "call_id": item.call_id}, pieces)

    def open(self) -> None:
        """A call has no content parts."""

    def send(self, piece: Piece) -> None:
        self.sent_text += piece.text
        self.item.text = self.sent_text
        self._outbox.emit("response.function_call_arguments.delta", **self._place, delta=piece.text)

    def close(self) -> None:
        self._outbox.emit(
            "response.function_call_arguments.done", **self._place, name=self.item.name, arguments=self.sent_text
        )


class RemoteOutput(CallOutput):
    """A call that the service makes by itself: no sooner are its arguments there than its output is."""

    def __init__(self, outbox: Outbox, item: Item, place: dict[str, Any], call: Call) -> None:
        super().__init__(outbox, item, place, call)
        self._place = place
        self._output = call.output

    def send(self, piece: Piece) -> None:
        self.sent_text += piece.text
        self.item.text = self.sent_text
        self._outbox.emit("response.mcp_call_arguments.delta", **self._place, delta=piece.text)

    def close(self) -> None:
        self._outbox.emit("response.mcp_call_arguments.done", **self._place, arguments=self.sent_text)
        place = {name: self._place[name] for name in ("item_id", "output_index")}
        self._outbox.emit("response.mcp_call.in_progress", **place)
        self.item.output = self._output
        self._outbox.emit("response.mcp_call.completed", **place)


def make_output(
    outbox: Outbox, part: Line | Call, *, modality: Literal["audio", "text"], response_id: str, output_index: int
) -> Output:
    item_id = outbox.new_id("item")
    place = {"response_id": response_id, "item_id": item_id, "output_index": output_index}
    if isinstance(part, Call) and part.server:
        item = Item(item_id=item_id, type="mcp_call", status="in_progress", name=part.name, server=part.server)
        return RemoteOutput(outbox, item, place, part)
    if isinstance(part, Call):
        call_id = outbox.new_id("call")
        item = Item(item_id=item_id, type="function_call", status="in_progress", name=part.name, call_id=call_id)
        return CallOutput(outbox, item, place, part)
    item = Item(item_id=item_id, type="message", status="in_progress")
    return (SpokenOutput if modality == "audio" else WrittenOutput)(outbox, item, place, part)


def spoken_pieces(line: Line) -> list[Piece]:
    """Cut a line into pieces of `PIECE_MS`, each with its share of the words."""
    size = PIECE_MS * PCM_BYTES_PER_MS
    count = max(1, -(-len(line.pcm) // size))
    words = _words(line.text)
    return [
        Piece(
            text="".join(words[-(-len(words) * index // count) : -(-len(words) * (index + 1) // count)]),
            pcm=line.pcm[index * size : (index + 1) * size],
        )
        for index in range(count)
    ]


def written_pieces(text: str) -> list[Piece]:
    words = _words(text)
    return [Piece(text="".join(words[at : at + PIECE_WORDS])) for at in range(0, len(words), PIECE_WORDS)]


def _words(text: str) -> list[str]:
    """The words with the space before them, so that joined they are the text again (runs of space become one)."""
    return [f" {word}" if index else word for index, word in enumerate(text.split())]
