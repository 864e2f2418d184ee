"""A service that hears: it finds the visitor's sentences in the audio that it is really sent, and answers their words.

Owns one session as the service has it: its stream and detection, the items of its conversation, its responses. A
sentence is a word ("w1"); a transcript tells which sentences an item holds, a reply which ones it answers
("re(w1) ..."), so that a test can see what was heard twice, in part or never. Knows no box: effects in, events out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.events import BYTES_PER_MS

FRAME_MS = 50
FRAME_BYTES = FRAME_MS * BYTES_PER_MS
SURE_FRAMES = 2
"""So many frames of voice in a row are the beginning of a speech."""
LAG_S = 0.04
"""Until an event is with the box."""
DELTA = b"\x01\x00" * 2400
DELTA_MS = 100
WHOLE = 0.9
"""Who heard so much of a sentence understood it."""
NOTHING = 2
"""Of so few frames nobody can say what they were."""

Later = Callable[[float, ev.Event], None]
"""Have the box told of this after so many seconds, if the session still lives then."""


def frame(number: int) -> bytes:
    """What the microphone hears in the frame of that number."""
    return number.to_bytes(4, "little") + bytes(FRAME_BYTES - 4)


def numbers(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[at : at + 4], "little") for at in range(0, len(pcm), FRAME_BYTES)]


@dataclass(slots=True)
class Speech:
    """All frames of the visitor's sentences, by number."""

    of_frame: dict[int, str] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)

    def add(self, sentence: str, first: int, count: int) -> None:
        self.lengths[sentence] = count
        for number in range(first, first + count):
            self.of_frame[number] = sentence

    def words(self, frames: list[int]) -> str:
        """What is understood of these frames."""
        heard: dict[str, set[int]] = {}
        for number in frames:
            if (sentence := self.of_frame.get(number)) is not None:
                heard.setdefault(sentence, set()).add(number)
        return " ".join(
            sentence if len(found) >= WHOLE * self.lengths[sentence] else f"{sentence}-part"
            for sentence, found in heard.items()
            if len(found) > NOTHING
        )


@dataclass(slots=True)
class Item:
    item_id: str
    kind: str
    """The role of a message; or `call`, `output`."""
    text: str
    call_id: str = ""


@dataclass(slots=True)
class Response:
    response_id: str
    item_id: str
    answers: list[str]
    goes_on: bool
    """It was asked to finish an answer that was cut off, or only to say that it takes a while."""
    calls: str = ""
    """The sentence for which a function is called first."""
    deltas: int = 0
    metadata: dict[str, str] = field(default_factory=dict)


def answered_in(text: str) -> list[str]:
    return [word for group in re.findall(r"re\(([^)]*)\)", text) for word in group.split()]


