from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebotd.audio.recorder import Recorder, WavWriter
from voicebotd.errors import AudioError

NEAR = np.full(240, 100, dtype=np.int16)
FAR = np.full(240, -200, dtype=np.int16)


def both(path: Path, *, resume: bool = False) -> Recorder:
    return Recorder(speaker_path=None, both_sides_path=str(path), resume=resume)


def test_both_sides_are_left_and_right(tmp_path: Path) -> None:
    recorder = both(tmp_path / "both.wav")
    recorder.write(NEAR, FAR)
    recorder.close()
    samples, rate_hz = soundfile.read(tmp_path / "both.wav", dtype="int16")
    assert rate_hz == 24_000
    assert samples.shape == (240, 2)
    assert samples[0].tolist() == [100, -200]


def test_the_speaker_alone_is_mono(tmp_path: Path) -> None:
    recorder = Recorder(speaker_path=str(tmp_path / "out.wav"), both_sides_path=None, resume=False)
    assert recorder.active
    recorder.write(NEAR, FAR)
    recorder.close()
    samples, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert samples.tolist() == [-200] * 240


def test_a_recorder_of_nothing_writes_nothing() -> None:
    recorder = Recorder(speaker_path=None, both_sides_path=None, resume=False)
    assert not recorder.active
    recorder.write(NEAR, FAR)
    recorder.close()


def test_a_recording_whose_writer_was_killed_is_whole_up_to_its_last_second(tmp_path: Path) -> None:
    recorder = both(tmp_path / "both.wav")
    for _ in range(250):
        recorder.write(NEAR, FAR)
    samples, _ = soundfile.read(tmp_path / "both.wav")
    assert len(samples) == 48_000
    recorder.close()


def test_a_successor_goes_on_where_it_ended_and_a_new_recording_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "both.wav"
    for resume, seconds in ((False, 1), (True, 2), (False, 1)):
        recorder = both(path, resume=resume)
        for _ in range(100):
            recorder.write(NEAR, FAR)
        recorder.close()
        assert soundfile.info(path).frames == seconds * 24_000


def test_a_path_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="No such file"):
        both(tmp_path / "nowhere" / "both.wav")


@pytest.mark.parametrize("moment", ["write", "close"])
def test_a_disk_that_fills_up_later_ends_the_recording_only(moment: str) -> None:
    writer = WavWriter("/dev/null", channels=1, resume=False)
    assert writer._file is not None
    writer._file.close()
    writer._file = Path("/dev/full").open("wb", buffering=0 if moment == "write" else -1)  # noqa: SIM115 - the writer closes it
    writer.write(FAR)
    writer.write(FAR)
    writer.close()
    writer.write(FAR)
