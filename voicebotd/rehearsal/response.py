"""One response from `response.created` to `response.done`, in pieces, each sent when the owner says so.

Owns the order of the events of a response, its status, its output tokens and the ways in which it ends: completed,
cancelled, incomplete at `max_output_tokens`, or as somebody else decides. Pure; when a piece is due is the owner's
business (responses.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from voicebotd.rehearsal.brain import Answer
from voicebotd.rehearsal.items import Conversation, duration_ms
from voicebotd.rehearsal.output import Output, Piece, make_output
from voicebotd.rehearsal.usage import Tokens, usage_wire
from voicebotd.rehearsal.wire import Outbox

Status = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
CancelReason = Literal["turn_detected", "client_cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequest:
    """What is fixed when a response begins. `conversation_id` None: it is out of band."""

    response_id: str
    conversation_id: str | None
    modality: Literal["audio", "text"]
    audio_output: dict[str, Any]
    """`format` and `voice`, as the response reports them."""
    max_output_tokens: int | Literal["inf"]
    metadata: dict[str, str] | None
    input_tokens: Tokens
    cached_tokens: Tokens


class Response:
    """`conversation` is where the output items are put; None for out of band."""

    def __init__(
        self, outbox: Outbox, request: ResponseRequest, answer: Answer, conversation: Conversation | None
    ) -> None:
        self.request = request
        self.status: Status = "in_progress"
        self._outbox = outbox
        self._conversation = conversation
        self._to_come = iter(answer.parts)
        self._outputs: list[Output] = []
        self._open: Output | None = None
        self._previous_id: str | None = None

    @property
    def audio_ms(self) -> int:
        """How much audio has been sent."""
        return sum(output.sent_ms for output in self._outputs)

    def begin(self) -> None:
        self._outbox.emit("response.created", response=self._wire(None, None))

    def advance(self) -> int:
        """Send the next piece; return how many milliseconds of speech it holds. Only while `in_progress`."""
        if self._open is not None:
            piece = self._open.next_piece()
            if piece is not None:
                return self._send(self._open, piece)
            self._close(self._open, "completed")
        part = next(self._to_come, None)
        if part is None:
            self._finish("completed", None)
            return 0
        request = self.request
        index = len(self._outputs)
        self._open_output(
            make_output(
                self._outbox, part, modality=request.modality, response_id=request.response_id, output_index=index
            )
        )
        return 0

    def cancel(self, reason: CancelReason) -> None:
        self.break_off("cancelled", {"reason": reason})

    def break_off(self, status: Literal["cancelled", "incomplete", "failed"], details: dict[str, Any]) -> None:
        """End now: every `done` event is sent, with what was streamed. Only while `in_progress`."""
        if self._open is not None:
            self._close(self._open, "incomplete")
        self._finish(status, {"type": status, **details})

    def _open_output(self, output: Output) -> None:
        item = output.item
        self._open = output
        self._outputs.append(output)
        index = len(self._outputs) - 1
        response_id = self.request.response_id
        self._outbox.emit("response.output_item.added", response_id=response_id, output_index=index, item=item.wire())
        if self._conversation is not None:
            self._previous_id = self._conversation.add(item)
            self._outbox.emit("conversation.item.added", previous_item_id=self._previous_id, item=item.wire())
        output.open()

    def _send(self, output: Output, piece: Piece) -> int:
        limit = self.request.max_output_tokens
        spent = sum((held.cost(piece if held is output else None) for held in self._outputs), Tokens())
        if limit != "inf" and spent.total > limit:
            self._close(output, "incomplete")
            self._finish("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
            return 0
        output.send(piece)
        return duration_ms(piece.pcm)

    def _close(self, output: Output, status: Literal["completed", "incomplete"]) -> None:
        output.close()
        output.item.status = status
        item = output.item.wire()
        index = len(self._outputs) - 1
        self._outbox.emit(
            "response.output_item.done", response_id=self.request.response_id, output_index=index, item=item
        )
        if self._conversation is not None:
            self._outbox.emit("conversation.item.done", previous_item_id=self._previous_id, item=item)
        self._open = None

    def _finish(self, status: Status, details: dict[str, Any] | None) -> None:
        self.status = status
        request = self.request
        spent = sum((output.cost() for output in self._outputs), Tokens())
        usage = usage_wire(total=request.input_tokens, cached=request.cached_tokens, output=spent)
        self._outbox.emit("response.done", response=self._wire(details, usage))

    def _wire(self, details: dict[str, Any] | None, usage: dict[str, Any] | None) -> dict[str, Any]:
        request = self.request
        return {
            "object": "realtime.response",
            "id": request.response_id,
            "status": self.status,
            "status_details": details,
            "output": [output.item.wire() for output in self._outputs],
            "conversation_id": request.conversation_id,
            "output_modalities": [request.modality],
            "max_output_tokens": request.max_output_tokens,
            "audio": {"output": request.audio_output},
            "metadata": request.metadata,
            "usage": usage,
        }
