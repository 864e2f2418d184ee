import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from voicebotctl import cli
from voicebotctl.cli import main
from voicebotd.control.binding import Binder
from voicebotd.control.contract import METHODS

PROGRAM = Path(sys.executable).with_name("voicebotctl")

# Every command: its arguments, the requests they become, and what a person reads.
TABLE = {
    "status": (["status"], [("status.get", {})], "voicebotd 0.1.0: listening"),
    "doctor": (["doctor"], [("status.get", {})], "ok      audio"),
    "start": (
        ["start", "--greeting", "Hello", "--profile", "noisy", "--instructions", "Be brief"],
        [("conversation.start", {"greeting": "Hello", "profile": "noisy", "instructions": "Be brief"})],
        "conversation c1 began",
    ),
    "stop": (["stop"], [("conversation.stop", {})], "the conversation ended: 4 turns, 2 min 10 s, $0.0310"),
    "roll": (["roll"], [("conversation.roll", {})], "the conversation goes on in session sess_2"),
    "send": (
        ["send", "Hello", "--role", "system", "--no-respond"],
        [("message.send", {"text": "Hello", "role": "system", "respond": False})],
        "sent as i3",
    ),
    "respond": (
        ["respond", "--instructions", "Greet", "--text"],
        [("response.request", {"wait": True, "instructions": "Greet", "output": "text"})],
        "Good morning!",
    ),
    "interrupt": (["interrupt"], [("response.interrupt", {})], "silenced: 740 ms of i2 were heard"),
    "talk": (["talk", "--seconds", "0.001"], [("talk.begin", {}), ("talk.end", {})], ""),
    "mute": (["mute"], [("audio.mute", {"on": True})], "the microphone is muted"),
    "unmute": (["unmute"], [("audio.mute", {"on": False})], "the microphone is"),
    "volume": (["volume", "50"], [("audio.volume", {"percent": 50})], "volume 50 %"),
    "devices": (["devices"], [("audio.devices", {})], "*  0      USB mic"),
    "devices select": (
        ["devices", "select", "--input", "USB mic", "--output", "2"],
        [("audio.select", {"input": "USB mic", "output": 2})],
        "microphone: USB mic\nloudspeaker: 2",
    ),
    "selftest": (
        ["selftest", "--apply"],
        [("audio.selftest", {"apply": True})],
        "  recommended echo control aec, volume 80 % (`voicebotctl selftest --apply` sets it)",
    ),
    "instruct": (
        ["instruct", "Answer in French", "--replace", "--persist"],
        [("instructions.set", {"text": "Answer in French", "mode": "replace", "persist": True})],
        "the instructions are in force",
    ),
    "vad show": (["vad", "show"], [("vad.get", {})], "silence_duration_ms  600         650"),
    "vad set": (
        ["vad", "set", "threshold=0.7", "--persist", "silence_duration_ms=600", "--profile", "noisy"],
        [("vad.set", {"threshold": 0.7, "silence_duration_ms": 600, "profile": "noisy", "persist": True})],
        "applies: now, from the next turn on",
    ),
    "config show": (["config", "show"], [("config.get", {})], "turn_detection.threshold  =  0.7    (rpc)"),
    "config get": (["config", "get", "service"], [("config.get", {"key": "service"})], "service.model"),
    "config set": (
        ["config", "set", "turn_detection.threshold=0.7", "service.model=gpt-x", "--persist"],
        [("config.set", {"values": {"turn_detection.threshold": 0.7, "service.model": "gpt-x"}, "persist": True})],
        "applies: in another session, at the next silence",
    ),
    "config reload": (["config", "reload"], [("config.reload", {})], "nothing changed"),
    "process": (["process", __file__, "--pace", "fast"], [("file.process", {"pace": "fast"})], "visitor: Have you"),
    "history list": (
        ["history", "list", "--limit", "5", "--before", "c9"],
        [("history.list", {"limit": 5, "before": "c9"})],
        "1 min 5 s",
    ),
    "history show": (
        ["history", "show", "c1"],
        [("history.get", {"conversation_id": "c1"})],
        "assistant: Yes, at ten.  [interrupted; heard: Yes,]",
    ),
    "tools": (["tools"], [("tools.list", {})], "opening_hours  day=monday|tuesday [code=string]  may call it"),
    "tools call": (
        ["tools", "call", "opening_hours", "day=monday"],
        [
            ("tools.list", {}),
            ("tools.call", {"name": "opening_hours", "arguments": {"day": "monday"}}),
        ],
        "from nine to five",
    ),
    "tools approve": (
        ["tools", "approve", "a1"],
        [("tools.approve", {"approval_request_id": "a1", "approve": True})],
        "docs: pay may be called",
    ),
    "tools deny": (
        ["tools", "deny", "a1", "--reason", "no"],
        [("tools.approve", {"approval_request_id": "a1", "approve": False, "reason": "no"})],
        "docs: pay may be called",  # as this daemon says, whatever it is asked
    ),
    "appointments list": (["appointments", "list"], [("appointments.list", {})], "Anna Meyer"),
    "appointments export": (["appointments", "export"], [("appointments.export", {})], "BEGIN:VCALENDAR"),
    "appointments cancel": (
        ["appointments", "cancel", "a1"],
        [("appointments.cancel", {"appointment_id": "a1"})],
        "cancelled: 2026-03-04",
    ),
    "history export": (
        ["history", "export", "c1", "--format", "jsonl"],
        [("history.export", {"conversation_id": "c1", "format": "jsonl"})],
        '{"record": "turn"}\n',
    ),
    "history purge": (
        ["history", "purge", "30", "--compact"],
        [("history.purge", {"older_than_days": 30.0, "compact": True})],
        "removed: voicebotd.db.v2.bak\nremoved: 3 recordings\ntraces stay in unused space\n",
    ),
    "history search": (
        ["history", "search", "table", "tw*", "--limit", "1", "--before", "50"],
        [("history.search", {"query": "table tw*", "limit": 1, "before": 50})],
        "c1  user: Have you a table for two?\nmore: --before 41",
    ),
    "usage": (["usage", "--days", "3"], [("usage.get", {"days": 3})], "of $0.0200, 59% [######....]"),
    "log-level": (["log-level", "debug"], [("log.level", {"level": "debug"})], "log level: debug"),
    "call": (["call", "audio.volume", "percent=50"], [("audio.volume", {"percent": 50})], '{"percent": 50}'),
    "discover": (["discover"], [("rpc.discover", {})], "status.get  what the box does"),
}
STREAMS = {"watch", "events"}
WITHOUT_A_DAEMON = {"config check"}


