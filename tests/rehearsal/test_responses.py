from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from voicebotd.rehearsal.brain import Answer, Line, Past, Question
from voicebotd.rehearsal.faults import Doom, ErrorBody
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS, Conversation, Item, Part
from voicebotd.rehearsal.output import PIECE_MS
from voicebotd.rehearsal.responses import TOKENS_PER_MINUTE, Responses, question_of
from voicebotd.rehearsal.settings import default_session
from voicebotd.rehearsal.wire import Outbox, Refusal, ServerEvent

SESSION = default_session(session_id="sess_1", model="m", expires_at=0)
LINE_MS = 5 * PIECE_MS


class OneLine:
    """Answers everything alike and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def hear(self, pcm: bytes, past: tuple[Past, ...]) -> str:
        return f"{len(pcm)} bytes"

    def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        return Answer(parts=(Line(text="one two three four five", pcm=bytes(LINE_MS * PCM_BYTES_PER_MS)),))


class Stage:
    def __init__(self, speed: float = 10.0) -> None:
        self.outbox = Outbox("sess_1")
        self.conversation = Conversation()
        self.brain = OneLine()
        self.responses = Responses(self.outbox, self.conversation, self.brain, speed=speed)

    def create(self, now_s: float = 0.0, **params: Any) -> str:
        self.responses.create(SESSION, params, now_s)
        created, limits = self.outbox.drain()
        assert (created["type"], limits["type"]) == ("response.created", "rate_limits.updated")
        response_id: str = created["response"]["id"]
        return response_id

    def run(self) -> list[tuple[float, ServerEvent]]:
        """Advance whenever something is due, to the end; every event with its time."""
        sent: list[tuple[float, ServerEvent]] = []
        while (now_s := self.responses.due_s) is not None:
            self.responses.advance(now_s)
            sent += [(now_s, event) for event in self.outbox.drain()]
        return sent


def said(role: str, text: str) -> Item:
    part = Part(type="output_text" if role == "assistant" else "input_text", text=text)
    return Item(item_id=f"{role}_{text}", type="message", role=role, parts=[part])  # type: ignore[arg-type]


def heard(pcm: bytes) -> Item:
    return Item(item_id="heard", type="message", role="user", parts=[Part(type="input_audio", pcm=bytearray(pcm))])


def test_audio_is_streamed_at_its_speed() -> None:
    stage = Stage(speed=10.0)
    stage.create(now_s=100.0)
    times = [time_s for time_s, event in stage.run() if event["type"] == "response.output_audio.delta"]
    assert times == pytest.approx([100.0 + index * PIECE_MS / 1000 / 10 for index in range(5)])


def test_nothing_is_sent_before_it_is_due() -> None:
    stage = Stage()
    assert stage.responses.due_s is None
    stage.responses.advance(5.0)
    stage.create(now_s=10.0)
    stage.responses.advance(9.9)
    assert stage.outbox.drain() == []


def test_only_one_response_writes_to_the_conversation() -> None:
    stage = Stage()
    first = stage.create()
    with pytest.raises(Refusal) as refused:
        stage.responses.create(SESSION, {}, 0.0)
    assert refused.value.code == "conversation_already_has_active_response"
    assert stage.outbox.drain() == []
    active = stage.responses.active
    assert active is not None
    assert active.request.response_id == first


def test_out_of_band_responses_run_beside_it() -> None:
    stage = Stage()
    stage.create()
    beside = stage.create(conversation="none", metadata={"a": "b"})
    done = {event["response"]["id"]: event["response"] for _, event in stage.run() if event["type"] == "response.done"}
    assert len(done) == 2
    assert (done[beside]["conversation_id"], done[beside]["metadata"]) == (None, {"a": "b"})
    assert [question.out_of_band for question in stage.brain.asked] == [False, True]
    assert len(list(stage.conversation)) == 1


def test_cancelling_needs_something_to_cancel() -> None:
    stage = Stage()
    beside = stage.create(conversation="none")
    for response_id in (None, "resp_unknown"):
        with pytest.raises(Refusal) as refused:
            stage.responses.cancel(response_id, "client_cancelled", 0.0)
        assert refused.value.code == "response_cancel_not_active"
    stage.responses.cancel(beside, "client_cancelled", 0.0)
    assert stage.outbox.drain()[-1]["response"]["status"] == "cancelled"
    assert stage.responses.due_s is None


def test_without_an_id_the_conversations_response_is_cancelled() -> None:
    stage = Stage()
    beside = stage.create(conversation="none")
    first = stage.create()
    stage.responses.cancel(None, "turn_detected", 0.0)
    assert stage.outbox.drain()[-1]["response"]["id"] == first
    stage.responses.cancel(beside, "client_cancelled", 0.0)


def test_the_voice_is_locked_by_audio_in_the_conversation_only() -> None:
    stage = Stage()
    stage.create(conversation="none")
    stage.run()
    assert not stage.responses.voice_locked
    stage.create(output_modalities=["text"])
    stage.run()
    assert not stage.responses.voice_locked
    stage.create()
    stage.run()
    assert stage.responses.voice_locked


def test_silence_begins_when_a_client_that_plays_in_real_time_is_done() -> None:
    stage = Stage()
    stage.create(now_s=0.0)
    assert stage.responses.silent_from_s is None
    done_s, _ = stage.run()[-1]
    assert stage.responses.silent_from_s == pytest.approx(done_s + LINE_MS / 1000)


def test_silence_begins_at_once_when_a_response_is_cancelled() -> None:
    stage = Stage()
    stage.create()
    stage.responses.cancel(None, "client_cancelled", 3.0)
    assert stage.responses.silent_from_s == 3.0


def test_an_out_of_band_response_is_no_end_of_speech() -> None:
    stage = Stage()
    stage.create(conversation="none")
    stage.run()
    assert stage.responses.silent_from_s is None


def test_a_response_may_override_the_session() -> None:
    stage = Stage()
    stage.create(instructions="x" * 400, max_output_tokens=1, metadata={"a": "b"}, audio={"output": {"voice": "cedar"}})
    response = stage.run()[-1][1]["response"]
    assert response["status"] == "incomplete"
    assert response["audio"]["output"] == {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "cedar"}
    assert response["usage"]["input_token_details"]["text_tokens"] == 100


def test_the_context_of_the_response_before_is_cached() -> None:
    stage = Stage()
    stage.conversation.add(said("user", "hello"))
    stage.create()
    first = stage.run()[-1][1]["response"]["usage"]
    stage.create()
    second = stage.run()[-1][1]["response"]["usage"]
    assert first["input_token_details"]["cached_tokens"] == 0
    assert second["input_token_details"]["cached_tokens"] == first["input_tokens"]
    assert second["input_tokens"] == first["input_tokens"] + first["output_tokens"]


def test_the_reported_rate_limit_shrinks_and_stays_in_range() -> None:
    stage = Stage()
    remaining = []
    for _ in range(3):
        stage.responses.create(SESSION, {"conversation": "none", "instructions": "x" * 2 * TOKENS_PER_MINUTE}, 0.0)
        (limit,) = stage.outbox.drain()[-1]["rate_limits"]
        remaining.append(limit["remaining"])
    assert remaining == [TOKENS_PER_MINUTE // 2, 0, 0]


def test_given_input_replaces_the_conversation_and_may_refer_to_it() -> None:
    stage = Stage()
    stage.conversation.add(said("user", "from the conversation"))
    own = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "own"}]}
    reference = {"type": "item_reference", "id": "user_from the conversation"}
    for given in ([own], [reference], []):
        stage.create(conversation="none", input=given)
    assert [question.text for question in stage.brain.asked] == ["own", "from the conversation", None]
    with pytest.raises(Refusal):
        stage.responses.create(SESSION, {"conversation": "none", "input": [{**reference, "id": "nobody"}]}, 0.0)


# --- Rehearsed faults ------------------------------------------------------------------------------------------------


def test_a_response_that_never_comes_is_not_even_asked_for() -> None:
    stage = Stage()
    stage.responses.doom(Doom(kind="never"), 0.0)
    stage.responses.create(SESSION, {}, 0.0)
    assert stage.outbox.drain() == []
    assert stage.brain.asked == []
    stage.create()
    assert len(stage.brain.asked) == 1


def test_what_is_out_of_band_does_not_meet_the_doom_of_the_conversation() -> None:
    stage = Stage()
    stage.responses.doom(Doom(kind="never"), 0.0)
    stage.create(conversation="none")
    stage.responses.create(SESSION, {}, 0.0)
    assert stage.outbox.drain() == []


def test_a_response_that_is_stuck_is_active_until_it_is_cancelled() -> None:
    stage = Stage()
    stage.responses.doom(Doom(kind="stuck"), 0.0)
    stage.create()
    assert stage.responses.due_s == math.inf
    stage.responses.advance(10.0**6)
    assert stage.outbox.drain() == []
    with pytest.raises(Refusal):
        stage.responses.create(SESSION, {}, 0.0)
    stage.responses.cancel(None, "client_cancelled", 0.0)
    assert stage.outbox.drain()[-1]["response"]["status"] == "cancelled"


def test_a_response_fails_when_it_begins_or_in_the_middle() -> None:
    error = ErrorBody(type="server_error", code="server_error", message="no")
    stage = Stage()
    stage.responses.doom(Doom(kind="failed", error=error), 0.0)
    stage.responses.create(SESSION, {}, 0.0)
    (created, _, done) = stage.outbox.drain()
    assert (created["type"], done["type"]) == ("response.created", "response.done")
    assert done["response"]["status_details"] == {"type": "failed", "error": error.wire()}
    stage.create()
    stage.responses.advance(0.0)
    stage.responses.advance(0.0)
    stage.responses.doom(Doom(kind="incomplete", reason="content_filter"), 0.0)
    done = stage.outbox.drain()[-1]["response"]
    assert done["status_details"] == {"type": "incomplete", "reason": "content_filter"}
    assert done["output"][0]["content"][0]["transcript"] == "one"
    assert stage.responses.active is None


def test_who_fails_for_want_of_tokens_says_when_there_will_be_some() -> None:
    error = ErrorBody(type="t", code="rate_limit_exceeded", message="no")
    stage = Stage()
    stage.create()
    stage.responses.doom(Doom(kind="failed", error=error, reset_s=1.5), 0.0)
    limits, done = stage.outbox.drain()
    assert limits["rate_limits"][0] | {"remaining": 0, "reset_seconds": 1.5} == limits["rate_limits"][0]
    assert done["response"]["status"] == "failed"


CALL = Item(item_id="c", type="function_call", name="f", call_id="c")
OUTPUT = Item(item_id="o", type="function_call_output", call_id="c")


@pytest.mark.parametrize(
    ("items", "question"),
    [
        ([], Question(opening=True)),
        ([said("system", "Be kind.")], Question(opening=True)),
        ([said("user", "Hi")], Question(text="Hi")),
        ([heard(b"\x01\x02")], Question(pcm=b"\x01\x02")),
        ([said("user", "Hi"), said("system", "Be kind.")], Question(text="Hi")),
        ([said("user", "Hi"), said("assistant", "Hello")], Question()),
        ([said("user", "Hi"), CALL, OUTPUT], Question()),
        ([said("user", "Hi"), said("user", "Hello?")], Question(text="Hello?")),
    ],
)
def test_a_response_answers_the_latest_message_that_nobody_has_answered(items: list[Item], question: Question) -> None:
    assert replace(question_of(items), past=()) == question


@pytest.mark.parametrize(
    ("items", "calls", "waiting"),
    [
        ([said("user", "Hi"), CALL], False, True),
        ([said("user", "Hi"), CALL], True, False),
        ([said("user", "Hi"), CALL, OUTPUT], False, False),
        ([said("user", "Hi")], False, False),
    ],
)
def test_who_may_call_nothing_while_a_function_runs_has_only_patience_to_ask_for(
    items: list[Item], calls: bool, waiting: bool
) -> None:
    assert question_of(items, calls=calls).waiting is waiting


def test_a_brain_remembers_all_but_system_messages() -> None:
    call = Item(item_id="c", type="function_call", name="f", call_id="c", text="{}")
    items = [said("system", "Be kind."), said("user", "Hi"), said("assistant", "Hello"), call, OUTPUT]
    assert [(past.kind, past.name, past.text) for past in question_of(items).past] == [
        ("user", "", "Hi"),
        ("assistant", "", "Hello"),
        ("call", "f", "{}"),
        ("output", "", ""),
    ]


def test_a_call_that_the_service_made_itself_is_remembered_with_what_came_of_it() -> None:
    call = Item(item_id="m", type="mcp_call", name="search", text="{}", server="docs", output="found")
    said = Item(item_id="a", type="mcp_approval_response", call_id="x")
    assert question_of([call, said]).past == (
        Past(kind="call", name="search", text="{}"),
        Past(kind="output", text="found"),
    )
