"""A visitor asks aloud, and what answers is a function of another program: of a server that the box started, of one
that dies while it is asked, and of one that the service itself calls."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rig import speech
from rig.daemon import Home, MakeSettings
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script
from rig.sound import RATE_HZ, write_wav
from rig.waiting import SCALE

TOWN = Path(__file__).parents[1] / "tools" / "town.py"
HOURS, GOODBYE = speech.text("visitor_hours"), speech.text("visitor_goodbye")
Document = dict[str, Any]


@pytest.fixture(scope="module")
def note(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "note"


@pytest.fixture(scope="module")
def server(start_rehearsal: StartRehearsal, note: Path) -> Rehearsal:
    weather = {"name": "town__weather", "arguments": {"place": "Ulm", "days": 3}}
    search = {"name": "search", "arguments": {"q": "hours"}, "server": "docs", "output": "from nine to five"}
    return start_rehearsal(
        script(
            {"hears": HOURS, "calls": [{"name": "town__die", "arguments": {"note": str(note)}}]},
            reply("assistant_idle"),
            {"hears": GOODBYE, "calls": [weather, search]},
            reply("assistant_goodbye"),
        )
    )


@pytest.fixture(scope="module")
def document(
    server: Rehearsal, conversation_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory
) -> Document:
    """The conversation, as `voicebotd --audio-file --json` tells it."""
    pause = np.zeros(round(15.0 * RATE_HZ), dtype=np.int16)
    said = np.concatenate([pause[:6000], speech.clip("visitor_hours"), pause, speech.clip("visitor_goodbye")])
    source = write_wav(tmp_path_factory.mktemp("visitor") / "visitor.wav", said)
    settings = conversation_settings(server.url)
    settings["tools"] = {
        "mcp": {"town": {"command": sys.executable, "args": [str(TOWN), "stdio"]}},
        "remote_mcp": [
            {"server_label": "docs", "server_url": "https://docs.example/mcp", "authorization": "env:DOCS_TOKEN"}
        ],
    }
    home = Home()
    config = home.path / "voicebotd.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "voicebotd", "--config", str(config), "--audio-file", str(source), "--json"],
        env=home.environment({"DOCS_TOKEN": "hunter2hunter2", "VOICEBOTD_LOG__LEVEL": "debug"}),
        cwd=home.path / "cwd",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90 * SCALE,
        check=False,
    )
    home.remove()
    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_server_that_dies_in_mid_call_is_said_to_have_and_its_next_call_is_answered(
    document: Document, note: Path
) -> None:
    calls = {one["name"]: one for one in document["tool_calls"]}
    assert "whether it had its effect is not known" in calls["town__die"]["output"]
    assert note.read_text() == "effect\n"
    assert calls["town__weather"]["output"] == "3 days of sun in Ulm"


def test_what_the_service_called_itself_is_told_and_all_of_it_is_spoken_about_once(
    document: Document, server: Rehearsal
) -> None:
    (call,) = [one for one in document["tool_calls"] if one["name"] == "docs__search"]
    assert call["output"] == "from nine to five"
    assert [(turn["role"], turn["heard_text"]) for turn in document["turns"]] == [
        ("user", HOURS),
        ("assistant", speech.text("assistant_idle")),
        ("user", GOODBYE),
        ("assistant", speech.text("assistant_goodbye")),
    ]
    assert len(received(server, "response.create")) == 2, "one after the first call, and one after both others"


def test_the_service_is_asked_to_reach_its_server_with_the_secret_and_for_approval(server: Rehearsal) -> None:
    opening = received(server, "session.update")[0]["session"]
    (remote,) = [tool for tool in opening["tools"] if tool["type"] == "mcp"]
    assert remote == {
        "type": "mcp",
        "server_label": "docs",
        "server_url": "https://docs.example/mcp",
        "authorization": "hunter2hunter2",
        "require_approval": "always",
    }
    assert "town__weather" in [tool.get("name") for tool in opening["tools"]]


def received(server: Rehearsal, name: str) -> list[Document]:
    return [entry.event for entry in server.received(name)]
