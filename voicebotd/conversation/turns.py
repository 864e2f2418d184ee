"""Who said what: turns the events of both sides into records for the history.

A record is emitted when an item begins, and again, with the same ids, each time that more is known. The transcript of
an interrupted item is cut by the heard share of its audio, because the service tells no cut transcript.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from voicebotd.conversation.effects import (
    Effect,
    Publish,
    Record,
)
from voicebotd.conversation.events import (
    Role,
)
from voicebotd.conversation.ledger import Piece
from voicebotd.conversation.records import TurnRecord


class Turns:
    """The items of the present conversation that may still change."""

    MAX_OPEN = 256
    """Transcripts may come late or never; the oldest open item is forgotten first (its record is written already)."""

    def __init__(self, conversation_id: str) -> None:
        self._conversation_id = conversation_id
        self._open: dict[str, TurnRecord] = {}
        self._text: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._typed: set[str] = set()
        self._unrecorded: set[str] = set()
        self._again: deque[str] = deque()
        """What was said to a session that is gone and is being told to the next one, which will name it anew."""
        self.count = 0

    def name(self, item_id: str) -> str:
        """By which name the history knows the item."""
        return self._names.get(item_id, item_id)

    def rename(self, item_id: str, known_as: str) -> None:
        """The service made this item of what it had announced under another name. One turn is one record.

        Not if somebody else's turn began meanwhile: then it is another turn.
        """
        if self.is_newest(known_as) and item_id != known_as and item_id not in self._open:
            self._names[item_id] = self.name(known_as)
            if len(self._names) > self.MAX_OPEN:
                del self._names[next(iter(self._names))]

    def is_newest(self, item_id: str) -> bool:
        """Whether no other turn began since this one did."""
        turn = self._open.get(self.name(item_id))
        return turn is not None and turn.number == self.count

    def said(self, item_id: str, role: Role, text: str) -> list[Effect]:
        """A message that was typed, by a person or a program: it is complete at once."""
        self._typed.add(item_id)
        return self._begin(item_id, role) + self._finish(item_id, text)

    def visitor_began(self, item_id: str) -> list[Effect]:
        if self._again and self.name(item_id) not in self._open:
            self._names[item_id] = self._again.popleft()
        return self._begin(self.name(item_id), "user")

    def visitor_spoke(self, item_id: str, audio_ms: int) -> list[Effect]:
        """How long it was, the service's padding included."""
        return self._change(item_id, audio_ms=audio_ms)

    def visitor_said(self, item_id: str, text: str) -> list[Effect]:
        """The transcript arrived; it may be before, during or after the answer."""
        item_id = self.name(item_id)
        known = [] if item_id in self._open else self._begin(item_id, "user")
        if item_id in self._names.values():
            # Perhaps the service also makes an item, under the name that it had announced, of what was said after that.
            text = f"{self._open[item_id].generated_text} {text}".strip()
        return known + self._finish(item_id, text)

    def visitor_unintelligible(self, item_id: str) -> list[Effect]:
        return self._change(self.name(item_id), status="failed")

    def assistant_began(self, item_id: str, response_id: str) -> None:
        """Recorded when it sounds or is over: a session that is lost before that leaves no empty answer behind."""
        self._unrecorded.add(item_id)
        self._begin(item_id, "assistant", response_id=response_id)

    def assistant_wrote(self, item_id: str, delta: str) -> None:
        if item_id in self._open:
            self._text[item_id] = self._text.get(item_id, "") + delta

    def assistant_sounds(self, item_id: str) -> list[Effect]:
        if item_id not in self._unrecorded:
            return []
        self._unrecorded.discard(item_id)
        return [Record(record=self._open[item_id])] if item_id in self._open else []

    def assistant_finished_writing(self, item_id: str, text: str) -> list[Effect]:
        """The service's final text, which replaces the deltas."""
        record = self._open.get(item_id)
        if record is None:
            return []
        self._text[item_id] = text
        heard_text = text if record.status == "completed" else record.heard_text
        return self._change(item_id, generated_text=text, heard_text=heard_text)

    def heard_to_the_end(self, piece: Piece) -> list[Effect]:
        text = self.text_of(piece.item_id)
        return self._change(
            piece.item_id,
            generated_text=text,
            heard_text=text,
            audio_ms=piece.received_ms,
            heard_ms=piece.heard_ms,
            status="completed",
        )

    def cut_short(self, piece: Piece) -> list[Effect]:
        """Playing stopped before the end of the piece, or before its beginning."""
        text = self.text_of(piece.item_id)
        return self._change(
            piece.item_id,
            generated_text=text,
            heard_text=heard_part(text, piece.heard_share),
            audio_ms=piece.received_ms,
            heard_ms=piece.heard_ms,
            interrupted=True,
            status="interrupted",
        )

    def is_under_way(self, item_id: str) -> bool:
        """Whether nothing is known yet of how much of the item was heard."""
        record = self._open.get(item_id)
        return record is None or record.status == "in_progress"

    def unheard(self, item_ids: list[str]) -> list[Effect]:
        """Items that were interrupted before anything of them sounded."""
        effects: list[Effect] = []
        for item_id in item_ids:
            text = self.text_of(item_id)
            effects += self._change(item_id, generated_text=text, interrupted=True, status="interrupted")
        return effects

    def written(self, item_ids: list[str], completed: bool) -> list[Effect]:
        """Items of a finished response that have no audio: what was written is as good as heard."""
        effects: list[Effect] = []
        for item_id in item_ids:
            effects += self._finish(item_id, self.text_of(item_id), status="completed" if completed else "interrupted")
        return effects

    # When the session goes.

    def so_far(self) -> list[TurnRecord]:
        """The turns, oldest first, with what was written until now."""
        return [
            replace(record, generated_text=record.generated_text or self.text_of(record.item_id))
            for record in self._open.values()
        ]

    @property
    def awaits_words(self) -> bool:
        """Whether the transcript of the visitor's last turn is to come."""
        spoken = [one for one in self._open.values() if one.role == "user" and one.item_id not in self._typed]
        return bool(spoken) and spoken[-1].status == "in_progress"

    def spoken_after(self, number: int) -> list[str]:
        """What the visitor said aloud after the turn of that number."""
        return [
            record.item_id
            for record in self._open.values()
            if record.role == "user" and record.number > number and record.item_id not in self._typed
        ]

    def forget_unrecorded(self) -> None:
        """What began and never sounded was lost with its session."""
        for item_id in [item_id for item_id in reversed(self._open) if item_id in self._unrecorded]:
            self._text.pop(item_id, None)
            self.count -= self._open.pop(item_id).number == self.count  # the number of the newest is free again
        self._unrecorded.clear()

    def told_again(self, item_ids: Iterable[str]) -> None:
        """A new session hears these again: what it makes of them is the same turns."""
        self._again = deque(item_ids)
        for item_id in self._again:
            self._open[item_id] = replace(self._open[item_id], generated_text="", heard_text="", status="in_progress")

    def told(self) -> list[Effect]:
        """It has answered: what it made no turn of was part of another."""
        missing, self._again = self._again, deque()
        effects = [effect for item_id in missing for effect in self._change(item_id, status="failed")]
        for item_id in missing:
            self._open.pop(item_id, None)  # no other session is to be told of it
        return effects

    def text_of(self, item_id: str) -> str:
        return self._text.get(item_id, "")

    def _finish(self, item_id: str, text: str, status: str = "completed") -> list[Effect]:
        return self._change(item_id, generated_text=text, heard_text=text, status=status)

    def _begin(self, item_id: str, role: Role, **known: Any) -> list[Effect]:
        if item_id in self._open:
            return []
        self.count += 1
        record = TurnRecord(
            conversation_id=self._conversation_id, item_id=item_id, number=self.count, role=role, **known
        )
        self._open[item_id] = record
        if len(self._open) > self.MAX_OPEN:
            oldest = next(iter(self._open))
            del self._open[oldest]
            self._text.pop(oldest, None)
            self._typed.discard(oldest)
            self._unrecorded.discard(oldest)
        return [Record(record=record)]

    def _change(self, item_id: str, **known: Any) -> list[Effect]:
        record = self._open.get(item_id)
        if record is None:
            return []
        self._unrecorded.discard(item_id)
        changed = self._open[item_id] = replace(record, **known)
        if changed == record:
            return []
        effects: list[Effect] = [Record(record=changed)]
        if changed.status != "in_progress":
            effects.append(
                Publish(
                    topic="transcript",
                    data={
                        "item_id": item_id,
                        "role": changed.role,
                        "text": changed.generated_text,
                        "heard_text": changed.heard_text,
                        "interrupted": changed.interrupted,
                        "final": True,
                    },
                )
            )
        return effects


def heard_part(text: str, share: float) -> str:
    """Estimate which words were heard: the share of the characters, cut back to whole words."""
    if share >= 1.0:
        return text
    end = round(len(text) * share)
    if end >= len(text) or text[end : end + 1].isspace():
        return text[:end].rstrip()
    return text[: text.rfind(" ", 0, end) + 1].rstrip()
