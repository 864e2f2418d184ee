"""One conversation with an audio file as the visitor: from the file to the document of what was said.

Owns the collecting of turns, calls, usage and timings, and how long all of it may take. It has a stack of its own, so
the box can talk meanwhile. Knows neither the command line nor the control socket; both use it.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Literal

from voicebotd.accounts import Accounts
from voicebotd.assembly import audio_options_of, build, file_policy_of
from voicebotd.audio.input_file import FileFacts, probe
from voicebotd.audio.options import FileOptions
from voicebotd.config.load import LoadedConfig
from voicebotd.control.contract_results import FileDocument, FileTimings, TokenUsage, ToolCall, Turn
from voicebotd.conversation import commands as cmd
from voicebotd.conversation import events as ev
from voicebotd.conversation.manager import ConversationManager, Recorded
from voicebotd.conversation.records import AnyRecord, ConversationRecord, TurnRecord
from voicebotd.errors import AudioError, CommandRefusedError, RealtimeError
from voicebotd.tools.toolbox import Toolbox

Observer = Callable[[str, dict[str, Any]], None]
COUNTED = ("input_text", "input_audio", "cached_text", "cached_audio", "output_text", "output_audio")
"""The kinds of tokens."""
ANSWER_S = 600.0
"""How long one answer may take: as much of one as the audio keeps for playing (audio/playback.py)."""
GOODBYE_S = 1.0
"""How long a conversation that is broken off may take to note its end."""


async def hold(
    config: LoadedConfig,
    source: str | int,
    *,
    output_path: str | None = None,
    both_sides_path: str | None = None,
    pace: Literal["real_time", "fast"] | None = None,
    record: Recorded = lambda _: None,
    observe: Observer = lambda _topic, _data: None,
    accounts: Accounts | None = None,
    toolbox: Toolbox | None = None,
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
        accounts: of the box whose money it spends; None: it is alone, and the day's cap is its own.
        toolbox: what the model may call; default: nothing.

    However it ends, by cancellation too, the audio process and the link are gone then, and the history knows the end.

    Raises:
        AudioError: a file cannot be used.
        RealtimeError: there is no link, it was lost before the last answer, or the conversation did not end.
        CommandRefusedError: there is no money for it (`budget.exhausted`).
    """
    facts = await asyncio.to_thread(_examined, source, [output_path, both_sides_path])
    pace = pace or config.settings.audio_file.pace
    minutes = Minutes(record, observe)
    options = audio_options_of(
        config.settings,
        backend="file",
        file=FileOptions(input=source, output_path=output_path, pace=pace),
        echo_control="none",  # a file cannot hear the loudspeaker
        record_both_sides_path=both_sides_path,
    )
    policy = file_policy_of(config, pace)
    conversation_id = uuid.uuid4().hex
    began_s = time.monotonic()
    async with _bounded(facts.duration_s) as watch:
        stack = build(
            config,
            options,
            publish=minutes.publish,
            record=minutes.record,
            watch=watch,
            policy=policy,
            toolbox=toolbox,
        )
        async with asyncio.TaskGroup() as group:
            running = group.create_task(stack.run(), name="file conversation")
            with nullcontext() if accounts is None else accounts.seat(stack.manager.post) as minutes.account:
                refused = await _converse(stack.manager, conversation_id, minutes.ended)
            elapsed_s, played_ms = time.monotonic() - began_s, stack.audio.status.played_ms
            await stack.audio.disconnect()  # lets it finish its recordings
            running.cancel()
    if refused is not None:
        raise refused
    if minutes.lost is not None:
        raise minutes.lost
    timings = FileTimings(
        input_ms=round(facts.duration_s * 1000),
        output_ms=played_ms,
        elapsed_s=round(elapsed_s, 3),
        first_audio_ms=minutes.first_audio_ms,
    )
    return minutes.document(conversation_id, timings)


def _examined(source: str | int, outputs: list[str | None]) -> FileFacts:
    """Raise AudioError now for what the audio process would only stumble over, again and again."""
    facts = probe(source)
    for path in filter(None, outputs):
        try:
            if Path(path).exists() and os.path.samefile(source, path):
                raise AudioError(f"{path}: is the input; name another file for the output")
            Path(path).open("ab").close()
        except OSError as error:
            raise AudioError(f"cannot write {path}: {error.strerror}") from None
    return facts


