from __future__ import annotations

import base64

import pytest

from voicebotd.rehearsal.brain import Call, Line
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.output import PIECE_MS, Output, make_output, spoken_pieces, written_pieces
from voicebotd.rehearsal.usage import Tokens, spoken_tokens
from voicebotd.rehearsal.wire import Outbox, ServerEvent

WORDS = "one two three four five six seven"
LINE = Line(text=WORDS, pcm=bytes(range(250)) * 96)
"""500 ms."""


def made(part: Line | Call, modality: str = "audio") -> tuple[Outbox, Output]:
    outbox = Outbox("sess_1")
    output = make_output(
        outbox, part, modality="audio" if modality == "audio" else "text", response_id="r", output_index=3
    )
    return outbox, output


def played(outbox: Outbox, output: Output) -> list[ServerEvent]:
    output.open()
    while (piece := output.next_piece()) is not None:
        output.send(piece)
    output.close()
    return outbox.drain()


def types(events: list[ServerEvent]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def joined(events: list[ServerEvent], type_: str) -> str:
    return "".join(event["delta"] for event in events if event["type"] == type_)


@pytest.mark.parametrize("milliseconds", [0, 1, PIECE_MS, PIECE_MS + 1, 20 * PIECE_MS])
@pytest.mark.parametrize("text", ["", "word", WORDS])
def test_pieces_of_speech_are_together_the_whole_line(milliseconds: int, text: str) -> None:
    pcm = bytes(milliseconds * PCM_BYTES_PER_MS)
    pieces = spoken_pieces(Line(text=text, pcm=pcm))
    assert "".join(piece.text for piece in pieces) == text
    assert b"".join(piece.pcm for piece in pieces) == pcm
    assert all(len(piece.pcm) <= PIECE_MS * PCM_BYTES_PER_MS for piece in pieces)


def test_the_words_run_along_with_the_audio() -> None:
    assert [piece.text for piece in spoken_pieces(LINE)] == ["one two three", " four five", " six seven"]


def test_pieces_of_text_are_together_the_whole_text() -> None:
    assert [piece.text for piece in written_pieces(WORDS)] == ["one two three four", " five six seven"]
    assert written_pieces("") == []


def test_a_spoken_line_sends_words_and_audio_in_turn() -> None:
    outbox, output = made(LINE)
    events = played(outbox, output)
    words, sound = "output_audio_transcript.delta", "output_audio.delta"
    assert types(events) == [
        "content_part.added",
        *[words, sound] * 3,
        "output_audio.done",
        "output_audio_transcript.done",
        "content_part.done",
    ]
    assert joined(events, "response.output_audio_transcript.delta") == WORDS == events[-2]["transcript"]
    sent = [base64.b64decode(event["delta"]) for event in events if event["type"] == "response.output_audio.delta"]
    assert b"".join(sent) == LINE.pcm == output.item.parts[0].pcm
    assert all(event["content_index"] == 0 and event["output_index"] == 3 for event in events)


def test_silence_without_words_sends_only_what_there_is() -> None:
    assert types(played(*made(Line(text="", pcm=bytes(480)))))[1] == "output_audio.delta"
    assert types(played(*made(Line(text="a", pcm=b""))))[1:3] == ["output_audio_transcript.delta", "output_audio.done"]


def test_the_cost_is_that_of_the_whole_and_not_of_rounded_pieces() -> None:
    _, output = made(LINE)
    assert output.cost() == Tokens()
    while (piece := output.next_piece()) is not None:
        foreseen = output.cost(piece)
        output.send(piece)
        assert output.cost() == foreseen
    assert output.cost() == spoken_tokens(WORDS, 500)


def test_a_truncated_item_takes_no_more_although_the_client_is_still_sent_it() -> None:
    outbox, output = made(LINE)
    first, second = output.next_piece(), output.next_piece()
    assert first is not None
    assert second is not None
    output.send(first)
    output.item.truncated = True
    output.send(second)
    assert bytes(output.item.parts[0].pcm) == first.pcm
    assert "response.output_audio.delta" in [event["type"] for event in outbox.drain()]


def test_a_written_line_sends_text() -> None:
    outbox, output = made(LINE, "text")
    events = played(outbox, output)
    assert types(events) == [
        "content_part.added",
        *["output_text.delta"] * 2,
        "output_text.done",
        "content_part.done",
    ]
    assert joined(events, "response.output_text.delta") == WORDS == events[-2]["text"]
    assert output.item.wire()["content"] == [{"type": "output_text", "text": WORDS}]


def test_a_call_sends_its_arguments_and_names_its_function_at_the_end() -> None:
    arguments = '{"service": "consultation", "day": "tomorrow"}'
    outbox, output = made(Call(name="book", arguments=arguments))
    events = played(outbox, output)
    assert set(types(events)) == {"function_call_arguments.delta", "function_call_arguments.done"}
    assert joined(events, "response.function_call_arguments.delta") == arguments == events[-1]["arguments"]
    assert events[-1]["name"] == "book"
    assert output.item.wire()["arguments"] == arguments
    assert {event["call_id"] for event in events} == {output.item.call_id}


def test_a_call_that_the_service_makes_itself_is_over_within_its_response() -> None:
    outbox, output = made(Call(name="search", arguments='{"q": "hours"}', server="docs", output="found"))
    events = played(outbox, output)
    assert types(events)[-3:] == ["mcp_call_arguments.done", "mcp_call.in_progress", "mcp_call.completed"]
    assert joined(events, "response.mcp_call_arguments.delta") == '{"q": "hours"}'
    assert events[-1]["item_id"] == output.item.item_id
    assert "response_id" not in events[-1]
    item = output.item.wire()
    assert (item["type"], item["server_label"], item["output"]) == ("mcp_call", "docs", "found")
