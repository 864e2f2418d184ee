"""A visitor books, moves and cancels by voice: what is said, what is kept of it, and the book are one story."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rig import speech
from rig.daemon import Daemon, MakeSettings, merged
from rig.rehearsal import StartRehearsal
from rig.sound import RATE_HZ, write_wav

import voicebotd.rehearsal

SCRIPT = Path(voicebotd.rehearsal.__file__).parent / "scripts" / "appointments.yaml"
CLIPS = ("visitor_booking", "visitor_interrupts", "visitor_hours", "visitor_interrupts", "visitor_goodbye")
"""One speech for each turn of the script that the visitor begins; the server understands what the script says."""
BOOKING = {
    "conversation": {"autostart": False},
    "tools": {"appointments": {"time_zone": "Europe/Berlin", "days_off": []}},
}


def visitor(path: Path) -> Path:
    pause = np.zeros(3 * RATE_HZ, dtype=np.int16)  # what is under way when the file is told to wait is not speech
    return write_wav(path, np.concatenate([part for name in CLIPS for part in (pause, speech.clip(name))] + [pause]))


def test_a_visitor_books_moves_and_cancels_by_voice_and_everybody_tells_the_same(
    start_rehearsal: StartRehearsal, conversation_settings: MakeSettings, tmp_path: Path
) -> None:
    script = yaml.safe_load(SCRIPT.read_text(encoding="utf-8"))
    server = start_rehearsal(script)
    heard = visitor(tmp_path / "in.wav")
    no_card = {"audio": {"backend": "file", "input_device": str(heard)}}  # no conversation with it is begun
    with Daemon(merged(merged(conversation_settings(server.url), BOOKING), no_card), env={}) as daemon:
        done = daemon.ctl("--json", "--timeout", "120", "process", "--pace", "fast", str(heard), deadline_s=120)
        assert done.returncode == 0, done.stdout + done.stderr
        document = json.loads(done.stdout)
        shown = daemon.ctl_json("history", "show")
        listed = daemon.ctl_json("appointments", "list")
        daemon.ctl_ok("appointments", "export", "--output", str(tmp_path / "book.ics"))
        database = daemon.home.path / "state" / "voicebotd" / "voicebotd.db"
        stored = rows(database)

    calls = {
        call["name"]: (json.loads(call["arguments"]), json.loads(call["output"])) for call in document["tool_calls"]
    }
    assert list(calls) == [
        "check_availability",
        "schedule_appointment",
        "reschedule_appointment",
        "cancel_appointment",
    ]
    outputs = {name: output for name, (_, output) in calls.items()}
    assert [output["status"] for output in outputs.values()] == ["ok", "booked", "rescheduled", "cancelled"]

    # What was heard are the visitor's own words and, word for word, what the functions answered.
    assert said("user", document) == [turn["hears"] for turn in script["turns"] if "hears" in turn]
    told = [outputs[name]["message"] for name in list(calls)[1:]]
    assert said("assistant", document)[1:4] == told
    assert all(turn["heard_text"] == turn["text"] and not turn["interrupted"] for turn in document["turns"])

    # The history has the same turns and calls.
    assert said("user", shown) == said("user", document)
    assert said("assistant", shown) == said("assistant", document)
    assert [(call["name"], json.loads(call["output"])) for call in shown["tool_calls"]] == list(outputs.items())

    # The book has the one appointment: moved to eleven, then cancelled.
    [entry], [row] = listed["appointments"], stored
    agreed = outputs["cancel_appointment"]["appointment"]
    assert (entry["status"], entry["time"], entry["until"]) == ("cancelled", "11:00", "11:30")
    assert {name: entry[name] for name in agreed} == agreed
    assert calls["cancel_appointment"][0]["code"] == outputs["schedule_appointment"]["appointment"]["code"]
    assert (row["name"], row["status"], row["code"]) == ("Anna Meyer", "cancelled", agreed["code"])
    assert "STATUS:CANCELLED" in (tmp_path / "book.ics").read_text(encoding="utf-8")


def said(role: str, document: dict[str, Any]) -> list[str]:
    return [turn["text"] for turn in document["turns"] if turn["role"] == role]


def rows(path: Path) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return database.execute("SELECT * FROM appointments").fetchall()