@asynccontextmanager
async def _bounded(duration_s: float) -> AsyncIterator[Callable[[ev.Event], None]]:
    """Give the conversation an end even where the service never comes to one. Yields what is to see every event.

    The core's timers notice an answer that does not begin and a silence after the file; neither an answer that never
    ends nor speech that is never found to have stopped. So each turn may take the length of the file and an answer,
    and what comes after the end of the file one answer.

    Raises RealtimeError when the time is up.
    """
    loop = asyncio.get_running_loop()
    to_come_s = duration_s

    def watch(event: ev.Event) -> None:
        nonlocal to_come_s
        if isinstance(event, ev.AudioInputEnded):
            to_come_s = 0.0
        elif not to_come_s or not isinstance(event, ev.SpeechStarted | ev.LocalTurnStarted | ev.ResponseCreated):
            return
        if not limit.expired():
            limit.reschedule(loop.time() + to_come_s + ANSWER_S)

    try:
        async with asyncio.timeout(duration_s + ANSWER_S) as limit:
            yield watch
    except TimeoutError as error:
        if not limit.expired():
            raise
        message = f"the conversation did not come to its end: nothing new for {to_come_s + ANSWER_S:.0f} s"
        raise RealtimeError(message, code="no_end") from error


async def _converse(
    manager: ConversationManager, conversation_id: str, ended: asyncio.Event
) -> CommandRefusedError | None:
    """Return the refusal of a conversation that may not be held. Raised here, a task group would wrap it."""
    try:
        await manager.command(lambda number: cmd.StartConversation(request_id=number, conversation_id=conversation_id))
    except CommandRefusedError as refused:
        return refused
    try:
        await ended.wait()
    except asyncio.CancelledError:
        with suppress(TimeoutError, CommandRefusedError):
            async with asyncio.timeout(GOODBYE_S):
                await manager.command(lambda number: cmd.StopConversation(request_id=number, reason="broken off"))
        raise
    return None


class Minutes:
    """Takes the minutes of a conversation from what it publishes and records."""

    def __init__(self, record: Recorded, observe: Observer) -> None:
        self._record = record
        self._observe = observe
        self._turns: dict[str, TurnRecord] = {}
        self._calls: dict[str, ToolCall] = {}
        self._usage: Counter[str] = Counter()
        self._audio_s = 0.0
        self._usd = 0.0
        self._end_reason = ""
        self._unpriced: set[str] = set()
        self._speech_ended_s: float | None = None
        self.first_audio_ms: list[int] = []
        self.lost: RealtimeError | None = None
        self.account: Recorded | None = None
        """Who adds up what the box spends."""
        self.ended = asyncio.Event()

    def record(self, record: AnyRecord) -> None:
        if isinstance(record, TurnRecord):
            self._turns[record.item_id] = record
        elif isinstance(record, ConversationRecord):
            self._end_reason = record.end_reason
        self._record(record)
        if self.account is not None:
            self.account(record)

    def publish(self, topic: str, data: dict[str, Any]) -> None:
        match topic, data.get("event"), data.get("state"):
            case "turn", "speech_stopped", _:
                self._speech_ended_s = time.monotonic()
            case "state", _, "speaking":
                self._note_answer()
            case "state", _, "off":
                self.ended.set()
            case "link", _, "lost" | "refused" as state:
                retryable = state == "lost"
                self.lost = RealtimeError(data["reason"], retryable=retryable, code=data["code"], hint=data["hint"])
            case "link", _, "ready":
                self.lost = None  # and nothing of the conversation with it
            case "tool", _, _:
                self._note_call(data)
            case "usage", "used", _:
                self._note_usage(data)
        self._observe(topic, data)

    def document(self, conversation_id: str, timings: FileTimings) -> FileDocument:
        turns = sorted(self._turns.values(), key=lambda turn: turn.number)
        return FileDocument(
            conversation_id=conversation_id,
            turns=[turn_result(turn) for turn in turns],
            tool_calls=list(self._calls.values()),
            usage=TokenUsage(**self._usage, audio_s=round(self._audio_s, 3), usd=self._usd),
            timings=timings,
            end_reason=self._end_reason,
            unpriced=sorted(self._unpriced),
        )

    def _note_answer(self) -> None:
        if self._speech_ended_s is not None:
            self.first_audio_ms.append(round((time.monotonic() - self._speech_ended_s) * 1000))
            self._speech_ended_s = None

    def _note_usage(self, data: dict[str, Any]) -> None:
        self._usage.update({name: data[name] for name in COUNTED})
        self._audio_s += data["audio_s"]
        self._usd = data["session_usd"]
        if not data["priced"]:
            self._unpriced.add(data["model"])

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
