"""What a response costs in tokens, counted by the service's published rates.

Owns the counting. Pure. Audio: one token per 100 ms of a user's and per 50 ms of the assistant's (OpenAI's cost guide).
Text: one token per 4 characters, the usual rule of thumb, since this server has no tokenizer. Cached is the part of the
context, from its start, that the response before had too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from voicebotd.rehearsal.items import Item, Part, duration_ms

USER_AUDIO_MS_PER_TOKEN = 100
ASSISTANT_AUDIO_MS_PER_TOKEN = 50
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    text: int = 0
    audio: int = 0

    @property
    def total(self) -> int:
        return self.text + self.audio

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(text=self.text + other.text, audio=self.audio + other.audio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One piece of a context; equal entries at the same place are the same to a cache."""

    key: str
    tokens: Tokens


def text_tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def spoken_tokens(text: str, audio_ms: int) -> Tokens:
    """What the assistant's speech costs: its transcript and its audio."""
    return Tokens(text=text_tokens(text), audio=-(-audio_ms // ASSISTANT_AUDIO_MS_PER_TOKEN))


def context_of(instructions: str, tools: list[dict[str, Any]], items: Iterable[Item]) -> list[Entry]:
    head = instructions + (json.dumps(tools) if tools else "")
    entries = [Entry(key=head, tokens=Tokens(text=text_tokens(head)))]
    return entries + [Entry(key=item.item_id, tokens=_item_tokens(item)) for item in items]


def _item_tokens(item: Item) -> Tokens:
    written = Tokens(text=text_tokens(item.name + item.text))
    return sum((_part_tokens(part) for part in item.parts), written)


def _part_tokens(part: Part) -> Tokens:
    if part.type == "input_audio":
        return Tokens(audio=-(-duration_ms(part.pcm) // USER_AUDIO_MS_PER_TOKEN))
    return spoken_tokens(part.text or "", duration_ms(part.pcm))


def total_of(context: list[Entry]) -> Tokens:
    return sum((entry.tokens for entry in context), Tokens())


def cached_of(context: list[Entry], before: list[Entry]) -> Tokens:
    """The tokens of the longest beginning that both contexts share."""
    cached = Tokens()
    for entry, old in zip(context, before, strict=False):
        if entry != old:
            break
        cached += entry.tokens
    return cached


def usage_wire(*, total: Tokens, cached: Tokens, output: Tokens) -> dict[str, Any]:
    return {
        "total_tokens": total.total + output.total,
        "input_tokens": total.total,
        "output_tokens": output.total,
        "input_token_details": {
            "text_tokens": total.text,
            "audio_tokens": total.audio,
            "image_tokens": 0,
            "cached_tokens": cached.total,
            "cached_tokens_details": {"text_tokens": cached.text, "audio_tokens": cached.audio, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": output.text, "audio_tokens": output.audio},
    }


def transcription_wire(model: str, transcript: str, audio_ms: int) -> dict[str, Any]:
    """What a transcription used, by what its model is billed by (their pages): gpt-4o's by the token, others by the
    length of the audio."""
    if not model.startswith("gpt-4o-"):
        return {"type": "duration", "seconds": audio_ms / 1000}
    heard, written = -(-audio_ms // USER_AUDIO_MS_PER_TOKEN), text_tokens(transcript)
    return {
        "type": "tokens",
        "input_tokens": heard,
        "output_tokens": written,
        "total_tokens": heard + written,
        "input_token_details": {"audio_tokens": heard, "text_tokens": 0},
    }
