"""Silero hears the bundled visitors as the demonstration and the daemon's defaults need them heard."""

from __future__ import annotations

import pytest

from voicebotd.rehearsal import speech
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.silero import SpeechDetector
from voicebotd.rehearsal.vad import TurnBegan, TurnDetector, TurnEnded, TurnRule

VISITORS = [name for name in speech.clip_texts() if name.startswith("visitor_")]
BEFORE_MS = 500
AFTER_MS = 1700


@pytest.fixture(scope="module")
def probabilities() -> dict[str, list[float]]:
    before, after = bytes(BEFORE_MS * PCM_BYTES_PER_MS), bytes(AFTER_MS * PCM_BYTES_PER_MS)
    return {name: SpeechDetector().feed(before + speech.clip(name).pcm + after) for name in VISITORS}


@pytest.mark.parametrize("name", VISITORS)
@pytest.mark.parametrize(("threshold", "silence_ms"), [(0.85, 1200), (0.5, 500)])
def test_a_visitor_is_one_turn(
    name: str, threshold: float, silence_ms: int, probabilities: dict[str, list[float]]
) -> None:
    rule = TurnRule(threshold=threshold, prefix_padding_ms=0, silence_duration_ms=silence_ms)
    detector = TurnDetector()
    began, ended = [c for p in probabilities[name] if (c := detector.hear(p, rule)) is not None]
    assert isinstance(began, TurnBegan)
    assert BEFORE_MS <= began.at_ms <= BEFORE_MS + 350
    assert isinstance(ended, TurnEnded)
    end_of_speech_ms = BEFORE_MS + speech.clip(name).duration_s * 1000
    assert abs(ended.at_ms - silence_ms - end_of_speech_ms) < 350


def test_the_size_of_the_pieces_makes_no_difference() -> None:
    pcm = speech.clip("visitor_goodbye").pcm
    detector = SpeechDetector()
    pieces = [p for at in range(0, len(pcm), 960) for p in detector.feed(pcm[at : at + 960])]
    whole = SpeechDetector().feed(pcm)
    assert len(pieces) == len(whole)
    assert pieces == pytest.approx(whole, abs=0.02)


def test_less_than_a_chunk_waits_for_the_rest() -> None:
    assert SpeechDetector().feed(bytes(20 * PCM_BYTES_PER_MS)) == []
