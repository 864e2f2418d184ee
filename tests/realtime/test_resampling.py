"""A stream from one sample rate to another."""

from __future__ import annotations

import numpy as np
import pytest

from voicebotd.realtime.resampling import RateConverter


def tone(seconds: float, rate_hz: int, *, early_s: float = 0.0) -> bytes:
    at_s = np.arange(round(seconds * rate_hz)) / rate_hz + early_s
    return (10_000 * np.sin(2 * np.pi * 440 * at_s)).astype("<i2").tobytes()


def samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, dtype="<i2").astype(float)


def test_equal_rates_pass_through_untouched() -> None:
    same = RateConverter(24_000, 24_000)
    assert same.push(b"\1\0\2\0") == b"\1\0\2\0"
    assert same.finish() == b""


@pytest.mark.parametrize(("from_hz", "to_hz"), [(24_000, 16_000), (16_000, 24_000), (24_000, 8_000)])
def test_pieces_of_any_size_make_the_same_tone_as_the_other_rate_has(from_hz: int, to_hz: int) -> None:
    converter, pcm = RateConverter(from_hz, to_hz), tone(0.5, from_hz)
    pieces = [pcm[start : start + 654] for start in range(0, len(pcm), 654)]
    made = b"".join([*map(converter.push, pieces), converter.finish()])
    assert len(made) == len(pcm) * to_hz // from_hz
    # soxr's shift is constant and a part of a sample at the lower rate.
    inner = slice(to_hz // 50, -to_hz // 50)
    shifts_s = np.linspace(-0.3e-3, 0.3e-3, 601)
    apart = [np.abs(samples(made) - samples(tone(0.5, to_hz, early_s=s)))[inner].max() for s in shifts_s]
    assert min(apart) < 30


def test_the_delay_of_a_stream_is_a_few_milliseconds_and_does_not_grow() -> None:
    converter, frame = RateConverter(24_000, 16_000), tone(0.01, 24_000)
    sent_ms = made_ms = 0.0
    for _ in range(200):
        sent_ms += 10
        made_ms += len(converter.push(frame)) / 32
        assert sent_ms - made_ms < 15


def test_silence_stays_silence_and_what_is_too_loud_is_cut_off() -> None:
    converter = RateConverter(24_000, 16_000)
    assert set(converter.push(bytes(4800)) + converter.finish()) == {0}
    square = np.tile(np.repeat(np.array([32_767, -32_768], dtype="<i2"), 60), 20).tobytes()
    loud = samples(converter.push(square) + converter.finish())
    assert (loud.min(), loud.max()) == (-32_768, 32_767)


def test_after_its_end_another_stream_begins_anew() -> None:
    converter = RateConverter(16_000, 24_000)
    first = converter.push(tone(0.1, 16_000)) + converter.finish()
    assert converter.push(tone(0.1, 16_000)) + converter.finish() == first
