"""What tokens and minutes cost: the price of each model, and the sum for one usage block.

Owns the built-in table, the matching of a model's name to it, and the arithmetic. Knows no budget and no day. Pure.

Prices are in USD for a million tokens, or for a minute of audio. Their sources, read in November 2026:

    gpt-realtime-2.1, -2, -2.1-mini, -1.5   developers.openai.com/api/docs/models/NAME
    gpt-realtime (shut down 2027-01-20)     as gpt-realtime-1.5, its successor; its own page no longer says
    gpt-realtime-mini (likewise)            as gpt-realtime-2.1-mini, whose page compares the two
    gpt-transcribe, gpt-live-transcribe,
    gpt-realtime-whisper                    their model pages: by the minute of audio
    gpt-4o-transcribe, -mini-transcribe     their model pages: by the token (shut down 2027-02-26)
    whisper-1                               openai.com/api/pricing: by the minute of audio

What a provider bills beyond tokens and minutes is not known here. Prices change: `budget.prices` corrects the table.

Rounding: the sum of one block is exact until its end, and is then rounded half to even to a nano-dollar (1e-9 USD), so
that sums of sums are sums of whole numbers. No price of the table has a finer part for one token, so nothing is lost
by it; only a minute that is paid by the second is rounded at all. What people see is rounded to a micro-dollar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_EVEN, Decimal

from voicebotd.conversation.budget import Cost
from voicebotd.conversation.events import Usage

_NANO_PER_TOKEN = 1000
"""A dollar for a million tokens is so many nano-dollars for one."""
_NANO = 10**9
_TOKENS_PER_SECOND = 10
"""Of a visitor's audio (OpenAI's cost guide: one for 100 ms)."""
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
"""A dated snapshot costs what its family costs: `gpt-realtime-2025-08-28`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Of one model. None: not known, or not sold. A cached token without a price of its own costs what others do."""

    text_in: Decimal | None = None
    text_cached: Decimal | None = None
    text_out: Decimal | None = None
    audio_in: Decimal | None = None
    audio_cached: Decimal | None = None
    audio_out: Decimal | None = None
    minute: Decimal | None = None
    """Of audio, in place of tokens."""


def _tokens(text: str, audio: str) -> Price:
    """`text` and `audio`: input, cached input and output."""
    names = ("text_in", "text_cached", "text_out", "audio_in", "audio_cached", "audio_out")
    return Price(**dict(zip(names, map(Decimal, f"{text} {audio}".split()), strict=True)))


_FLAGSHIP = _tokens("4 0.40 24", "32 0.40 64")
_BEFORE = _tokens("4 0.40 16", "32 0.40 64")
_MINI = _tokens("0.60 0.06 2.40", "10 0.30 20")

TABLE: Mapping[str, Price] = {
    "gpt-realtime-2.1": _FLAGSHIP,
    "gpt-realtime-2": _FLAGSHIP,
    "gpt-realtime-2.1-mini": _MINI,
    "gpt-realtime-1.5": _BEFORE,
    "gpt-realtime": _BEFORE,
    "gpt-realtime-mini": _MINI,
    "gpt-transcribe": Price(minute=Decimal("0.0045")),
    "gpt-live-transcribe": Price(minute=Decimal("0.017")),
    "gpt-realtime-whisper": Price(minute=Decimal("0.017")),
    "gpt-4o-transcribe": Price(text_in=Decimal("2.50"), audio_in=Decimal("2.50"), text_out=Decimal(10)),
    "gpt-4o-mini-transcribe": Price(text_in=Decimal("1.25"), audio_in=Decimal("1.25"), text_out=Decimal(5)),
    "whisper-1": Price(minute=Decimal("0.006")),
}


class PriceList:
    """The table, with the owner's own prices over it."""

    def __init__(self, own: Mapping[str, Mapping[str, float]] | None = None) -> None:
        """`own`: model → fields of `Price`; what it leaves out of a model of the table stays as it is there."""
        self._prices = dict(TABLE)
        for model, given in (own or {}).items():
            known = self.price_of(model) or Price()
            merged = {field.name: getattr(known, field.name) for field in fields(Price)}
            # By its text: Decimal(0.4) is not four tenths.
            merged |= {name: Decimal(str(value)) for name, value in given.items()}
            self._prices[model] = Price(**merged)

    def price_of(self, model: str) -> Price | None:
        """The price of the model, or of the family that it is a dated snapshot of."""
        return self._prices.get(model) or self._prices.get(_SNAPSHOT.sub("", model))

    def cost_of(self, model: str, used: Usage) -> Cost:
        """What this block costs. Not `complete` where it holds something of which no price is known.

        A model that is sold by the minute costs nothing else, and if its use is told in tokens these tell the length.
        """
        price = self.price_of(model) or Price()
        if price.minute is not None and price.audio_in is None:
            used = Usage(audio_s=used.audio_s or used.input_audio / _TOKENS_PER_SECOND)
        cached_text, cached_audio = min(used.cached_text, used.input_text), min(used.cached_audio, used.input_audio)
        by_token = (
            (used.input_text - cached_text, price.text_in),
            (cached_text, price.text_in if price.text_cached is None else price.text_cached),
            (used.output_text, price.text_out),
            (used.input_audio - cached_audio, price.audio_in),
            (cached_audio, price.audio_in if price.audio_cached is None else price.audio_cached),
            (used.output_audio, price.audio_out),
        )
        sold = [(Decimal(count) * _NANO_PER_TOKEN, each) for count, each in by_token if count]
        if used.audio_s:
            sold.append((Decimal(str(used.audio_s)) / 60 * _NANO, price.minute))
        nano = sum((amount * each for amount, each in sold if each is not None), Decimal())
        complete = all(each is not None for _, each in sold)
        return Cost(nano_usd=int(nano.to_integral_value(ROUND_HALF_EVEN)), complete=complete)
