"""The responses of a session: which may begin, which is due, which is to stop.

Owns the rule that one response at a time writes to the conversation while any number may run beside it, the pace of
streaming, the voice lock, and the count of tokens against the rate limit. Pure: `now_s` is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from voicebotd.rehearsal.brain import Brain, Past, Question
from voicebotd.rehearsal.faults import Doom
from voicebotd.rehearsal.items import Conversation, Item, item_from_wire
from voicebotd.rehearsal.response import CancelReason, Response, ResponseRequest
from voicebotd.rehearsal.settings import Settings
from voicebotd.rehearsal.usage import Entry, cached_of, context_of, total_of
from voicebotd.rehearsal.wire import Outbox, Refusal

TOKENS_PER_MINUTE = 200_000
"""The rate limit that is reported; it is never enforced."""


@dataclass(slots=True, kw_only=True)
class _Running:
    response: Response
    due_s: float


class Responses:
    """`speed`: how many times faster than real time audio is streamed."""

    def __init__(self, outbox: Outbox, conversation: Conversation, brain: Brain, *, speed: float) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._conversation_id = outbox.new_id("conv")
        self._brain = brain
        self._speed = speed
        self._running: dict[str, _Running] = {}
        self._context_before: list[Entry] = []
        self._tokens_used = 0
        self._doom: Doom | None = None
        self.voice_locked = False
        """Assistant audio is present, so that the session's voice cannot change any more."""
        self.silent_from_s: float | None = None
        """When the last response of the conversation will have been played to its end; None while one runs."""

    @property
    def due_s(self) -> float | None:
        """When `advance` is to be called."""
        return min((running.due_s for running in self._running.values()), default=None)

    @property
    def active(self) -> Response | None:
        """The response that writes to the conversation."""
        for running in self._running.values():
            if running.response.request.conversation_id is not None:
                return running.response
        return None

    def create(self, session: Settings, params: Settings, now_s: float, *, idle: bool = False) -> None:
        """Begin a response with the session's settings, overridden by the `response` of a `response.create`."""
        out_of_band = params.get("conversation") == "none"
        if not out_of_band and self.active is not None:
            message = "Conversation already has an active response in progress."
            raise Refusal("conversation_already_has_active_response", message)
        doom = None if out_of_band else self._doom
        if doom is not None:
            self._doom = None
            if doom.kind == "never":
                return
        items = list(self._conversation)
        if "input" in params:
            items = [self._input_item(given) for given in params["input"]]
        wanted = session | params
        context = context_of(wanted["instructions"], wanted["tools"], items)
        request = ResponseRequest(
            response_id=self._outbox.new_id("resp"),
            conversation_id=None if out_of_band else self._conversation_id,
            modality=wanted["output_modalities"][0],
            audio_output=_audio_output(session, params),
            max_output_tokens=wanted["max_output_tokens"],
            metadata=params.get("metadata"),
            input_tokens=total_of(context),
            cached_tokens=cached_of(context, self._context_before),
        )
        answer = self._brain.answer(
            question_of(items, idle=idle, out_of_band=out_of_band, calls=wanted["tool_choice"] != "none")
        )
        response = Response(self._outbox, request, answer, None if out_of_band else self._conversation)
        self._running[request.response_id] = _Running(response=response, due_s=now_s)
        if not out_of_band:
            self._context_before = context
            self.silent_from_s = None
        response.begin()
        self._report_rate_limit(request.input_tokens.total)
        if doom is not None:
            self.doom(doom, now_s)

    def doom(self, doom: Doom, now_s: float) -> None:
        """Have the response that writes to the conversation end so, or the next one where none does."""
        response = self.active
        if response is None or doom.kind == "never":
            self._doom = doom
        elif doom.kind == "stuck":
            self._running[response.request.response_id].due_s = math.inf
        else:
            if doom.reset_s is not None:
                self._tokens_used = TOKENS_PER_MINUTE
                self._emit_rate_limit(doom.reset_s)
            details = {"reason": doom.reason} if doom.error is None else {"error": doom.error.wire()}
            response.break_off(doom.kind, details)
            self._forget(response, silent_from_s=now_s)

    def advance(self, now_s: float) -> None:
        """Send one piece of the response that has been due for longest, if one is due."""
        running = min(self._running.values(), key=lambda running: running.due_s, default=None)
        if running is None or running.due_s > now_s:
            return
        response = running.response
        sent_ms = response.advance()
        running.due_s += sent_ms / 1000 / self._speed
        if sent_ms and response.request.conversation_id is not None:
            self.voice_locked = True
        if response.status != "in_progress":
            self._forget(response, silent_from_s=now_s + response.audio_ms / 1000)

    def cancel(self, response_id: str | None, reason: CancelReason, now_s: float) -> None:
        """Stop that response or, without an id, the one that writes to the conversation."""
        if response_id is None:
            response = self.active
        else:
            running = self._running.get(response_id)
            response = running.response if running is not None else None
        if response is None:
            raise Refusal("response_cancel_not_active", "Cancellation failed: no active response found")
        response.cancel(reason)
        self._forget(response, silent_from_s=now_s)

    def _forget(self, response: Response, *, silent_from_s: float) -> None:
        del self._running[response.request.response_id]
        if response.request.conversation_id is not None:
            self.silent_from_s = silent_from_s

    def _input_item(self, given: dict[str, Any]) -> Item:
        if given["type"] == "item_reference":
            return self._conversation.find(given["id"])
        return item_from_wire(given, item_id=self._outbox.new_id("item"), call_id=self._outbox.new_id("call"))

    def _report_rate_limit(self, tokens: int) -> None:
        self._tokens_used = min(TOKENS_PER_MINUTE, self._tokens_used + tokens)
        self._emit_rate_limit(self._tokens_used / TOKENS_PER_MINUTE * 60)

    def _emit_rate_limit(self, reset_s: float) -> None:
        limit = {
            "name": "tokens",
            "limit": TOKENS_PER_MINUTE,
            "remaining": TOKENS_PER_MINUTE - self._tokens_used,
            "reset_seconds": reset_s,
        }
        self._outbox.emit("rate_limits.updated", rate_limits=[limit])


