"""What a conversation holds: its items in order, and how each looks on the wire.

Owns items and the refusals that depend on them (`item_not_found`, `item_truncate_invalid_item_id`,
`invalid_tool_call_id`, an over-long truncate). Pure; it does not know who speaks when, or that events exist.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from voicebotd.rehearsal.checks import invalid
from voicebotd.rehearsal.wire import Refusal

PCM_BYTES_PER_MS = 48
"""24 kHz, 16 bit, mono: the only format that this server speaks."""

ItemStatus = Literal["in_progress", "completed", "incomplete"]
PartType = Literal["input_text", "input_audio", "output_text", "output_audio"]


def duration_ms(pcm: bytes | bytearray) -> int:
    return len(pcm) // PCM_BYTES_PER_MS


@dataclass(slots=True, kw_only=True)
class Part:
    """One piece of a message. `text` is what is written or, for audio, the transcript (None: there is none)."""

    type: PartType
    text: str | None = None
    pcm: bytearray = field(default_factory=bytearray)

    @property
    def is_audio(self) -> bool:
        return self.type in ("input_audio", "output_audio")

    def wire(self, *, with_audio: bool) -> dict[str, Any]:
        if not self.is_audio:
            return {"type": self.type, "text": self.text}
        audio = {"audio": base64.b64encode(self.pcm).decode()} if with_audio else {}
        return {"type": self.type, "transcript": self.text, **audio}


@dataclass(slots=True, kw_only=True)
class Item:
    """A message, a function call, or its output. `text` is the call's arguments or the output's text."""

    item_id: str
    type: Literal["message", "function_call", "function_call_output", "mcp_call", "mcp_approval_response"]
    status: ItemStatus = "completed"
    role: Literal["system", "user", "assistant"] = "assistant"
    parts: list[Part] = field(default_factory=list)
    name: str = ""
    call_id: str = ""
    text: str = ""
    server: str = ""
    """Of a call that this service makes itself: the server's label."""
    output: str | None = None
    approve: bool = False
    truncated: bool = False
    """A truncated message takes no more audio, even where its response still runs."""
    kept_text: str = ""
    """What a truncated message still says, by its share of the words: the client is not told, but a model knows."""

    @property
    def said(self) -> str:
        """The words of a message, as far as anybody knows them."""
        return self.kept_text if self.truncated else " ".join(part.text for part in self.parts if part.text)

    def wire(self, *, with_audio: bool = False) -> dict[str, Any]:
        """Return the item as the client sees it; user and assistant audio only where the client asked for it."""
        common = {"id": self.item_id, "object": "realtime.item", "type": self.type, "status": self.status}
        if self.type == "function_call":
            return {**common, "name": self.name, "call_id": self.call_id, "arguments": self.text}
        if self.type == "mcp_call":
            made = {"server_label": self.server, "name": self.name, "arguments": self.text}
            return {**common, **made, "output": self.output, "error": None}
        if self.type == "mcp_approval_response":
            return {**common, "approval_request_id": self.call_id, "approve": self.approve, "reason": self.text}
        if self.type == "function_call_output":
            return {**common, "call_id": self.call_id, "output": self.text}
        content = [part.wire(with_audio=with_audio) for part in self.parts]
        return {**common, "role": self.role, "content": content}


def item_from_wire(given: dict[str, Any], *, item_id: str, call_id: str) -> Item:
    """Build the item that a client sent (checked by schema.py). The ids are used where the client gave none."""
    item_id = given.get("id", item_id)
    status = given.get("status", "completed")
    if given["type"] == "function_call":
        return Item(
            item_id=item_id,
            type="function_call",
            status=status,
            name=given["name"],
            call_id=given.get("call_id", call_id),
            text=given["arguments"],
        )
    if given["type"] == "function_call_output":
        return Item(
            item_id=item_id,
            type="function_call_output",
            status=status,
            call_id=given["call_id"],
            text=given["output"],
        )
    if given["type"] == "mcp_approval_response":
        return Item(
            item_id=item_id,
            type="mcp_approval_response",
            call_id=given["approval_request_id"],
            approve=given["approve"],
            text=given.get("reason") or "",
        )
    parts = [
        Part(type=part["type"], text=part.get("text", part.get("transcript")), pcm=bytearray(part.get("audio", b"")))
        for part in given["content"]
    ]
    return Item(item_id=item_id, type="message", status=status, role=given["role"], parts=parts)


class Conversation:
    """The items in order. Every method either does all that it says or raises `Refusal` and changes nothing."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def find(self, item_id: str) -> Item:
        for item in self._items:
            if item.item_id == item_id:
                return item
        raise Refusal("item_not_found", f"There is no item '{item_id}' in the conversation.", param="item_id")

    def add(self, item: Item, *, after: str | None = None) -> str | None:
        """Put the item at the end, or after the item with the id `after` (`root`: first). Return the id before it."""
        if any(held.item_id == item.item_id for held in self._items):
            raise invalid("item.id", f"there is an item '{item.item_id}' already.")
        if item.type == "function_call_output" and not self._has_call(item.call_id):
            raise Refusal("invalid_tool_call_id", f"Tool call ID '{item.call_id}' not found in conversation.")
        at = len(self._items) if after is None else self._place_after(after)
        self._items.insert(at, item)
        return self._items[at - 1].item_id if at else None

    def _has_call(self, call_id: str) -> bool:
        return any(item.type == "function_call" and item.call_id == call_id for item in self._items)

    def _place_after(self, item_id: str) -> int:
        if item_id == "root":
            return 0
        for index, item in enumerate(self._items):
            if item.item_id == item_id:
                return index + 1
        raise Refusal("item_not_found", f"There is no item '{item_id}' to insert after.", param="previous_item_id")

    def delete(self, item_id: str) -> None:
        self._items.remove(self.find(item_id))

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut assistant audio to its first `audio_end_ms`, and drop the transcript: nobody knows what is left of it."""
        item = next((held for held in self._items if held.item_id == item_id), None)
        if item is None:
            message = f"There is no item '{item_id}' to truncate."
            raise Refusal("item_truncate_invalid_item_id", message, param="item_id")
        part = item.parts[content_index] if content_index < len(item.parts) else None
        if part is None or part.type != "output_audio" or not part.pcm or audio_end_ms == 0:
            raise Refusal(None, "Only model output audio messages can be truncated")
        held_ms = duration_ms(part.pcm)
        if audio_end_ms > held_ms:
            message = f"Audio content of {held_ms}ms is already shorter than {audio_end_ms}ms"
            raise Refusal("invalid_value", message, param="audio_end_ms")
        words = (item.kept_text if item.truncated else part.text or "").split()
        item.kept_text = " ".join(words[: -(-len(words) * audio_end_ms // held_ms)])
        del part.pcm[audio_end_ms * PCM_BYTES_PER_MS :]
        part.text = None
        item.truncated = True
