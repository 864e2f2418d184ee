"""A conversation with a file: real audio process, real websocket, real rehearsal server."""

import asyncio
import json
import os
from dataclasses import asdict, replace

import pytest
import soundfile
from websockets.asyncio.server import serve

from voicebotd import file_conversation
from voicebotd.accounts import Accounts
from voicebotd.config.load import change
from voicebotd.conversation import events as ev
from voicebotd.conversation.budget import Limits, NoTariff
from voicebotd.conversation.records import ConversationRecord, TurnRecord
from voicebotd.errors import AudioError, CommandRefusedError, RealtimeError
from voicebotd.file_conversation import Minutes, hold, turn_result
from voicebotd.rehearsal.server import RehearsalServer

pytestmark = pytest.mark.asyncio

QUICK = ("service.provider=rehearsal", "turn_detection.silence_duration_ms=300", "audio_file.pace=fast")
SAYS = "Are you still there?"


class Notes:
    """What a conversation records and publishes, and whether something has been published yet."""

    def __init__(self):
        self.records, self.published = [], []
        self.changed = asyncio.Event()

    def record(self, record):
        self.records.append(record)

    def observe(self, topic, data):
        self.published.append((topic, data))
        self.changed.set()

    async def until(self, topic, **wanted):
        async with asyncio.timeout(10):
            while not any(name == topic and wanted.items() <= data.items() for name, data in self.published):
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def at(directories, log):
    """The configuration of a quick conversation with a server."""
    return lambda server, **values: change(directories.load(*QUICK), {"service.base_url": server.url, **values})


