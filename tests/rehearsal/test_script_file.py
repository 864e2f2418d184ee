from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from voicebotd.errors import ConfigError
from voicebotd.rehearsal import speech
from voicebotd.rehearsal.brain import Call, Line
from voicebotd.rehearsal.filling import has_gaps
from voicebotd.rehearsal.murmur import murmur
from voicebotd.rehearsal.script import Script
from voicebotd.rehearsal.script_file import BUNDLED, load_script


def read(tmp_path: Path, document: Any) -> Script:
    path = tmp_path / "script.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    return load_script(path)


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_bundled_scripts_have_a_recording_for_every_line(path: Path) -> None:
    script = load_script(path)
    assert script.greeting is not None
    lines = [script.greeting, script.idle, *(line for turn in script.turns for line in turn.says)]
    recorded = {speech.clip(name).pcm for name in speech.clip_texts()}
    assert all(line.pcm in recorded for line in lines if not has_gaps(line))


def test_the_demonstration_hears_what_its_visitor_says() -> None:
    heard = [turn.hears for turn in load_script(BUNDLED / "demo.yaml").turns]
    assert heard == [speech.clip(f"visitor_{name}").text for name in ("booking", "interrupts", "goodbye")]


def test_a_turn_is_lines_then_calls(tmp_path: Path) -> None:
    turn = {"hears": "Hi", "says": ["One moment.", {"audio": "assistant_idle"}], "calls": [{"name": "f"}]}
    (read_turn,) = read(tmp_path, {"turns": [turn]}).turns
    assert read_turn.hears == "Hi"
    assert read_turn.answer.parts == (
        Line(text="One moment.", pcm=murmur("One moment.")),
        Line(text="Are you still there?", pcm=speech.clip("assistant_idle").pcm),
        Call(name="f", arguments="{}"),
    )


def test_arguments_become_json(tmp_path: Path) -> None:
    script = read(tmp_path, {"turns": [{"calls": [{"name": "book", "arguments": {"day": "monday", "n": 2}}]}]})
    assert script.turns[0].calls == (Call(name="book", arguments='{"day": "monday", "n": 2}'),)


def test_words_of_a_clip_are_spoken_by_it_and_a_clip_may_be_given_other_words(tmp_path: Path) -> None:
    words = speech.clip("assistant_hours").text
    script = read(tmp_path, {"turns": [{"says": words}, {"says": {"text": "Hm.", "audio": "assistant_hours"}}]})
    assert [turn.says[0].pcm for turn in script.turns] == [speech.clip("assistant_hours").pcm] * 2
    assert [turn.says[0].text for turn in script.turns] == [words, "Hm."]


def test_audio_is_looked_for_beside_the_script(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "mine.wav", np.zeros(8000), 8000)
    script = read(tmp_path, {"turns": [{"says": {"text": "Mine.", "audio": "mine.wav"}}]})
    assert script.turns[0].says == (Line(text="Mine.", pcm=bytes(48_000)),)


def test_the_other_keys_of_a_script(tmp_path: Path) -> None:
    aside = {"when_text_contains": "hours", "says": "Nine to five."}
    script = read(
        tmp_path,
        {"turns": [{"says": "Yes."}, aside], "greeting": "Welcome.", "idle": "Well?", "after_last": "last"},
    )
    assert script.greeting is not None
    assert (script.greeting.text, script.idle.text, script.after_last) == ("Welcome.", "Well?", "last")
    assert [aside.when_text_contains for aside in script.asides] == ["hours"]
    assert len(script.turns) == 1


def test_what_is_not_given_has_a_default(tmp_path: Path) -> None:
    script = read(tmp_path, {"turns": [{"says": "Yes."}]})
    assert (script.greeting, script.after_last, script.idle.text) == (None, "repeat", "Are you still there?")
    assert script.out_of_band.text == "Noted."
    assert script.waiting.text == "One moment, please."


SAYS = {"says": "a"}


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ("turns: [", "script"),
        ("- a", "script"),
        ({"turns": [SAYS], "voice": "x"}, "script.voice"),
        ({}, "turns"),
        ({"turns": []}, "turns"),
        ({"turns": [{"when_text_contains": "a", "says": "b"}]}, "turns"),
        ({"turns": [SAYS, "b"]}, "turns[1]"),
        ({"turns": [{"hears": "a"}]}, "turns[0]"),
        ({"turns": [{"says": "a", "say": "b"}]}, "turns[0].say"),
        ({"turns": [{"says": ["a", 1]}]}, "turns[0].says[1]"),
        ({"turns": [{"says": ""}]}, "turns[0].says[0]"),
        ({"turns": [{"says": {"text": "a"}}]}, "turns[0].says[0].audio"),
        ({"turns": [{"says": {"audio": "no.wav"}}]}, "turns[0].says[0].text"),
        ({"turns": [{"says": {"text": "a", "audio": "no.wav"}}]}, "turns[0].says[0].audio"),
        ({"turns": [{"says": "a", "hears": 1}]}, "turns[0].hears"),
        ({"turns": [{"calls": {"name": "f"}}]}, "turns[0].calls"),
        ({"turns": [{"calls": [{}]}]}, "turns[0].calls[0].name"),
        ({"turns": [{"calls": [{"name": "f", "arguments": "{}"}]}]}, "turns[0].calls[0].arguments"),
        ("turns: [{calls: [{name: f, arguments: {d: 2026-01-01}}]}]", "turns[0].calls[0].arguments"),
        ({"turns": [{"when_text_contains": 1, "says": "a"}]}, "turns[0].when_text_contains"),
        ({"turns": [SAYS], "after_last": "stop"}, "after_last"),
        ({"turns": [SAYS], "greeting": 5}, "greeting"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(tmp_path: Path, document: Any, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, document)
    (problem,) = refused.value.problems
    assert problem.key == key
    assert problem.source == str(tmp_path / "script.yaml")
    assert "\n" not in str(problem)


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        load_script(tmp_path / "missing.yaml")


def test_a_call_may_be_one_that_the_service_makes_itself(tmp_path: Path) -> None:
    script = read(tmp_path, {"turns": [{"calls": [{"name": "search", "server": "docs", "output": "found"}]}]})
    assert script.turns[0].calls == (Call(name="search", arguments="{}", server="docs", output="found"),)
