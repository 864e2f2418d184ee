"""The shell performs each effect, in order, and answers whoever asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.core import Conversation
from voicebotd.conversation.manager import ConversationManager, Stamps
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.records import ConversationRecord, ToolCallRecord, TurnRecord, UsageRecord
from voicebotd.errors import CommandRefusedError

DEADLINE_S = 5.0
SESSION = ev.SessionView(instructions="", turn_detection=ev.TurnDetection())


class World:
    """A link and an audio manager that only take notes."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.notes: list[tuple[str, Any]] = []
        self.changed = asyncio.Event()
        policy = policy or Policy(instructions="", turn_detection=ev.TurnDetection())
        self.manager = ConversationManager(
            Conversation(policy),
            link=self,
            audio=self,
            tools=Functions(self),
            publish=lambda topic, data: self.note(f"publish {topic}", data),
            record=lambda record: self.note("record", record),
            cue=lambda cue: cue.encode(),
        )

    def note(self, what: str, detail: Any = None) -> None:
        self.notes.append((what, detail))
        self.changed.set()

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not met():
                self.changed.clear()
                await self.changed.wait()

    async def noted(self, what: str) -> Any:
        await self.until(lambda: any(name == what for name, _ in self.notes))
        return next(detail for name, detail in self.notes if name == what)

    async def connect(self) -> None:
        self.note("connect")

    async def disconnect(self) -> None:
        self.note("disconnect")

    def drop(self, reason: str, unheard_s: float) -> None:
        self.note("drop", (reason, unheard_s))

    def open_successor(self) -> None:
        self.note("open successor")

    def succeed(self) -> None:
        self.note("succeed")

    def send(self, effect: Any) -> None:
        self.note(type(effect).__name__, effect)

    def send_audio(self, pcm: bytes) -> None:
        self.note("audio", pcm)

    def play(self, item_id: str, content_index: int, pcm: bytes) -> None:
        self.note("play", (item_id, content_index, pcm))

    def flush(self, token: int) -> None:
        self.note("flush", token)

    def hold_input(self, hold: bool) -> None:
        self.note("hold", hold)

    def shape(self, *, gain_db: float, paused: bool) -> None:
        self.note("shape", (gain_db, paused))

    def detect(self, *, voice: bool, turns: fx.TurnRule | None) -> None:
        self.note("detect", (voice, turns))

    def ready(self, session: ev.SessionView = SESSION, session_id: str = "s") -> None:
        self.manager.post(ev.LinkReady(session_id=session_id, model="m", session=session))

    def sent(self) -> list[bytes]:
        """The audio that the service was sent, piece by piece."""
        audio = [detail for name, detail in self.notes if name in ("AppendAudio", "audio")]
        return [getattr(one, "pcm", one) for one in audio]

    async def start(self, session: ev.SessionView = SESSION) -> None:
        await self.manager.command(lambda number: cmd.StartConversation(request_id=number, conversation_id="c"))
        self.manager.post(ev.LinkReady(session_id="s", model="m", session=session))
        await self.until(lambda: self.manager.snapshot().state == "listening")


@dataclass
class Functions:
    """Functions that are only taken note of."""

    world: World

    def start(self, wish: fx.RunTool) -> None:
        self.world.note("run", wish)

    def cancel(self, call_id: str) -> None:
        self.world.note("cancel", call_id)


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    task = asyncio.create_task(world.manager.run())
    try:
        yield world
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def delta() -> ev.AudioDelta:
    return ev.AudioDelta(response_id="r", item_id="a", output_index=0, content_index=0, pcm=b"\0\0" * 240)


@pytest.mark.asyncio
async def test_what_the_model_calls_is_run_and_what_nobody_waits_for_any_more_is_cancelled() -> None:
    async with running(World()) as world:
        await world.start()
        world.manager.post(ev.ResponseCreated(response_id="r"))
        call = ev.FunctionCalled(response_id="r", item_id="f", call_id="k", name="book", arguments="{}")
        world.manager.post(ev.ResponseDone(response_id="r", status="completed", calls=(call,)))
        wish = await world.noted("run")
        assert (wish.call_id, wish.name, wish.arguments) == ("k", "book", "{}")
        await world.manager.command(lambda number: cmd.StopConversation(request_id=number))
        assert await world.noted("cancel") == "k"


