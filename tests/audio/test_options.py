from __future__ import annotations

from typing import Any

import pytest

from voicebotd.audio import options
from voicebotd.audio.options import AudioOptions, FileOptions
from voicebotd.conversation import events
from voicebotd.errors import AudioError


def test_the_rate_is_the_conversations() -> None:
    assert options.SAMPLE_RATE_HZ == events.SAMPLE_RATE_HZ
    assert options.BYTES_PER_SAMPLE == events.BYTES_PER_SAMPLE


@pytest.mark.parametrize(
    "wrong",
    [
        {"block_ms": 4},
        {"block_ms": 101},
        {"volume_percent": -1},
        {"volume_percent": 201},
        {"input_gain_db": 60.5},
        {"echo_tail_ms": 5001},
        {"sample_rate_hz": 7999},
    ],
)
def test_a_value_that_cannot_be_carried_out_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(AudioError, match=next(iter(wrong))):
        AudioOptions(**wrong)


def test_a_file_back_end_without_a_file_is_refused() -> None:
    with pytest.raises(AudioError, match="input file"):
        AudioOptions(backend="file")


def test_the_limits_themselves_are_allowed() -> None:
    AudioOptions(block_ms=5, volume_percent=200, input_gain_db=-60, echo_tail_ms=0, sample_rate_hz=192_000)
    AudioOptions(backend="file", file=FileOptions(input=3))
