"""What may be spent, and what things cost: the keys of `budget`, part of the manual in `model.py`.

Owns how prices are written and every complaint about them. Knows no price: what is not written here has the price of
the built-in table.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from voicebotd.config.section import Section, key

PRICES = "budget.prices"
MOST_USD = 10_000
PriceKind = Literal["text_in", "text_cached", "text_out", "audio_in", "audio_cached", "audio_out", "minute"]
KINDS: tuple[str, ...] = get_args(PriceKind)
_ALLOWED = f"a map of model names to maps of {', '.join(KINDS)} to USD from 0 to {MOST_USD}"
_KEY = "[key]"
"""What pydantic appends to the place of a key that is wrong, rather than its value."""


def _from_text(value: object) -> object:
    # The environment and --set can write nothing but text.
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


Amount = Annotated[float, Field(ge=0, le=MOST_USD)]
Usd = Annotated[float, Field(ge=0, le=100_000)]
Prices = Annotated[
    dict[Annotated[str, Field(min_length=1)], dict[PriceKind, Amount]],
    BeforeValidator(_from_text),
]


class Budget(Section):
    """What may be spent. At a cap the box finishes what it says, says goodbye, and does not talk before midnight."""

    daily_usd: Usd | None = key(None, "live", unit="USD")
    """What the box may spend in one day (midnight to midnight, local time), over all conversations and restarts; null:
    any amount."""
    session_usd: Usd | None = key(None, "live", unit="USD")
    """What one conversation may cost; the next may begin at once. null: any amount."""
    warn_fraction: float = key(0.8, "live", ge=0, le=1)
    """At this share of a cap a warning is given, in the log, in the status and as an event."""
    prices: Prices = key({}, "live", allowed=_ALLOWED)
    """Prices that differ from the built-in table: USD for a million tokens of each kind (`cached`: of what the service
    read before), or for a `minute` of transcribed audio. What is left out of a known model stays as the table has it;
    a model of which no price is known is counted as free and named in the status."""


def complaint(value: object) -> str:
    """Everything that is wrong with a value of `budget.prices`, place by place; empty where it is the whole of it."""
    try:
        TypeAdapter(Prices).validate_python(value, strict=True)
    except ValidationError as error:
        return "; ".join(filter(None, (_words(each["loc"], each["input"]) for each in error.errors())))
    return ""


def _words(place: tuple[Any, ...], given: object) -> str:
    match place:
        case (_, kind, last) if last == _KEY:
            near = get_close_matches(str(kind), KINDS, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(KINDS)}"
            return f"{place[0]}.{kind} is unknown, {remedy}"
        case (model, kind):
            return "" if kind == _KEY else f"{model}.{kind}: {_shown(given)} is not a number from 0 to {MOST_USD} (USD)"
        case (model,):
            return f"{model}: {_shown(given)} is not a map of {', '.join(KINDS)}"
    return ""


def _shown(value: object) -> str:
    return repr(value)[:40]