@pytest.mark.asyncio
async def test_a_conversation_opens_the_link_plays_flushes_and_closes_it() -> None:
    policy = Policy(instructions="", turn_detection=ev.TurnDetection(), barge_in=ev.BargeIn(mode="immediate"))
    async with running(World(policy)) as world:
        await world.start()
        await world.noted("connect")
        world.manager.post(ev.ResponseCreated(response_id="r"))
        world.manager.post(delta())
        assert (await world.noted("play"))[0] == "a"
        world.manager.post(ev.SpeechStarted(item_id="u", audio_start_ms=0))
        token = await world.noted("flush")
        heard = ev.Heard(item_id="a", content_index=0, heard_samples=100)
        world.manager.post(ev.PlayoutFlushed(token=token, heard=(heard,)))
        assert (await world.noted("TruncateItem")).audio_end_ms == 4
        summary = await world.manager.command(lambda number: cmd.StopConversation(request_id=number))
        assert summary["seconds"] >= 0
        await world.noted("disconnect")


@pytest.mark.asyncio
async def test_a_new_conversation_gets_a_new_session_also_right_after_the_old_one() -> None:
    async with running(World()) as world:
        await world.start()
        world.notes.clear()
        stop = world.manager.command(lambda number: cmd.StopConversation(request_id=number))
        start = world.manager.command(lambda number: cmd.StartConversation(request_id=number, conversation_id="d"))
        await asyncio.gather(stop, start)
        await world.noted("connect")
        assert [name for name, _ in world.notes if name.endswith("connect")] == ["disconnect", "connect"]


@pytest.mark.asyncio
async def test_the_microphone_is_heard_only_while_it_is_open() -> None:
    async with running(World()) as world:
        world.manager.hear(b"too early")
        await world.start()
        world.manager.hear(b"now")
        assert [detail for name, detail in world.notes if name == "audio"] == [b"now"]


LOCAL_SESSION = ev.SessionView(instructions="", turn_detection=None)


def detecting_itself(prefix_padding_ms: int) -> World:
    detection = ev.TurnDetection(type="local", prefix_padding_ms=prefix_padding_ms)
    return World(Policy(instructions="", turn_detection=detection))


@pytest.mark.asyncio
async def test_what_was_heard_just_before_a_turn_goes_before_it_and_nothing_twice() -> None:
    async with running(detecting_itself(0)) as world:
        await world.start(LOCAL_SESSION)
        frames = [bytes([number]) * 480 for number in range(60)]
        for frame in frames[:40]:
            world.manager.hear(frame)
        world.manager.post(ev.LocalTurnStarted())
        await world.until(lambda: world.manager.snapshot().state == "hearing")
        world.manager.hear(frames[40])
        world.manager.post(ev.LocalTurnStopped(speech_ms=400))
        await world.noted("CommitInput")
        for frame in frames[41:43]:
            world.manager.hear(frame)
        world.manager.post(ev.LocalTurnStarted())
        await world.until(lambda: len([name for name, _ in world.notes if name == "AppendAudio"]) == 2)
        sent = [detail for name, detail in world.notes if name in ("AppendAudio", "audio")]
        expected = [b"".join(frames[20:40]), frames[40], b"".join(frames[41:43])]
        assert [getattr(one, "pcm", one) for one in sent] == expected


@pytest.mark.asyncio
async def test_much_that_was_heard_before_is_sent_in_pieces_and_an_ended_conversation_keeps_nothing() -> None:
    async with running(detecting_itself(5000)) as world:
        await world.start(LOCAL_SESSION)
        for _ in range(600):
            world.manager.hear(bytes(480))
        world.manager.post(ev.LocalTurnStarted())
        await world.until(lambda: world.manager.snapshot().state == "hearing")
        pieces = [len(detail.pcm) for name, detail in world.notes if name == "AppendAudio"]
        assert sum(pieces) == 5200 * 48
        assert max(pieces) == 500 * 48
        await world.manager.command(lambda number: cmd.StopConversation(request_id=number))
        world.manager.hear(bytes(480))
        world.notes.clear()
        await world.start(LOCAL_SESSION)
        world.manager.post(ev.LocalTurnStarted())
        await world.until(lambda: world.manager.snapshot().state == "hearing")
        assert not [name for name, _ in world.notes if name == "AppendAudio"]


