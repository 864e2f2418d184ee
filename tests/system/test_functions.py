"""Functions in a running daemon: whatever they do they are answered, and the conversation and the sound go on."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from rig import speech
from rig.card import VirtualCard
from rig.daemon import Daemon, RunDaemon
from rig.rehearsal import Event, Rehearsal, StartRehearsal, reply, script
from rig.sound import RATE_HZ, damaged, find

README = Path(__file__).parents[2] / "README.md"
TIMEOUT_S = 3.0
TRIES = 4
"""A busy machine starves the sound server as well, so one damaged reply proves nothing; damaged ones throughout do."""

HARD = '''import asyncio
import time

from voicebotd.tools.registry import tool

ran = 0

@tool
async def hangs() -> str:
    """Never answer."""
    await asyncio.Event().wait()

@tool
async def holds_the_thread() -> str:
    """Never yield, for half a minute."""
    time.sleep(30)
    return "late"

@tool
def plain() -> str:
    """Take a moment without yielding."""
    time.sleep(0.2)
    return "plainly done"

@tool
async def raises() -> str:
    """Fail."""
    raise ValueError("the password is hunter2")

@tool
async def five_megabytes() -> str:
    """Tell everything."""
    return "x" * 5_000_000

@tool
async def not_json() -> object:
    """Return what cannot be told."""
    return object()

@tool
async def counted(number: int) -> int:
    """Count the calls."""
    global ran
    ran += 1
    return ran
'''


def calls(*named: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "arguments": arguments} for name, arguments in named]


def with_functions(directory: Path) -> dict[str, Any]:
    return {"tools": {"directory": str(directory), "timeout_s": TIMEOUT_S}, "session": {"tools": ["hard"]}}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "functions"
    path.mkdir(mode=0o755)
    return path


def outputs(server: Rehearsal) -> list[Event]:
    """The outputs that the service was given, in order."""
    items = [entry.event["item"] for entry in server.received("conversation.item.create")]
    return [item for item in items if item["type"] == "function_call_output"]


def called(server: Rehearsal) -> dict[str, str]:
    """The name of each function that the service called, by `call_id`."""
    items = [entry.event["item"] for entry in server.sent("response.output_item.done")]
    return {item["call_id"]: item["name"] for item in items if item["type"] == "function_call"}


def answer_to(daemon: Daemon, text: str) -> str:
    """Say something in writing; return what the assistant says when it is through with its functions."""
    since = len(daemon.rpc.events("transcript"))
    daemon.rpc.call("message.send", text=text)
    daemon.rpc.wait_for_event("transcript", lambda said: said["role"] == "assistant" and said["final"], 20)
    daemon.wait_for_status(lambda status: status["state"] == "listening", 30, "the end of the answer")
    finals = [event["data"] for event in daemon.rpc.events("transcript")[since:] if event["data"]["final"]]
    return " ".join(said["text"] for said in finals if said["role"] == "assistant")


AWKWARD = calls(
    ("hangs", {}),
    ("raises", {}),
    ("five_megabytes", {}),
    ("not_json", {}),
    ("plain", {}),
    ("counted", {"number": "many"}),
    ("counted", {"numbre": 1}),
    ("no_such_function", {}),
    ("holds_the_thread", {}),
)


@pytest.fixture(scope="module")
def awkward_server(start_rehearsal: StartRehearsal) -> Rehearsal:
    talks = {"hears": "(writing)", "says": {"audio": "assistant_services"}, "calls": AWKWARD}
    return start_rehearsal({"turns": [talks, reply("assistant_goodbye")], "after_last": "repeat"})


def test_whatever_functions_do_each_is_answered_and_the_conversation_goes_on(
    awkward_server: Rehearsal, run_daemon: RunDaemon, directory: Path
) -> None:
    (directory / "hard.py").write_text(HARD, encoding="utf-8")
    with run_daemon(awkward_server.url, with_functions(directory)) as daemon:
        daemon.rpc.call("events.subscribe")
        daemon.wait_until_ready()
        said = answer_to(daemon, "Try all of them.")
        assert said.endswith(speech.text("assistant_goodbye")), "the conversation went on"
        names = called(awkward_server)
        told = {names[item["call_id"]]: item["output"] for item in outputs(awkward_server)}
        assert len(outputs(awkward_server)) == len(names) == len(AWKWARD), "every call is answered, once"
        events = [event["data"] for event in daemon.rpc.events("tool")]
        statuses = {event["name"]: event["status"] for event in events if event["event"] != "called"}
        assert statuses["hangs"] == statuses["holds_the_thread"] == "timed_out"
        assert statuses["plain"] == statuses["five_megabytes"] == "completed"
        assert {statuses[name] for name in ("raises", "not_json", "counted", "no_such_function")} == {"failed"}
        assert told["plain"] == "plainly done"
        assert "of 5000000 characters" in told["five_megabytes"]
        assert len(told["five_megabytes"]) < 20_000
        assert "hunter2" not in told["raises"] + daemon.log()
        assert all(json.loads(told[name])["error"] for name in ("hangs", "raises", "not_json", "no_such_function"))
        assert "number" in told["counted"]

        def held(status: Any) -> bool:
            return status["health"]["tools"]["state"] == "stuck"

        daemon.wait_for_status(held, 5, "word of the function that cannot be stopped")


def test_the_reply_sounds_undamaged_while_functions_do_their_worst(
    awkward_server: Rehearsal, run_daemon: RunDaemon, card: VirtualCard, directory: Path
) -> None:
    (directory / "hard.py").write_text(HARD, encoding="utf-8")
    clip = speech.clip("assistant_services")
    with run_daemon(awkward_server.url, with_functions(directory)) as daemon, card.listening() as ear:
        daemon.rpc.call("events.subscribe")
        daemon.wait_until_ready()
        for _ in range(TRIES):
            xruns = daemon.status()["audio"]["xruns"]
            asked_s = time.monotonic()
            answer_to(daemon, "Try all of them.")
            began_s = ear.wait_for_sound(5, since_s=asked_s)
            recording = ear.wait_until_recorded(time.monotonic() + 0.1).since(began_s - 0.1).samples
            match = find(clip[:RATE_HZ], recording)
            if daemon.status()["audio"]["xruns"] == xruns and not damaged(clip, recording, match.lag):
                assert match.coherence > 0.99
                return
    raise AssertionError(f"of {TRIES} replies none was undamaged")


def test_twenty_calls_at_once_are_answered_in_one_round_and_each_is_run_once(
    start_rehearsal: StartRehearsal, run_daemon: RunDaemon, directory: Path
) -> None:
    (directory / "hard.py").write_text(HARD, encoding="utf-8")
    twenty = calls(*(("counted", {"number": number}) for number in range(20)))
    server = start_rehearsal(script({"hears": "(writing)", "calls": twenty}, reply("assistant_goodbye")))
    with run_daemon(server.url, with_functions(directory)) as daemon:
        daemon.rpc.call("events.subscribe")
        daemon.wait_until_ready()
        assert answer_to(daemon, "Count to twenty.") == speech.text("assistant_goodbye")
        assert sorted(int(item["output"]) for item in outputs(server)) == list(range(1, 21))
        creates = server.received("response.create")
        assert len(creates) == 2, "one for the message, one for all outputs"
        last_output_s = server.received("conversation.item.create")[-1].at_s
        assert creates[1].at_s >= last_output_s
        records = daemon.ctl_json("history", "show")
        assert len(records["tool_calls"]) == 20


def test_a_visitor_who_waits_is_told_that_it_takes_a_moment(
    start_rehearsal: StartRehearsal, run_daemon: RunDaemon, directory: Path
) -> None:
    (directory / "hard.py").write_text(HARD, encoding="utf-8")
    turn = {"hears": "(writing)", "calls": calls(("hangs", {}))}
    server = start_rehearsal({**script(turn, reply("assistant_goodbye")), "waiting": {"audio": "assistant_idle"}})
    settings = with_functions(directory)
    settings["tools"]["timeout_s"] = 6.0
    with run_daemon(server.url, settings) as daemon:
        daemon.rpc.call("events.subscribe")
        daemon.wait_until_ready()
        said = answer_to(daemon, "Wait for it.")
        daemon.rpc.wait_for_event("tool", lambda told: told["event"] == "failed", 10)
        daemon.rpc.wait_for_event(
            "transcript", lambda told: told["final"] and told["text"] == speech.text("assistant_goodbye"), 15
        )
        assert said.startswith(speech.text("assistant_idle"))
        fillers = [
            one.event for one in server.received("response.create") if "tool_choice" in one.event.get("response", {})
        ]
        assert [one["response"]["tool_choice"] for one in fillers] == ["none"]


def example() -> str:
    """The file of six lines that the README shows."""
    section = README.read_text(encoding="utf-8").split("## Functions of your own", 1)[1]
    found = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert found
    return found[1]


def test_the_six_lines_of_the_readme_are_called_by_voice_after_a_reload(
    start_rehearsal: StartRehearsal, run_daemon: RunDaemon, card: VirtualCard, directory: Path
) -> None:
    assert len([line for line in example().splitlines() if line]) == 6
    question = "visitor_hours"
    server = start_rehearsal(
        script(
            {"hears": speech.text(question), "calls": calls(("opening_hours", {"day": "Sunday"}))},
            {"says": "On {opening_hours.day} we are: {opening_hours.open}."},
        )
    )
    with run_daemon(server.url, {"tools": {"directory": str(directory)}}) as daemon, card.listening() as ear:
        daemon.rpc.call("events.subscribe")
        daemon.wait_until_ready()
        assert "opening_hours" not in daemon.status()["tools"]
        (directory / "hours.py").write_text(example(), encoding="utf-8")
        daemon.ctl_ok("config", "reload")
        assert "opening_hours" in daemon.status()["tools"]
        server.wait_for_received(
            "session.update", lambda update: "opening_hours" in str(update["session"].get("tools"))
        )
        assert "opening_hours" in daemon.ctl_ok("tools")
        assert json.loads(daemon.ctl_ok("tools", "call", "opening_hours", "day=Monday"))["open"] == "9 to 17"

        card.say(speech.clip(question))
        daemon.rpc.wait_for_event("tool", lambda told: told["event"] == "answered", 15)
        assert ear.wait_for_sound(5)
        daemon.rpc.wait_for_event(
            "transcript", lambda told: told["final"] and told["text"] == "On Sunday we are: closed.", 15
        )
        shown = daemon.ctl_ok("history", "show")
        assert "opening_hours" in shown