def audio_processes():
    """The children of this process that are audio processes."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{pid}/cmdline", "rb") as command:
                if parent == os.getpid() and b"voicebotd.audio.engine" in command.read():
                    found.append(pid)
        except OSError:
            continue
    return found


async def test_the_document_of_an_open_file_tells_what_was_said_what_it_cost_and_how_long_it_took(
    at, short_brain, visitor, tmp_path
):
    notes, heard, both = Notes(), tmp_path / "heard.wav", tmp_path / "both.wav"
    descriptor = os.open(visitor, os.O_RDONLY)
    async with RehearsalServer(brain=short_brain) as server:
        document = await hold(
            at(server),
            descriptor,
            output_path=str(heard),
            both_sides_path=str(both),
            record=notes.record,
            observe=notes.observe,
        )
    os.close(descriptor)  # still the caller's
    assert [(turn.number, turn.role, turn.text, turn.heard_text) for turn in document.turns] == [
        (1, "user", "Thank you.", "Thank you."),
        (2, "assistant", SAYS, SAYS),
    ]
    assert document.turns[1].heard_ms == document.turns[1].audio_ms > 1000
    assert document.tool_calls == []
    assert document.usage.output_audio > 0
    assert document.usage.input_audio > 0
    assert document.usage.usd > 0
    assert document.end_reason == "the input ended"
    assert document.timings.input_ms == round(soundfile.info(visitor).duration * 1000)
    assert document.timings.output_ms == document.turns[1].audio_ms
    assert document.timings.elapsed_s > 0
    assert len(document.timings.first_audio_ms) == 1
    assert audio_processes() == []
    assert soundfile.info(heard).channels == 1
    assert soundfile.info(both).channels == 2
    assert soundfile.info(heard).duration * 1000 > document.timings.output_ms
    for path, frame_bytes in ((heard, 2), (both, 4)):
        assert soundfile.info(path).frames * frame_bytes + 44 == path.stat().st_size, "finished, not cut off"
    last = [record for record in notes.records if isinstance(record, ConversationRecord)][-1]
    assert (last.conversation_id, last.end_reason) == (document.conversation_id, "the input ended")
    assert last.source == "file"
    assert ("turn", "speech_started") in [(topic, data.get("event")) for topic, data in notes.published]


@pytest.mark.parametrize("kind", ["missing", "empty", "not audio", "a directory"])
async def test_what_is_no_audio_is_refused_before_anything_begins(directories, tmp_path, kind):
    path = tmp_path / "visitor.wav"
    if kind == "empty":
        path.touch()
    elif kind == "not audio":
        path.write_text("Dear diary")
    elif kind == "a directory":
        path.mkdir()
    notes = Notes()
    with pytest.raises(AudioError, match=r"visitor\.wav") as refused:
        await hold(directories.load(*QUICK), str(path), observe=notes.observe)
    assert "\n" not in refused.value.message
    assert notes.published == []


@pytest.mark.parametrize("option", ["output_path", "both_sides_path"])
async def test_an_output_that_cannot_be_written_is_refused_before_anything_begins(directories, visitor, option):
    notes = Notes()
    with pytest.raises(AudioError, match=r"/nowhere/out\.wav"):
        await hold(directories.load(*QUICK), str(visitor), observe=notes.observe, **{option: "/nowhere/out.wav"})
    assert notes.published == []


async def test_the_input_is_not_overwritten_by_the_output(directories, visitor, tmp_path):
    path, other_name = tmp_path / "visitor.ogg", tmp_path / "heard.wav"
    path.write_bytes(visitor.read_bytes())
    other_name.hardlink_to(path)
    with pytest.raises(AudioError, match="input"):
        await hold(directories.load(*QUICK), str(path), output_path=str(other_name))
    assert path.read_bytes() == visitor.read_bytes()


async def test_without_a_link_it_says_why(directories, log, visitor):
    notes = Notes()
    config = directories.load(*QUICK, "service.base_url=ws://127.0.0.1:9/v1")
    with pytest.raises(RealtimeError) as failed:
        await hold(config, str(visitor), record=notes.record)
    assert "refused" in failed.value.message
    assert failed.value.retryable
    assert notes.records[-1].end_reason.startswith("link lost")
    assert audio_processes() == []


async def test_without_a_key_it_is_no_use_to_try_again(at_home, log, visitor):
    with pytest.raises(RealtimeError) as failed:
        await hold(at_home.load("service.base_url=wss://127.0.0.1:9/v1"), str(visitor))
    assert not failed.value.retryable
    assert failed.value.code == "missing_api_key"
    assert "OPENAI_API_KEY" in failed.value.hint


async def test_who_hangs_up_leaves_no_process_no_link_and_an_end_in_the_history(at, short_brain, visitor, tmp_path):
    notes, journal = Notes(), tmp_path / "journal"
    async with RehearsalServer(brain=short_brain, journal=journal) as server:
        config = at(server, **{"audio_file.pace": "real_time"})
        holding = asyncio.create_task(hold(config, str(visitor), record=notes.record, observe=notes.observe))
        await notes.until("turn", event="speech_started")
        assert len(audio_processes()) == 1
        holding.cancel()
        await asyncio.wait({holding}, timeout=5)
        assert holding.cancelled()
        assert audio_processes() == []
        async with asyncio.timeout(20):
            while '"closed"' not in journal.read_text():
                await asyncio.sleep(0)
    ended = [record for record in notes.records if isinstance(record, ConversationRecord)][-1]
    assert ended.end_reason == "broken off"
    assert ended.ended_at is not None


async def obstinate(websocket):
    """A service that agrees to the session, hears speech begin, and never finds that it stopped."""
    await websocket.send(json.dumps({"type": "session.created", "event_id": "e1", "session": {"id": "s"}}))
    heard = False
    async for line in websocket:
        message = json.loads(line)
        if message["type"] == "session.update":
            session = {**message["session"], "id": "s", "model": "m"}
            await websocket.send(json.dumps({"type": "session.updated", "event_id": "e2", "session": session}))
        elif message["type"] == "input_audio_buffer.append" and not heard:
            heard = True
            begun = {"type": "input_audio_buffer.speech_started", "event_id": "e3", "item_id": "i", "audio_start_ms": 0}
            await websocket.send(json.dumps(begun))


async def test_a_service_that_never_comes_to_an_end_is_left(directories, log, visitor, monkeypatch):
    monkeypatch.setattr(file_conversation, "ANSWER_S", 3.0)
    notes = Notes()
    async with serve(obstinate, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = directories.load(*QUICK, f"service.base_url=ws://127.0.0.1:{port}/v1")
        with pytest.raises(RealtimeError, match="did not come to its end") as failed:
            await hold(config, str(visitor), record=notes.record, observe=notes.observe)
    assert failed.value.code == "no_end"
    assert ("turn", "speech_started") in [(topic, data.get("event")) for topic, data in notes.published]
    ended = [record for record in notes.records if isinstance(record, ConversationRecord)][-1]
    assert ended.end_reason == "broken off"
    assert audio_processes() == []


# How long it may take.

SPEECH = ev.SpeechStarted(item_id="i", audio_start_ms=0)
ANSWER = ev.ResponseCreated(response_id="r")
INPUT_ENDED = ev.AudioInputEnded()


@pytest.fixture
def clock(monkeypatch):
    """Says when the time is up, as a function of what has happened; the clock stands still at 100 s."""
    monkeypatch.setattr(file_conversation, "ANSWER_S", 30.0)

    async def due(*events):
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: 100.0)
        limits = []

        def timeout(delay_s):
            limits.append(asyncio.timeouts.timeout(delay_s))
            return limits[0]

        monkeypatch.setattr(asyncio, "timeout", timeout)
        async with file_conversation._bounded(10.0) as watch:
            for event in events:
                watch(event)
            when = limits[0].when()
        monkeypatch.undo()
        return when - 100.0

    return due


@pytest.mark.parametrize("events", [(), (SPEECH,), (ANSWER,), (ev.PlayoutIdle(),)])
async def test_while_the_file_lasts_every_turn_may_take_the_file_and_an_answer(clock, events):
    assert await clock(*events) == 40.0


@pytest.mark.parametrize("events", [(INPUT_ENDED,), (SPEECH, INPUT_ENDED, ANSWER)])
async def test_after_the_file_there_is_time_for_one_answer(clock, events):
    assert await clock(*events) == 30.0


async def test_turns_grant_time_only_while_the_file_lasts(monkeypatch):
    monkeypatch.setattr(file_conversation, "ANSWER_S", 0.01)

    async def talk_on_after_the_file():
        async with file_conversation._bounded(0.0) as watch:
            while True:
                watch(ANSWER)
                await asyncio.sleep(0)

    with pytest.raises(RealtimeError, match="end"):
        await talk_on_after_the_file()


async def test_what_happens_when_the_time_is_up_already_changes_nothing(monkeypatch):
    monkeypatch.setattr(file_conversation, "ANSWER_S", 0.0)

    async def hear_more_while_it_ends():
        async with file_conversation._bounded(0.0) as watch:
            try:
                await asyncio.Event().wait()
            finally:
                watch(INPUT_ENDED)

    with pytest.raises(RealtimeError, match="end"):
        await hear_more_while_it_ends()


async def test_a_timeout_of_somebody_else_is_not_taken_for_ours():
    with pytest.raises(TimeoutError, match="theirs"):
        async with file_conversation._bounded(1.0):
            raise TimeoutError("theirs")


# The minutes.


def minutes_of(*published):
    minutes = Minutes(lambda _record: None, lambda _topic, _data: None)
    for topic, data in published:
        minutes.publish(topic, data)
    return minutes


def called(number):
    return ("tool", {"event": "called", "name": "book", "call_id": f"c{number}", "arguments": f'{{"n":{number}}}'})


def answered(number):
    return ("tool", {"event": "answered", "name": "book", "call_id": f"c{number}", "output": f"done {number}"})


TIMINGS = file_conversation.FileTimings(input_ms=1, output_ms=2, elapsed_s=3.0)


async def test_calls_are_listed_with_what_the_model_was_told():
    document = minutes_of(called(1), called(2), answered(1)).document("c", TIMINGS)
    assert [(call.call_id, call.arguments, call.output) for call in document.tool_calls] == [
        ("c1", '{"n":1}', "done 1"),
        ("c2", '{"n":2}', ""),
    ]


async def test_the_usage_of_all_responses_is_added_up():
    usage = asdict(ev.Usage(input_text=1, output_audio=2))
    more = {"event": "used", **usage, "audio_s": 1.5, "model": "m"}
    told = [
        ("usage", {**more, "session_usd": 0.01, "priced": True}),
        ("usage", {**more, "session_usd": 0.03, "priced": False}),
    ]
    warning = ("usage", {"event": "warning", "cap": "session"})
    document = minutes_of(*told, warning).document("c", TIMINGS)
    assert (document.usage.input_text, document.usage.output_audio, document.usage.cached_text) == (2, 4, 0)
    assert (document.usage.audio_s, document.usage.usd, document.unpriced) == (3.0, 0.03, ["m"])


async def test_turns_are_in_the_order_in_which_they_began_and_as_they_were_last_known():
    minutes = minutes_of()
    second = TurnRecord(conversation_id="c", item_id="b", number=2, role="assistant")
    for record in (
        second,
        TurnRecord(conversation_id="c", item_id="a", number=1, role="user", generated_text="Hello"),
        replace(second, generated_text="Good morning!", heard_text="Good", interrupted=True, status="interrupted"),
        ConversationRecord(conversation_id="c"),
    ):
        minutes.record(record)
    turns = minutes.document("c", TIMINGS).turns
    assert [(turn.item_id, turn.text, turn.heard_text, turn.interrupted) for turn in turns] == [
        ("a", "Hello", "", False),
        ("b", "Good morning!", "Good", True),
    ]


async def test_an_answer_to_nobodys_speech_is_not_timed():
    speaks = ("state", {"state": "speaking"})
    stopped = ("turn", {"event": "speech_stopped"})
    assert minutes_of(speaks).first_audio_ms == []
    assert len(minutes_of(stopped, speaks, speaks, stopped, speaks).first_audio_ms) == 2


@pytest.mark.parametrize(("state", "retryable"), [("lost", True), ("refused", False)])
async def test_a_lost_link_is_remembered_with_its_reason(state, retryable):
    told = ("link", {"state": state, "reason": "gone", "code": "x", "hint": "wait", "retry_in_s": 1.0})
    lost = minutes_of(told).lost
    assert (lost.message, lost.code, lost.hint, lost.retryable) == ("gone", "x", "wait", retryable)


async def test_a_turn_is_shown_with_all_that_is_known_of_it():
    record = TurnRecord(
        conversation_id="c",
        item_id="i",
        number=3,
        role="assistant",
        generated_text="all",
        heard_text="a",
        audio_ms=30,
        heard_ms=10,
        interrupted=True,
        status="interrupted",
        started_at=1.0,
        ended_at=2.0,
    )
    shown = asdict(turn_result(record))
    kept = asdict(record)
    assert shown.pop("text") == kept.pop("generated_text")
    assert shown == {name: kept[name] for name in shown}


async def test_a_file_for_which_there_is_no_money_is_not_heard(at, short_brain, visitor):
    notes = Notes()
    async with RehearsalServer(brain=short_brain) as server:
        with pytest.raises(CommandRefusedError, match="today's cap") as refused:
            await hold(at(server, **{"budget.daily_usd": 0}), str(visitor), record=notes.record)
        assert server.received == []
    assert refused.value.kind == "budget.exhausted"
    assert notes.records == []


async def test_what_a_file_spends_is_told_to_the_accounts_of_the_box(at, short_brain, visitor):
    class Ledger:
        async def spent(self, _since, _until, *, rehearsed):
            return 0

    told = []
    accounts = Accounts(Ledger(), Limits(), NoTariff())
    async with RehearsalServer(brain=short_brain) as server:
        with accounts.seat(told.append):
            document = await hold(at(server), str(visitor), accounts=accounts)
    spent = [event.nano_usd for event in told if isinstance(event, ev.SpentElsewhere)]
    assert sum(spent) / 1e9 == pytest.approx(document.usage.usd, abs=1e-6)
    assert spent