@pytest.mark.asyncio
async def test_speech_over_a_reply_shapes_it_and_a_local_detector_is_asked_for_evidence() -> None:
    async with running(World()) as world:
        await world.start()
        assert await world.noted("detect") == (True, None)
        world.manager.post(ev.ResponseCreated(response_id="r"))
        world.manager.post(delta())
        world.manager.post(ev.PlayoutStarted(item_id="a", content_index=0))
        world.manager.post(ev.SpeechStarted(item_id="u", audio_start_ms=0))
        assert await world.noted("shape") == (-12.0, False)


@pytest.mark.asyncio
async def test_what_the_visitor_is_saying_when_a_session_is_lost_goes_before_what_is_heard_by_the_next() -> None:
    async with running(World()) as world:
        await world.start()
        frames = [bytes([number]) * 480 for number in range(130)]
        for frame in frames[:20]:
            world.manager.hear(frame)
        world.manager.post(ev.SpeechStarted(item_id="u", audio_start_ms=50))
        await world.until(lambda: world.manager.snapshot().state == "hearing")
        for frame in frames[20:100]:
            world.manager.hear(frame)
        world.manager.post(ev.LinkLost(reason="gone"))
        await world.until(lambda: world.manager.snapshot().state == "connecting")
        for frame in frames[100:129]:
            world.manager.hear(frame)
        world.notes.clear()
        world.ready()
        await world.noted("AppendAudio")
        world.manager.hear(frames[129])
        sent = world.sent()
        assert b"".join(sent) == b"".join(frames[5:])
        assert sent[-1] == frames[129]
        assert max(map(len, sent)) == 500 * 48, "servers refuse messages that are too big"


@pytest.mark.asyncio
async def test_between_two_sessions_nothing_is_sent_and_the_next_is_told_first_what_was_heard_meanwhile() -> None:
    async with running(World()) as world:
        await world.start()
        world.manager.hear(b"\1" * 480)
        asking = asyncio.create_task(world.manager.command(lambda number: cmd.RollSession(request_id=number)))
        await world.noted("open successor")
        world.manager.post(ev.SuccessorReady(within_s=60.0))
        await world.noted("succeed")
        world.notes.clear()
        world.manager.hear(b"\2" * 480)
        assert world.notes == []
        world.ready(session_id="s2")
        assert await asking == {"session_id": "s2"}
        world.manager.hear(b"\3" * 480)
        assert world.sent() == [b"\1" * 480 + b"\2" * 480, b"\3" * 480]


@pytest.mark.asyncio
async def test_where_the_next_session_died_just_then_the_present_one_hears_what_was_said_meanwhile() -> None:
    async with running(World()) as world:
        await world.start()
        world.manager.hear(b"\1" * 480)
        world.manager.post(ev.SuccessorReady(within_s=60.0))
        await world.noted("succeed")
        world.notes.clear()
        world.manager.hear(b"\2" * 480)
        world.manager.post(ev.SuccessorFailed(reason="reset"))
        await world.noted("AppendAudio")
        world.manager.hear(b"\3" * 480)
        assert world.sent() == [b"\2" * 480, b"\3" * 480]


@pytest.mark.asyncio
async def test_a_session_that_is_of_no_use_is_dropped() -> None:
    policy = Policy(instructions="", turn_detection=ev.TurnDetection(), answer_within_s=0.001)
    async with running(World(policy)) as world:
        await world.start()
        world.manager.post(ev.SpeechStarted(item_id="u", audio_start_ms=0))
        world.manager.post(ev.SpeechStopped(item_id="u", audio_end_ms=1))
        reason, _ = await world.noted("drop")
        assert reason == "the service did not answer in time"


@pytest.mark.asyncio
async def test_the_visitor_is_told_by_a_sound_that_there_is_no_link() -> None:
    async with running(World()) as world:
        await world.start()
        world.manager.post(ev.LinkLost(reason="gone", fatal=True))
        assert await world.noted("play") == ("cue:link_lost", 0, b"link_lost")


@pytest.mark.asyncio
async def test_a_refused_command_raises_with_kind_and_hint() -> None:
    async with running(World()) as world:
        with pytest.raises(CommandRefusedError) as refused:
            await world.manager.command(lambda number: cmd.TalkEnd(request_id=number))
        assert refused.value.kind == "conversation.not_running"
        assert refused.value.hint


