from __future__ import annotations

from voicebotd.rehearsal.brain import spoken_length
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS


def test_speech_whose_words_nobody_knows_is_told_by_its_length() -> None:
    assert spoken_length(bytes(2400 * PCM_BYTES_PER_MS)) == "(2.4 s of speech)"
