"""The daemon from its start to its end, in this process: real socket and database, and once real sound from a file."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from voicebotd import daemon as module
from voicebotd.audio.child import AudioProcess
from voicebotd.audio.manager import AudioManager
from voicebotd.audio.options import Level
from voicebotd.config.catalogue import keys
from voicebotd.control.contract_results import FileDocument, FileTimings, TokenUsage
from voicebotd.conversation.commands import StopConversation
from voicebotd.conversation.records import ConversationRecord, UsageRecord
from voicebotd.daemon import Daemon
from voicebotd.errors import AudioError, ConfigError, VoicebotError
from voicebotd.functions import RETOOLED
from voicebotd.realtime.backoff import Backoff
from voicebotd.rehearsal.server import RehearsalServer
from voicebotd.store.conversations import ConversationRepository
from voicebotd.store.database import Database
from voicebotd.system.logging import get_level
from voicebotd.system.notify import Notifier

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("at_home", "log")]

DEADLINE_S = 10.0
OFFLINE = ("service.provider=rehearsal", "service.base_url=ws://127.0.0.1:9/v1")
IDLE = "conversation.autostart=false"
NO_HISTORY = "history.enabled=false"
DOCUMENT = FileDocument(
    conversation_id="c1",
    turns=[],
    tool_calls=[],
    usage=TokenUsage(),
    timings=FileTimings(input_ms=1, output_ms=2, elapsed_s=3.0),
)


class Client:
    """A client on the control socket. Events that come meanwhile are kept in `events`."""

    def __init__(self, path):
        self._path = str(path)
        self.events = []

    async def __aenter__(self):
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self._sock, self._path)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._sock)
        self.hello = await self.read()
        return self

    async def __aexit__(self, *_):
        self._writer.close()

    async def read(self):
        async with asyncio.timeout(DEADLINE_S):
            return json.loads(await self._reader.readline())

    async def call(self, method, *, fds=(), **params):
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"
        if fds:
            socket.send_fds(self._sock, [request], list(fds))
        else:
            self._writer.write(request)
        while "id" not in (answer := await self.read()):
            self.events.append(answer["params"])
        return answer.get("result") or answer["error"]

    async def until_event(self, topic, **wanted):
        while True:
            for event in self.events:
                if event["topic"] == topic and wanted.items() <= event["data"].items():
                    return event["data"]
            self.events.append((await self.read())["params"])


class Running:
    """A daemon that runs."""

    def __init__(self, home, load):
        self.home = home
        self.daemon = Daemon(load(), load_again=load)
        self.life = asyncio.create_task(self.daemon.run())

    @asynccontextmanager
    async def client(self):
        async with asyncio.timeout(DEADLINE_S):
            while not self.home.socket.exists():
                assert not self.life.done(), self.life.exception()
                await asyncio.sleep(0)
        async with Client(self.home.socket) as client:
            yield client

    async def stop(self):
        """By SIGTERM, as systemd does it."""
        if not self.life.done() and not self.daemon._stop.is_set():  # a second one would be meant for us
            os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            await self.life


@pytest.fixture
def silence(tmp_path):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(24_000, dtype=np.int16), 24_000)
    return path


@pytest.fixture
def start(at_home, silence, monkeypatch):
    """`async with start("key=value", …) as running:` stopped by SIGTERM. `sound`: with a real audio process."""

    async def no_process(**_):
        raise AudioError("no sound in this test", hint="none needed")

    @asynccontextmanager
    async def started(*set_words, sound=False):
        if not sound:
            monkeypatch.setattr(AudioProcess, "spawn", no_process)
        words = ("audio.backend=file", f"audio.input_device={silence}", *OFFLINE, *set_words)
        running = Running(at_home, lambda: at_home.load(*words))
        try:
            async with running.client():
                pass  # from here on signals are its business
            yield running
        finally:
            await running.stop()

    return started


@pytest.fixture
def manager(monkeypatch, tmp_path):
    """What the service manager is told, datagram by datagram."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))

        def told():
            messages = []
            while True:
                try:
                    messages.append(sock.recv(4096).decode())
                except BlockingIOError:
                    return messages

        yield told


