"""One conversation with an audio file as the visitor: from the file to the document of what was said.

Owns the collecting of turns, calls, usage and timings. It has a stack of its own, so the box can talk meanwhile. Knows
neither the command line nor the control socket; both use it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from voicebotd.assembly import audio_options_of, build, file_policy_of
from voicebotd.audio.input_file import probe
from voicebotd.audio.options import FileOptions
from voicebotd.config.load import LoadedConfig
from voicebotd.control.contract_results import FileDocument, FileTimings, TokenUsage, ToolCall, Turn
from voicebotd.conversation import events as ev
from voicebotd.conversation.manager import Recorded
from voicebotd.conversation.records import ConversationRecord, TurnRecord
from voicebotd.errors import RealtimeError

Observer = Callable[[str, dict[str, Any]], None]
LET_GO_S = 5.0
"""How long the audio process may take to finish the recordings."""


async def hold(
    config: LoadedConfig,
    source: str | int,
    *,
    output_path: str | None = None,
    both_sides_path: str | None = None,
    pace: Literal["real_time", "fast"] | None = None,
    record: Recorded = lambda _: None,
    observe: Observer = lambda _topic, _data: None,
) -> FileDocument:
    """Hold the conversation; return what was said.

    Args:
        config: the whole configuration; the sound card in it is not used.
        source: path or open file descriptor of anything soundfile reads.
        output_path: WAV, 24 kHz mono, of what the loudspeaker would have played.
        both_sides_path: WAV, 24 kHz, left the visitor, right the assistant.
        pace: default: as configured.
        record: gets every record of the history.
        observe: gets everything that is published, as it happens.

    Raises:
        AudioError: the file cannot be used.
        RealtimeError: there is no link, or it was lost before the last answer.
    """
    facts = await asyncio.to_thread(probe, source)
    chosen = pace or config.settings.audio_file.pace
    minutes = Minutes(record, observe)
    options = replace(
        audio_options_of(config.settings, backend="file", file=FileOptions(input=source)),
        echo_control="none",  # a file cannot hear the loudspeaker
        file=FileOptions(input=source, output_path=output_path, pace=chosen),
        record_both_sides_path=both_sides_path,
    )
    policy = file_policy_of(config, chosen)
    stack = build(config, options, publish=minutes.publish, record=minutes.record, policy=policy)
    began_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stack.run(), name="file conversation")
        conversation_id = uuid.uuid4().hex
        await stack.manager.command(
            lambda number: ev.StartConversation(request_id=number, conversation_id=conversation_id)
        )
        await minutes.ended.wait()
        elapsed_s = time.monotonic() - began_s
        status = stack.audio.status
        await stack.audio.disconnect()
        running.cancel()
    if minutes.lost is not None:
        raise minutes.lost
    timings = FileTimings(
        input_ms=round(facts.duration_s * 1000),
        output_ms=status.played_ms,
        elapsed_s=round(elapsed_s, 3),
        first_audio_ms=minutes.first_audio_ms,
    )
    return minutes.document(conversation_id, timings)


class Minutes:
    """Takes the minutes of a conversation from what it publishes and records."""

    def __init__(self, record: Recorded, observe: Observer) -> None:
        self._record = record
        self._observe = observe
        self._turns: dict[str, TurnRecord] = {}
        self._calls: dict[str, ToolCall] = {}
        self._usage: Counter[str] = Counter()
        self._speech_ended_s: float | None = None
        self.first_audio_ms: list[int] = []
        self.lost: RealtimeError | None = None
        self.ended = asyncio.Event()

    def record(self, record: ConversationRecord | TurnRecord) -> None:
        if isinstance(record, TurnRecord):
            self._turns[record.item_id] = record
        self._record(record)

    def publish(self, topic: str, data: dict[str, Any]) -> None:
        match topic, data.get("event"), data.get("state"):
            case "turn", "speech_stopped", _:
                self._speech_ended_s = time.monotonic()
            case "state", _, "speaking":
                self._note_answer()
            case "state", _, "off":
                self.ended.set()
            case "link", _, "lost" | "refused":
                self.lost = RealtimeError(data["reason"], code=data["code"], hint=data["hint"])
            case "tool", _, _:
                self._note_call(data)
            case "usage", _, _:
                self._usage.update({name: data[name] for name in TokenUsage.__dataclass_fields__})
        self._observe(topic, data)

    def document(self, conversation_id: str, timings: FileTimings) -> FileDocument:
        turns = sorted(self._turns.values(), key=lambda turn: turn.number)
        return FileDocument(
            conversation_id=conversation_id,
            turns=[turn_result(turn) for turn in turns],
            tool_calls=list(self._calls.values()),
            usage=TokenUsage(**self._usage),
            timings=timings,
        )

    def _note_answer(self) -> None:
        if self._speech_ended_s is not None:
            self.first_audio_ms.append(round((time.monotonic() - self._speech_ended_s) * 1000))
            self._speech_ended_s = None

    def _note_call(self, data: dict[str, Any]) -> None:
        call_id = data["call_id"]
        known = self._calls.get(call_id)
        self._calls[call_id] = ToolCall(
            call_id=call_id,
            name=data["name"],
            arguments=known.arguments if known else data["arguments"],
            output=data.get("output", ""),
        )


def turn_result(turn: TurnRecord) -> Turn:
    """A turn as people and programs are shown it."""
    return Turn(
        item_id=turn.item_id,
        number=turn.number,
        role=turn.role,
        text=turn.generated_text,
        heard_text=turn.heard_text,
        audio_ms=turn.audio_ms,
        heard_ms=turn.heard_ms,
        interrupted=turn.interrupted,
        status=turn.status,
        started_at=turn.started_at,
        ended_at=turn.ended_at,
    )