class Session:
    """`calls`: sentences that take a function to answer. `length`: of a reply, in deltas. `mute`: it answers nobody;
    `deaf`: it is dead, and nobody has noticed."""

    def __init__(
        self, name: str, speech: Speech, later: Later, *, detection: ev.TurnDetection | None, calls: frozenset[str]
    ) -> None:
        self.name = name
        self.detection = detection
        self.items: list[Item] = []
        self.responses: dict[str, Response] = {}
        self.active: Response | None = None
        self.length = 20
        self.mute = False
        self.deaf = False
        self._speech = speech
        self._later = later
        self._calls = calls
        self._count = 0
        self._stream: list[int] = []
        self._buffer_from = 0
        self._voiced = self._silent = 0
        self._speaking = ""
        self._generated_ms = 0

    def _new(self, kind: str) -> str:
        self._count += 1
        return f"{self.name}{kind}{self._count}"

    # What it hears.

    @property
    def heard_ms(self) -> int:
        return len(self._stream) * FRAME_MS

    def hear(self, pcm: bytes) -> None:
        for number in [] if self.deaf else numbers(pcm):
            self._stream.append(number)
            self._detect(number in self._speech.of_frame)

    def _detect(self, voiced: bool) -> None:
        self._voiced = self._voiced + 1 if voiced else 0
        self._silent = 0 if voiced else self._silent + 1
        if self.detection is None or self.detection.type == "none":
            return
        if not self._speaking and self._voiced == SURE_FRAMES:
            self._speaking = self._new("u")
            margin = SURE_FRAMES + self.detection.prefix_padding_ms // FRAME_MS
            self._buffer_from = max(self._buffer_from, len(self._stream) - margin)
            self._tell(ev.SpeechStarted(item_id=self._speaking, audio_start_ms=self._buffer_from * FRAME_MS))
            if self.detection.interrupt_response:
                self.cancel()
        if self._speaking and self._silent * FRAME_MS >= self.detection.silence_duration_ms:
            item_id, self._speaking = self._speaking, ""
            self._tell(ev.SpeechStopped(item_id=item_id, audio_end_ms=self.heard_ms))
            self._commit(item_id)
            if self.detection.create_response:
                self._create("", {})

    def _commit(self, item_id: str) -> None:
        words = self._speech.words(self._stream[self._buffer_from :])
        self._buffer_from = len(self._stream)
        self.items.append(Item(item_id, "user", words))
        self._tell(ev.InputCommitted(item_id=item_id))
        self._tell(ev.ItemAdded(item_id=item_id, item_type="message", role="user"))
        self._later(2 * LAG_S, ev.UserTranscriptDone(item_id=item_id, transcript=words))

    # What it is told.

    def take(self, effect: fx.ToService | fx.UpdateSession) -> None:  # noqa: C901 (one flat case for each effect)
        if self.deaf:
            return
        match effect:
            case fx.AppendAudio(pcm=pcm):
                self.hear(pcm)
            case fx.UpdateSession(turn_detection=ev.TurnDetection() as detection):
                self.detection = None if detection.type in ("none", "local") else detection
                self._speaking = ""
                self._voiced = 0
                self._tell(ev.SessionUpdated(session=self.view))
            case fx.CreateMessage():
                self._insert(Item(effect.item_id, effect.role, effect.text), effect.previous_item_id)
            case fx.CreateFunctionCall():
                self._insert(Item(effect.item_id, "call", effect.arguments, effect.call_id))
            case fx.CreateFunctionOutput():
                assert any(item.call_id == effect.call_id for item in self.items), "an output needs its call"
                self._insert(Item(effect.item_id, "output", effect.output, effect.call_id))
            case fx.DeleteItem(item_id=item_id):
                self._find(item_id)
                self.items = [item for item in self.items if item.item_id != item_id]
            case fx.TruncateItem(item_id=item_id):
                self._find(item_id)
            case fx.CommitInput():
                self._speaking = ""
                self._commit(self._new("c"))
            case fx.ClearInput():
                self._buffer_from = len(self._stream)
            case fx.CreateResponse():
                self._create(effect.instructions or "", effect.metadata)
            case fx.CancelResponse():
                self.cancel()

    def _find(self, item_id: str) -> None:
        assert any(item.item_id == item_id for item in self.items), f"there is no item {item_id} in {self.name}"

    def _insert(self, item: Item, previous_id: str | None = None) -> None:
        self._tell(ev.ItemAdded(item_id=item.item_id, item_type=item.kind))
        assert all(item.item_id != other.item_id for other in self.items), "every item has a name of its own"
        if previous_id is None:
            self.items.append(item)
            return
        places = [place for place, other in enumerate(self.items) if other.item_id == previous_id]
        assert places or previous_id == "root", f"there is no item {previous_id} in {self.name}"
        self.items.insert(places[0] + 1 if places else 0, item)

    @property
    def view(self) -> ev.SessionView:
        return ev.SessionView(instructions="", turn_detection=self.detection)

    # What it answers.

    @property
    def open_words(self) -> list[str]:
        """What visitors said that no reply of this conversation answers."""
        answered = {word for item in self.items if item.kind == "assistant" for word in answered_in(item.text)}
        said = [word for item in self.items if item.kind == "user" for word in item.text.split()]
        return [word for word in dict.fromkeys(said) if word not in answered]

    def _create(self, instructions: str, metadata: dict[str, str]) -> None:
        assert self.active is None, "never two responses at once"
        if self.mute:
            return
        filler = "still at it" in instructions
        answers = [] if filler else [word for word in self.open_words if not self._runs(word)]
        response = Response(
            response_id=self._new("r"),
            item_id=self._new("a"),
            answers=answers,
            goes_on=filler or self._told_to_go_on,
            calls=next((word for word in answers if word in self._calls and not self._call_of(word)), ""),
            metadata=metadata,
        )
        self.active = self.responses[response.response_id] = response
        self._generated_ms = 0
        self._tell(ev.ResponseCreated(response_id=response.response_id, metadata=metadata))

    @property
    def _told_to_go_on(self) -> bool:
        return bool(self.items) and self.items[-1].kind == "system" and "cut off" in self.items[-1].text

    def _call_of(self, word: str) -> str:
        found = (item.call_id for item in self.items if item.kind == "call" and json.loads(item.text)["for"] == word)
        return next(found, "")

    def _runs(self, word: str) -> bool:
        """Whether a function was called for it that has no output yet."""
        call_id = self._call_of(word)
        return bool(call_id) and not any(item.kind == "output" and item.call_id == call_id for item in self.items)

    def generate(self, ms: int) -> None:
        """Time passes: a reply comes at twice the speed at which it is spoken."""
        if (response := self.active) is None:
            return
        self._generated_ms += ms
        same = {"response_id": response.response_id, "item_id": response.item_id}
        if self._generated_ms < 200:
            return  # it thinks
        if response.calls:
            self._call(response)
            return
        if not response.deltas:
            text = f"re({' '.join(response.answers)}) one two three four five six seven eight nine ten"
            self.items.append(Item(response.item_id, "assistant", text))
            self._tell(ev.OutputItemAdded(**same, output_index=0, item_type="message"))
            self._tell(ev.AssistantTextDelta(**same, content_index=0, delta=text))
        if response.deltas == self.length:
            self._finish(response, "completed")
            return
        response.deltas += 1
        self._tell(ev.AudioDelta(**same, output_index=0, content_index=0, pcm=DELTA))

    def _call(self, response: Response) -> None:
        call_id, arguments = self._new("k"), json.dumps({"for": response.calls})
        self.items.append(Item(response.item_id, "call", arguments, call_id))
        same = {"response_id": response.response_id, "item_id": response.item_id}
        self._tell(ev.FunctionCalled(**same, call_id=call_id, name="f", arguments=arguments))
        self._finish(response, "completed")

    def cancel(self) -> None:
        if self.active is not None:
            self._finish(self.active, "cancelled")

    def _finish(self, response: Response, status: Any) -> None:
        self.active = None
        self._tell(ev.AudioDone(response_id=response.response_id, item_id=response.item_id, content_index=0))
        self._tell(ev.ResponseDone(response_id=response.response_id, status=status))

    def _tell(self, event: ev.Event) -> None:
        self._later(LAG_S, event)
