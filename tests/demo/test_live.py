"""The live conversation: it greets, waits for a person for so long and no longer, and says when there is no sound.

A file stands in for the person; everything between it and the rehearsal server is what a sound card would use.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from voicebotd.config.load import LoadedConfig, change, load
from voicebotd.demo import live
from voicebotd.demo.stage import Stage
from voicebotd.errors import AudioError
from voicebotd.rehearsal.server import RehearsalServer, script_brain
from voicebotd.rehearsal.speech import SAMPLE_RATE_HZ, clip, clip_texts

GREETING = clip_texts()["assistant_idle"]
ANSWER = clip_texts()["assistant_goodbye"]
QUIET = {"barge_in.mode": "off", "conversation.speaks_first": "assistant", "turn_detection.silence_duration_ms": 500}


class Keyboard:
    """Somebody at a terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    def enter(self) -> None:
        os.write(self._terminal, b"\n")


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch):
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield Keyboard(ours)
    os.close(ours)


@pytest.fixture
def nobody_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.yaml"
    path.write_text(yaml.safe_dump({"greeting": GREETING, "turns": [{"says": ANSWER}]}), encoding="utf-8")
    return path


def configuration(tmp_path: Path, microphone: Path) -> LoadedConfig:
    own = {name: str(tmp_path) for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")}
    words = ["service.provider=rehearsal", "audio.backend=file", f"audio.input_device={microphone}"]
    return change(load(environ=own, cwd=tmp_path, set_words=words), QUIET)


def room(path: Path, *, speech_at_s: float | None) -> Path:
    """What the microphone hears: silence, or a visitor's line at that second."""
    samples = np.zeros(20 * SAMPLE_RATE_HZ, dtype="<i2")
    if speech_at_s is not None:
        said = np.frombuffer(clip("visitor_goodbye").pcm, dtype="<i2")
        first = round(speech_at_s * SAMPLE_RATE_HZ)
        samples[first : first + len(said)] = said
    soundfile.write(path, samples, SAMPLE_RATE_HZ)
    return path


async def converse(tmp_path: Path, script: Path, microphone: Path, at_most_s: float = 15.0) -> tuple[bool, str]:
    out = io.StringIO()
    async with RehearsalServer(brain=script_brain(script)) as server:
        config = change(configuration(tmp_path, microphone), {"service.base_url": server.url})
        recording = tmp_path / "both.wav"
        spoke = await live.converse(config, recording=recording, stage=Stage(out, {}), at_most_s=at_most_s)
    return spoke, out.getvalue()


@pytest.mark.asyncio
@pytest.mark.usefixtures("nobody_types")
async def test_whoever_speaks_behind_the_greeting_is_answered(
    tmp_path: Path, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WAITING_S", 3.0)

    spoke, text = await converse(tmp_path, script, room(tmp_path / "room.wav", speech_at_s=3.5))

    assert spoke
    assert text.index(GREETING) < text.index("hearing") < text.index(ANSWER)
    both, _ = soundfile.read(tmp_path / "both.wav", always_2d=True)
    assert both.shape[1] == 2
    assert (np.abs(both).max(axis=0) > 0.1).all()


@pytest.mark.asyncio
@pytest.mark.usefixtures("nobody_types")
async def test_where_nobody_speaks_it_says_so_and_ends(
    tmp_path: Path, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WAITING_S", 0.5)

    spoke, text = await converse(tmp_path, script, room(tmp_path / "room.wav", speech_at_s=None))

    assert not spoke
    assert GREETING in text
    assert "Enter interrupts" not in text
    assert "speak over it" not in text


@pytest.mark.asyncio
@pytest.mark.usefixtures("nobody_types")
async def test_where_it_listens_while_it_speaks_it_says_that_one_may_speak_over_it(
    tmp_path: Path, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WAITING_S", 0.5)
    monkeypatch.setitem(QUIET, "barge_in.mode", "confirm")

    _, text = await converse(tmp_path, script, room(tmp_path / "room.wav", speech_at_s=None))

    assert "speak over it" in text


@pytest.mark.asyncio
@pytest.mark.usefixtures("nobody_types")
async def test_a_conversation_that_would_never_end_is_ended(tmp_path: Path, script: Path) -> None:
    _, text = await converse(tmp_path, script, room(tmp_path / "room.wav", speech_at_s=None), at_most_s=0.5)

    assert "all the time that the demonstration has" in text


@pytest.mark.asyncio
@pytest.mark.usefixtures("nobody_types")
async def test_without_sound_it_says_why(tmp_path: Path, script: Path) -> None:
    with pytest.raises(AudioError, match="no such file"):
        await converse(tmp_path, script, tmp_path / "missing.wav")


@pytest.mark.asyncio
@pytest.mark.usefixtures("nobody_types")
async def test_a_sound_card_that_does_not_open_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "OPENING_S", 0.0)

    no_sound = await live.Watch(Stage(io.StringIO(), {})).no_sound()

    assert no_sound is not None
    assert "in time" in no_sound.message


@pytest.mark.asyncio
async def test_enter_interrupts_it(
    tmp_path: Path, script: Path, monkeypatch: pytest.MonkeyPatch, keyboard: Keyboard
) -> None:
    monkeypatch.setattr(live, "WAITING_S", 0.5)
    observe = Stage.observe

    def enter_when_it_speaks(stage: Stage, topic: str, data: dict[str, object]) -> None:
        observe(stage, topic, data)
        if topic == "state" and data["state"] == "speaking":
            keyboard.enter()

    monkeypatch.setattr(Stage, "observe", enter_when_it_speaks)

    _, text = await converse(tmp_path, script, room(tmp_path / "room.wav", speech_at_s=None))

    assert "interrupted after" in text
    assert "Enter interrupts it" in text


@pytest.mark.asyncio
async def test_the_keyboard_is_let_go_of_afterwards(keyboard: Keyboard) -> None:
    entered = asyncio.Event()
    with live.on_enter(entered.set):
        keyboard.enter()
        async with asyncio.timeout(5):
            await entered.wait()

    assert asyncio.get_running_loop().remove_reader(sys.stdin) is False