def kept(home):
    """The conversations in the database: (end_reason, whether it has an end)."""
    with sqlite3.connect(home.database) as database:
        rows = database.execute("SELECT end_reason, ended_at IS NOT NULL FROM conversations ORDER BY sequence")
        found = rows.fetchall()
    database.close()
    return found


# The start.


async def test_with_autostart_a_conversation_begins_by_itself(start):
    async with start() as running, running.client() as client:
        status = await client.call("status.get")
    assert status["conversation"] is not None
    assert status["state"] == "connecting"


async def test_without_autostart_it_waits_to_be_asked(start, at_home):
    async with start(IDLE) as running, running.client() as client:
        status = await client.call("status.get")
        assert client.hello["params"]["state"] == status["state"] == "off"
    assert kept(at_home) == []


async def test_whoever_subscribes_finds_the_state_the_link_and_the_device(start):
    async with start(IDLE) as running, running.client() as client:
        subscribed = await client.call("events.subscribe")
        assert subscribed["snapshot"]["state"] == {"state": "off", "before": "off", "conversation_id": None}
        assert subscribed["snapshot"]["link"]["state"] == "off"
        assert "state" in subscribed["snapshot"]["device"]
        await client.call("conversation.start")
        assert (await client.until_event("state", state="connecting"))["before"] == "off"


async def test_ready_is_said_when_the_socket_takes_clients_and_stopping_is_the_last_word(
    start, at_home, manager, monkeypatch
):
    connected = []
    ready = Notifier.ready

    def ready_and_try(self, status=""):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(at_home.socket))
            connected.append(status)
        ready(self, status)

    monkeypatch.setattr(Notifier, "ready", ready_and_try)
    async with start() as running, running.client() as client:
        await client.call("status.get")
    told = manager()
    assert len(connected) == 1
    [ready_at] = [number for number, message in enumerate(told) if message.startswith("READY=1\nSTATUS=")]
    assert ready_at < len(told) - 1
    assert [message for message in told if message.startswith("STOPPING=1")] == [told[-1]]


async def test_the_service_manager_is_told_why_it_is_not_well(start, manager):
    async with start(IDLE) as running, running.client() as client:
        await client.call("events.subscribe", topics=["link"])
        await client.call("conversation.start")
        await client.until_event("link", state="lost")
        told = manager()
    assert any(message.startswith("STATUS=connecting: ") and "refused" in message for message in told)


async def test_a_second_daemon_does_not_begin(start, at_home):
    async with start(IDLE) as running:
        second = Daemon(at_home.load(*OFFLINE), load_again=at_home.load)
        with pytest.raises(VoicebotError, match="already running"):
            await second.run()
        async with running.client() as client:
            assert (await client.call("status.get"))["state"] == "off"


async def test_a_database_of_a_later_version_stops_the_start_and_leaves_no_socket(at_home):
    with sqlite3.connect(at_home.database) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    daemon = Daemon(at_home.load(*OFFLINE), load_again=at_home.load)
    with pytest.raises(ConfigError, match=r"history\.path"):
        await daemon.run()
    assert not at_home.socket.exists()


async def test_a_database_that_cannot_be_opened_is_no_reason_to_be_down(start, at_home, log):
    at_home.database.mkdir()
    async with start(IDLE) as running, running.client() as client:
        async with asyncio.timeout(DEADLINE_S):
            while (await client.call("status.get"))["health"]["history"]["ok"]:
                pass
        status = await client.call("status.get")
        assert (await client.call("history.list"))["data"]["kind"] == "history.unavailable"
    assert "not being saved" in status["reason"]
    assert status["hints"]
    assert "not being saved" in log.getvalue()


async def test_where_no_history_is_wanted_only_what_was_spent_is_kept(start, at_home):
    async with start(NO_HISTORY) as running, running.client() as client:
        health = (await client.call("status.get"))["health"]
        assert "history" not in health
        assert health["usage"]["state"] == "saving"
        assert (await client.call("history.list"))["data"]["kind"] == "history.unavailable"
        running.daemon._record_own(ConversationRecord(conversation_id="c"))
        running.daemon._record_own(UsageRecord(conversation_id="c", source_id="r", usd=0.25))
    with closing(sqlite3.connect(at_home.database)) as database:
        assert database.execute("SELECT count(*) FROM conversations").fetchone() == (0,)
        assert database.execute("SELECT usd FROM usage").fetchall() == [(0.25,)]


