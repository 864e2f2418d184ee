"""A conversation with a Realtime server that nobody here wrote: the package speech-to-speech, its models stubbed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rig import speech
from rig.daemon import Home
from rig.rehearsal import free_port
from rig.sound import RATE_HZ, read_wav, write_wav
from rig.waiting import SCALE

PEER = Path(sys.prefix) / "peers" / "speech-to-speech"
"""Where scripts/setup.sh puts it."""
SERVER = Path(speech.__file__).parent / "speech_to_speech_server.py"
ANSWER_MS = 600
TURNS = [
    ("user", "This is turn 1."),
    ("assistant", "You said: This is turn 1. That makes 1."),
    ("user", "This is turn 2."),
    ("assistant", "You said: This is turn 2. That makes 2."),
]

pytestmark = pytest.mark.skipif(
    not (PEER / "speech_to_speech").is_dir(),
    reason="speech-to-speech 1.1.0 could not be installed; `scripts/setup.sh test` tries when .venv/peers is gone",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(SERVER), str(port), str(ANSWER_MS)],
        env={**os.environ, "PYTHONPATH": str(PEER)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if "running on" in line:
                break
        else:
            pytest.fail("".join(said))
        yield f"ws://127.0.0.1:{port}/v1/realtime"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pause = np.zeros(round(1.5 * RATE_HZ), dtype=np.int16)
    said = np.concatenate([pause[:6000], speech.clip("visitor_hours"), pause, speech.clip("visitor_goodbye")])
    return write_wav(tmp_path_factory.mktemp("visitor") / "visitor.wav", said)


def test_the_daemon_holds_a_conversation_with_it(url: str, visitor: Path, tmp_path: Path) -> None:
    home, played = Home(), tmp_path / "played.wav"
    settings = {
        "service.provider": "compatible",
        "service.server": "speech-to-speech",
        "service.base_url": url,
        "turn_detection.silence_duration_ms": "500",
        "audio_file.pace": "fast",
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    try:
        run = subprocess.run(
            [sys.executable, "-m", "voicebotd", *words, "--audio-file", visitor, "--output", played, "--json"],
            env=home.environment({}),
            cwd=home.path / "cwd",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30 * SCALE,
            check=False,
        )
    finally:
        home.remove()
    assert run.returncode == 0, run.stderr
    assert "cannot be understood" not in run.stderr
    assert "did not apply" not in run.stderr
    document = json.loads(run.stdout)
    assert [(turn["role"], turn["text"]) for turn in document["turns"]] == TURNS
    answers = [turn for turn in document["turns"] if turn["role"] == "assistant"]
    assert [turn["heard_ms"] for turn in answers] == [ANSWER_MS] * 2
    assert (document["usage"]["input_text"], document["usage"]["output_text"]) == (22, 14)
    assert 0.95 < heard_s(read_wav(played)) / (2 * ANSWER_MS / 1000) < 1.05


def heard_s(samples: np.ndarray) -> float:
    """For how long something sounded."""
    block = RATE_HZ // 100
    loud = np.abs(samples[: len(samples) // block * block].reshape(-1, block)).max(axis=1) > 1000
    return float(loud.sum()) / 100
