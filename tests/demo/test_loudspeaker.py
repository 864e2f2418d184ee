"""The loudspeaker follows a recording while it is written: both sides together, in order, nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebotd.audio.options import SAMPLE_RATE_HZ, AudioOptions, FileOptions
from voicebotd.audio.recorder import Recorder
from voicebotd.demo.loudspeaker import LEAD_S, Follower, playing_along
from voicebotd.rehearsal.speech import clip

LEAD = round(LEAD_S * SAMPLE_RATE_HZ)


def samples(value: int, count: int) -> np.ndarray:
    return np.full(count, value, dtype=np.int16)


def heard(follower: Follower) -> np.ndarray:
    return np.frombuffer(follower.read(), dtype="<i2")


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return tmp_path / "both.wav"


@pytest.fixture
def follower(wav: Path):
    follower = Follower(wav)
    yield follower
    follower.close()


def append(path: Path, frames: np.ndarray) -> None:
    """As the recorder does it: the header first, then frame after frame."""
    if not path.exists():
        recorder = Recorder(speaker_path=None, both_sides_path=str(path), resume=False)
        recorder.close()
    with path.open("ab") as file:
        file.write(frames.astype("<i2").tobytes())


def stereo(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.column_stack((left, right))


def test_it_is_silent_while_there_is_no_recording(follower: Follower) -> None:
    assert follower.read() == b""


def test_it_begins_when_it_has_enough_in_hand_and_then_plays_all_of_it(wav: Path, follower: Follower) -> None:
    append(wav, stereo(samples(1, LEAD - 1), samples(2, LEAD - 1)))
    assert follower.read() == b""

    append(wav, stereo(samples(1, 1), samples(2, 1)))

    assert np.array_equal(heard(follower), samples(3, LEAD))


def test_after_the_beginning_every_new_frame_is_played_once(wav: Path, follower: Follower) -> None:
    append(wav, stereo(samples(0, LEAD), samples(0, LEAD)))
    follower.read()

    append(wav, stereo(samples(5, 10), samples(-3, 10)))

    assert np.array_equal(heard(follower), samples(2, 10))
    assert follower.read() == b""


def test_a_frame_that_is_written_in_two_parts_is_played_whole(wav: Path, follower: Follower) -> None:
    append(wav, stereo(samples(0, LEAD), samples(0, LEAD)))
    follower.read()
    frame = stereo(samples(1000, 1), samples(2000, 1)).tobytes()

    append(wav, np.frombuffer(frame[:2], dtype="<i2"))
    assert follower.read() == b""
    append(wav, np.frombuffer(frame[2:], dtype="<i2"))

    assert list(heard(follower)) == [3000]


def test_two_loud_voices_saturate_and_do_not_wrap(wav: Path, follower: Follower) -> None:
    append(wav, stereo(samples(30000, LEAD), samples(30000, LEAD)))

    assert set(heard(follower)) == {32767}


@pytest.mark.asyncio
async def test_a_conversation_comes_out_of_the_sound_card_as_it_was_recorded(tmp_path: Path, wav: Path) -> None:
    visitor = np.frombuffer(clip("visitor_goodbye").pcm, dtype="<i2")
    microphone, played = tmp_path / "room.wav", tmp_path / "played.wav"
    soundfile.write(microphone, samples(0, 10 * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    options = AudioOptions(backend="file", file=FileOptions(input=str(microphone), output_path=str(played)))

    append(wav, stereo(visitor, samples(0, len(visitor))))
    async with playing_along(options, wav), asyncio.timeout(15):
        # The header of a recording is written once a second, the samples ten times.
        while not played.exists() or played.stat().st_size < 2 * len(visitor) + 2 * SAMPLE_RATE_HZ:
            await asyncio.sleep(0.05)

    out = np.frombuffer(played.read_bytes()[44:], dtype="<i2")
    first = int(np.flatnonzero(out)[0]) - int(np.flatnonzero(visitor)[0])
    assert np.array_equal(out[first : first + len(visitor)], visitor)