async def test_what_was_kept_long_enough_goes_at_the_start_and_when_the_days_are_changed(start, at_home):
    database = Database(at_home.database)
    await database.open()
    for name, days in (("month", 31), ("week", 8), ("day", 1)):
        moment = time.time() - days * 86_400
        await ConversationRepository(database).create(
            ConversationRecord(conversation_id=name, started_at=moment, ended_at=moment)
        )
    await database.close()

    async def left_is(client, *names):
        async with asyncio.timeout(DEADLINE_S):
            while {one["conversation_id"] for one in (await client.call("history.list"))["conversations"]} != {*names}:
                pass

    async with start(IDLE) as running, running.client() as client:
        await left_is(client, "week", "day")
        await client.call("config.set", values={"history.retention_days": 7})
        await left_is(client, "day")
        assert (await client.call("history.purge", older_than_days=0.5))["conversations"] == 1
        await left_is(client)


# What it costs.


def spent_before(home, usd, *, seconds_ago=0.0):
    """A day's spending of an earlier life, in play money as these daemons rehearse."""
    with closing(sqlite3.connect(home.database)) as database:
        database.execute(
            "INSERT INTO usage (conversation_id, source_id, kind, model, input_text, input_audio, cached_text,"
            " cached_audio, output_text, output_audio, audio_s, usd, started_at)"
            " VALUES ('c', 'r', 'response', 'rehearsal/m', 0, 0, 0, 0, 0, 0, 0, ?, ?)",
            (usd, time.time() - seconds_ago),
        )
        database.commit()


async def test_what_was_spent_today_before_a_restart_counts_and_nothing_is_begun(start, at_home, log):
    async with start(IDLE):
        pass
    spent_before(at_home, 0.25)
    async with start("budget.daily_usd=0.2") as running, running.client() as client:
        status = await client.call("status.get")
        assert (status["state"], status["usage"]["today_usd"], status["usage"]["exhausted"]) == ("off", 0.25, True)
        refused = await client.call("conversation.start")
        assert (refused["code"], refused["data"]["kind"]) == (1005, "budget.exhausted")
        assert "midnight" in refused["data"]["hint"]
        assert status["usage"]["hint"] in status["hints"]
    assert "no conversation is begun" in log.getvalue()


async def test_a_cap_that_is_raised_live_allows_conversations_at_once(start, at_home):
    async with start(IDLE):
        pass
    spent_before(at_home, 0.25)
    async with start(IDLE, "budget.daily_usd=0.2") as running, running.client() as client:
        changed = await client.call("config.set", values={"budget.daily_usd": 1.0})
        assert changed["values"]["budget.daily_usd"]["applied"] == "live"
        assert "conversation_id" in await client.call("conversation.start")


async def test_with_autostart_it_talks_again_when_the_day_has_turned(start, at_home):
    async with start(IDLE):
        pass
    spent_before(at_home, 0.25)
    async with start("budget.daily_usd=0.2") as running, running.client() as client:
        await client.call("events.subscribe", topics=["state"])
        accounts = running.daemon._accounts
        accounts._wall_clock_s = lambda: time.time() + 86_400
        await accounts.look()
        await client.until_event("state", state="connecting")
        assert (await client.call("status.get"))["usage"]["today_usd"] == 0.0


async def test_a_conversation_that_a_person_stopped_is_not_begun_again_by_a_new_day(start):
    async with start() as running, running.client() as client:
        await client.call("conversation.stop")
        accounts = running.daemon._accounts
        accounts._wall_clock_s = lambda: time.time() + 86_400
        await accounts.look()
        assert (await client.call("status.get"))["state"] == "off"


async def test_a_file_is_refused_when_the_money_of_the_day_is_spent(start, at_home, silence):
    async with start(IDLE):
        pass
    spent_before(at_home, 0.25)
    async with start(IDLE, "budget.daily_usd=0.2") as running, running.client() as client:
        with silence.open("rb") as file:
            refused = await client.call("file.process", fds=[file.fileno()])
    assert refused["data"]["kind"] == "budget.exhausted"