@pytest.mark.asyncio
async def test_timers_fire_as_events() -> None:
    policy = Policy(instructions="", turn_detection=ev.TurnDetection(), answer_within_s=0.001)
    async with running(World(policy)) as world:
        await world.start()
        world.manager.post(ev.SpeechStarted(item_id="u", audio_start_ms=0))
        world.manager.post(ev.SpeechStopped(item_id="u", audio_end_ms=1))
        assert (await world.noted("publish error"))["code"] == "no_answer"


@pytest.mark.asyncio
async def test_a_file_is_held_while_it_is_answered() -> None:
    policy = Policy(instructions="", turn_detection=ev.TurnDetection(), source="file", hold_input="while_answering")
    async with running(World(policy)) as world:
        await world.start()
        assert [detail for name, detail in world.notes if name == "hold"] == [False]


@pytest.mark.asyncio
async def test_who_gave_up_waiting_is_not_answered_and_the_deed_is_done() -> None:
    async with running(World()) as world:
        await world.start()
        asking = asyncio.create_task(
            world.manager.command(lambda number: cmd.SendMessage(request_id=number, text="hi", respond=False))
        )
        message = await world.noted("CreateMessage")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        world.manager.post(ev.ItemAdded(item_id=message.item_id, item_type="message"))
        world.manager.post(ev.AudioLost(reason="x"))
        await world.noted("publish device")


@pytest.mark.asyncio
async def test_shutting_down_refuses_whoever_still_waits() -> None:
    world = World()
    async with running(world):
        await world.start()
        asking = asyncio.create_task(world.manager.command(lambda number: cmd.RequestResponse(request_id=number)))
        await world.noted("CreateResponse")
    with pytest.raises(CommandRefusedError) as refused:
        await asking
    assert refused.value.kind == "rpc.shutting_down"
    with pytest.raises(CommandRefusedError):
        await world.manager.command(lambda number: cmd.TalkBegin(request_id=number))


@pytest.mark.asyncio
async def test_a_full_inbox_drops_and_counts_events_and_refuses_commands() -> None:
    world = World()
    for _ in range(ConversationManager.INBOX_LIMIT + 3):
        world.manager.post(ev.PlayoutIdle())
    assert world.manager.dropped_events == 3
    with pytest.raises(CommandRefusedError):
        await world.manager.command(lambda number: cmd.TalkBegin(request_id=number))


@pytest.mark.asyncio
async def test_an_event_unknown_to_the_table_is_logged_and_life_goes_on() -> None:
    class Unheard(ev.Event):
        pass

    async with running(World()) as world:
        world.manager.post(Unheard())
        world.manager.post(ev.AudioLost(reason="x"))
        await world.noted("publish device")


def test_records_are_stamped_at_their_beginning_and_their_end() -> None:
    stamps = Stamps()
    turn = TurnRecord(conversation_id="c", item_id="i", number=1, role="user")
    assert stamps.stamp(turn, 10.0).started_at == 10.0
    over = stamps.stamp(TurnRecord(conversation_id="c", item_id="i", number=1, role="user", status="completed"), 12.0)
    assert (over.started_at, over.ended_at) == (10.0, 12.0)
    ended = stamps.stamp(ConversationRecord(conversation_id="c", end_reason="requested"), 13.0)
    assert ended.ended_at == 13.0
    for number in range(Stamps.MAX_REMEMBERED + 1):
        stamps.stamp(ConversationRecord(conversation_id=str(number)), 20.0)
    assert stamps.stamp(turn, 30.0).started_at == 30.0, "the oldest was forgotten"


def test_a_call_is_stamped_when_it_begins_and_when_it_is_over_whatever_else_has_its_id() -> None:
    stamps = Stamps()
    stamps.stamp(TurnRecord(conversation_id="c", item_id="x", number=1, role="user"), 1.0)
    call = ToolCallRecord(conversation_id="c", call_id="x", name="book", arguments="{}")
    began = stamps.stamp(call, 2.0)
    assert (began.started_at, began.ended_at) == (2.0, None)
    over = stamps.stamp(replace(call, status="timed_out"), 5.0)
    assert (over.started_at, over.ended_at) == (2.0, 5.0)


def test_usage_is_stamped_with_the_moment_in_which_it_is_told() -> None:
    stamps = Stamps()
    assert stamps.stamp(UsageRecord(conversation_id="c", source_id="r"), 7.0).started_at == 7.0