def test_the_table_above_names_every_command():
    assert {*TABLE, *STREAMS, *WITHOUT_A_DAEMON} == set(cli._all_commands())


@pytest.mark.parametrize("name", TABLE)
def test_a_command_sends_its_requests_and_says_what_came_of_them(name, ctl, daemon):
    arguments, requests, text = TABLE[name]
    outcome = ctl(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert daemon.sent() == requests
    assert text in outcome.out


@pytest.mark.parametrize("name", TABLE)
def test_the_daemon_would_accept_what_a_command_sends(name):
    for method, params in TABLE[name][1]:
        Binder(METHODS[method].params_type).bind(params)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in ("doctor", "volume")])
def test_json_is_exactly_the_result_of_the_last_request(name, ctl, daemon):
    arguments, requests, _ = TABLE[name]
    assert ctl("--json", *arguments).document == daemon.answers[requests[-1][0]]


@pytest.mark.parametrize("name", [*TABLE, *STREAMS])
def test_json_is_exactly_one_error_document_when_there_is_no_daemon(name, away):
    outcome = away(*TABLE.get(name, ([name],))[0], "--json")
    if name == "doctor":
        assert outcome.document["checks"][0]["ok"] is False
    else:
        assert outcome.error["kind"] == "client.unreachable"
        assert set(outcome.error) == {"code", "kind", "message", "hint"}
    assert (outcome.code, outcome.err) == (69, "")


def test_a_request_is_one_line_of_json_rpc(ctl, daemon):
    ctl("send", "Grüß Gott")
    assert daemon.lines == [
        '{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"text":"Grüß Gott"}}'.encode(),
    ]


@pytest.mark.parametrize("arguments", [["--json", "vad", "show"], ["vad", "--json", "show"], ["vad", "show", "--json"]])
def test_global_flags_are_taken_before_and_after_the_verb_and_the_action(arguments, ctl):
    assert ctl(*arguments).document["applied"] == "live"