# The conversation, with files as microphone and loudspeaker.


async def test_a_visitor_in_a_file_is_answered_into_a_file_and_remembered(start, at_home, short_brain, visitor):
    heard = at_home.state / "heard.wav"
    async with RehearsalServer(brain=short_brain) as server:
        words = (
            f"service.base_url={server.url}",
            f"audio.input_device={visitor}",
            f"audio.output_device={heard}",
            "turn_detection.silence_duration_ms=200",
        )
        async with start(*words, sound=True) as running, running.client() as client:
            await client.call("events.subscribe", topics=["state", "transcript", "link", "device"])
            said = await client.until_event("transcript", role="assistant", final=True)
            status = await client.call("status.get")
            assert running.daemon._stack.audio.process_id is not None
        assert running.daemon._stack.audio.process_id is None
    assert said["text"] == "Are you still there?"
    assert (status["audio"]["streams"], status["link"]["state"]) == ("file", "ready")
    assert kept(at_home) == [("the daemon stopped", 1)]
    with sqlite3.connect(at_home.database) as database:
        turns = database.execute("SELECT role, heard_text, status FROM turns ORDER BY number").fetchall()
    database.close()
    assert turns == [("user", "Thank you.", "completed"), ("assistant", said["text"], "completed")]
    samples = soundfile.read(heard, dtype="int16")[0]
    assert np.abs(samples).max() > 1000, "the answer was written"
    assert len(samples) * 2 + 44 == heard.stat().st_size, "and the file was finished, not cut off"


async def test_where_it_is_wanted_the_sound_of_both_sides_is_kept_and_shown(start, at_home, short_brain, visitor):
    heard = at_home.state / "heard.wav"
    async with RehearsalServer(brain=short_brain) as server:
        words = (
            f"service.base_url={server.url}",
            f"audio.input_device={visitor}",
            f"audio.output_device={heard}",
            "turn_detection.silence_duration_ms=200",
            "history.recordings=true",
        )
        async with start(*words, sound=True) as running, running.client() as client:
            await client.call("events.subscribe", topics=["state", "transcript"])
            await client.until_event("transcript", role="assistant", final=True)
            assert (await client.call("status.get"))["health"]["recordings"]["state"] == "recording"
            await client.call("conversation.stop")
            async with asyncio.timeout(DEADLINE_S):
                while not (shown := await client.call("history.get"))["recordings"]:
                    pass
    [file] = shown["recordings"]
    sound, rate = soundfile.read(file, dtype="int16")
    played = soundfile.read(heard, dtype="int16")[0]
    assert rate == 24_000
    assert np.abs(sound[:, 0]).max() > 1000, "the visitor is on the left"
    answer = played[np.flatnonzero(played)[0] :][:2400]
    begins = np.flatnonzero(sound[:, 1])[0]
    assert np.array_equal(sound[begins : begins + len(answer), 1], answer), "and on the right what was played"


async def test_trouble_in_the_conversation_and_with_the_sound_is_logged(start, log):
    async with start(IDLE) as running:
        running.daemon._publish("error", {"code": "no_answer", "message": "the service did not answer in time"})
        async with asyncio.timeout(DEADLINE_S):
            while "sound is lost" not in log.getvalue():
                await asyncio.sleep(0)
    assert "the service did not answer in time" in log.getvalue()
    assert "no sound in this test" in log.getvalue()


# A file that a client brings.


async def test_a_file_is_processed_as_configured_now_and_kept_in_the_history(start, at_home, silence, monkeypatch):
    asked = []

    async def hold(config, source, *, output_path, pace, record, accounts, toolbox):
        asked.append((config.settings.turn_detection.threshold, output_path, pace))
        assert "schedule_appointment" in toolbox.catalogue.tools
        record(ConversationRecord(conversation_id="c1", source="file", started_at=1.0))
        return DOCUMENT

    monkeypatch.setattr("voicebotd.file_conversation.hold", hold)
    async with start(IDLE) as running, running.client() as client:
        await client.call("vad.set", threshold=0.6)
        with silence.open("rb") as file:
            answer = await client.call("file.process", fds=[file.fileno()], pace="fast")
    assert answer["conversation_id"] == "c1"
    assert asked == [(0.6, None, "fast")]
    assert len(kept(at_home)) == 1