def _audio_output(session: Settings, params: Settings) -> dict[str, Any]:
    held = session["audio"]["output"]
    given = params.get("audio", {}).get("output", {})
    return {key: given.get(key, held[key]) for key in ("format", "voice")}


def question_of(
    items: Iterable[Item], *, idle: bool = False, out_of_band: bool = False, calls: bool = True
) -> Question:
    """What a response to these items is to answer; `calls`: it may call functions."""
    items = list(items)
    latest: Item | None = None
    opening = True
    for item in items:
        if item.type == "function_call_output" or (item.type == "message" and item.role == "system"):
            continue
        opening = False
        latest = item if item.type == "message" and item.role == "user" else None
    text = pcm = None
    if latest is not None:
        written = [part.text or "" for part in latest.parts if not part.is_audio]
        text = " ".join(written) if written else None
        pcm = None if written else b"".join(part.pcm for part in latest.parts)
    return Question(
        text=text,
        pcm=pcm,
        past=past_of(items),
        opening=opening,
        idle=idle,
        waiting=not calls and _unanswered(items),
        out_of_band=out_of_band,
    )


def _unanswered(items: list[Item]) -> bool:
    called = {item.call_id for item in items if item.type == "function_call"}
    return not called <= {item.call_id for item in items if item.type == "function_call_output"}


def past_of(items: Iterable[Item]) -> tuple[Past, ...]:
    """What a brain remembers of these items."""
    past: list[Past] = []
    for item in items:
        if item.type == "function_call":
            past.append(Past(kind="call", name=item.name, text=item.text))
        elif item.type == "function_call_output":
            past.append(Past(kind="output", text=item.text))
        elif item.type == "mcp_call":
            past += [Past(kind="call", name=item.name, text=item.text), Past(kind="output", text=item.output or "")]
        elif item.type == "message" and item.role != "system":
            past.append(Past(kind=item.role, text=item.said))
    return tuple(past)
