"""What the tests of the client share: a daemon that answers what it is told to, on a real Unix socket."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from voicebotctl.cli import main
from voicebotd.control import contract_appointments as a
from voicebotd.control import contract_results as r
from voicebotd.control import contract_status as s
from voicebotd.control import contract_tools as t

DEADLINE_S = 10.0
HELLO = {"jsonrpc": "2.0", "method": "hello", "params": {"protocol": "1.0", "version": "0.1.0", "state": "off"}}

TURNS = [
    r.Turn(item_id="i1", number=1, role="user", text="Have you a free hour?", heard_text="Have you a free hour?"),
    r.Turn(item_id="i2", number=2, role="assistant", text="Yes, at ten.", heard_text="Yes,", interrupted=True),
]
BARGE_IN = s.BargeInSettings(
    mode="confirm", confirm_after_ms=500, min_speech_ms=1000, resume_delay_ms=800, duck_db=-12.0
)
STATUS = s.Status(
    state="listening",
    reason="",
    uptime_s=11_520.0,
    conversation=s.ConversationStatus(id="c1", started_at=1_700_000_000.0, turns=4),
    link=s.LinkStatus(
        state="ready", provider="openai", model="gpt-x", session_age_s=65.0, rollovers=0, last_error=None
    ),
    audio=s.AudioStatus(
        state="running",
        input="USB mic",
        output="USB speaker",
        streams="duplex",
        sample_rate_hz=48_000,
        latency_ms=21.4,
        echo_control="aec",
        xruns=0,
        respawns=0,
        input_level_dbfs=-30.0,
        muted=False,
        volume_percent=80,
        echo=s.EchoStatus(rung="aec", why="auto: the echo canceller is installed", aec_installed=True),
    ),
    vad=s.VadSettings(type="server_vad", threshold=0.7, silence_duration_ms=600, create_response=True),
    tools=[],
    usage=s.UsageStatus(today_usd=1.5, session_usd=0.0123, tokens=1234),
    health={"audio": s.HealthStatus(ok=True, state="running")},
    listening=True,
    hears=True,
    speaks=True,
    version="0.1.0",
    barge_in=BARGE_IN,
)
VAD = r.Vad(
    requested=s.VadSettings(type="server_vad", threshold=0.7, silence_duration_ms=600),
    effective=s.VadSettings(type="server_vad", threshold=0.7, silence_duration_ms=650),
    applied="live",
    barge_in=BARGE_IN,
)
CONFIG = r.Config(
    values={
        "turn_detection.threshold": r.ConfigValue(value=0.7, source="rpc", applied="live"),
        "service.model": r.ConfigValue(value="gpt-x", source="default", applied="reconnect"),
    }
)
SPOKEN = r.ModelUsage(
    model="gpt-realtime-2.1",
    kind="response",
    count=2,
    priced=True,
    input_text=15,
    cached_text=4,
    output_audio=150,
    usd=0.009602,
)
WRITTEN = r.ModelUsage(model="gpt-transcribe", kind="transcription", count=1, priced=True, audio_s=30.0, usd=0.00225)
ENTRY = r.HistoryEntry(conversation_id="c1", started_at=1000.0, ended_at=1065.0, model="gpt-x", turns=2)
FUNCTION = t.ToolEntry(
    name="opening_hours",
    description="Tell when the shop is open.",
    source="/etc/voicebotd/tools/hours.py",
    group="hours",
    enabled=True,
    timeout_s=20.0,
    parameters={
        "type": "object",
        "properties": {
            "day": {"type": "string", "enum": ["monday", "tuesday"]},
            "code": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["day"],
    },
)
APPOINTMENT = a.AppointmentEntry(
    appointment_id="a1",
    service="consultation",
    name="Anna Meyer",
    code="417209",
    date="2026-03-04",
    time="10:00",
    until="10:30",
    starts_at=1_772_614_800,
    ends_at=1_772_616_600,
    zone="Europe/Berlin",
    status="booked",
    created_at=1_772_000_000,
    changed_at=1_772_000_000,
)
ANSWERS: dict[str, Any] = {
    "status.get": STATUS,
    "conversation.start": r.ConversationStarted(conversation_id="c1"),
    "conversation.roll": r.ConversationRolled(session_id="sess_2"),
    "conversation.stop": r.ConversationStopped(summary=r.ConversationSummary(turns=4, seconds=130.0, usd=0.031)),
    "message.send": r.MessageSent(item_id="i3"),
    "response.request": r.ResponseRequested(response_id="r1", text="Good morning!"),
    "response.interrupt": r.ResponseInterrupted(heard_ms=740, item_id="i2"),
    "instructions.get": r.Instructions(effective="Be kind.", runtime=None),
    "instructions.set": r.Instructions(effective="Be kind.\nFrench.", runtime="French."),
    "instructions.clear": r.Instructions(effective="Be kind.", runtime=None),
    "vad.get": VAD,
    "vad.set": VAD,
    "config.get": CONFIG,
    "config.set": CONFIG,
    "config.reload": r.Config(values={}),
    "audio.devices": r.Devices(
        devices=[
            r.Device(
                index=0,
                name="USB mic",
                host_api="ALSA",
                input_channels=1,
                output_channels=0,
                default_sample_rate_hz=48_000,
                selected=True,
            )
        ]
    ),
    "audio.select": r.AudioSelected(input="USB mic", output="2"),
    "audio.mute": r.AudioMuted(muted=True),
    "audio.volume": r.AudioVolume(percent=50),
    "audio.selftest": r.Selftest(
        latency_ms=61.5,
        echo_return_loss_db=6.0,
        noise_floor_dbfs=-62.0,
        verdict="The room suits it.",
        recommended=r.SelftestRecommendation(echo_control="aec", volume_percent=80),
    ),
    "talk.begin": r.Talk(talking=True),
    "talk.end": r.Talk(talking=False, committed=True),
    "file.process": r.FileDocument(
        conversation_id="c2",
        turns=TURNS,
        tool_calls=[],
        usage=r.TokenUsage(),
        timings=r.FileTimings(input_ms=1000, output_ms=2000, elapsed_s=3.0),
    ),
    "usage.get": r.UsageReport(
        days=[r.UsageDay(date="2026-11-29", usd=0.011852, models=[SPOKEN, WRITTEN])],
        status=s.UsageStatus(today_usd=0.011852, session_usd=0.009602, tokens=165),
        daily_cap_usd=0.02,
        session_cap_usd=None,
    ),
    "history.list": r.HistoryList(conversations=[ENTRY]),
    "history.get": r.HistoryConversation(conversation=ENTRY, turns=TURNS),
    "history.search": r.HistoryFound(
        hits=[
            r.HistoryHit(
                conversation_id="c1",
                item_id="i1",
                number=1,
                role="user",
                started_at=1000.0,
                snippet="Have you a table\nfor two?",
                marks=[[11, 16], [21, 24]],
            )
        ],
        next=41,
    ),
    "tools.list": t.ToolList(
        tools=[FUNCTION], faults=[t.ToolFault(source="/etc/voicebotd/tools/bad.py", message="line 3: invalid syntax")]
    ),
    "tools.approve": t.ToolDecided(id="a1", approved=True, server="docs", name="pay"),
    "tools.call": t.ToolCalled(name="opening_hours", output="from nine to five", duration_ms=3),
    "appointments.list": a.AppointmentList(appointments=[APPOINTMENT], time_zone="Europe/Berlin", more=False),
    "appointments.export": a.AppointmentsExport(calendar="BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", count=1),
    "appointments.cancel": a.AppointmentCancelled(appointment=APPOINTMENT),
    "history.export": r.HistoryExported(text='{"record": "turn"}\n', next=None),
    "history.purge": r.HistoryPurged(
        conversations=2, turns=9, tool_calls=1, recordings=3, copies=["voicebotd.db.v2.bak"], traces="in unused space"
    ),
    "events.subscribe": r.Subscribed(topics=[], snapshot={"state": {"state": "listening"}}, seq=7),
    "log.level": r.LogLevelSet(level="debug"),
    "rpc.discover": {"openrpc": "1.2.6", "methods": [{"name": "status.get", "summary": "what the box does"}]},
}


def answered(method: str) -> Any:
    """Return the result that `Daemon` gives unless told otherwise, as JSON has it."""
    result = ANSWERS[method]
    return json.loads(json.dumps(result if isinstance(result, dict) else asdict(result)))


@dataclass(frozen=True, slots=True)
class Fault:
    """An error to answer with."""

    code: int
    kind: str = ""
    message: str = "no"
    hint: str = ""


class Daemon:
    """A control socket in a thread. One client at a time; what it hears is kept.

    `hear` may take the request and its open files and do something with them before the answer. A method whose answer
    is None is never answered; one whose answer is `HANG_UP` ends the connection.
    """

    HANG_UP = object()
    Fault = Fault

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Any] = {method: answered(method) for method in ANSWERS}
        self.greeting: bytes = line_of(HELLO)
        self.events: list[dict[str, Any]] = []
        """Sent after the answer to events.subscribe; then the connection ends."""
        self.requests: list[dict[str, Any]] = []
        self.lines: list[bytes] = []
        self.hear: Callable[[dict[str, Any], list[int]], None] = lambda request, fds: None
        self.heard = threading.Condition()
        self._last_answer = ""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        self._listener.close()

    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        """Return method and params of every request so far."""
        return [(request["method"], request["params"]) for request in self.requests]

    def hang_up_after(self, method: str) -> None:
        """End the connection after the answer to `method`."""
        self._last_answer = method

    def await_request(self, method: str) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: method in [name for name, _ in self.sent()], DEADLINE_S)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(DEADLINE_S)
                try:
                    self._converse(client)
                except (BrokenPipeError, ConnectionResetError):
                    continue

    def _converse(self, client: socket.socket) -> None:
        client.sendall(self.greeting)
        received, files = b"", []
        while True:
            chunk, fds, _, _ = socket.recv_fds(client, 65536, 4)
            files += fds
            if not chunk:
                return
            received += chunk
            while b"\n" in received:
                line, _, received = received.partition(b"\n")
                if not self._answer(client, line, files):
                    return

    def _answer(self, client: socket.socket, line: bytes, files: list[int]) -> bool:
        request = json.loads(line)
        with self.heard:
            self.lines.append(line)
            self.requests.append(request)
            self.heard.notify_all()
        try:
            self.hear(request, files)
        finally:
            while files:
                os.close(files.pop())
        answer = self.answers.get(request["method"], Fault(-32601, "rpc.method_not_found", "Method not found"))
        if answer is self.HANG_UP:
            return False
        if isinstance(answer, Fault):
            data = {"kind": answer.kind, "retryable": False, "hint": answer.hint}
            error = {"code": answer.code, "message": answer.message, "data": data}
            client.sendall(line_of({"jsonrpc": "2.0", "id": request["id"], "error": error}))
        elif answer is not None:
            client.sendall(line_of({"jsonrpc": "2.0", "id": request["id"], "result": answer}))
        if request["method"] == "events.subscribe" and self.events:
            client.sendall(b"".join(line_of({"jsonrpc": "2.0", **event}) for event in self.events))
            return False
        return request["method"] != self._last_answer


def line_of(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of voicebotctl left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; fails when there is any other number of them."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.document["error"]
        return error


Ctl = Callable[..., Outcome]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "control.sock")
    yield daemon
    daemon.stop()


@pytest.fixture
def away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ctl:
    """Run voicebotctl where no daemon is."""
    return _runner(tmp_path / "nobody.sock", capsys)


@pytest.fixture
def ctl(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> Ctl:
    """Run voicebotctl against the daemon."""
    return _runner(daemon.path, capsys)


def _runner(path: Path, capsys: pytest.CaptureFixture[str]) -> Ctl:
    def run(*arguments: str) -> Outcome:
        code = main(["--socket", str(path), *arguments])
        return Outcome(code, *capsys.readouterr())

    return run