# Reloading.


async def test_each_key_that_is_said_to_be_live_is_carried_out_somewhere(at_home):
    tuning = Daemon(at_home.load(*OFFLINE), load_again=at_home.load)._tuning
    said = {name for name, key in keys().items() if key.applies == "live"}
    asked = {name for name in said if name.startswith(("turn_detection.", "barge_in."))} | {"session.instructions"}
    read_when_needed = {"audio_file.pace", "conversation.profile"}
    read_when_needed |= {name for name in said if name.startswith("tools.appointments.")}
    assert said == asked | read_when_needed | RETOOLED | set(tuning._live) | set().union(*tuning._derived)


async def test_sound_and_log_change_at_once(start):
    async with start(IDLE) as running, running.client() as client:
        values = {"audio.volume_percent": 40, "audio.input_gain_db": 3.0, "log.level": "error"}
        await client.call("config.set", values=values)
        options = running.daemon._stack.audio.options
        assert (options.volume_percent, options.input_gain_db) == (40, 3.0)
        assert get_level() == "error"


async def test_the_rung_of_the_echo_ladder_changes_at_once(start):
    async with start(IDLE) as running, running.client() as client:
        audio = running.daemon._stack.audio
        assert audio.options.echo_control == "none", "a file hears no loudspeaker"
        await client.call("config.set", values={"audio.echo_control": "gate"})
        assert audio.options.echo_control == "gate"
        await client.call("config.set", values={"barge_in.mode": "off"})
        assert audio.options.echo_control == "half_duplex"
        echo = (await client.call("status.get"))["audio"]["echo"]
        assert (echo["rung"], "barge_in.mode" in echo["why"]) == ("half_duplex", True)


async def test_every_change_is_told_to_whoever_listens(start):
    async with start(IDLE) as running, running.client() as client:
        await client.call("events.subscribe", topics=["config"])
        await client.call("config.set", values={"audio.volume_percent": 40})
        told = await client.until_event("config", key="audio.volume_percent")
        assert told == {"key": "audio.volume_percent", "value": 40, "source": "rpc", "applied": "live"}


async def test_levels_are_made_only_while_somebody_listens(start, monkeypatch):
    wanted = []
    monkeypatch.setattr(AudioManager, "want_levels", lambda _self, on: wanted.append(on))
    async with start(IDLE) as running:
        async with running.client() as client:
            await client.call("events.subscribe", topics=["state"])
            assert wanted == []
            await client.call("events.subscribe", topics=["audio.level"])
            assert wanted == [True]
            running.daemon._stack.audio.on_level(Level(input_dbfs=-30.0, echo_dbfs=-60.0, voice=0.5, gate="open"))
            level = await client.until_event("audio.level")
            assert level == {"input_dbfs": -30.0, "echo_dbfs": -60.0, "voice": 0.5, "gate": "open"}
        async with asyncio.timeout(DEADLINE_S):
            while wanted != [True, False]:
                await asyncio.sleep(0)


async def test_a_profile_of_one_conversation_ends_with_it_however_it_ends(start):
    async with start(IDLE) as running, running.client() as client:
        await client.call("conversation.start", profile="noisy")
        assert (await client.call("vad.get"))["requested"]["threshold"] == 0.95
        manager = running.daemon._stack.manager
        await manager.command(lambda number: StopConversation(request_id=number, reason="by itself"))
        async with asyncio.timeout(DEADLINE_S):
            while (await client.call("vad.get"))["profile"] is not None:
                await asyncio.sleep(0)
        assert (await client.call("vad.get"))["requested"]["threshold"] == 0.85


async def test_another_address_is_tried_at_once(start, short_brain, monkeypatch):
    monkeypatch.setattr("voicebotd.realtime.backoff.Backoff.decide", hourly(Backoff.decide))
    async with RehearsalServer(brain=short_brain) as server, start(IDLE) as running, running.client() as client:
        await client.call("events.subscribe", topics=["link"])
        await client.call("conversation.start")
        await client.until_event("link", state="lost")
        await client.call("config.set", values={"service.base_url": server.url})
        await client.until_event("link", state="ready")


