from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebotd.audio.input_file import InputFile, probe
from voicebotd.errors import AudioError


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.arange(-500, 500, dtype=np.int16), 16_000)
    return path


@pytest.fixture
def descriptor(ramp: Path) -> Iterator[int]:
    number = os.open(ramp, os.O_RDONLY)
    yield number
    os.close(number)


def test_a_16_bit_file_comes_out_exactly_and_ends_short(ramp: Path) -> None:
    file = InputFile(str(ramp))
    assert file.read(600).tolist() == list(range(-500, 100))
    assert file.read(600).tolist() == list(range(100, 500))
    assert len(file.read(600)) == 0
    file.close()


def test_channels_are_averaged_and_nonsense_is_silence(tmp_path: Path) -> None:
    samples = np.array([[0.5, -0.25], [np.nan, 0.1], [4.0, 4.0]], dtype=np.float32)
    soundfile.write(tmp_path / "odd.wav", samples, 48_000, subtype="FLOAT")
    assert InputFile(str(tmp_path / "odd.wav")).read(9).tolist() == [4096, 0, 32767]


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3"])
def test_compressed_files_are_read_too(tmp_path: Path, kind: str) -> None:
    tone = 0.3 * np.sin(np.arange(44_100) / 20)
    soundfile.write(tmp_path / f"tone.{kind}", np.column_stack((tone, tone)), 44_100)
    facts = probe(str(tmp_path / f"tone.{kind}"))
    assert (facts.rate_hz, facts.channels) == (44_100, 2)
    assert facts.duration_s == pytest.approx(1, abs=0.1)


def test_reading_can_resume_in_the_middle(ramp: Path) -> None:
    assert InputFile(str(ramp), resume_frame=700).read(2).tolist() == [200, 201]
    assert len(InputFile(str(ramp), resume_frame=9999).read(2)) == 0


def test_an_open_descriptor_is_read_from_its_beginning_and_stays_open(descriptor: int) -> None:
    os.lseek(descriptor, 17, os.SEEK_SET)
    assert probe(descriptor).frames == 1000
    assert InputFile(descriptor).read(1).tolist() == [-500]
    os.fstat(descriptor)


def test_a_file_that_will_not_do_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("this is not audio")
    soundfile.write(tmp_path / "silent.wav", np.empty(0, dtype=np.int16), 8000)
    soundfile.write(tmp_path / "slow.wav", np.zeros(10, dtype=np.int16), 100)
    complaints = {
        "missing.wav": "no such file",
        ".": "is not a file",
        "empty.wav": "not audio",
        "text.wav": "not audio",
        "silent.wav": "no audio in it",
        "slow.wav": "sample rate 100 Hz",
    }
    for name, complaint in complaints.items():
        with pytest.raises(AudioError, match=complaint) as refusal:
            probe(str(tmp_path / name))
        assert "\n" not in refusal.value.message


def test_a_header_that_promises_audio_and_has_none_is_refused(ramp: Path) -> None:
    ramp.write_bytes(ramp.read_bytes()[:44])
    with pytest.raises(AudioError, match="no audio in it"):
        probe(str(ramp))


def test_a_descriptor_that_cannot_seek_is_refused() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(AudioError, match="seek"):
            probe(reading)
    finally:
        os.close(reading)
        os.close(writing)
