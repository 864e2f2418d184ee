"""The response sequencer: never two active responses, every request answered once.

idle → requested → active(id) → idle. The service allows one response at a time in a conversation and drops a create
that comes too early (`conversation_already_has_active_response`), so creates wait here until `response.done`. Errors
are matched by `event_id`. Knows nothing of audio or of what a response says.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from voicebotd.conversation.effects import (
    CancelResponse,
    CreateResponse,
    Effect,
    Refuse,
    Reply,
)
from voicebotd.conversation.events import (
    Modality,
    ResponseCreated,
    ResponseDone,
    ServerError,
)

TAG = "voicebotd_request"
"""Metadata key that the service echoes: tells our responses from those of its own turn detection."""
ACTIVE_ALREADY = "conversation_already_has_active_response"
NOTHING_TO_CANCEL = "response_cancel_not_active"


Matter = Literal["cut", "noise", "limit"]
"""What may be out of order: in the service's conversation a reply that was cut is known in full until it is truncated,
and a noise is an item until it is deleted (a response that is created meanwhile is made of both); and the service's
rate limit may be reached."""

Purpose = Literal["answer", "outputs", "filler"]
"""What a response is for: to answer, to go on with the outputs of functions, to say that one takes a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A response that somebody wants. `reply_to` is the command to answer, if any; `tried`: it failed once.

    `words`: the model is told them with it, by a message; a session that knows nothing of that is told again.
    """

    event_id: str
    purpose: Purpose = "answer"
    instructions: str | None = None
    words: str = ""
    output: Modality | None = None
    reply_to: int | None = None
    wait: bool = False
    attempts: int = 0
    tried: bool = False
    last_tokens: int | None = None
    """The last response of the conversation: so many tokens at most, and no function is called. None: any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Why nothing more is created, for whoever asks."""

    kind: str
    message: str
    hint: str


class Responses:
    """Owns which response is active, requested, due by the service itself, queued or discarded."""

    MAX_QUEUED = 8
    """A ninth waiting request is refused: people do not wait for nine answers."""
    MAX_ATTEMPTS = 5
    MAX_REMEMBERED = 64
    """How many discarded responses are remembered; their deltas come within seconds."""

    def __init__(self) -> None:
        self._queue: deque[Request] = deque()
        self._requested: Request | None = None
        self._requested_is_unwanted = False
        self._due_is_unwanted = False
        self._otherwise: Request | None = None
        """What to create if the answer that is due by the service itself does not come."""
        self._key_is_held = False
        self._cancelling: str | None = None
        self._answering: Request | None = None
        """Whoever waits for the end of the active response."""
        self._made_of: Request | None = None
        """What the active response was asked for with; None: the service made it by itself."""
        self._discarded: deque[str] = deque(maxlen=self.MAX_REMEMBERED)
        self._held = False
        self._closed_by: Closed | None = None
        self._awaits: set[Matter] = set()
        self.active: str | None = None
        self.purpose: Purpose | None = None
        """What the response that began last is for; None: it was the service's own idea."""
        self.due = False

    @property
    def busy(self) -> bool:
        return self.due or self.active is not None or self._requested is not None

    @property
    def waiting(self) -> bool:
        """Whether a response is to be created as soon as the present one is over and all is in order."""
        return bool(self._queue) and not self._held

    @property
    def wanted(self) -> bool:
        """Whether an answer that somebody still wants is waiting, due or being made."""
        due = self.due and not self._due_is_unwanted
        requested = self._requested is not None and not self._requested_is_unwanted
        return bool(self._queue) or due or requested or self.generating

    @property
    def generating(self) -> bool:
        """Whether a response is being made that nobody has discarded."""
        return self.active is not None and self.active not in self._discarded

    @property
    def outputs_wait(self) -> bool:
        """Whether a response that goes on with outputs waits its turn."""
        return any(request.purpose == "outputs" for request in self._queue)

    @property
    def key_is_held(self) -> bool:
        """Whether the visitor speaks by the talk key."""
        return self._key_is_held

    @property
    def awaited(self) -> bool:
        """Whether `response.created` is to come."""
        return self.due or self._requested is not None

    def is_discarded(self, response_id: str) -> bool:
        return response_id in self._discarded

    def submit(self, request: Request) -> list[Effect]:
        """Create the response now, or as soon as the present one is done."""
        if len(self._queue) >= self.MAX_QUEUED:
            message = f"{self.MAX_QUEUED} responses are waiting already"
            return _refuse(request, "rpc.overloaded", message, retryable=True)
        self._queue.append(request)
        return self._advance()

    def first(self, request: Request) -> list[Effect]:
        """Create this before whatever waits."""
        self._queue.appendleft(request)
        return self._advance()

    def answer(self, request: Request) -> list[Effect]:
        """A turn is over: have it answered. The same answer serves whatever else waits and has no one to tell."""
        self._queue = deque(waiting for waiting in self._queue if waiting.reply_to is not None)
        return self.submit(request)

    def hold(self, *, by_key: bool = False) -> None:
        """The visitor speaks: create nothing until `release`. By the talk key: let nobody else create one either."""
        self._held = True
        self._key_is_held = by_key

    def release(self, *, service_answers: bool) -> list[Effect]:
        """The visitor's turn is over; `service_answers` if turn detection creates the response by itself."""
        self._held = self._key_is_held = False
        self._expect(service_answers)
        return self._advance()

    def close(self, why: Closed) -> list[Effect]:
        """Create nothing any more but the conversation's last response; refuse whoever waits for another."""
        self._closed_by = why
        return self._turn_away()

    def reopen(self) -> None:
        self._closed_by = None

    def _turn_away(self) -> list[Effect]:
        why = self._closed_by
        if why is None:
            return []
        away = [request for request in self._queue if request.last_tokens is None]
        self._queue = deque(request for request in self._queue if request.last_tokens is not None)
        return [effect for request in away for effect in _refuse(request, why.kind, why.message, hint=why.hint)]

    def wait_for(self, matter: Matter) -> None:
        """Create nothing before the service's conversation is in order again."""
        self._awaits.add(matter)

    def in_order(self, matter: Matter) -> list[Effect]:
        self._awaits.discard(matter)
        return self._advance()

    def expect(self, otherwise: Request | None = None) -> None:
        """The service announced that it answers by itself; `otherwise` is created if it does not in time."""
        self._expect(True)
        self._otherwise = otherwise

    def _expect(self, answers: bool) -> None:
        if answers:
            self.due, self._due_is_unwanted = True, False

    def created(self, event: ResponseCreated) -> list[Effect]:
        """Take note of a new active response: ours by its tag, else the service's own."""
        tag = event.metadata.get(TAG)
        request = self._requested
        ours = request is not None and (tag == request.event_id or (tag is None and not self.due))
        self._cancelling = None
        effects = _refuse(self._answering, "link.unavailable", "the service began another response")
        self.active, self._answering, self._made_of = event.response_id, None, request if ours else None
        self.purpose = request.purpose if request is not None and ours else None
        if request is None or not ours:
            unwanted = self._due_is_unwanted or self._key_is_held
            self._otherwise = None
            self.due = self._due_is_unwanted = False
            return effects + (self.discard(event_id=f"{event.response_id}-unwanted", cancel=True) if unwanted else [])
        self._requested = None
        if request.wait:
            self._answering = request
        elif request.reply_to is not None:
            effects.append(Reply(request_id=request.reply_to, result={"response_id": event.response_id}))
        if self._requested_is_unwanted:
            self._requested_is_unwanted = False
            effects += self.discard(event_id=f"{event.response_id}-unwanted", cancel=True)
        return effects

    def done(self, event: ResponseDone, text: str) -> list[Effect]:
        """A response is over: answer who waited for it, create the next."""
        if self.active is None:
            self.due, self._otherwise = False, None
        elif event.response_id != self.active:
            return []
        self.active = self._cancelling = self._made_of = None
        request, self._answering = self._answering, None
        effects: list[Effect] = []
        if request is not None and request.reply_to is not None:
            result = {"response_id": event.response_id, "status": event.status, "text": text}
            effects.append(Reply(request_id=request.reply_to, result=result))
        return effects + self._advance()

    def failed(self, error: ServerError) -> list[Effect] | None:
        """Deal with an error that our create or cancel caused; None if it was not about one."""
        if error.code == NOTHING_TO_CANCEL and self._cancelling is not None and error.event_id == self._cancelling:
            # The response is over, and its end was lost.
            return self.give_up_active()
        request = self._requested
        if request is None or error.event_id != request.event_id:
            return None
        self._requested = None
        self._requested_is_unwanted = False
        if error.code == ACTIVE_ALREADY and request.attempts + 1 < self.MAX_ATTEMPTS:
            self._queue.appendleft(replace(request, attempts=request.attempts + 1))
            self.due = self.active is None
            return []
        return _refuse(request, "link.unavailable", error.message) + self._advance()

    def discard(self, *, event_id: str, cancel: bool) -> list[Effect]:
        """Nothing more of the present response is wanted; `cancel` tells the service so."""
        self._requested_is_unwanted = self._requested is not None
        self._due_is_unwanted = self.due
        self._otherwise = None
        if self.active is None:
            return []
        if self.active not in self._discarded:
            self._discarded.append(self.active)
        if not cancel:
            return []
        self._cancelling = event_id
        return [CancelResponse(event_id=event_id, response_id=self.active)]

    def overdue(self, event_id: str) -> list[Effect] | None:
        """`response.created` did not come in time: ask once more. None: that was done already."""
        request, self._requested = self._requested, None
        if request is None:
            wanted = self.due and not self._due_is_unwanted
            request = self._otherwise or (Request(event_id=event_id) if wanted else None)
        elif self._requested_is_unwanted:
            request = None
        self.due = self._due_is_unwanted = self._requested_is_unwanted = False
        self._otherwise = None
        if request is None:
            return self._advance()
        if request.tried:
            self._requested = request  # so that whoever takes over knows what is owed
            return None
        self._queue.appendleft(replace(request, event_id=event_id, tried=True))
        return self._advance()

    def owed(self, *, begun: bool) -> Request | None:
        """Return the answer that is owed if the session ends now, with nobody to reply to. `begun`: something of the
        active response was received, so that it is not owed as a whole."""
        due = Request(event_id="") if self.due and not self._due_is_unwanted else None
        whole = self.generating and not begun and (self._answering is None)
        candidates = [
            (self._made_of or Request(event_id="")) if whole else None,
            None if self._requested_is_unwanted else self._requested,
            self._otherwise or due,
            *self._queue,
        ]
        wanted = [one for one in candidates if one is not None and one.purpose != "filler"]
        owed = next((one for one in wanted if one.reply_to is None or one is candidates[0]), None)
        return None if owed is None else replace(owed, reply_to=None, wait=False, attempts=0, tried=False)

    def again(self, event_id: str, *, as_asked: bool) -> Request:
        """The request for a second try of the active response, `as_asked` or without instructions of its own."""
        made_of = self._made_of or Request(event_id=event_id)
        return replace(
            made_of,
            event_id=event_id,
            instructions=made_of.instructions if as_asked else None,
            reply_to=None,
            wait=False,
            attempts=0,
            tried=True,
        )

    @property
    def is_last(self) -> bool:
        """Whether the active response is the one after which nothing more is created."""
        return self._made_of is not None and self._made_of.last_tokens is not None

    @property
    def is_second_try(self) -> bool:
        return self._made_of is not None and self._made_of.tried

    @property
    def is_awaited_by_somebody(self) -> bool:
        """Whether a command waits for the end of the active response, and is told how it ended."""
        return self._answering is not None

    def give_up_active(self) -> list[Effect]:
        """The end of the active response did not come in time, or was lost: go on without."""
        request, self._answering = self._answering, None
        self.active = self._cancelling = self._made_of = None
        return _refuse(request, "link.unavailable", "the end of the response was lost") + self._advance()

    def forget(self, kind: str, message: str) -> list[Effect]:
        """There is no session any more, or a person stopped everything: refuse whoever waits."""
        waiting = [self._answering, self._requested, *self._queue]
        if self.active is not None:
            self._discarded.append(self.active)
        self._queue.clear()
        self._answering = self._requested = self.active = self._cancelling = self._otherwise = self._made_of = None
        self._requested_is_unwanted = self._due_is_unwanted = self._held = self._key_is_held = self.due = False
        self._awaits &= {"limit"}  # which is the account's, not the session's
        return [effect for request in waiting for effect in _refuse(request, kind, message, retryable=True)]

    def drop_queue(self, kind: str, message: str) -> list[Effect]:
        """A hard stop also means the answers that were to follow."""
        waiting = list(self._queue)
        self._queue.clear()
        return [effect for request in waiting for effect in _refuse(request, kind, message)]

    def drop_outputs(self) -> None:
        """The response that began just now knows the outputs that another was to go on with."""
        self._queue = deque(request for request in self._queue if request.purpose != "outputs")

    def _advance(self) -> list[Effect]:
        away = self._turn_away()
        if self._held or self._awaits or self.busy or not self._queue:
            return away
        request = self._requested = self._queue.popleft()
        return [
            *away,
            CreateResponse(
                event_id=request.event_id,
                instructions=request.instructions,
                output=request.output,
                calls_functions=request.last_tokens is None and request.purpose != "filler",
                max_output_tokens=request.last_tokens,
                metadata={TAG: request.event_id},
            ),
        ]


def _refuse(
    request: Request | None, kind: str, message: str, *, hint: str = "", retryable: bool = False
) -> list[Effect]:
    if request is None or request.reply_to is None:
        return []
    return [Refuse(request_id=request.reply_to, kind=kind, message=message, hint=hint, retryable=retryable)]