def hourly(decide):
    """The decision, but to wait for an hour."""
    return lambda self, failure, chance: replace(decide(self, failure, chance), delay_s=3600.0)


async def hang_up():
    os.kill(os.getpid(), signal.SIGHUP)


async def test_a_hangup_reloads_the_files(start, at_home):
    async with start(IDLE) as running, running.client() as client:
        at_home.config_file.write_text("turn_detection: {threshold: 0.6}\n")
        await hang_up()
        async with asyncio.timeout(DEADLINE_S):
            while (await client.call("vad.get"))["requested"]["threshold"] != 0.6:
                pass


async def test_a_hangup_with_a_broken_file_keeps_the_old_configuration_and_the_daemon(start, at_home, log):
    async with start(IDLE) as running, running.client() as client:
        at_home.config_file.write_text("turn_detection: {threshold: 6}\n")
        await hang_up()
        async with asyncio.timeout(DEADLINE_S):
            while "not reloaded" not in log.getvalue():
                await asyncio.sleep(0)
        assert (await client.call("vad.get"))["requested"]["threshold"] == 0.85
        at_home.config_file.write_text("turn_detection: {threshold: 0.6}\n")
        await hang_up()
        async with asyncio.timeout(DEADLINE_S):
            while (await client.call("vad.get"))["requested"]["threshold"] != 0.6:
                pass
    assert "turn_detection.threshold" in log.getvalue()


# The end.


async def test_the_end_is_clean(start, at_home):
    async with start() as running, running.client() as client:
        await client.call("status.get")
    assert kept(at_home) == [("the daemon stopped", 1)]
    assert not at_home.socket.exists()
    assert running.daemon._stack.link.status.state == "off"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_whoever_waits_for_an_answer_at_the_end_gets_one(start, silence, monkeypatch):
    began = asyncio.Event()

    async def hold(*_, **__):
        began.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("voicebotd.control.connection.GRACE_S", 0.1)
    monkeypatch.setattr("voicebotd.file_conversation.hold", hold)
    async with start(IDLE) as running, running.client() as client:
        with silence.open("rb") as file:
            asking = asyncio.create_task(client.call("file.process", fds=[file.fileno()]))
            await asyncio.wait_for(began.wait(), DEADLINE_S)
        await running.stop()
        assert (await asking)["data"]["kind"] == "rpc.shutting_down"


async def test_a_part_that_does_not_end_is_not_waited_for(start, monkeypatch):
    async def never(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "STOP_S", 0.1)
    async with start() as running:
        monkeypatch.setattr(running.daemon._archive.writer, "disconnect", never)
    assert running.life.done()


async def test_a_conversation_that_does_not_end_is_not_waited_for(start, monkeypatch):
    async def never(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "GOODBYE_S", 0.05)
    async with start() as running:
        monkeypatch.setattr(running.daemon._stack.manager, "command", never)
    assert running.life.done()


async def test_a_second_signal_ends_it_now(start, monkeypatch):
    done = []
    async with start(IDLE) as running:
        with monkeypatch.context() as patch:
            patch.setattr(module.os, "kill", lambda pid, number: done.append((pid, number)))
            patch.setattr(module.signal, "signal", lambda number, handler: done.append((number, handler)))
            running.daemon._stop_by_signal(signal.SIGINT)
            assert done == []
            running.daemon._stop_by_signal(signal.SIGINT)
    assert done == [(signal.SIGINT, signal.SIG_DFL), (os.getpid(), signal.SIGINT)]


async def test_a_part_that_fails_ends_the_daemon_with_the_reason(at_home, silence, monkeypatch):
    running = Running(at_home, lambda: at_home.load("audio.backend=file", f"audio.input_device={silence}", *OFFLINE))
    monkeypatch.setattr(running.daemon._stack.link, "run", broken)
    with pytest.raises(BaseExceptionGroup) as failed:
        await asyncio.wait_for(running.life, DEADLINE_S)
    assert failed.group_contains(ZeroDivisionError)
    assert not at_home.socket.exists()


async def broken():
    raise ZeroDivisionError