def test_a_socket_named_after_the_verb_is_the_one_that_is_used(daemon, capsys):
    assert main(["status", "--socket", str(daemon.path)]) == 0
    assert main(["--socket", "/nowhere", "status", "--socket", str(daemon.path)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: VERB"),
        (["statis"], "statis: unknown verb; did you mean status?"),
        (["xyzzy"], "xyzzy: unknown verb; known are status"),
        (["vad"], "required: ACTION"),
        (["vad", "shwo"], "vad shwo: unknown action; did you mean show?"),
        (["devices", "selct"], "devices selct: unknown action; did you mean select?"),
        (["status", "now"], "unrecognized arguments: now"),
        (["status", "--jsn"], "unrecognized arguments: --jsn"),
        (["status", "--timeout", "0"], "'0' is not a number of seconds above 0"),
        (["status", "--timeout", "soon"], "'soon' is not a number of seconds above 0"),
        (["status", "--timeout", "inf"], "'inf' is not a number of seconds above 0"),
        (["log-level", "loud"], "invalid choice: 'loud'"),
        (["volume", "loud"], "percent=loud: not a whole number, 0..100 %"),
        (["vad", "set"], "vad set: nothing to set"),
        (["vad", "set", "threshold"], "threshold: not KEY=VALUE"),
        (["vad", "set", "thresold=0.7"], "thresold=0.7: unknown key; did you mean threshold?"),
        (["vad", "set", "threshold=loud"], "threshold=loud: not a number, 0..1"),
        (["config", "set"], "required: KEY=VALUE"),
        (["devices", "select"], "devices select: nothing to select"),
        (["instruct", "x", "--clear"], "exclude each other"),
        (["instruct", "--replace"], "--replace needs TEXT"),
        (["instruct", "--persist"], "--persist needs TEXT or --clear"),
        (["send", "\udcff"], "cannot be sent as JSON in UTF-8"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_exit_2_and_nothing_is_sent(arguments, message, ctl, daemon):
    outcome = ctl(*arguments)
    assert (outcome.code, outcome.out, daemon.requests) == (2, "", [])
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("voicebotctl: ")
    assert message in outcome.err


def test_a_mistake_on_the_command_line_is_a_document_where_json_is_asked_for(ctl):
    outcome = ctl("statis", "--json")
    assert outcome.error == {
        "code": 2,
        "kind": "client.usage",
        "message": "statis: unknown verb",
        "hint": "did you mean status?",
    }
    assert outcome.err == ""


def test_ctrl_c_is_exit_130_without_a_word(ctl, monkeypatch):
    monkeypatch.setattr("voicebotctl.context.Context.call", _ctrl_c)
    assert ctl("status") == (outcome := ctl("status"))
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")
    assert ctl("status", "--json").error["kind"] == "client.interrupted"


def _ctrl_c(*_, **__):
    raise KeyboardInterrupt


def test_help_lists_every_command_with_the_contracts_summary(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, command in cli._all_commands().items():
        summary = command.summary or METHODS[command.method].summary
        assert f"  {name:{max(map(len, cli._all_commands()))}}  {summary}" in text


@pytest.mark.parametrize("name", cli._all_commands())
def test_every_command_has_help(name, capsys):
    assert main([*name.split(), "--help"]) == 0
    assert f"voicebotctl {name}" in capsys.readouterr().out


def test_help_of_a_verb_with_actions_lists_them(capsys):
    assert main(["vad", "--help"]) == 0
    assert "vad set   change how turns are detected, live" in capsys.readouterr().out


def test_help_of_an_argument_is_the_contracts_documentation_with_range_and_unit(capsys):
    main(["volume", "--help"])
    assert "loudness of the assistant (0..100 %)" in capsys.readouterr().out


def test_starting_up_loads_nothing_but_the_standard_library():
    probe = (
        "import sys; before = set(sys.modules)\n"
        "from voicebotctl.cli import main; main(['--socket', '/nowhere', 'status'])\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded - {"voicebotctl"} <= sys.stdlib_module_names
    assert not loaded & {"asyncio", "dataclasses", "inspect", "typing", "shutil", "logging"}


def test_taking_arguments_from_the_contract_loads_nothing_but_the_contract():
    probe = (
        "import sys; before = set(sys.modules)\n"
        "from voicebotctl.cli import main\n"
        "main(['--socket', '/nowhere', 'vad', 'set', 'threshold=0.7']); main(['--help'])\n"
        "print('\\n', *sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {name.partition(".")[0] for name in loaded} - {"voicebotctl", "voicebotd"} <= sys.stdlib_module_names
    ours = {name for name in loaded if name.startswith("voicebotd.")}
    assert all(name == "voicebotd.control" or name.startswith("voicebotd.control.contract") for name in ours)
    assert "voicebotd.control.contract_results" not in ours


def run_program(*arguments, **options):
    return subprocess.run([PROGRAM, *arguments], check=False, timeout=60, **options)


def test_the_installed_program_answers_and_exits_with_the_code(daemon):
    done = run_program("--socket", daemon.path, "status", "--json", capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["state"] == "listening"


def test_the_program_dies_by_sigpipe_when_nobody_reads_any_more(daemon):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run_program("--socket", daemon.path, "status", stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_the_program_dies_by_sigpipe_also_under_a_parent_that_blocks_it(daemon):
    def block():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])

    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run_program("--socket", daemon.path, "status", stdout=writing, preexec_fn=block)
    finally:
        os.close(writing)
    assert done.returncode == -signal.SIGPIPE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_under_stdout_is_one_line_and_exit_1(daemon):
    with open("/dev/full", "wb") as full:
        done = run_program("--socket", daemon.path, "status", stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "voicebotctl: cannot write the output: No space left on device\n"


def test_a_closed_stdout_is_no_reason_to_fail(daemon):
    done = run_program("--socket", daemon.path, "mute", preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert daemon.sent() == [("audio.mute", {"on": True})]


def test_text_that_the_terminal_cannot_show_is_escaped(daemon):
    daemon.answers["response.request"]["text"] = "Grüß Gott \ud800"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = run_program("--socket", daemon.path, "respond", capture_output=True, env=environment)
    assert (shown.returncode, shown.stdout) == (0, b"Gr\\xfc\\xdf Gott \\ud800\n")
    document = run_program("--socket", daemon.path, "respond", "--json", capture_output=True, env=environment)
    assert json.loads(document.stdout)["text"] == "Grüß Gott \ud800"


def test_output_to_a_stream_without_signals_of_its_own_is_left_alone(daemon, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert main(["--socket", str(daemon.path), "mute"]) == 0
    assert sys.stdout.getvalue() == "the microphone is muted\n"


def test_the_version_is_the_daemon_s(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("voicebotctl 0.")
