from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebotd.errors import AudioError
from voicebotd.rehearsal import speech


@pytest.mark.parametrize("name", list(speech.clip_texts()))
def test_every_clip_is_audible_and_found_by_its_words(name: str) -> None:
    clip = speech.clip(name)
    assert 1.0 < clip.duration_s < 20.0
    assert np.abs(np.frombuffer(clip.pcm, dtype="<i2")).max() > 10_000
    assert speech.clip_of_text(clip.text) is clip


def test_the_list_of_services_is_long_enough_to_be_interrupted() -> None:
    assert speech.clip("assistant_services").duration_s >= 8.0


def test_the_bundle_is_small() -> None:
    directory = Path(speech.__file__).parent / "speech"
    assert sum(path.stat().st_size for path in directory.glob("*.ogg")) < 1_500_000


def test_words_that_nobody_recorded_have_no_clip() -> None:
    assert speech.clip_of_text("Nobody recorded this.") is None
    with pytest.raises(KeyError):
        speech.clip("nobody")


def test_any_rate_and_any_number_of_channels_becomes_ours(tmp_path: Path) -> None:
    stereo = np.stack([np.full(44_100, 0.5), np.zeros(44_100)], axis=1)
    soundfile.write(tmp_path / "stereo.flac", stereo, 44_100)
    sound = np.frombuffer(speech.read_audio(tmp_path / "stereo.flac"), dtype="<i2")
    assert len(sound) == 24_000
    assert sound[12_000] == pytest.approx(0.25 * 32767, rel=0.01)


def test_what_is_not_audio_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no")
    for name in ("text.wav", "missing.wav"):
        with pytest.raises(AudioError, match=name):
            speech.read_audio(tmp_path / name)
