"""One client's session: what each of its events does, what its audio does, and what time does.

Owns the order in which the parts act (input buffer, turn detector, conversation, responses) and turns every `Refusal`
into an `error` event. Pure: a message or probabilities and `now_s` in, server events out; it knows no socket, no clock
and no Silero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from voicebotd.rehearsal.brain import Brain
from voicebotd.rehearsal.faults import Doom, ServiceEffect
from voicebotd.rehearsal.input_buffer import InputBuffer
from voicebotd.rehearsal.items import Conversation, Item, Part, duration_ms, item_from_wire
from voicebotd.rehearsal.responses import Responses, past_of
from voicebotd.rehearsal.schema import check_event
from voicebotd.rehearsal.settings import Settings, TurnPolicy, apply_update, turn_policy
from voicebotd.rehearsal.usage import transcription_wire
from voicebotd.rehearsal.vad import TurnBegan, TurnDetector
from voicebotd.rehearsal.wire import Outbox, Refusal, ServerEvent

SHORTEST_COMMIT_MS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done now: `events` sent, then `heard` judged (see `Session.hear`), or the link closed."""

    events: list[ServerEvent] = field(default_factory=list)
    heard: bytes = b""
    close: Close | None = None


class Session:
    """`expires_s`: when the session ends, on the clock of `now_s`."""

    def __init__(self, *, outbox: Outbox, brain: Brain, settings: Settings, speed: float, expires_s: float) -> None:
        self._outbox = outbox
        self._brain = brain
        self._settings = settings
        self._policy: TurnPolicy = turn_policy(settings)
        self._expires_s = expires_s
        self._conversation = Conversation()
        self._responses = Responses(outbox, self._conversation, brain, speed=speed)
        self._buffer = InputBuffer()
        self._detector = TurnDetector()
        self._turn_id = ""
        self._turn_start_ms = 0
        self._ignores_update = False
        self._handlers: dict[str, Callable[[dict[str, Any], float], None]] = {
            "session.update": self._on_session_update,
            "input_audio_buffer.append": self._on_append,
            "input_audio_buffer.commit": self._on_commit,
            "input_audio_buffer.clear": self._on_clear,
            "conversation.item.create": self._on_item_create,
            "conversation.item.retrieve": self._on_item_retrieve,
            "conversation.item.delete": self._on_item_delete,
            "conversation.item.truncate": self._on_item_truncate,
            "response.create": self._on_response_create,
            "response.cancel": self._on_response_cancel,
        }

    @property
    def due_s(self) -> float:
        """When `tick` is to be called, unless something else happens before."""
        dues = (self._responses.due_s, self._idle_due_s, self._expires_s)
        return min(due for due in dues if due is not None)

    @property
    def _idle_due_s(self) -> float | None:
        silent_from_s, timeout_s = self._responses.silent_from_s, self._policy.idle_timeout_s
        return None if silent_from_s is None or timeout_s is None else silent_from_s + timeout_s

    # --- What happens ------------------------------------------------------------------------------------------------

    def begin(self) -> Step:
        self._outbox.emit("session.created", session=self._settings)
        return self._step()

    def receive(self, event: dict[str, Any], now_s: float) -> Step:
        """Take one event of the client. What it refuses it refuses whole, with one `error` event."""
        given_id = event.get("event_id")
        heard = b""
        try:
            checked = check_event(event)
            heard = checked.get("audio", b"")
            self._handlers[checked["type"]](checked, now_s)
        except Refusal as refusal:
            self._outbox.refuse(refusal, given_id if isinstance(given_id, str) else None)
        return self._step(heard)

    def refuse(self, refusal: Refusal) -> Step:
        """Take a message that is not even an event."""
        self._outbox.refuse(refusal)
        return self._step()

    def hear(self, probabilities: Iterable[float], now_s: float) -> Step:
        """Take how probable speech is in each next 32 ms of the audio that was received."""
        for probability in probabilities:
            change = self._detector.hear(probability, self._policy.rule)
            if isinstance(change, TurnBegan):
                self._begin_turn(change.at_ms, now_s)
            elif change is not None:
                self._end_turn(change.at_ms, now_s)
        return self._step()

    def tick(self, now_s: float) -> Step:
        """Take the passing of time."""
        if now_s >= self._expires_s:
            message = "Your session hit the maximum duration of 60 minutes."
            self._outbox.refuse(Refusal("session_expired", message))
            return Step(events=self._outbox.drain(), close=Close(code=1001, reason=message))
        self._responses.advance(now_s)
        idle_due_s = self._idle_due_s
        if idle_due_s is not None and now_s >= idle_due_s:
            self._time_out(now_s)
        return self._step()

    def suffer(self, effect: ServiceEffect, now_s: float) -> Step:
        """Take a rehearsed fault of the service itself."""
        if isinstance(effect, Doom):
            self._responses.doom(effect, now_s)
        else:
            self._ignores_update = True
        return self._step()

    def _step(self, heard: bytes = b"") -> Step:
        return Step(events=self._outbox.drain(), heard=heard)

    # --- The visitor's turns -----------------------------------------------------------------------------------------

    def _begin_turn(self, at_ms: int, now_s: float) -> None:
        self._turn_id = self._outbox.new_id("item")
        self._turn_start_ms = max(at_ms, self._buffer.start_ms)
        self._outbox.emit(
            "input_audio_buffer.speech_started", item_id=self._turn_id, audio_start_ms=self._turn_start_ms
        )
        if self._policy.interrupt_response and self._responses.active is not None:
            self._responses.cancel(None, "turn_detected", now_s)
        self._responses.silent_from_s = None

    def _end_turn(self, at_ms: int, now_s: float) -> None:
        self._outbox.emit("input_audio_buffer.speech_stopped", item_id=self._turn_id, audio_end_ms=at_ms)
        self._commit(self._turn_id, self._buffer.take(self._turn_start_ms, at_ms))
        if self._policy.create_response:
            self._answer_by_itself(now_s)

    def _answer_by_itself(self, now_s: float, *, idle: bool = False) -> None:
        try:
            self._responses.create(self._settings, {}, now_s, idle=idle)
        except Refusal as refusal:  # one is active still: the client chose interrupt_response false
            self._outbox.refuse(refusal)

    def _time_out(self, now_s: float) -> None:
        """The idle timeout: commit the silence and prompt the visitor, as the service does."""
        item_id = self._outbox.new_id("item")
        end_ms = self._buffer.end_ms
        waited_ms = round((self._policy.idle_timeout_s or 0) * 1000)
        start_ms = max(self._buffer.start_ms, end_ms - waited_ms)
        self._outbox.emit(
            "input_audio_buffer.timeout_triggered", item_id=item_id, audio_start_ms=start_ms, audio_end_ms=end_ms
        )
        self._commit(item_id, self._buffer.take(start_ms, end_ms), silent=True)
        self._answer_by_itself(now_s, idle=True)

    def _commit(self, item_id: str, pcm: bytes, *, silent: bool = False) -> None:
        part = Part(type="input_audio", pcm=bytearray(pcm))
        item = Item(item_id=item_id, type="message", role="user", parts=[part])
        previous_id = self._conversation.add(item)
        self._outbox.emit("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous_id)
        self._announce(item, previous_id)
        if self._settings["audio"]["input"]["transcription"] is not None:
            part.text = "" if silent else self._brain.hear(pcm, past_of(self._conversation))
            self._transcribe(item_id, part.text, duration_ms(pcm))

    def _transcribe(self, item_id: str, transcript: str, audio_ms: int) -> None:
        kind = "conversation.item.input_audio_transcription"
        if transcript:
            self._outbox.emit(f"{kind}.delta", item_id=item_id, content_index=0, delta=transcript)
        model = self._settings["audio"]["input"]["transcription"].get("model", "")
        usage = transcription_wire(model, transcript, audio_ms)
        self._outbox.emit(f"{kind}.completed", item_id=item_id, content_index=0, transcript=transcript, usage=usage)

    def _announce(self, item: Item, previous_id: str | None) -> None:
        self._outbox.emit("conversation.item.added", previous_item_id=previous_id, item=item.wire())
        self._outbox.emit("conversation.item.done", previous_item_id=previous_id, item=item.wire())

    # --- The client's events (checked; each raises Refusal before it changes anything) -------------------------------

    def _on_session_update(self, event: dict[str, Any], _now_s: float) -> None:
        settings = apply_update(self._settings, event["session"], voice_locked=self._responses.voice_locked)
        if not self._ignores_update:
            self._settings = settings
        self._ignores_update = False
        policy = turn_policy(self._settings)
        if policy != self._policy:
            self._policy = policy
            self._detector.forget()
        self._outbox.emit("session.updated", session=self._settings)

    def _on_append(self, event: dict[str, Any], _now_s: float) -> None:
        self._buffer.append(event["audio"])

    def _on_commit(self, _event: dict[str, Any], _now_s: float) -> None:
        held_ms = self._buffer.held_ms
        if held_ms < SHORTEST_COMMIT_MS:
            message = f"The input audio buffer holds {held_ms} ms; a commit needs {SHORTEST_COMMIT_MS} ms at least."
            raise Refusal("input_audio_buffer_commit_empty", message)
        self._detector.forget()
        self._commit(self._outbox.new_id("item"), self._buffer.take_all())

    def _on_clear(self, _event: dict[str, Any], _now_s: float) -> None:
        self._buffer.take_all()
        self._detector.forget()
        self._outbox.emit("input_audio_buffer.cleared")

    def _on_item_create(self, event: dict[str, Any], _now_s: float) -> None:
        item = item_from_wire(event["item"], item_id=self._outbox.new_id("item"), call_id=self._outbox.new_id("call"))
        self._announce(item, self._conversation.add(item, after=event.get("previous_item_id")))

    def _on_item_retrieve(self, event: dict[str, Any], _now_s: float) -> None:
        item = self._conversation.find(event["item_id"])
        self._outbox.emit("conversation.item.retrieved", item=item.wire(with_audio=True))

    def _on_item_delete(self, event: dict[str, Any], _now_s: float) -> None:
        self._conversation.delete(event["item_id"])
        self._outbox.emit("conversation.item.deleted", item_id=event["item_id"])

    def _on_item_truncate(self, event: dict[str, Any], _now_s: float) -> None:
        place = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
        self._conversation.truncate(**place)
        self._outbox.emit("conversation.item.truncated", **place)

    def _on_response_create(self, event: dict[str, Any], now_s: float) -> None:
        self._responses.create(self._settings, event.get("response") or {}, now_s)

    def _on_response_cancel(self, event: dict[str, Any], now_s: float) -> None:
        self._responses.cancel(event.get("response_id"), "client_cancelled", now_s)
