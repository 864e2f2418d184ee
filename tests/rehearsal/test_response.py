from __future__ import annotations

from typing import Any

from voicebotd.rehearsal.brain import Answer, Call, Line
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS, Conversation
from voicebotd.rehearsal.output import PIECE_MS
from voicebotd.rehearsal.response import Response, ResponseRequest
from voicebotd.rehearsal.usage import Tokens
from voicebotd.rehearsal.wire import Outbox, ServerEvent

LINE = Line(text="one two three four", pcm=bytes(2 * PIECE_MS * PCM_BYTES_PER_MS))
CALL = Call(name="book", arguments='{"day": 1}')


class Stage:
    """A response, its outbox and its conversation."""

    def __init__(self, *parts: Line | Call, out_of_band: bool = False, **changes: Any) -> None:
        self.outbox = Outbox("sess_1")
        self.conversation = Conversation()
        fields: dict[str, Any] = {
            "response_id": "resp_1",
            "conversation_id": None if out_of_band else "conv_1",
            "modality": "audio",
            "audio_output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
            "max_output_tokens": "inf",
            "metadata": {"why": "test"},
            "input_tokens": Tokens(text=7),
            "cached_tokens": Tokens(text=3),
        }
        conversation = None if out_of_band else self.conversation
        self.response = Response(self.outbox, ResponseRequest(**fields | changes), Answer(parts=parts), conversation)
        self.response.begin()

    def advance(self, times: int) -> list[ServerEvent]:
        for _ in range(times):
            self.response.advance()
        return self.outbox.drain()

    def to_the_end(self) -> list[ServerEvent]:
        while self.response.status == "in_progress":
            self.response.advance()
        return self.outbox.drain()


def types(events: list[ServerEvent]) -> list[str]:
    return [event["type"] for event in events]


def done(events: list[ServerEvent]) -> dict[str, Any]:
    assert events[-1]["type"] == "response.done"
    response: dict[str, Any] = events[-1]["response"]
    return response


def test_a_spoken_response_has_the_services_order() -> None:
    assert types(Stage(LINE).to_the_end()) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]


def test_a_completed_response_says_what_it_was() -> None:
    stage = Stage(LINE)
    response = done(stage.to_the_end())
    assert (response["status"], response["status_details"]) == ("completed", None)
    assert (response["conversation_id"], response["metadata"]) == ("conv_1", {"why": "test"})
    assert response["output"][0]["content"][0]["transcript"] == LINE.text
    assert response["usage"]["input_tokens"] == 7
    assert response["usage"]["output_token_details"] == {"audio_tokens": 8, "text_tokens": 5}
    assert stage.response.audio_ms == 2 * PIECE_MS


def test_advance_tells_how_much_speech_it_sent() -> None:
    response = Stage(LINE).response
    assert [response.advance() for _ in range(4)] == [0, PIECE_MS, PIECE_MS, 0]


def test_several_items_come_one_after_the_other_and_follow_each_other() -> None:
    stage = Stage(LINE, CALL)
    events = stage.to_the_end()
    added = [event for event in events if event["type"] == "conversation.item.added"]
    assert [event["item"]["type"] for event in added] == ["message", "function_call"]
    assert added[1]["previous_item_id"] == added[0]["item"]["id"]
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.done"] == [0, 1]
    assert [item.status for item in stage.conversation] == ["completed", "completed"]
    assert added[0]["item"]["status"] == "in_progress"


def test_text_output_sends_no_audio() -> None:
    events = Stage(LINE, modality="text").to_the_end()
    assert not [name for name in types(events) if "audio" in name]
    assert done(events)["output_modalities"] == ["text"]


def test_out_of_band_leaves_the_conversation_alone() -> None:
    stage = Stage(LINE, out_of_band=True)
    events = stage.to_the_end()
    assert not [name for name in types(events) if name.startswith("conversation.")]
    assert list(stage.conversation) == []
    assert done(events)["conversation_id"] is None
    assert len(done(events)["output"]) == 1


def test_cancelling_in_the_middle_closes_what_was_open_with_what_was_sent() -> None:
    stage = Stage(LINE)
    stage.advance(2)
    stage.response.cancel("turn_detected")
    events = stage.outbox.drain()
    assert types(events) == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert events[1]["transcript"] == "one two"
    response = done(events)
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_token_details"] == {"audio_tokens": 4, "text_tokens": 2}


def test_cancelling_before_the_first_item_leaves_no_output() -> None:
    stage = Stage(LINE)
    stage.response.cancel("client_cancelled")
    response = done(stage.outbox.drain())
    assert (response["status"], response["output"]) == ("cancelled", [])


def test_a_response_stops_before_it_would_exceed_its_tokens() -> None:
    response = done(Stage(LINE, max_output_tokens=7).to_the_end())
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["usage"]["output_tokens"] == 6
    assert response["output"][0]["content"][0]["transcript"] == "one two"


def test_tokens_that_suffice_change_nothing() -> None:
    assert done(Stage(LINE, max_output_tokens=13).to_the_end())["status"] == "completed"


def test_an_answer_of_nothing_is_completed_at_once() -> None:
    assert types(Stage().to_the_end()) == ["response.created", "response.done"]
