from __future__ import annotations

from voicebotd.rehearsal.items import PCM_BYTES_PER_MS, Item, Part
from voicebotd.rehearsal.usage import (
    Tokens,
    cached_of,
    context_of,
    spoken_tokens,
    text_tokens,
    total_of,
    transcription_wire,
    usage_wire,
)


def message(item_id: str, part: Part) -> Item:
    return Item(item_id=item_id, type="message", parts=[part])


def audio(milliseconds: int) -> bytearray:
    return bytearray(milliseconds * PCM_BYTES_PER_MS)


HEARD = message("u", Part(type="input_audio", text="not counted", pcm=audio(1001)))
SPOKEN = message("a", Part(type="output_audio", text="12345678", pcm=audio(1000)))
WRITTEN = message("w", Part(type="input_text", text="12345"))
CALLED = Item(item_id="c", type="function_call", name="abcd", text="{}__")


def test_text_costs_a_token_for_four_characters_begun() -> None:
    assert [text_tokens("x" * length) for length in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_speech_costs_by_who_speaks() -> None:
    assert spoken_tokens("12345678", 1001) == Tokens(text=2, audio=21)
    context = context_of("", [], [HEARD, SPOKEN, WRITTEN, CALLED])
    assert [entry.tokens for entry in context[1:]] == [
        Tokens(audio=11),
        Tokens(text=2, audio=20),
        Tokens(text=2),
        Tokens(text=2),
    ]


def test_instructions_and_tools_are_part_of_the_context() -> None:
    assert total_of(context_of("12345678", [], [])) == Tokens(text=2)
    assert total_of(context_of("12345678", [{"name": "f"}], [])).text > 2


def test_cached_is_what_both_contexts_begin_with() -> None:
    before = context_of("1234", [], [HEARD, SPOKEN])
    assert cached_of(before, []) == Tokens()
    assert cached_of(context_of("1234", [], [HEARD, SPOKEN, WRITTEN]), before) == Tokens(text=3, audio=31)
    assert cached_of(context_of("other", [], [HEARD, SPOKEN, WRITTEN]), before) == Tokens()


def test_a_truncated_item_ends_the_cached_part() -> None:
    before = context_of("1234", [], [HEARD, SPOKEN])
    shorter = message("a", Part(type="output_audio", pcm=audio(500)))
    assert cached_of(context_of("1234", [], [HEARD, shorter]), before) == Tokens(text=1, audio=11)


def test_the_wire_has_every_sum() -> None:
    wire = usage_wire(total=Tokens(text=5, audio=20), cached=Tokens(text=1, audio=2), output=Tokens(text=3, audio=4))
    assert (wire["total_tokens"], wire["input_tokens"], wire["output_tokens"]) == (32, 25, 7)
    assert wire["input_token_details"] == {
        "text_tokens": 5,
        "audio_tokens": 20,
        "image_tokens": 0,
        "cached_tokens": 3,
        "cached_tokens_details": {"text_tokens": 1, "audio_tokens": 2, "image_tokens": 0},
    }
    assert wire["output_token_details"] == {"text_tokens": 3, "audio_tokens": 4}


def test_a_transcription_is_billed_by_its_length_or_by_tokens_as_its_model_is() -> None:
    assert transcription_wire("gpt-transcribe", "Hello", 1540) == {"type": "duration", "seconds": 1.54}
    assert transcription_wire("gpt-4o-mini-transcribe", "Hello", 1540) == {
        "type": "tokens",
        "input_tokens": 16,
        "output_tokens": 2,
        "total_tokens": 18,
        "input_token_details": {"audio_tokens": 16, "text_tokens": 0},
    }
