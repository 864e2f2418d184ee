"""The demonstration as `make demo` runs it, on a machine without a sound card: one run in real time, looked at from
all sides. And what it does where it may not write, where a configuration is broken, where it fails.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicebotd.config.load import LoadedConfig
from voicebotd.demo import __main__ as demo
from voicebotd.demo.stage import Stage
from voicebotd.errors import AudioError, RealtimeError
from voicebotd.rehearsal.speech import SAMPLE_RATE_HZ, clip, clip_texts

NO_SOUND_CARD = {"ALSA_CONFIG_PATH": "/nonexistent", "PULSE_SERVER": "unix:/nonexistent"}
HOSTILE = {"OPENAI_API_KEY_FILE": "/nonexistent", "VOICEBOTD_AUDIO__BLOCK_MS": "none of your business"}
SILENT_WITHIN_S = 1.5
"""From the first sound of the interruption: `barge_in.confirm_after_ms`, and what voice detection needs, several times
over."""
DUCKED = 10 ** (-12 / 20)
"""`barge_in.duck_db`."""
RAMP = SAMPLE_RATE_HZ // 20
"""How long the way down takes at most."""

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    code: int
    out: str
    errors: str
    seconds: float
    visitor: Samples
    assistant: Samples


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("demo")
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "voicebotd.demo"],
        cwd=directory,
        env={**os.environ, **NO_SOUND_CARD, **HOSTILE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    seconds = time.monotonic() - began_s
    assert done.returncode == 0, done.stdout + done.stderr
    both, rate_hz = soundfile.read(done.stdout.splitlines()[-1].strip(), dtype="int16", always_2d=True)
    assert (rate_hz, both.shape[1]) == (SAMPLE_RATE_HZ, 2)
    return Run(
        code=done.returncode,
        out=done.stdout,
        errors=done.stderr,
        seconds=seconds,
        visitor=both[:, 0],
        assistant=both[:, 1],
    )


def place(name: str, side: Samples) -> int:
    """The sample at which a clip begins in a side of the recording; it must be there as it is."""
    wanted = np.frombuffer(clip(name).pcm, dtype="<i2")
    size = 1 << (len(side) + len(wanted)).bit_length()
    product = np.fft.rfft(side.astype(float), size) * np.conj(np.fft.rfft(wanted.astype(float), size))
    first = int(np.argmax(np.fft.irfft(product, size)[: len(side) - len(wanted) + 1]))
    assert np.array_equal(side[first : first + len(wanted)], wanted), name
    return first


def test_it_ends_by_itself_in_under_a_minute(run: Run) -> None:
    assert run.code == 0
    assert run.errors == ""
    assert run.seconds < 60


def test_it_shows_the_words_of_both_sides_in_the_order_of_the_conversation(run: Run) -> None:
    names = (
        "visitor_booking",
        "assistant_services",
        "visitor_interrupts",
        "assistant_booked",
        "visitor_goodbye",
        "assistant_goodbye",
    )
    places = [run.out.index(f"{name.split('_')[0]}: {clip_texts()[name]}") for name in names]

    assert places == sorted(places)


def test_it_shows_who_speaks_and_what_state_the_box_is_in(run: Run) -> None:
    assert run.out.count("visitor speaks\n") == 3
    for state in ("listening", "hearing", "thinking", "speaking"):
        assert re.search(rf"^[\d:]+ {state}$", run.out, re.MULTILINE)


def test_it_shows_the_interruption_and_what_was_heard(run: Run) -> None:
    (interruption,) = re.findall(r"interrupted after (\d+) ms; heard: (.*) …", run.out)

    assert 1000 < int(interruption[0]) < 10_000
    assert clip_texts()["assistant_services"].startswith(interruption[1])
    assert interruption[1]


def test_it_says_that_nothing_is_audible_and_why(run: Run) -> None:
    assert re.search(
        r"^No sound card to use \(.+\): a recorded visitor speaks, and nothing is audible\.$", run.out, re.M
    )


def test_nothing_of_it_is_coloured_where_it_is_no_terminal(run: Run) -> None:
    assert "\x1b" not in run.out


def test_the_recording_has_every_line_of_the_visitor_on_the_left(run: Run) -> None:
    places = [place(name, run.visitor) for name in ("visitor_booking", "visitor_interrupts", "visitor_goodbye")]

    assert places == sorted(places)


def test_the_recording_has_the_answers_that_were_heard_to_the_end_on_the_right(run: Run) -> None:
    assert place("assistant_booked", run.assistant) < place("assistant_goodbye", run.assistant)


def test_the_interruption_silences_the_right_channel_at_once_and_for_good(run: Run) -> None:
    began = place("visitor_interrupts", run.visitor)
    said = np.frombuffer(clip("visitor_interrupts").pcm, dtype="<i2")
    first_sound = began + int(np.flatnonzero(np.abs(said) > 1000)[0])
    silent_from = first_sound + round(SILENT_WITHIN_S * SAMPLE_RATE_HZ)

    assert np.abs(run.assistant[began - SAMPLE_RATE_HZ : began]).max() > 1000, "the assistant was speaking"
    assert not run.assistant[silent_from : began + len(said)].any()
    assert not run.assistant[silent_from : place("assistant_booked", run.assistant)].any()


def test_what_is_told_as_heard_is_what_the_recording_holds(run: Run) -> None:
    heard_ms = int(re.findall(r"interrupted after (\d+) ms", run.out)[0])
    answer = np.frombuffer(clip("assistant_services").pcm, dtype="<i2")
    whole = answer[: (heard_ms - 20) * SAMPLE_RATE_HZ // 1000]
    first = int(np.flatnonzero(run.assistant)[0]) - int(np.flatnonzero(answer)[0])
    played = run.assistant[first : first + len(whole)]

    softer_from = int(np.flatnonzero(played != whole)[0])
    assert first + softer_from > place("visitor_interrupts", run.visitor), "until then it is as it was said"
    error = played[softer_from + RAMP :] - whole[softer_from + RAMP :] * DUCKED
    assert np.abs(error).max() <= 1, "then softer, and no sample is missing"
    behind = run.assistant[first + (heard_ms + 20) * SAMPLE_RATE_HZ // 1000 :]
    assert not behind[: SAMPLE_RATE_HZ // 2].any()


def test_the_recording_lies_in_demo_output_beside_where_it_was_started(tmp_path: Path) -> None:
    assert demo.output_directory(tmp_path) == tmp_path / "demo-output"
    assert demo.output_directory(tmp_path).is_dir()


def test_where_that_cannot_be_written_it_lies_in_a_new_temporary_directory(tmp_path: Path) -> None:
    (tmp_path / "demo-output").write_text("in the way", encoding="utf-8")

    directory = demo.output_directory(tmp_path)

    assert directory != tmp_path / "demo-output"
    assert os.access(directory, os.W_OK)
    directory.rmdir()


def test_it_heeds_the_choice_of_sound_devices_and_nothing_else(tmp_path: Path) -> None:
    config = demo.configuration({**HOSTILE, "AUDIO_OUTPUT_DEVICE": "headset", "LOG_LEVEL": "debug"}, tmp_path)

    assert config.settings.audio.output_device == "headset"
    assert config.settings.audio.block_ms == 10
    assert config.settings.log.level == "info"
    assert config.files == ()


@pytest.mark.asyncio
@pytest.mark.parametrize(("installed", "mode"), [(True, "confirm"), (False, "off")])
async def test_a_person_may_speak_over_it_where_the_echo_canceller_is_installed(
    installed: bool, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[LoadedConfig] = []

    async def converse(config: LoadedConfig, **_: object) -> bool:
        held.append(config)
        return True

    monkeypatch.setattr(demo, "aec_installed", lambda: installed)
    monkeypatch.setattr(demo.live, "converse", converse)

    assert await demo._live(demo.configuration({}, tmp_path), tmp_path / "both.wav", Stage(io.StringIO(), {}))
    assert [config.settings.barge_in.mode for config in held] == [mode]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RealtimeError("the link is gone", hint="look again"), "the link is gone (look again)"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (TimeoutError(), "it did not come to its end within 57 s"),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [AudioError("no sound")])]), "no sound"),
    ],
)
def test_a_failure_is_one_clear_line_and_exit_code_1(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(demo, "demonstrate", fail)
    monkeypatch.setattr(demo, "output_directory", lambda path: path)
    monkeypatch.setattr(demo.logging, "setup", lambda **_: None)

    assert demo.main() == 1
    assert capsys.readouterr().err == f"the demonstration failed: {line}\n"


def test_who_presses_ctrl_c_gets_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "demonstrate", interrupted)
    monkeypatch.setattr(demo, "output_directory", lambda path: path)
    monkeypatch.setattr(demo.logging, "setup", lambda **_: None)

    assert demo.main() == demo.INTERRUPTED
