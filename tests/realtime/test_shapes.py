"""The same message in the shapes that servers know. The recorded sessions hold whole ones against openai's types."""

from __future__ import annotations

import pytest

from voicebotd.realtime.shapes import (
    flat,
    flat_message,
    lifted,
    looks_flat,
    lookup,
    nested_tools,
    put,
    rate_hz,
    told_in_ga,
    without,
)

VOICE = ("audio", "output", "voice")
PCM = {"type": "audio/pcm", "rate": 24_000}
TOOL = {"type": "function", "name": "f", "description": "d", "parameters": {}}


def test_a_place_is_looked_up_or_found_missing() -> None:
    assert lookup({"audio": {"output": {"voice": None}}}, VOICE) == (True, None)
    assert lookup({"audio": {"output": {}}}, VOICE) == (False, None)
    assert lookup({"audio": None}, VOICE) == (False, None)


def test_something_is_put_where_there_is_no_way_to_yet() -> None:
    tree = {"audio": {"input": 1, "output": None}}
    put(tree, VOICE, "v")
    assert tree == {"audio": {"input": 1, "output": {"voice": "v"}}}


def test_a_place_is_left_out_of_a_copy() -> None:
    tree = {"audio": {"output": {"voice": "v", "speed": 1}}, "type": "realtime"}
    assert without(tree, [VOICE, ("type",), ("absent", "x"), ("type", "x")]) == {"audio": {"output": {"speed": 1}}}
    assert tree["audio"] == {"output": {"voice": "v", "speed": 1}}


def test_settings_are_lifted_to_the_top_and_those_that_are_not_there_are_not() -> None:
    session = {"type": "realtime", "audio": {"output": {"voice": "v", "speed": 1}}}
    assert lifted(session, [VOICE, ("audio", "input", "turn_detection")]) == {
        "audio": {"output": {"speed": 1}},
        "voice": "v",
    }
    assert lifted(session, []) == session


def test_a_flat_session_has_what_was_set_by_its_older_names() -> None:
    detection = {"type": "server_vad", "threshold": 0.5, "idle_timeout_ms": None}
    session = {
        "type": "realtime",
        "max_output_tokens": 100,
        "output_modalities": ["text"],
        "truncation": "auto",
        "audio": {"input": {"format": PCM, "turn_detection": detection}, "output": {"voice": "v"}},
    }
    assert flat(session, pcm="pcm16") == {
        "max_response_output_tokens": 100,
        "modalities": ["text"],
        "voice": "v",
        "turn_detection": {"type": "server_vad", "threshold": 0.5},
        "input_audio_format": "pcm16",
    }


def test_a_flat_session_without_detection_says_so_and_names_no_format_where_none_may_be_named() -> None:
    session = {"audio": {"input": {"format": PCM, "turn_detection": None}}, "output_modalities": ["audio"]}
    assert flat({"audio": {}}, pcm="pcm16") == {}
    assert flat(session, pcm=None) == {"turn_detection": None, "modalities": ["text", "audio"]}


def test_tools_are_written_as_chat_completions_write_them() -> None:
    nested = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}
    assert nested_tools({"tools": [TOOL]}) == {"tools": [nested]}
    assert nested_tools({"instructions": "x"}) == {"instructions": "x"}


@pytest.mark.parametrize(("ours", "theirs"), [("output_text", "text"), ("input_text", "input_text")])
def test_the_parts_of_an_item_have_their_older_names(ours: str, theirs: str) -> None:
    message = {"type": "conversation.item.create", "item": {"id": "i", "content": [{"type": ours, "text": "t"}]}}
    assert flat_message(message)["item"]["content"] == [{"type": theirs, "text": "t"}]


def test_an_item_without_parts_and_a_message_without_either_are_left_as_they_are() -> None:
    output = {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": "o"}}
    assert flat_message(output) == output
    assert flat_message({"type": "response.cancel"}) == {"type": "response.cancel"}


def test_what_is_asked_of_a_response_has_its_older_names() -> None:
    response = {
        "instructions": "i",
        "output_modalities": ["audio"],
        "max_output_tokens": 5,
        "input": [{"content": [{"type": "output_text", "text": "t"}]}],
    }
    assert flat_message({"type": "response.create", "response": response})["response"] == {
        "instructions": "i",
        "modalities": ["text", "audio"],
        "max_response_output_tokens": 5,
        "input": [{"content": [{"type": "text", "text": "t"}]}],
    }
    assert flat_message({"type": "response.create", "response": {"metadata": {}}})["response"] == {"metadata": {}}


def test_a_flat_session_that_is_told_is_brought_to_the_ga_shape() -> None:
    told = {
        "id": "s",
        "voice": "v",
        "modalities": ["text", "audio"],
        "input_audio_format": "pcm16",
        "output_audio_format": "g711_ulaw",
        "turn_detection": None,
        "tools": [{"type": "function", "function": {"name": "f"}}, TOOL, "odd"],
    }
    made = told_in_ga(told, input_hz=16_000, output_hz=24_000)
    assert made["audio"] == {
        "input": {"turn_detection": None, "format": {"type": "audio/pcm", "rate": 16_000}},
        "output": {"voice": "v", "format": {"type": "g711_ulaw"}},
    }
    assert made["output_modalities"] == ["audio"]
    assert made["tools"] == [{"type": "function", "name": "f"}, TOOL, "odd"]


def test_what_a_server_tells_in_the_ga_shape_wins_over_what_it_repeats_flat() -> None:
    told = {
        "modalities": ["text"],
        "output_modalities": ["audio"],
        "voice": "old",
        "input_audio_format": "pcm16",
        "audio": {"input": {"format": PCM}, "output": {"voice": "new"}},
    }
    made = told_in_ga(told, input_hz=8000, output_hz=8000)
    assert (made["audio"], made["output_modalities"]) == (told["audio"], ["audio"])
    assert told_in_ga({"modalities": ["text"]}, input_hz=1, output_hz=1)["output_modalities"] == ["text"]


@pytest.mark.parametrize(
    ("told", "flat_one"),
    [
        ({"audio": {}}, False),
        ({"type": "realtime"}, False),
        ({"modalities": ["text"]}, True),
        ({"input_audio_format": "pcm16"}, True),
        ({"id": "s", "audio": None}, None),
    ],
)
def test_a_session_shows_its_shape_or_does_not(told: dict[str, object], flat_one: bool | None) -> None:
    assert looks_flat(told) is flat_one


@pytest.mark.parametrize(
    ("stated", "rate"),
    [
        ({"type": "audio/pcm", "rate": 16_000}, 16_000),
        ({"type": "audio/pcm", "rate": 0}, None),
        ({"type": "audio/pcm", "rate": 96_000}, None),
        ({"type": "audio/pcm"}, None),
        ({"type": "audio/pcmu", "rate": 8000}, None),
        (None, None),
    ],
)
def test_a_rate_counts_where_it_is_one_of_pcm_that_can_be_used(stated: object, rate: int | None) -> None:
    assert rate_hz({"audio": {"input": {"format": stated}}}, "input") == rate
