"""A file is the microphone: any format gives the same turns, and a file that is none is refused in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import yaml
from rig import speech
from rig.card import VirtualCard
from rig.daemon import Daemon, Home, MakeSettings
from rig.rehearsal import Rehearsal, StartRehearsal, reply, script
from rig.sound import RATE_HZ, find, read_wav, write_wav
from rig.waiting import SCALE

TURNS = [
    ("user", speech.text("visitor_hours")),
    ("assistant", speech.text("assistant_idle")),
    ("user", speech.text("visitor_goodbye")),
    ("assistant", speech.text("assistant_goodbye")),
]


@pytest.fixture(scope="module")
def server(start_rehearsal: StartRehearsal) -> Rehearsal:
    return start_rehearsal(
        script(
            reply("assistant_idle", heard=speech.text("visitor_hours")),
            reply("assistant_goodbye", heard=speech.text("visitor_goodbye")),
        )
    )


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two turns of a visitor with room for the first answer, as 24 kHz mono WAV and as 44.1 kHz stereo FLAC."""
    pause = np.zeros(round(3.0 * RATE_HZ), dtype=np.int16)
    said = np.concatenate([pause[:6000], speech.clip("visitor_hours"), pause, speech.clip("visitor_goodbye")])
    folder = tmp_path_factory.mktemp("visitor")
    resampled = soxr.resample(said, RATE_HZ, 44_100)
    soundfile.write(folder / "visitor.flac", np.stack([resampled, resampled], axis=1), 44_100)
    return {"wav": write_wav(folder / "visitor.wav", said), "flac": folder / "visitor.flac"}


class FileRun:
    """`voicebotd --audio-file`, running."""

    def __init__(self, url: str, source: Path, settings: MakeSettings, *options: str) -> None:
        self.home = Home()
        config = self.home.path / "voicebotd.yaml"
        config.write_text(yaml.safe_dump(settings(url)), encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voicebotd", "--config", str(config), "--audio-file", str(source), *options],
            env=self.home.environment({"ALSA_CONFIG_PATH": "/nonexistent", "PULSE_SERVER": "unix:/nonexistent"}),
            cwd=self.home.path / "cwd",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, deadline_s: float = 40) -> tuple[int, str, str]:
        try:
            output, errors = self._process.communicate(timeout=deadline_s * SCALE)
        finally:
            self._process.kill()
            self._process.wait()
            self.home.remove()
        return self._process.returncode, output, errors


def test_a_44100_hz_stereo_flac_gives_the_same_turns_as_the_24_khz_wav(
    server: Rehearsal, visitor: dict[str, Path], conversation_settings: MakeSettings, tmp_path: Path
) -> None:
    speakers = {kind: tmp_path / f"{kind}-heard.wav" for kind in visitor}
    runs = {
        kind: FileRun(server.url, path, conversation_settings, "--json", "--output", str(speakers[kind]))
        for kind, path in visitor.items()
    }
    for kind, run in runs.items():
        code, output, errors = run.finish()
        assert code == 0, errors
        document = json.loads(output)
        assert [(turn["role"], turn["text"]) for turn in document["turns"]] == TURNS, kind
        assert document["usage"]["output_audio"] > 0
        heard = read_wav(speakers[kind])
        lags = []
        for name in ("assistant_idle", "assistant_goodbye"):
            match = find(speech.clip(name), heard)
            assert match.coherence > 0.98, (kind, name)
            lags.append(match.lag)
        assert lags[0] < lags[1]


def test_without_json_the_transcript_is_printed(
    server: Rehearsal, visitor: dict[str, Path], conversation_settings: MakeSettings
) -> None:
    code, output, errors = FileRun(
        server.url, visitor["wav"], conversation_settings, "--set", "audio_file.pace=fast"
    ).finish()
    assert code == 0, errors
    said_at = [output.index(text) for _, text in TURNS]
    assert said_at == sorted(said_at)


@pytest.mark.parametrize("kind", ["missing", "empty", "not audio", "a directory"])
def test_a_file_that_is_no_audio_exits_2_with_one_line(
    kind: str, conversation_settings: MakeSettings, tmp_path: Path
) -> None:
    path = tmp_path / "visitor.wav"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "not audio":
        path.write_bytes(b"Dear diary, today nobody spoke to me.\n" * 100)
    elif kind == "a directory":
        path.mkdir()
    code, output, errors = FileRun("ws://127.0.0.1:9/v1/realtime", path, conversation_settings).finish()
    assert code == 2, errors
    assert output == ""
    assert len(errors.strip().splitlines()) == 1, errors
    assert str(path) in errors


@pytest.fixture(scope="module")
def idle_daemon(server: Rehearsal, sound_card: VirtualCard, conversation_settings: MakeSettings) -> Iterator[Daemon]:
    settings = {**conversation_settings(server.url), "conversation": {"autostart": False}}
    with Daemon(settings, env=sound_card.env) as daemon:
        yield daemon


def test_a_running_daemon_processes_a_file_that_the_client_passes_it(
    idle_daemon: Daemon, visitor: dict[str, Path], tmp_path: Path
) -> None:
    heard_path = tmp_path / "heard.wav"
    done = idle_daemon.ctl(
        "--json", "process", "--pace", "fast", str(visitor["flac"]), "--output", str(heard_path), deadline_s=60
    )
    assert done.returncode == 0, done.stderr
    assert [(turn["role"], turn["text"]) for turn in json.loads(done.stdout)["turns"]] == TURNS
    assert find(speech.clip("assistant_goodbye"), read_wav(heard_path)).coherence > 0.98
    assert idle_daemon.rpc.call("history.list")["conversations"][0]["source"] == "file"


def test_a_running_daemon_refuses_a_file_that_is_no_audio_and_goes_on(idle_daemon: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "diary.wav"
    path.write_text("Dear diary")
    done = idle_daemon.ctl("process", str(path))
    assert done.returncode in (1, 2), done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert idle_daemon.status()["conversation"] is None
