"""What recorded usage blocks cost: every sum below was worked out by hand from the price pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebotd.conversation.budget import Cost, usd
from voicebotd.conversation.events import ResponseDone, Usage, UserTranscriptDone
from voicebotd.realtime.pricing import TABLE, PriceList
from voicebotd.realtime.protocol import decode

Block = dict[str, Any]


def block(*, text: tuple[int, int], audio: tuple[int, int], out: tuple[int, int]) -> Block:
    """A `response.done.response.usage`. `text`, `audio`: all of it and what was cached of it; `out`: text, audio."""
    return {
        "total_tokens": text[0] + audio[0] + sum(out),
        "input_tokens": text[0] + audio[0],
        "output_tokens": sum(out),
        "input_token_details": {
            "text_tokens": text[0],
            "audio_tokens": audio[0],
            "image_tokens": 0,
            "cached_tokens": text[1] + audio[1],
            "cached_tokens_details": {"text_tokens": text[1], "audio_tokens": audio[1], "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": out[0], "audio_tokens": out[1]},
    }


RESPONSES = [
    # 55 * 4 + 64 * 0.40 + 13 * 32 + 30 * 24 + 91 * 64 = 220 + 25.6 + 416 + 720 + 5824 = 7205.6 millionths
    ("gpt-realtime-2.1", block(text=(119, 64), audio=(13, 0), out=(30, 91)), 0.007206),
    # 104 * 0.60 + 896 * 0.06 + 88 * 10 + 512 * 0.30 + 50 * 2.40 + 240 * 20
    # = 62.4 + 53.76 + 880 + 153.6 + 120 + 4800 = 6069.76
    ("gpt-realtime-2.1-mini-2026-10-01", block(text=(1000, 896), audio=(600, 512), out=(50, 240)), 0.006070),
    # 300 * 4 + 16 * 32 + 384 * 0.40 + 20 * 16 + 100 * 64 = 1200 + 512 + 153.6 + 320 + 6400 = 8585.6
    ("gpt-realtime-2025-08-28", block(text=(300, 0), audio=(400, 384), out=(20, 100)), 0.008586),
    # all of the input cached: 512 * 0.40 + 1200 * 64 = 204.8 + 76800
    ("gpt-realtime-1.5", block(text=(512, 512), audio=(0, 0), out=(0, 1200)), 0.077005),
    # text only: 7 * 4 + 5 * 24 = 148
    ("gpt-realtime-2", block(text=(7, 0), audio=(0, 0), out=(5, 0)), 0.000148),
    ("gpt-realtime-mini", block(text=(0, 0), audio=(0, 0), out=(0, 0)), 0.0),
]
TRANSCRIPTIONS = [
    ("gpt-transcribe", {"type": "duration", "seconds": 6.4}, 0.000480),  # 6.4 / 60 * 0.0045
    ("gpt-transcribe", {"type": "duration", "seconds": 1.5}, 0.000112),  # 112.5 millionths, half to even
    ("gpt-realtime-whisper", {"type": "duration", "seconds": 90}, 0.025500),
    ("whisper-1", {"type": "duration", "seconds": 30}, 0.003000),
    (  # 52 * 1.25 + 20 * 5 = 65 + 100
        "gpt-4o-mini-transcribe",
        {
            "type": "tokens",
            "input_tokens": 52,
            "output_tokens": 20,
            "total_tokens": 72,
            "input_token_details": {"audio_tokens": 40, "text_tokens": 12},
        },
        0.000165,
    ),
]


@pytest.mark.parametrize(("model", "usage", "dollars"), RESPONSES)
def test_a_response_costs_what_its_usage_block_says(model: str, usage: Block, dollars: float) -> None:
    done = decode({"type": "response.done", "response": {"id": "r", "status": "completed", "usage": usage}})
    assert isinstance(done, ResponseDone)
    assert done.usage is not None
    cost = PriceList().cost_of(model, done.usage)
    assert cost.complete
    assert usd(cost.nano_usd) == dollars


@pytest.mark.parametrize(("model", "usage", "dollars"), TRANSCRIPTIONS)
def test_a_transcription_costs_what_its_usage_block_says(model: str, usage: Block, dollars: float) -> None:
    name = "conversation.item.input_audio_transcription.completed"
    done = decode({"type": name, "item_id": "i", "transcript": "Hello", "usage": usage})
    assert isinstance(done, UserTranscriptDone)
    assert done.usage is not None
    cost = PriceList().cost_of(model, done.usage)
    assert cost.complete
    assert usd(cost.nano_usd) == dollars


def test_a_model_without_a_price_costs_nothing_and_says_so() -> None:
    assert PriceList().cost_of("llama-speaks", Usage(output_audio=100)) == Cost(nano_usd=0, complete=False)
    assert PriceList().cost_of("llama-speaks", Usage()).complete, "nothing was used"
    assert PriceList().price_of("gpt-realtime-2.1-nano") is None, "a longer name is another model"


def test_what_is_used_and_not_sold_is_not_in_the_sum_and_said() -> None:
    cost = PriceList().cost_of("gpt-4o-transcribe", Usage(input_audio=60, output_audio=9))
    assert cost == Cost(nano_usd=60 * 2500, complete=False)


def test_a_model_that_is_sold_by_the_minute_costs_the_same_when_its_use_is_told_in_tokens() -> None:
    by_length = PriceList().cost_of("gpt-transcribe", Usage(audio_s=60))
    assert by_length == Cost(nano_usd=4_500_000)
    assert PriceList().cost_of("gpt-transcribe", Usage(input_audio=600, output_text=40)) == by_length


def test_the_owner_corrects_a_price_and_the_rest_stays() -> None:
    prices = PriceList({"gpt-realtime-2.1": {"audio_out": 50.0}})
    used = Usage(input_text=10, output_audio=100)
    assert prices.cost_of("gpt-realtime-2.1", used) == Cost(nano_usd=10 * 4000 + 100 * 50_000)
    assert prices.price_of("gpt-realtime-2") == TABLE["gpt-realtime-2"]


def test_the_owner_prices_a_dated_snapshot_from_what_its_family_costs() -> None:
    prices = PriceList({"gpt-realtime-1.5-2026-05-05": {"text_out": 8}})
    used = Usage(output_text=1, output_audio=1)
    assert prices.cost_of("gpt-realtime-1.5-2026-05-05", used) == Cost(nano_usd=8_000 + 64_000)
    assert prices.cost_of("gpt-realtime-1.5", used) == Cost(nano_usd=16_000 + 64_000)


def test_the_owner_prices_a_model_that_the_table_does_not_know() -> None:
    prices = PriceList({"llama-speaks": {"text_in": 0.1, "audio_out": 0}})
    used = Usage(input_text=10, cached_text=4, output_audio=7)
    assert prices.cost_of("llama-speaks", used) == Cost(nano_usd=1000), "cached costs the same, speech nothing"
    assert not prices.cost_of("llama-speaks", replace(used, output_text=1)).complete


def test_more_cached_than_there_is_costs_no_less_than_nothing() -> None:
    used = Usage(input_text=10, cached_text=99, input_audio=1, cached_audio=5)
    assert PriceList().cost_of("gpt-realtime-2.1", used).nano_usd == 10 * 400 + 400


tokens = st.integers(0, 10**6)


@given(st.builds(Usage, input_text=tokens, input_audio=tokens, output_text=tokens, output_audio=tokens), tokens)
def test_cached_tokens_only_ever_make_it_cheaper(used: Usage, cached: int) -> None:
    prices = PriceList()
    with_cache = prices.cost_of("gpt-realtime-2.1", replace(used, cached_text=cached, cached_audio=cached))
    assert 0 <= with_cache.nano_usd <= prices.cost_of("gpt-realtime-2.1", used).nano_usd
